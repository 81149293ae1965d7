"""What a flag answers to whom: `spec, context -> value, variant, reason, error code`.

    evaluate = compile_flag("express", spec)
    evaluate({"targetingKey": "user-42", "plan": "gold"})
    -> Evaluation(value=True, variant="on", reason="SPLIT", error=None)

A flag is compiled once, into closures, and asked many times. The attribute `userId`, in rules and
as stickiness, is OpenFeature's targeting key and stands in a context as `targetingKey`.

    conditions  what a rule asks          shares   percentages, arms, schedules
    hashing     fractional and unleash    compiled the flag as a function
    explain     the same, told step by step
    settled     whether everybody gets the same, and since when
"""

from __future__ import annotations

from hrctl.logic.flags.compiled import FlagError, compile_flag, evaluate
from hrctl.logic.flags.evaluation import ErrorCode, Evaluation, Evaluator, Reason

__all__ = [
    "ErrorCode",
    "Evaluation",
    "Evaluator",
    "FlagError",
    "Reason",
    "compile_flag",
    "evaluate",
]
