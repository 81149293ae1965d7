"""What a change of some files can reach: what is declared in them, and whatever depends on that."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from hrctl.model.address import Address
from hrctl.model.registry import Record
from hrctl.model.tree import Tree


def reached(tree: Tree, paths: AbstractSet[str]) -> set[Address]:
    """The resources that what is written in these files can change.

    Those that are declared or patched there; all in and below a registry whose own document is
    among them, since they inherit its defaults and drivers; and all that refer to one of those,
    however indirectly.
    """
    found: set[Address] = set()
    handing: set[str] = set()  # registries whose document is among the files, or above which one is
    for record in tree.records:
        if record.parent in handing or record.registry.path in paths:
            handing.add(record.path)
            found.update(map(Address, record.addresses))
        else:
            found.update(_written(record, paths))
    waiting = list(found)
    while waiting:
        users = [one for one in tree.dependents(waiting.pop()) if one not in found]
        found.update(users)
        waiting += users
    return found


def _written(record: Record, paths: AbstractSet[str]) -> Iterable[Address]:
    """The resources of a registry that a document in one of these files has a part in."""
    numbers = {number for number, source in enumerate(record.sources) if source[0] in paths}
    if not numbers:
        return
    for index, written in enumerate(record.written):
        if not numbers.isdisjoint(written[::2]):
            yield Address(record.addresses[index])
