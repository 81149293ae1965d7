"""The three-way difference: what is desired, what was applied, what is live, field by field.

Pure functions on JSON values. The rules:

1. Maps are open: a key that only the live one has is no difference, except at and below a path in
   `closed`. A key that was applied, is no longer desired and is still live is a removal.
2. Lists are whole: an element that only the live one has is a difference. Lists of objects that
   all have a `name` of their own are compared by it, and their order counts only where the
   desired order is not the applied one (a live system may well sort). Other lists of maps or
   lists are compared element by element where all sides are of one length, else as one value.
3. Numbers are equal by value (3 and 3.0), true is not 1, and nothing at all, null, ``{}`` and
   ``[]`` are the same.
4. References (``{"valueFrom": ...}``) are atoms.
5. A path in `ignore` is passed over with all below it; `*` stands for one segment, and a list's
   element is named by its index or by its `name`.

`desired == live` is never a difference, whatever was applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeGuard

from hrctl.model.managed import names
from hrctl.model.plan import ABSENT, Absent, FieldChange, Reason
from hrctl.model.values import (
    Body,
    Json,
    is_sensitive_reference,
    pointer_parts,
)

Ignored = tuple[tuple[str, ...], ...]  # what is left of each pattern below the current path

_CONTAINERS: Final = frozenset({dict, list})
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def diff(  # noqa: PLR0913 - three sides and what is special about their paths
    desired: Body,
    applied: Body | None,
    live: Body,
    *,
    ignore: Sequence[str] = (),
    sensitive: Iterable[str] = (),
    unknown: Iterable[str] = (),
    closed: frozenset[str] = frozenset(),
) -> tuple[FieldChange, ...]:
    """The fields in which `live` is not as `desired`, in the order of `desired`, removals last.

    Args:
        desired: the body that is wanted.
        applied: the body that the ledger holds (None: there is no entry).
        live: the body that is there. Secrets in it must be masked already (`bodies.mask`).
        ignore: field paths that are left to the live system.
        sensitive: paths of `desired` whose values no one may see.
        unknown: paths of `desired` whose values only the apply will know; they always differ.
        closed: paths below which a key that only `live` has is a difference too.

    Returns:
        One `FieldChange` for each: DRIFTED where desired is as applied, EDITED where live is as
        applied or the field was never applied, CONFLICT where all three differ.
    """
    walk = _Walk(frozenset(sensitive), frozenset(unknown), closed)
    had: Json | Absent = ABSENT if applied is None else applied
    walk.maps("", desired, had, live, tuple(tuple(pointer_parts(one)) for one in ignore))
    return tuple(walk.found)


def same(left: Json | Absent, right: Json | Absent) -> bool:
    """Whether two JSON values are equal (rule 3), in both directions."""
    if left is right:
        return True
    kind = type(left)
    if kind is dict and type(right) is dict:
        keys = left.keys() | right.keys()  # type: ignore[union-attr]  # the types are checked above
        return all(same(left.get(key, ABSENT), right.get(key, ABSENT)) for key in keys)  # type: ignore[union-attr]
    if kind is list and type(right) is list:
        return len(left) == len(right) and all(map(same, left, right))  # type: ignore[arg-type]
    if kind is bool or type(right) is bool:
        return False
    return left == right or (_hollow(left) and _hollow(right))


def covers(shape: Json | Absent, live: Json | Absent) -> bool:
    """Whether `live` has all that `shape` says; keys of its own are allowed (rules 1 and 2)."""
    if shape is live:
        return True
    if _is_map(shape) and _is_map(live):
        return all(covers(item, live.get(key, ABSENT)) for key, item in shape.items())
    if type(shape) is list and type(live) is list:
        if len(shape) != len(live):
            return False
        wanted, present = names(shape), names(live)
        if wanted is not None and present is not None:
            return wanted.keys() == present.keys() and all(
                covers(item, present[name]) for name, item in wanted.items()
            )
        return all(map(covers, shape, live))
    return same(shape, live)


def below(ignored: Ignored, *segments: str) -> Ignored:
    """What is left of the patterns one step down; an empty pattern means: all of this."""
    return tuple(one[1:] for one in ignored if one[0] in segments or one[0] == "*")


def _hollow(value: Json | Absent) -> bool:
    return value is ABSENT or value is None or (not value and type(value) in _CONTAINERS)


def _is_map(value: Json | Absent) -> TypeGuard[dict[str, Json]]:
    return type(value) is dict and not (len(value) == 1 and "valueFrom" in value)


def escaped(key: str) -> str:
    """A key as one segment of a field path."""
    if "~" in key or "/" in key:
        return key.replace("~", "~0").replace("/", "~1")
    return key


def _reason(desired: Json | Absent, applied: Json | Absent, live: Json | Absent) -> Reason:
    if same(desired, applied):
        return Reason.DRIFTED
    if applied is ABSENT or covers(applied, live):
        # What live has in a field that was never applied is its default, not someone's edit.
        return Reason.EDITED
    if _is_map(desired) and _is_map(applied) and _hollow(live):
        # Nothing at all is as good as {} (rule 3), where each field has a reason of its own.
        shared = desired.keys() & applied.keys()
        reasons = (_reason(desired[key], applied[key], ABSENT) for key in shared)
        return Reason.CONFLICT if Reason.CONFLICT in reasons else Reason.EDITED
    return Reason.CONFLICT


class _Walk:
    """One comparison: collects what it finds."""

    __slots__ = ("closed", "found", "sensitive", "unknown")

    def __init__(
        self, sensitive: frozenset[str], unknown: frozenset[str], closed: frozenset[str]
    ) -> None:
        self.found: list[FieldChange] = []
        self.closed = closed
        self.sensitive = sensitive
        self.unknown = unknown

    def maps(
        self,
        path: str,
        desired: dict[str, Json],
        applied: Json | Absent,
        live: dict[str, Json],
        ignored: Ignored,
    ) -> None:
        had = applied if type(applied) is dict else {}
        for key, want in desired.items():
            have = live.get(key, ABSENT)
            kind = type(want)
            if kind in _SCALARS and kind is type(have) and want == have:
                continue
            rest = below(ignored, key) if ignored else ()
            if () not in rest:
                child = f"{path}/{escaped(key)}"
                self.values(child, want, had.get(key, ABSENT), have, rest)
        for key, was in had.items():
            if key not in desired and not _hollow(have := live.get(key, ABSENT)):
                rest = below(ignored, key) if ignored else ()
                if () not in rest:
                    self.add(f"{path}/{escaped(key)}", ABSENT, was, have)
        if self.closed and not live.keys() <= desired.keys():
            self.undeclared(path, desired.keys() | had.keys(), live, ignored)

    def undeclared(
        self, path: str, known: AbstractSet[str], live: dict[str, Json], ignored: Ignored
    ) -> None:
        """Add the keys of closed maps that only `live` has."""
        for key, have in live.items():
            child = f"{path}/{escaped(key)}"
            if key in known or _hollow(have) or not self.is_closed(child):
                continue
            if () not in (below(ignored, key) if ignored else ()):
                self.add(child, ABSENT, ABSENT, have)

    def is_closed(self, path: str) -> bool:
        """Return whether `path` is at or below a closed path."""
        return path in self.closed or any(path.startswith(f"{one}/") for one in self.closed)

    def values(
        self,
        path: str,
        desired: Json,
        applied: Json | Absent,
        live: Json | Absent,
        ignored: Ignored,
    ) -> None:
        if path in self.unknown:
            self.add(path, desired, applied, live)
        elif _is_map(desired) and _is_map(live):
            self.maps(path, desired, applied, live, ignored)
        elif type(desired) is list and type(live) is list:
            self.lists(path, desired, applied, live, ignored)
        elif not same(desired, live):
            self.add(path, desired, applied, live)

    def lists(
        self,
        path: str,
        desired: list[Json],
        applied: Json | Absent,
        live: list[Json],
        ignored: Ignored,
    ) -> None:
        had = applied if type(applied) is list else None
        wanted, present = names(desired), names(live)
        if wanted is not None and present is not None:
            was = names(had) if had is not None else {}
            if was is not None:
                self.named(path, (desired, had, live), (wanted, was, present), ignored)
                return
        if (
            len(desired) == len(live)
            and (applied is ABSENT or (had is not None and len(had) == len(live)))
            and all(type(item) in _CONTAINERS for item in desired)
        ):
            for index, want in enumerate(desired):
                rest = below(ignored, str(index)) if ignored else ()
                if () not in rest:
                    was_there = ABSENT if had is None else had[index]
                    self.values(f"{path}/{index}", want, was_there, live[index], rest)
        elif not (same if self.is_closed(path) else covers)(desired, live):
            self.add(path, desired, applied, live)

    def named(
        self,
        path: str,
        lists: tuple[list[Json], list[Json] | None, list[Json]],
        by_name: tuple[dict[str, Json], dict[str, Json], dict[str, Json]],
        ignored: Ignored,
    ) -> None:
        """Elements by name; those that are not desired get the indices after the last one."""
        wanted, was, present = by_name
        if _reordered(wanted, was, present):
            desired, applied, live = lists
            self.add(path, desired, ABSENT if applied is None else applied, live)
            return
        for index, (name, want) in enumerate(wanted.items()):
            rest = below(ignored, str(index), name) if ignored else ()
            if () not in rest:
                have = present.get(name, ABSENT)
                self.values(f"{path}/{index}", want, was.get(name, ABSENT), have, rest)
        extra = (name for name in present if name not in wanted)
        for index, name in enumerate(extra, start=len(wanted)):
            if () not in below(ignored, str(index), name):
                self.add(f"{path}/{index}", ABSENT, was.get(name, ABSENT), present[name])

    def add(
        self, path: str, desired: Json | Absent, applied: Json | Absent, live: Json | Absent
    ) -> None:
        unknown = path in self.unknown
        secret = (
            path in self.sensitive
            or is_sensitive_reference(desired)
            or is_sensitive_reference(applied)
        )
        reason = _reason(desired, applied, live)
        if unknown and reason is Reason.DRIFTED:
            reason = Reason.REFERENCED  # the reference is as it was, what it leads to is not
        change = FieldChange(path, desired, applied, live, reason, secret, unknown)
        self.found.append(change)


def _reordered(wanted: dict[str, Json], was: dict[str, Json], present: dict[str, Json]) -> bool:
    """Whether the order was changed on purpose and live does not have it yet."""
    if [name for name in wanted if name in present] == [name for name in present if name in wanted]:
        return False
    return [name for name in wanted if name in was] != [name for name in was if name in wanted]
