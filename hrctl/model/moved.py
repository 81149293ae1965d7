"""Values that only changed their place: out of one field, into another with the same value.

A default that was pulled up from many documents into a registry is one value that moved from each
of them, not one that came and many that went.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import NamedTuple, TypeVar

from hrctl.model.fields import FieldDiff, Key
from hrctl.model.plan import ABSENT
from hrctl.model.values import Json, canonical

_Owner = TypeVar("_Owner", bound=Hashable)


class Spot(NamedTuple):
    """A field of a document."""

    owner: Hashable
    key: Key


def moves(changes: Iterable[tuple[_Owner, FieldDiff]]) -> dict[Spot, Spot]:
    """Where values went (from -> to): fields that are gone, and the one that has their value now.

    A field counts where its name is the same at both places; within one document another name
    will do, if the value is no mere true, false or small number that may stand anywhere.
    """
    came: dict[tuple[Hashable, ...], list[Spot]] = defaultdict(list)
    gone: list[tuple[Spot, FieldDiff]] = []
    for owner, one in changes:
        spot = Spot(owner, one.key)
        if one.old is ABSENT and one.new is not ABSENT:
            came[_by_name(one.key, one.new)].append(spot)
            if _is_telling(one.new):
                came[(owner, one.key[:-1], canonical(one.new))].append(spot)
        elif one.new is ABSENT:
            gone.append((spot, one))
    found = {}
    for spot, one in gone:
        places = [came.get(_by_name(spot.key, one.old))]
        if _is_telling(one.old):
            places.append(came.get((spot.owner, spot.key[:-1], canonical(one.old))))
        target = next((each[0] for each in places if each and len(each) == 1), None)
        if target is not None:
            found[spot] = target
    return found


def _by_name(key: Key, value: Json) -> tuple[Hashable, ...]:
    return key[-1], canonical(value)


def _is_telling(value: Json) -> bool:
    return isinstance(value, str | list | dict) and value not in ("", [], {})
