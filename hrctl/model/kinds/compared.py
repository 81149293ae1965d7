"""Numbers, versions and dates as rules of flags compare them.

No pydantic here: evaluation uses it too.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Any, Final

FINEST: Final = 3  # decimals of a share in percent

Version = tuple[int, int, int, int, tuple[tuple[int, int | str], ...]]

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_WORD: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION: Final = re.compile(
    rf"[vV]?({_NUMBER})(?:\.({_NUMBER})(?:\.({_NUMBER})"
    rf"(?:-({_WORD}(?:\.{_WORD})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?",
    re.ASCII,
)
MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z)?"
)
_DATE_LENGTH: Final = 10
_MOMENT_LENGTH: Final = 19


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


@lru_cache(maxsize=4096)
def version(text: str) -> Version | None:
    """A semantic version in a form that compares as https://semver.org/#spec-item-11 has it.

    A leading v, and a missing minor or patch number, are forgiven; build metadata does not count.
    None where it is no version.
    """
    found = VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    identifiers = tuple(
        (0, int(part)) if part.isdigit() else (1, part) for part in (pre or "").split(".") if part
    )
    # a release comes after all of its pre-releases
    return int(major), int(minor or 0), int(patch or 0), 0 if pre else 1, identifiers


@lru_cache(maxsize=4096)
def moment(text: str) -> str | None:
    """A date or a moment in UTC as ``2027-03-31T10:00:00``, which compares as text.

    Written as ``2027-03-31`` (its first second), ``2027-03-31T10:00:00Z`` or with
    milliseconds, which are cut off. None where it is neither.
    """
    if MOMENT.fullmatch(text) is None:
        return None
    whole = f"{text}T00:00:00" if len(text) == _DATE_LENGTH else text[:_MOMENT_LENGTH]
    try:
        datetime.fromisoformat(whole)
    except ValueError:
        return None
    return whole
