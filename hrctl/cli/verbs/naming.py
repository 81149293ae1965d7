"""From what a person types to an address: `api`, `prod:api`, or the whole of it."""

from __future__ import annotations

from collections.abc import Iterable

from hrctl.diagnostics import Diagnostic, HrctlError, Related
from hrctl.model.address import Address
from hrctl.model.tree import Tree

_SHOWN = 12


def find(tree: Tree, kind: str, text: str) -> Address:
    """The one declared resource of a kind that `text` names.

    An address, a name that only one registry has, or the end of a registry path and a name:
    `prod:api`, `checkout/prod:api`.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    registry, _, name = text.rpartition(":")
    name = name.removeprefix(f"{kind}/")
    found = [
        address
        for address in tree.rows
        if address.kind == kind
        and address.name == name
        and (not registry or f"/{address.registry}".endswith(f"/{registry}"))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise HrctlError(
            Diagnostic(
                "HR160",
                f"'{text}' may be any of {len(found)}",
                related=tuple(Related(one) for one in found[:_SHOWN]),
                hint=f"say more of the registry, as {_longer(found[0])}",
            )
        )
    raise HrctlError.of("HR141", f"no {kind} '{text}' is declared", hint=_near(tree, kind, name))


def _longer(address: Address) -> str:
    return f"{'/'.join(address.registry.split('/')[-2:])}:{address.name}"


def _near(tree: Tree, kind: str, name: str) -> str:
    from difflib import get_close_matches

    names = {address.name for address in tree.rows if address.kind == kind}
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else "the list verb shows what is"


def of_kind(tree: Tree, kind: str, registry: str | None) -> list[Address]:
    """The declared resources of a kind, in a registry (by the end of its path) and below it."""
    if registry is None:
        return [address for address in tree.rows if address.kind == kind]
    path = registry_path(tree, registry)
    return [address for address in tree.within(path) if address.kind == kind]


def registry_path(tree: Tree, text: str) -> str:
    """The path of the one registry that `text` is, or ends.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    if text in tree.registries:
        return text
    found = [path for path in tree.registries if path.endswith(f"/{text}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise HrctlError(
            Diagnostic(
                "HR160",
                f"'{text}' may be any of {len(found)} registries",
                related=tuple(Related(one) for one in found[:_SHOWN]),
                hint="give the whole path",
            )
        )
    raise HrctlError.of("HR141", f"no registry '{text}'", hint=_some(tree.registries))


def _some(paths: Iterable[str]) -> str:
    shown = list(paths)
    more = ", ..." if len(shown) > _SHOWN else ""
    return "there are " + ", ".join(shown[:_SHOWN]) + more
