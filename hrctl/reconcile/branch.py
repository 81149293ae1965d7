"""Which changes of a plan are those of a branch: what its base would not do as well.

Pure: the plan was made, both trees were read. A change of which a branch makes a part is divided by
its fields: a field is the branch's where the two trees declare it differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, FieldChange, Reason
from hrctl.model.resource import Desired
from hrctl.reconcile.decide import is_under
from hrctl.reconcile.diff import diff
from hrctl.reconcile.outputs import immutable_fields, target

_WHOLE: Final = frozenset({Action.CREATE, Action.ADOPT})
_GONE: Final = frozenset({Action.DELETE, Action.FORGET})

Immutable = Callable[[Change], frozenset[str]]  # field paths that cannot change in place


@dataclass(frozen=True, slots=True)
class Parts:
    """The changes of a plan, by whose they are.

    Attributes:
        ours: what the branch changes.
        pending: what the base declares and was not applied yet.
        drift: what was changed in the live systems.
    """

    ours: tuple[Change, ...]
    pending: tuple[Change, ...]
    drift: tuple[Change, ...]


def divide(
    changes: Sequence[Change],
    desired: Desired,
    base: Desired,
    immutable: Immutable = lambda change: immutable_fields(change.address.kind),
) -> Parts:
    """Divide the changes of the plan of `desired`; their order stays.

    Args:
        changes: those that do something.
        desired: what the branch declares, merged with its base.
        base: what the base declares.
        immutable: paths whose change makes a replace, of a kind and its driver.
    """
    work = _Division(desired, base, immutable)
    waiting = []
    for change in changes:  # what is referred to comes before those who refer to it
        if change.reason is not Reason.REFERENCED or not work.alike(change.address):
            work.take(change)
        elif work.follows(change.depends_on):
            work.ours.append(change)
        else:
            waiting.append(change)
    work.follow(waiting)
    order = {change.address: number for number, change in enumerate(changes)}
    return Parts(
        *(
            tuple(sorted(part, key=lambda change: order[change.address]))
            for part in (work.ours, work.pending, work.drift)
        )
    )


class _Division:
    def __init__(self, desired: Desired, base: Desired, immutable: Immutable) -> None:
        self.desired = desired
        self.base = base
        self.immutable = immutable
        self.ours: list[Change] = []
        self.pending: list[Change] = []
        self.drift: list[Change] = []
        self._whose: set[Address] = set()  # the addresses in `ours`, as far as they were counted
        self._counted = 0

    def same(self, address: Address) -> bool:
        """Whether both declare it, and alike."""
        row = self.desired.rows.get(address)
        return row is not None and row == self.base.rows.get(address)

    def alike(self, address: Address) -> bool:
        """Whether both declare it, and only what it refers to may be another: rows hold that too.

        Bodies are compared, so this is for the few that a plan changes.
        """
        if self.same(address):
            return True
        new, old = self.desired.rows.get(address), self.base.rows.get(address)
        if new is None or old is None or new.driver != old.driver:
            return False
        body = self.base.resource(address).body
        return not diff(self.desired.resource(address).body, body, body)

    def follows(self, targets: Iterable[Address]) -> bool:
        """Whether one of these is changed by the branch."""
        wanted = set(targets)
        if not wanted:
            return False
        self._whose.update(change.address for change in self.ours[self._counted :])
        self._counted = len(self.ours)
        return not self._whose.isdisjoint(wanted)

    def take(self, change: Change) -> None:
        """Put a change, or its parts, where they belong."""
        at = change.address
        if change.action in _GONE:
            (self.ours if at in self.base.rows else self.pending).append(change)
        elif at not in self.base.rows:
            self.ours.append(change)
        elif self.same(at):
            self._by_field(change, ())
        elif change.action in _WHOLE or self.desired.rows[at].driver != self.base.rows[at].driver:
            self.ours.append(_with_base(change))
        else:
            new, old = self.desired.resource(at).body, self.base.resource(at).body
            self._by_field(change, [one.path for one in diff(new, old, old)])

    def follow(self, changes: list[Change]) -> None:
        """What changes only because of what it refers to goes with that, step by step."""
        whose = {change.address for change in self.ours}
        while fresh := [one for one in changes if not whose.isdisjoint(one.depends_on)]:
            self.ours += fresh
            whose |= {change.address for change in fresh}
            changes = [one for one in changes if one not in fresh]
        self.pending += changes

    def _by_field(self, change: Change, paths: Iterable[str]) -> None:
        ours: list[FieldChange] = []
        pending: list[FieldChange] = []
        drift: list[FieldChange] = []
        for one in change.fields:
            if any(_near(one.path, path) for path in paths) or self.follows(_referred(one)):
                ours.append(one)
            else:
                (drift if one.reason is Reason.DRIFTED else pending).append(one)
        if not ours and not pending:  # drift alone, or a change without fields
            whole = change.drifted or bool(drift)
            (self.drift if whole else self.pending).append(change)
            return
        for fields, into in ((ours, self.ours), (pending, self.pending)):
            if fields:
                into.append(self._part(change, fields))
        if drift:
            self.drift.append(replace(self._part(change, drift), reason=Reason.DRIFTED))

    def _part(self, change: Change, fields: list[FieldChange]) -> Change:
        """A change of these fields alone; it replaces only where it is they that make it so."""
        part = replace(change, fields=tuple(fields))
        if change.action is not Action.REPLACE or len(fields) == len(change.fields):
            return part
        fixed = self.immutable(change)
        named = [one.path for one in change.fields if is_under(one.path, fixed)]
        if not named or any(one.path in named for one in fields):
            return part
        return replace(part, action=Action.UPDATE, reason=Reason.EDITED)


def _referred(one: FieldChange) -> Iterable[Address]:
    """The resource whose output a field wants."""
    desired = one.desired
    if isinstance(desired, dict) and isinstance(desired.get("valueFrom"), dict):
        found = target(desired["valueFrom"])
        if found is not None:
            yield found[0]


def _with_base(change: Change) -> Change:
    """A whole resource that the base declares, too, and that the branch changes."""
    note = "the base declares it too, and it is not applied yet"
    if change.drifted:
        return replace(change, reason=Reason.EDITED, note="it is gone from the live system")
    return replace(change, note=change.note or note)


def _near(path: str, other: str) -> bool:
    """Whether one of two field paths is the other, or lies below it."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
