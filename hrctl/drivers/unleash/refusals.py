"""What Unleash refuses, or what it or some of its clients take for something else.

Nobody is to be moved in silence, or to learn at an apply what a plan can tell. It is refused where
a flag is written and not where one is read: people may use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from hrctl.logic.flags.conditions import KEY, conditions
from hrctl.model.values import pointer

_TARGETING: Final = "which Unleash calls userId"
_STICKINESS: Final = {
    KEY: _TARGETING,
    "random": "which to Unleash is chance each time",
}
_ATTRIBUTES: Final = {
    KEY: _TARGETING,
    "currentTime": "which to Unleash is its own clock where a context has none",
}
_NAME_HINT: Final = "name an attribute that contexts have, such as userId"
_OTHER_HINT: Final = "declare it another way, or bind the flag to another driver"
_LONGEST: Final = 100  # characters of a value, and of a variant's name
_FRIENDLY: Final = re.compile(r"(?!\.\.?$)[A-Za-z0-9_.!~*'()-]{1,100}")  # needs no escape in a URL
_SAFE: Final = 2**53  # JavaScript tells whole numbers apart below this


class Refusal(NamedTuple):
    """In words that go on after "uses"; `field` is where it is said."""

    words: str
    field: str
    hint: str = _OTHER_HINT


def refused(spec: Mapping[str, Any]) -> Refusal | None:
    """The first such thing of a flag."""
    return next(_refused(spec), None)


def _refused(spec: Mapping[str, Any]) -> Iterator[Refusal]:
    rollout = spec.get("rollout") or {}
    name = rollout.get("stickiness")
    if name in _STICKINESS:
        words = f"stickiness '{name}', {_STICKINESS[name]}"
        yield Refusal(words, "/spec/rollout/stickiness", _NAME_HINT)
    if spec.get("type") != "BOOLEAN":  # whose variants are no variants there
        for name in spec.get("variants") or ():
            if _FRIENDLY.fullmatch(name) is None:
                words = f"'{name}' as a variant's name, where Unleash has at most {_LONGEST} of "
                words += "letters, digits and -_.~"
                yield Refusal(words, pointer(["spec", "variants", name]))
    for field, condition in _asked(spec, rollout):
        name = condition["attribute"]
        if name in _ATTRIBUTES:
            yield Refusal(f"the attribute '{name}', {_ATTRIBUTES[name]}", field, _NAME_HINT)
        for value in condition["values"]:
            if (wrong := _value(value)) is not None:
                yield Refusal(wrong, field)


def _value(value: Any) -> str | None:
    """What is wrong with a value of a rule."""
    if isinstance(value, int | float) and abs(value) >= _SAFE:
        return f"the number {value}, where Unleash has only those below 2^53"
    if not isinstance(value, str):
        return None
    if value != value.strip():
        return f"'{value}' with white space around it, which some clients of Unleash cut off"
    if len(value) > _LONGEST:
        return f"a value of {len(value)} characters, where Unleash has at most {_LONGEST}"
    return None


def _asked(
    spec: Mapping[str, Any], rollout: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for at, rule in enumerate(spec.get("targeting") or ()):
        for one in conditions(rule):
            yield f"/spec/targeting/{at}", one
    for name, group in (rollout.get("groups") or {}).items():
        for one in group:
            yield pointer(["spec", "rollout", "groups", name]), one
