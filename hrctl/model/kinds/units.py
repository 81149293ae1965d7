"""Durations, sizes and amounts of processor: how they are written, and their one body form.

No pydantic here: drivers use `seconds` and `size` at apply.

A duration is written as ``30s``, ``5m``, ``1h30m``, ``250ms`` or as a number of seconds. In a body
it is text in the largest unit that divides it: ``90`` -> ``90s``, ``"60s"`` -> ``1m``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

DURATION: Final = r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$"
SIZE: Final = r"^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$"

_DURATION: Final = re.compile(
    r"(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d{1,3})?)s)?(?:(\d+)ms)?"
)
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_LONGEST: Final = 36_525 * 86_400_000  # a hundred years, in milliseconds
_MOST_CORES: Final = 1e6
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_BYTES: Final = {
    None: 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


class TooLong(ValueError):  # noqa: N818 - it says what is wrong
    """A duration of more than a hundred years, with which dates and clocks overflow."""


def seconds(duration: str | float) -> float:
    """The length of a duration in seconds.

    Raises:
        ValueError: where it is not a duration.
    """
    return _milliseconds(duration) / 1000


@lru_cache(maxsize=4096)
def _milliseconds(duration: str | float) -> int:
    if isinstance(duration, str):
        found = _DURATION.fullmatch(duration)
        if found is None:
            raise ValueError(duration)
        parts = zip(found.groups(), _UNITS, strict=True)
        length = sum(float(count) * unit for count, (_, unit) in parts if count)
    else:
        length = duration * 1000
    if length > _LONGEST:
        raise TooLong(duration)
    if not length >= 0:
        raise ValueError(duration)
    return round(length)


@lru_cache(maxsize=4096)
def duration(written: str | float) -> str:
    """The body form of a duration.

    Raises:
        ValueError: where it is not a duration.
    """
    length = _milliseconds(written)
    if not length:
        return "0s"
    for name, unit in _UNITS:
        if length % unit == 0:
            return f"{length // unit}{name}"
    raise AssertionError  # every length is a number of milliseconds


def size(text: str) -> int:
    """An amount of memory or storage in bytes: ``512Mi`` -> 536870912.

    Raises:
        ValueError: where it is not an amount.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return round(float(found[1]) * _BYTES[found[2]])


def cores(written: str | float) -> float:
    """Processors: ``"500m"`` and ``0.5`` -> 0.5, whole ones as an integer.

    Raises:
        ValueError: where it is not an amount.
    """
    if isinstance(written, str):
        if not re.fullmatch(r"[0-9]{1,9}m", written):
            raise ValueError(written)
        written = int(written[:-1]) / 1000
    if not 0 < written < _MOST_CORES:
        raise ValueError(written)
    return tidy(written)


def tidy(number: float) -> float:
    """A whole number as an integer, so that 50 and 50.0 are one value."""
    return int(number) if number == int(number) else number
