"""The values that a FeatureFlag can have: of its type, and the same in every application.

They end in files and in an Unleash that applications read. So nothing in them may be a secret, and
a number must be one that a double holds, as most evaluators know no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

from hrctl.model.kinds.base import Broken, got
from hrctl.model.values import is_reference

Path = tuple[str | int, ...]


def broken(flag_type: str, variants: Mapping[str, Any]) -> Iterator[Broken]:
    """What is wrong with values; paths are from the flag's spec on."""
    wanted, fits = _VALUES[flag_type]
    for name, value in variants.items():
        at: Path = ("variants", name)
        if (
            isinstance(value, bool) != (flag_type == "BOOLEAN")
            or not isinstance(value, fits)
            or (isinstance(value, float) and not isfinite(value))
        ):
            yield Broken(
                f"wrong type for variants.{name}: a {flag_type} flag wants {wanted}, "
                f"got {got(value)}",
                at,
                (("type",), at),
                code="HR022",
            )
        else:
            yield from _unlike(value, at)


def _unlike(value: Any, at: Path) -> Iterator[Broken]:
    """What would reach applications as something else."""
    if is_reference(value):
        yield Broken(
            f"{_dotted(at)} is a valueFrom, and a flag's values stand in the clear",
            at,
            (at,),
            code="HR024",
            hint="write the value; what is secret is for a Config",
        )
    elif isinstance(value, int) and int(float(value)) != value:
        yield Broken(
            f"{_dotted(at)} is {value}, which many applications read as {int(float(value))}",
            at,
            (at,),
            code="HR024",
            hint="above 2^53 write it as text",
        )
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unlike(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unlike(item, (*at, index))


def _dotted(at: Path) -> str:
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in at)
    return text.removeprefix(".")


_VALUES: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "BOOLEAN": ("a boolean", (bool,)),
    "STRING": ("a string", (str,)),
    "NUMBER": ("a finite number", (int, float)),
    "OBJECT": ("a mapping", (dict,)),
}
