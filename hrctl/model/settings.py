"""Settings of the project file that differ between two revisions of it.

They decide where hrctl connects, what it runs and what it refuses, so a change of one is shown and
approved like a change of a resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hrctl.model.plan import ABSENT, SettingChange
from hrctl.model.values import Json, pointer

Limits = Mapping[str, int]
Grades = Mapping[str, Mapping[str, int | None]]


def changed_settings(
    before: Mapping[str, Json], after: Mapping[str, Json]
) -> tuple[SettingChange, ...]:
    """Return what differs between two complete project files, in the order of their paths.

    Both have every default filled in, so that a default which is written out is no change.
    """
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        SettingChange(path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in sorted(old.keys() | new.keys())
        if path not in old or path not in new or old[path] != new[path]
    )


def stricter_limits(one: Limits, other: Limits) -> dict[str, int]:
    """Return the lower of two limits for each measure of `safety`."""
    return {name: min(one.get(name, limit), limit) for name, limit in {**one, **other}.items()}


def stricter_grades(one: Grades, other: Grades) -> dict[str, dict[str, int | None]]:
    """Return for each measure of `blastRadius` the lower number at which a grade begins.

    A grade that one of them never reaches begins where the other says.
    """
    strict: dict[str, dict[str, int | None]] = {}
    for grades in (one, other):
        for measure, begins in grades.items():
            into = strict.setdefault(measure, {})
            for grade, number in begins.items():
                known = into.get(grade)
                if number is not None:
                    into[grade] = number if known is None else min(known, number)
    return strict


def _leaves(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Json]]:
    """Yield every value that is no map, with its pointer; references are taken apart, too.

    Nothing at all, null and an empty map are the same.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif value is not None:
        yield pointer(path), value
