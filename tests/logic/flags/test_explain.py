"""The steps that are told are those that decide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from hrctl.logic.flags import ErrorCode, compile_flag
from hrctl.logic.flags.explain import RuleStep, ScheduleStep, SplitStep, explain
from tests.drivers.flagd import pairs


@pytest.mark.parametrize("pinned", ["fractional-v3", "unleash"])
def test_the_last_step_gives_the_answer(pinned: str) -> None:
    random = Random(7)  # noqa: S311 - the same ones every time
    seen: set[type] = set()
    for name, spec in pairs.flags(7, 200).items():
        rollout = spec.get("rollout") or {}
        if pinned == "unleash" and (rollout.get("percentage", 0) % 1 or rollout.get("weights")):
            continue  # of shares that this hash does not have
        ask = compile_flag(name, {**spec, "hash": pinned})
        for _ in range(20):
            context = pairs.context(random)
            answer = ask(context)
            steps = explain(name, {**spec, "hash": pinned}, context)
            matched = [one for one in steps if isinstance(one, RuleStep) and one.matched]
            assert len(matched) == (answer.reason == "TARGETING_MATCH")
            assert all(one is steps[-1] and one.variant == answer.variant for one in matched)
            last = steps[-1] if steps else None
            seen.add(type(last))
            assert isinstance(last, SplitStep) == (answer.reason in {"SPLIT", "ERROR"})
            if isinstance(last, SplitStep) and last.bucket is not None:
                ends = [end for _, end in last.reaches]
                inclusive = pinned == "unleash"
                at = next(
                    at
                    for at, end in enumerate(ends)
                    if last.bucket < end or (inclusive and last.bucket <= end)
                )
                assert last.reaches[at][0] == answer.variant
    assert seen == {RuleStep, SplitStep, type(None)}


def spec(**rollout: Any) -> dict[str, Any]:
    held = {"strategy": "GRADUAL", "stickiness": "userId", **rollout}
    return {
        "type": "BOOLEAN",
        "status": "ROLLOUT",
        "variants": {"on": True, "off": False},
        "default": "off",
        "targeting": [{"attribute": "plan", "values": ["gold"], "variant": "on"}],
        "rollout": held,
    }


def test_each_condition_is_told_with_what_the_context_has() -> None:
    (rule, split) = explain("express", spec(percentage=10), {"plan": "free"})
    assert isinstance(rule, RuleStep)
    assert not rule.matched
    (asked,) = rule.asked
    assert (asked.operator, asked.actual, asked.matched) == ("eq", "free", False)
    assert isinstance(split, SplitStep)
    assert (split.bucket, split.error) == (None, ErrorCode.TARGETING_KEY_MISSING)


def test_a_schedule_is_told() -> None:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    steps = [{"percentage": 5, "after": "0s"}, {"percentage": 50, "after": "1d"}]
    now = start + timedelta(hours=1)
    found = explain("express", spec(steps=steps), {"targetingKey": "u"}, start=start, now=now)
    assert found[1] == ScheduleStep(5.0, ((None, 5), ("2027-03-02T00:00:00+00:00", 50)))
    assert isinstance(found[2], SplitStep)


def test_a_flag_that_is_off_has_no_steps() -> None:
    assert explain("express", {**spec(percentage=10), "status": "DISABLED"}, {}) == []
