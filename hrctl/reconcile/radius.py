"""What the blast radius of a plan is made of, counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from hrctl.model.address import Address
from hrctl.model.danger import Danger, dangers, is_destroyed, is_stateful, unprotects
from hrctl.model.plan import Action, Change
from hrctl.model.radius import NOWHERE, BlastRadius, Thresholds, graded
from hrctl.model.resource import Desired
from hrctl.model.values import lookup

_TOUCHING = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE})


def blast_radius(
    changes: Iterable[Change],
    desired: Desired,
    thresholds: Thresholds,
    settings: int = 0,
) -> BlastRadius:
    """How far the changes can reach; nothing is looked at where none touches a live system.

    Args:
        changes: of a plan; those of the ledger alone count only where they end a protection.
        desired: knows the levels of registries, and who depends on whom.
        thresholds: where each grade begins.
        settings: how many settings of the project change.
    """
    touching = [one for one in changes if one.action in _TOUCHING or unprotects(one)]
    if not touching and not settings:
        return NOWHERE
    found = [dangers(one) for one in touching]
    counts = {
        danger: sum(any(one.danger is danger for one in warned) for warned in found)
        for danger in Danger
    }
    dependents = _dependents(touching, desired)
    levels = _levels(touching, dependents, desired)
    return graded(
        {
            "changes": len(touching),
            "deletes": sum(map(is_destroyed, touching)),
            "dataLoss": counts[Danger.DATA_LOSS],
            "public": counts[Danger.PUBLIC],
            "protected": counts[Danger.PROTECTED],
            "stateful": sum(
                one.action is not Action.CREATE and is_stateful(one) for one in touching
            ),
            "environments": sum(level == "ENVIRONMENT" for level in levels.values()),
            "tenants": sum(level == "TENANT" for level in levels.values()),
            "dependents": len(dependents),
            "settings": settings,
        },
        thresholds,
    )


def _levels(
    changes: Sequence[Change], dependents: Collection[Address], desired: Desired
) -> Mapping[str, str | None]:
    """The level of each registry that something changes or depends in, and of those above it.

    One that is deleted with its registry is in no tree any more; the plan itself has its body.
    """
    gone = {
        one.address.registry: lookup(one.applied, "/spec/level")
        for one in changes
        if one.address.kind == "Registry" and one.applied is not None
    }
    levels: dict[str, str | None] = {}
    touched = {change.address.registry for change in changes}
    for path in touched | {address.registry for address in dependents}:
        while path and path not in levels:
            levels[path] = desired.level(path) or gone.get(path)
            path = path.rpartition("/")[0]  # noqa: PLW2901  # one step up
    return levels


def _dependents(changes: Iterable[Change], desired: Desired) -> set[Address]:
    """Who depends on what changes, at any distance, and is not changed itself.

    What is only created has no one yet who could be harmed by it.
    """
    changed = {change.address for change in changes}
    waiting = [one.address for one in changes if one.action is not Action.CREATE]
    seen = set(waiting)
    while waiting:
        users = set(desired.dependents(waiting.pop())) - seen
        seen |= users
        waiting += users
    return seen - changed
