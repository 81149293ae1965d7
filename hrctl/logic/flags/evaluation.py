"""What an evaluation gives, in the words of OpenFeature.

https://openfeature.dev/specification/types#resolution-details has the reasons and error codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from hrctl.model.values import Json

Context = Mapping[str, Json]


class Reason(StrEnum):
    """Why somebody gets a variant."""

    STATIC = "STATIC"  # the flag has no rules: everybody gets it
    DEFAULT = "DEFAULT"  # it has rules, and none of them matched
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"  # the hash decided, for or against
    DISABLED = "DISABLED"
    ERROR = "ERROR"


class ErrorCode(StrEnum):
    """What went wrong; the flag's default is the answer then."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"


class Evaluation(NamedTuple):
    """An answer. `variant` is None where there is no flag, or a live system does not name it."""

    value: Json
    variant: str | None
    reason: Reason
    error: ErrorCode | None = None


Evaluator = Callable[[Context], Evaluation]
