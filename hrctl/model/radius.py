"""The blast radius of a plan: how far what it changes can reach, as a grade with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Grade(StrEnum):
    """How far, from nowhere to everywhere."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 to 4."""
        return _RANKS[self]


_RANKS: Final[Mapping[Grade, int]] = MappingProxyType(
    {grade: rank for rank, grade in enumerate(Grade)}
)

Thresholds = Mapping[str, Mapping[str, int]]  # measure -> grade -> the number that it begins at

# What is counted, how it is called where it is one and where it is many, and where grades begin.
MEASURES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "changes": ("1 change", "{} changes"),
        "deletes": ("1 deleted or replaced", "{} deleted or replaced"),
        "dataLoss": ("1 loses data", "{} lose data"),
        "public": ("1 opened to everyone", "{} opened to everyone"),
        "protected": ("1 protected", "{} protected"),
        "stateful": ("1 keeps data", "{} keep data"),
        "environments": ("1 environment", "{} environments"),
        "tenants": ("1 tenant", "{} tenants"),
        "dependents": ("1 more depends on them", "{} more depend on them"),
        "settings": ("1 setting of the project", "{} settings of the project"),
    }
)
DEFAULTS: Final[Thresholds] = MappingProxyType(
    {
        "changes": {"low": 1, "medium": 25, "high": 100, "critical": 1000},
        "deletes": {"medium": 1, "high": 5, "critical": 20},
        "dataLoss": {"critical": 1},
        "public": {"high": 1},
        "protected": {"high": 1},
        "stateful": {"medium": 1, "high": 5, "critical": 20},
        "environments": {"medium": 2, "high": 4, "critical": 10},
        "tenants": {"medium": 2, "high": 5, "critical": 20},
        "dependents": {"medium": 5, "high": 25, "critical": 250},
    }
)


# A setting decides what is refused, so no setting decides how much a change of one weighs.
_SETTINGS: Final[Thresholds] = MappingProxyType({"settings": {"high": 1}})


@dataclass(frozen=True, slots=True)
class Measured:
    """One thing that was counted, and the grade that the number has."""

    measure: str
    count: int
    grade: Grade

    @property
    def text(self) -> str:
        """``2 environments``."""
        one, many = MEASURES[self.measure]
        return one if self.count == 1 else many.format(f"{self.count:,}")


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """The highest grade of all that was counted; `measured` leaves out what was not there."""

    grade: Grade = Grade.NONE
    measured: tuple[Measured, ...] = field(default=())

    @property
    def reasons(self) -> tuple[Measured, ...]:
        """What tells why, the weightiest first: what has the grade, or at least a medium one."""
        least = min(self.grade.rank, Grade.MEDIUM.rank)
        found = [one for one in self.measured if one.grade.rank >= max(least, 1)]
        return tuple(sorted(found, key=lambda one: -one.grade.rank))

    @property
    def text(self) -> str:
        """``high (3 deleted or replaced, 2 environments)``."""
        why = ", ".join(one.text for one in self.reasons)
        return f"{self.grade.value} ({why})" if why else self.grade.value


NOWHERE: Final = BlastRadius()


def graded(counts: Mapping[str, int], thresholds: Thresholds = DEFAULTS) -> BlastRadius:
    """The grade of what was counted: for each measure the highest that its number reaches."""
    thresholds = {**thresholds, **_SETTINGS}
    measured = tuple(
        Measured(name, counts[name], _grade(counts[name], thresholds.get(name, {})))
        for name in MEASURES
        if counts.get(name)
    )
    top = max((one.grade for one in measured), key=lambda grade: grade.rank, default=Grade.NONE)
    return BlastRadius(top, measured)


def _grade(count: int, begins: Mapping[str, int]) -> Grade:
    reached = [Grade(name) for name, number in begins.items() if count >= number]
    return max(reached, key=lambda grade: grade.rank, default=Grade.NONE)
