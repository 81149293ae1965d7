"""Who gets what share: percentages, the arms of a test, and schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

Spec = dict[str, Json]

WHOLE: Final = 100  # percent
UNLEASH_TOTAL: Final = 1000  # the weights of a feature's variants in Unleash


def served(spec: Spec) -> str:
    """The variant that a rollout gives: the one it names, or of two the other than the default.

    Raises:
        KeyError: where it cannot be told.
    """
    rollout = spec["rollout"]
    named = rollout.get("live") if rollout["strategy"] == "BLUE_GREEN" else rollout.get("variant")
    if named is not None:
        return str(named)
    others = [name for name in spec["variants"] if name != spec["default"]]
    if len(others) != 1:
        raise KeyError("variant")
    return str(others[0])


def salt(name: str, rollout: Spec) -> str:
    """What is hashed before the user: the group of Unleash."""
    return str(rollout.get("salt") or name)


def weights_of(shares: Sequence[float]) -> list[int]:
    """Shares in percent as whole numbers of the same proportion, the smallest power of ten up.

    The scale does not move anybody: ``hash * total >> 32 < weight`` holds for the same hashes
    whatever both are multiplied with.
    """
    exact = [Decimal(str(share)) for share in shares]
    finest = max((max(0, -int(one.normalize().as_tuple().exponent)) for one in exact), default=0)
    return [int(one * 10**finest) for one in exact]


def arms(rollout: Spec, pinned: str | None = None) -> list[tuple[str, int]]:
    """Return the arms of a test by name, with whole weights, as the hash `pinned` orders them.

    Sorted, as the order of a mapping may get lost on the way and would reshuffle everybody.
    Unleash keeps the variants of a strategy in an order of its own, whatever it is sent. With
    `slices` an arm may stand in several places.
    """
    if slices := rollout.get("slices"):
        parts = [(str(one["variant"]), one["weight"]) for one in slices]
        whole = weights_of([share for _, share in parts])
        return [(name, weight) for (name, _), weight in zip(parts, whole, strict=True)]
    order = _collated if pinned == "unleash" else str
    held = sorted((rollout.get("weights") or {}).items(), key=lambda arm: order(arm[0]))
    return [
        (name, weight)
        for (name, _), weight in zip(held, weights_of([share for _, share in held]), strict=True)
    ]


def resliced(rollout: Spec, weights: Mapping[str, float]) -> list[dict[str, Json]] | None:
    """Return the slices of a test with other weights that move as few users as can be.

    Each arm that shrinks gives its last users to those that grow. None where the arms by name
    are the same.
    """
    before = {**rollout, "weights": rollout.get("weights") or {}}
    left = {name: Decimal(str(weight)) for name, weight in weights.items()}
    total = sum(weight for _, weight in arms(before))
    parts: list[tuple[str | None, Decimal]] = []
    for arm, weight in arms(before):
        share = Decimal(weight) * WHOLE / total
        kept = min(share, left.get(arm, Decimal(0)))
        left[arm] = left.get(arm, Decimal(0)) - kept
        parts += [(arm, kept), (None, share - kept)]
    made: list[tuple[str, Decimal]] = []
    for name, share in parts:  # by now nobody is left but those that grow
        owners = _given(left, share) if name is None else [(name, share)]
        for owner, part in owners:
            if part and made and made[-1][0] == owner:
                made[-1] = owner, made[-1][1] + part
            elif part:
                made.append((owner, part))
    plain = [(name, Decimal(str(weight))) for name, weight in sorted(weights.items()) if weight]
    if made == plain:
        return None
    return [{"variant": name, "weight": _number(share)} for name, share in made]


def _given(left: dict[str, Decimal], share: Decimal) -> Iterator[tuple[str, Decimal]]:
    """Yield who gets a share that became free, and take it from what is `left` to give."""
    for name in sorted(left):
        part = min(share, left[name])
        left[name] -= part
        share -= part
        yield name, part


def _number(share: Decimal) -> float:
    return int(share) if share == int(share) else float(share)


# what names of variants in Unleash may be made of, as `localeCompare` of JavaScript orders it
_COLLATION: Final = {
    letter: at for at, letter in enumerate("_-!.'()*~0123456789abcdefghijklmnopqrstuvwxyz")
}


def _collated(name: str) -> tuple[list[int], list[bool]]:
    """Return the key that sorts names as Unleash does: by letter, then lower case first."""
    last = len(_COLLATION)
    letters = [_COLLATION.get(letter, last + ord(letter)) for letter in name.lower()]
    return letters, [letter.isupper() for letter in name]


def boundaries(rollout: Spec, start: datetime | None) -> list[tuple[datetime | None, float]]:
    """Each step of a schedule that began at `start`: since when, and its percentage.

    A rollout without steps has one, since ever (None). Without a start nothing but the steps that
    begin at once have come.
    """
    steps = rollout.get("steps") or []
    if not steps:
        return [(None, rollout.get("percentage", 0))]
    found: list[tuple[datetime | None, float]] = [(None, 0)]
    for step in steps:
        after = seconds(step["after"])
        if after == 0:
            found = [(None, step["percentage"])]
        elif start is not None:
            found.append((start + timedelta(seconds=after), step["percentage"]))
    return found


def percentage(rollout: Spec, start: datetime | None, now: datetime | None) -> float:
    """The share at `now`, in percent. Without a clock: the one at the start."""
    present: Any = 0
    for since, share in boundaries(rollout, start):
        if since is None or (now is not None and since <= now):
            present = share
    return float(present)
