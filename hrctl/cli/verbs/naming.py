"""From what a person types to the one address or registry that is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from hrctl.diagnostics import Diagnostic, HrctlError, Related
from hrctl.model.address import Address, is_within
from hrctl.model.kinds import GROUPS
from hrctl.model.tree import Tree

_SHOWN = 12


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell: names that are enough, and addresses, of the group's kind."""
    from hrctl.cli.complete import complete_address

    kind = GROUPS.get((ctx.parent.info_name if ctx.parent else None) or "")
    found = [one for one in map(Address, complete_address("")) if one.kind == kind]
    if kind == "Registry":
        words = {one.registry for one in found}
    else:
        names = [one.name for one in found]
        words = {*found, *(name for name in names if names.count(name) == 1)}
    return sorted(word for word in words if word.startswith(incomplete))


def complete_registry(incomplete: str) -> list[str]:
    """For the shell: the paths of registries."""
    from hrctl.cli.complete import complete_address

    paths = {one.registry for one in map(Address, complete_address(""))}
    return sorted(path for path in paths if path.startswith(incomplete))


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="NAME, REGISTRY:NAME or an address.", autocompletion=complete_name
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help="NAME, REGISTRY:NAME or an address; default all.",
        autocompletion=complete_name,
    ),
]
In = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="REGISTRY",
        help="A registry and all below it; the end of a path will do.",
        autocompletion=complete_registry,
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="REGISTRY",
        help="Where; default the root.",
        autocompletion=complete_registry,
    ),
]


def find(tree: Tree, kind: str, text: str, within: str = "") -> Address:
    """The one declared resource of a kind that `text` names.

    An address, a name that only one registry has, or the end of a registry path and a name:
    `prod:api`, `checkout/prod:api`. A Registry is named by the end of its path alone. `within` is
    the path of a registry to look in and below.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    if kind == "Registry" and ":" not in text:
        path = registry_path(tree, text)
        return Address.of(path, kind, path.rpartition("/")[2])
    registry, _, name = text.rpartition(":")
    name = name.removeprefix(f"{kind}/")
    named = [one for one in tree.rows if one.kind == kind and one.name == name]
    if within:
        named = [one for one in named if is_within(one.registry, within)]
    found = [one for one in named if not registry or f"/{one.registry}".endswith(f"/{registry}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(
            text, f"{len(found)} {kind}s", found, f"say more of the registry: {_longer(found)}"
        )
    known = [short(one) for one in named]
    hint = f"there is {_some(known)}" if known else _near(tree, kind, registry, name)
    raise HrctlError.of("HR141", f"no {kind} '{text}' is declared", hint=hint)


def short(address: Address) -> str:
    """How a verb of its kind may name it: `acme/shop/prod:api`; the path of a Registry."""
    if address.kind == "Registry":
        return address.registry
    return f"{address.registry}:{address.name}"


def shortest(tree: Tree, addresses: Sequence[Address]) -> list[str]:
    """The least that `find` takes for each of these: `prod:api`."""
    named: dict[tuple[str, str], list[Address]] = {}
    for one in tree.rows:
        named.setdefault((one.kind, one.name), []).append(one)
    return [
        _longer([one, *(each for each in named[one.kind, one.name] if each != one)])
        for one in addresses
    ]


def _ambiguous(text: str, many: str, found: Iterable[str], hint: str) -> HrctlError:
    found = list(found)
    more = len(found) - _SHOWN
    return HrctlError(
        Diagnostic(
            "HR160",
            f"'{text}' may be any of {many}",
            related=tuple(Related(one) for one in found[:_SHOWN]),
            note=f"and {more} more" if more > 0 else None,
            hint=hint,
        )
    )


def _longer(found: Sequence[Address]) -> str:
    """The shortest end of the first one's path that no other has, and its name."""
    parts = found[0].registry.split("/")
    for size in range(1, len(parts)):
        end = "/".join(parts[-size:])
        if sum(f"/{one.registry}".endswith(f"/{end}") for one in found) == 1:
            return f"{end}:{found[0].name}"
    return f"{found[0].registry}:{found[0].name}"


def _near(tree: Tree, kind: str, registry: str, name: str) -> str:
    from difflib import get_close_matches

    known = [address for address in tree.rows if address.kind == kind]
    near = get_close_matches(name, {address.name for address in known}, n=1)
    if not near:
        group = next(group for group, one in GROUPS.items() if one == kind)
        return f"`hrctl {group} list` shows what is"
    ending = f"/{registry}"
    kept = any(one.name == near[0] and f"/{one.registry}".endswith(ending) for one in known)
    return f"did you mean {f'{registry}:' if registry and kept else ''}{near[0]}?"


def of_kind(tree: Tree, kind: str, registry: str | None) -> list[Address]:
    """The declared resources of a kind, in a registry (by the end of its path) and below it."""
    if registry is None:
        return [address for address in tree.rows if address.kind == kind]
    path = registry_path(tree, registry)
    return [address for address in tree.within(path) if address.kind == kind]


def chosen(
    tree: Tree, kind: str, names: Sequence[str] | None, registry: str | None
) -> list[Address]:
    """The resources that are named, each once, or all of the kind in a registry."""
    if not names:
        return of_kind(tree, kind, registry)
    within = registry_path(tree, registry) if registry else ""
    return list(dict.fromkeys(find(tree, kind, name, within) for name in names))


def registry_path(tree: Tree, text: str) -> str:
    """The path of the one registry that `text` is, or ends.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    text = text.strip("/")
    if text in tree.registries:
        return text
    found = [path for path in tree.registries if path.endswith(f"/{text}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(text, f"{len(found)} registries", found, "say more of the path")
    raise HrctlError.of(
        "HR141", f"no registry '{text}'", hint="there are " + _some(tree.registries)
    )


def _some(paths: Iterable[str]) -> str:
    shown = list(paths)
    more = ", ..." if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
