"""The digest that an approval is bound to: what a plan changes, from which state to which.

It says nothing of the machine, the time, the commit or the order, so that another plan of the same
changes has the same one. Secrets enter it as they stand in plans: as references.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from hrctl.model.managed import managed
from hrctl.model.plan import Absent, Action, Change, Plan, SettingChange
from hrctl.model.values import Json, canonical

PREFIX: Final = "sha256:"


def digest(changes: Iterable[Change]) -> str:
    """Of all changes that a person would call one, in whatever order: ``sha256:...``."""
    return combined(change_digest(one) for one in changes if one.action is not Action.NOOP)


def plan_digest(plan: Plan) -> str:
    """Return the digest of all that a plan changes: resources and settings of the project."""
    changes = (change_digest(one) for one in plan.pending)
    return combined([*changes, *map(setting_digest, plan.settings)])


def setting_digest(setting: SettingChange) -> str:
    """Return the digest of one changed setting: ``sha256:...``."""
    sides = {"from": setting.before, "to": setting.after}
    known = {side: value for side, value in sides.items() if not isinstance(value, Absent)}
    return _sha256(canonical({"setting": setting.path, **known}))


def combined(digests: Iterable[str]) -> str:
    """Of the digests of changes."""
    return _sha256("\n".join(sorted(digests)))


def change_digest(change: Change) -> str:
    """Of one change: ``sha256:...``."""
    return _sha256(canonical(states(change)))


def states(change: Change) -> dict[str, Json]:
    """What the digest is made of: the address, what is done and by what, from-state and to-state.

    Both states of an update are the fields that differ, as they are live and as they are wanted;
    the others are as declared on both sides. What is created has its whole body, what is deleted
    that part of its live body which was applied. Lifecycle and edges decide what later plans may
    do, the settings of driver instances where and how this one acts, and local files what runs.
    """
    action = change.action
    old: Json = None
    new: Json = change.after
    if action in {Action.UPDATE, Action.REPLACE}:
        old = {one.path: one.live for one in change.fields if not isinstance(one.live, Absent)}
    elif action is Action.DELETE:
        old = managed(change.before, change.applied)
    elif action is Action.FORGET:
        old = change.applied
    if action is Action.UPDATE:
        fields = [one for one in change.fields if not isinstance(one.desired, Absent)]
        new = {one.path: one.desired for one in fields}
    return {
        "address": change.address,
        "previous_address": change.previous_address,
        "action": action.value,
        "driver": change.driver,
        "previous_driver": change.previous_driver,
        "lifecycle": {
            "protect": change.lifecycle.protect,
            "ignore": list(change.lifecycle.ignore),
            "create_first": change.lifecycle.create_first,
            "deletion": change.lifecycle.deletion,
        },
        "protected": change.protected,
        "depends_on": sorted(change.depends_on),
        "settings": change.settings,
        "files": change.files,
        "from": old,
        "to": new,
    }


def _sha256(text: str) -> str:
    return PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
