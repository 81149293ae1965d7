"""Two versions of a value, field by field: what a person calls a change.

Elements of a list that all have a `name` are known by it, so that one which moved is not another
one; other lists of maps go by position, and lists of scalars are one value. Nothing at all, null,
``{}`` and ``[]`` are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hrctl.model.plan import ABSENT, Absent
from hrctl.model.values import Json, canonical, is_reference, pointer

Key = tuple[str, ...]  # like a field path, but with the names of elements
ORDER = "\0order"  # ends the key of the order of a list's names


class Leaf(NamedTuple):
    """A value that holds no further fields, and its field path."""

    path: str
    value: Json


class FieldDiff(NamedTuple):
    """A field that differs. `path` leads to it in the new value, or in the old where it is gone."""

    key: Key
    path: str
    old: Json | Absent
    new: Json | Absent

    @property
    def is_order(self) -> bool:
        """Whether it is the order of a list's elements, told by their names."""
        return self.key[-1] == ORDER


def leaves(value: Json) -> dict[Key, Leaf]:
    """Every field of a value that holds no further fields, in document order."""
    return dict(_walk(value, (), ()))


def _walk(value: Json, key: Key, path: tuple[str, ...]) -> Iterator[tuple[Key, Leaf]]:
    if isinstance(value, dict) and value and not is_reference(value):
        for name, item in value.items():
            yield from _walk(item, (*key, str(name)), (*path, str(name)))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        names = _names(value)
        for number, item in enumerate(value):
            part = f"[{names[number]}]" if names else str(number)
            yield from _walk(item, (*key, part), (*path, str(number)))
        if names:
            yield (*key, ORDER), Leaf(pointer(path), names)
    elif value is not None and value not in ({}, []):
        yield key, Leaf(pointer(path), value)


def _names(items: list[Json]) -> list[str]:
    """The names of a list's elements, where all have one of their own."""
    found = [item.get("name") if isinstance(item, dict) else None for item in items]
    if all(isinstance(name, str) for name in found) and len(set(found)) == len(found):
        return [str(name) for name in found]
    return []


def compare(old: Json, new: Json) -> list[FieldDiff]:
    """The fields in which two values differ, in the order of the new one, removals last."""
    return compare_leaves(leaves(old), leaves(new))


def compare_leaves(old: Mapping[Key, Leaf], new: Mapping[Key, Leaf]) -> list[FieldDiff]:
    """Like `compare`, of values that were taken apart before."""
    found = []
    for key, leaf in new.items():
        was = old.get(key)
        if was is not None and same(was.value, leaf.value):
            continue
        if key[-1] == ORDER:
            before = [name for name in (was.value if was else ()) if name in leaf.value]
            after = [name for name in leaf.value if was and name in was.value]
            if before != after:
                found.append(FieldDiff(key, leaf.path, before, after))
            continue
        found.append(FieldDiff(key, leaf.path, was.value if was else ABSENT, leaf.value))
    found += [
        FieldDiff(key, leaf.path, leaf.value, ABSENT)
        for key, leaf in old.items()
        if key not in new and key[-1] != ORDER
    ]
    return found


def same(one: Json, other: Json) -> bool:
    """Whether two values are equal: true is not 1, and 3.0 is 3."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return canonical(one) == canonical(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
