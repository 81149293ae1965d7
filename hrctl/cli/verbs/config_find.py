"""From a key, and what is said of where, to the entry or the Config that is meant."""

from __future__ import annotations

from typing import Annotated

import typer

from hrctl.cli.verbs import naming
from hrctl.diagnostics import Diagnostic, HrctlError, Related
from hrctl.model.address import Address
from hrctl.model.entries import Entry, effective, entries_of, visible_from, winner
from hrctl.model.tree import Tree

Key = Annotated[str, typer.Argument(metavar="KEY", help="Of the entry.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="REGISTRY",
        help="Where to look from, upwards; the end of a path will do.",
        autocompletion=naming.complete_registry,
    ),
]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="NAME", help="Only this Config: NAME, REGISTRY:NAME."),
]


def candidates(tree: Tree, key: str, where: str | None, config: str | None) -> list[Entry]:
    """The entries of a key in the order of the lookup; the first ones of each registry win.

    Raises:
        HrctlError: HR141 where there is none, HR160 where it is not clear from where to look.
    """
    if config is not None:
        address = find_config(tree, config, where)
        found = [one for one in entries_of(tree, address) if one.key == key]
    elif where is not None:
        registry = naming.registry_path(tree, where)
        found = [one for one in visible_from(tree, registry) if one.key == key]
    else:
        found = _only(tree, key)
    if not found:
        raise _no_key(tree, key, where, config)
    return found


def find_config(tree: Tree, name: str, where: str | None) -> Address:
    """The Config of a name, in a registry where one is named."""
    within = naming.registry_path(tree, where) if where else ""
    if within:
        here = Address.of(within, "Config", name.rpartition(":")[2])
        if here in tree.rows:
            return here
    return naming.find(tree, "Config", name, within)


def _only(tree: Tree, key: str) -> list[Entry]:
    """The entries of a key that only one Config has."""
    found = [
        one
        for address in naming.of_kind(tree, "Config", None)
        for one in entries_of(tree, address)
        if one.key == key
    ]
    if len({one.address for one in found}) > 1:
        raise HrctlError(
            Diagnostic(
                "HR160",
                f"{key} stands in {len(found)} Configs",
                related=tuple(Related(naming.short(one.address)) for one in found[:12]),
                hint="say from where to look with --in, or which one with --config",
            )
        )
    return found


def _no_key(tree: Tree, key: str, where: str | None, config: str | None) -> HrctlError:
    from difflib import get_close_matches

    if config is not None:
        keys = [one.key for one in entries_of(tree, find_config(tree, config, where))]
        place = config
    else:
        addresses = naming.of_kind(tree, "Config", None)
        keys = [one.key for address in addresses for one in entries_of(tree, address)]
        place = f"{where} or above it" if where else "any Config"
    near = get_close_matches(key, keys, n=1)
    hint = f"did you mean {near[0]}?" if near else "hrctl config list shows what there is"
    return HrctlError.of("HR147", f"there is no {key} in {place}", hint=hint)


def held(tree: Tree, key: str, where: str | None, config: str | None) -> Entry:
    """The entry that holds: the one with the value, else the first."""
    found = candidates(tree, key, where, config)
    return winner(found) or found[0]


def home_of(tree: Tree, key: str, where: str | None, config: str | None) -> Address:
    """The Config that a new value of a key is to be written into.

    The one that is named; else that in the registry which has the key already, or is the only one
    there; without a registry the only one that has the key.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    if config is not None:
        return find_config(tree, config, where)
    if where is None:
        found = _only(tree, key)
        if found:
            return found[0].address
        return _single(naming.of_kind(tree, "Config", None), key, "the project")
    registry = naming.registry_path(tree, where)
    here = [one for one in naming.of_kind(tree, "Config", None) if one.registry == registry]
    having = [one for one in here if any(each.key == key for each in entries_of(tree, one))]
    return _single(having or here, key, registry)


def _single(found: list[Address], key: str, where: str) -> Address:
    if len(found) == 1:
        return found[0]
    if not found:
        raise HrctlError.of(
            "HR141",
            f"there is no Config in {where} to hold {key}",
            hint="hrctl config create NAME --in REGISTRY makes one",
        )
    raise HrctlError(
        Diagnostic(
            "HR160",
            f"{key} may go into any of {len(found)} Configs",
            related=tuple(Related(naming.short(one)) for one in found[:12]),
            hint="say which with --config",
        )
    )


def chosen(tree: Tree, where: str | None, config: str | None) -> list[Entry]:
    """The entries of one Config, or those that hold at a registry; else all of the project."""
    if config is not None:
        return list(entries_of(tree, find_config(tree, config, where)))
    if where is not None:
        return list(effective(tree, naming.registry_path(tree, where)).values())
    found = naming.of_kind(tree, "Config", None)
    found.sort(key=lambda one: (one.registry.split("/"), one.name))
    return [entry for one in found for entry in entries_of(tree, one)]
