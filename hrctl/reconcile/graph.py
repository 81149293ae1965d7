"""Which change waits for which: creates and updates forward, deletes backward.

The edges, for a change C that touches a live system:

1. C waits for each change of what it depends on.
2. A delete of D waits for the delete of all that depended on D, and so does a replace of D, as it
   takes D away for a while.
3. A delete of D waits for each change of what used to depend on D: first the user of a thing
   lets go of it, then it goes.
4. The delete half of a move waits for the create half.

Changes of the ledger alone (no-op, adopt, forget) wait for nothing and hold up nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change

LEDGER_ONLY: Final = frozenset({Action.NOOP, Action.ADOPT, Action.FORGET})
_TAKES_AWAY: Final = frozenset({Action.DELETE, Action.REPLACE})

Edges = dict[Address, list[Address]]


def ordered(
    changes: Iterable[Change], previous: Mapping[Address, tuple[Address, ...]]
) -> tuple[Change, ...]:
    """The changes with their `waits_for`, each one after those that it waits for.

    Args:
        changes: at most one for each address, in the order that is kept where nothing else decides.
        previous: the edges that the ledger recorded, for the addresses that have an entry.

    Raises:
        HrctlError: HR046, naming each step, where they wait for one another in a ring.
    """
    by_address = {change.address: change for change in changes}
    hard, soft = _edges(by_address, previous)
    try:
        order = _sorted(by_address, _merged(hard, soft))
        edges = _merged(hard, soft)
    except CycleError:
        # Edges of several runs can contradict each other; what only avoids a gap gives way.
        edges = hard
        try:
            order = _sorted(by_address, hard)
        except CycleError as error:
            raise HrctlError.of(
                "HR046",
                "these changes wait for one another: " + " -> ".join(reversed(error.args[1])),
                hint="apply in two steps: take one of these dependencies away first",
            ) from None
    return tuple(
        replace(by_address[address], waits_for=tuple(sorted(set(edges[address]))))
        if edges.get(address)
        else by_address[address]
        for address in order
    )


def _edges(
    changes: Mapping[Address, Change], previous: Mapping[Address, tuple[Address, ...]]
) -> tuple[Edges, Edges]:
    """Edges that must hold, and those of a replace, which could give way."""
    acting = {a: change for a, change in changes.items() if change.action not in LEDGER_ONLY}
    hard: Edges = {}
    soft: Edges = {}
    for address, change in acting.items():
        used_to = previous.get(address, ())
        if change.action is Action.DELETE:
            for target in dict.fromkeys((*change.depends_on, *used_to)):
                other = acting.get(target)
                if other is not None and other.action in _TAKES_AWAY:
                    kind = hard if other.action is Action.DELETE else soft
                    kind.setdefault(target, []).append(address)
        else:
            _forward(change, used_to, acting, hard)
    return hard, soft


def _forward(
    change: Change,
    used_to: Iterable[Address],
    acting: Mapping[Address, Change],
    edges: Edges,
) -> None:
    """Edges 1, 3 and 4 of a change that is no delete."""
    for target in change.depends_on:
        if target in acting and acting[target].action is not Action.DELETE:
            edges.setdefault(change.address, []).append(target)
    for target in used_to:
        if target in acting and acting[target].action is Action.DELETE:
            edges.setdefault(target, []).append(change.address)
    if change.previous_address in acting and change.previous_address is not None:
        edges.setdefault(change.previous_address, []).append(change.address)


def _merged(hard: Edges, soft: Edges) -> Edges:
    if not soft:
        return hard
    edges = {address: list(targets) for address, targets in hard.items()}
    for address, targets in soft.items():
        edges.setdefault(address, []).extend(targets)
    return edges


def _sorted(changes: Mapping[Address, Change], edges: Edges) -> list[Address]:
    sorter: TopologicalSorter[Address] = TopologicalSorter()
    for address in changes:
        sorter.add(address, *edges.get(address, ()))
    return list(sorter.static_order())
