"""The five strategies, the reasons, and what goes wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hrctl.logic.flags import (
    ErrorCode,
    Evaluation,
    FlagError,
    Reason,
    compile_flag,
    evaluate,
)

USERS = [{"targetingKey": f"user-{n}"} for n in range(20_000)]
BASE: dict[str, Any] = {
    "type": "BOOLEAN",
    "status": "ENABLED",
    "variants": {"on": True, "off": False},
    "default": "off",
    "hash": "fractional-v3",
    "targeting": [],
}
STAFF = [{"attribute": "email", "operator": "endsWith", "values": ["@acme.example"]}]
RULE = {"attribute": "plan", "values": ["gold"], "variant": "on"}
HASHES = pytest.mark.parametrize("pinned", ["fractional-v3", "unleash"])


def flag(rollout: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    spec = {**BASE, **fields}
    if rollout:
        spec["rollout"] = {"stickiness": "userId", **rollout}
    return spec


def gradual(share: float, **fields: Any) -> dict[str, Any]:
    return flag({"strategy": "GRADUAL", "percentage": share}, **fields)


def answer(spec: dict[str, Any], context: dict[str, Any] | None = None) -> Evaluation:
    return compile_flag("express", spec)(context or {})


def who(spec: dict[str, Any], name: str = "express") -> set[int]:
    ask = compile_flag(name, spec)
    return {n for n, user in enumerate(USERS) if ask(user).variant == "on"}


@pytest.mark.parametrize(
    ("spec", "context", "variant", "reason"),
    [
        (flag(), {}, "off", Reason.STATIC),
        (flag(status="DISABLED", targeting=[RULE]), {"plan": "gold"}, "off", Reason.DISABLED),
        (flag(targeting=[RULE]), {"plan": "gold"}, "on", Reason.TARGETING_MATCH),
        (flag(targeting=[RULE]), {"plan": "free"}, "off", Reason.DEFAULT),
        (flag({"strategy": "INSTANT"}), {}, "on", Reason.STATIC),
        (flag({"strategy": "INSTANT"}, targeting=[RULE]), {}, "on", Reason.DEFAULT),
        (flag({"strategy": "INSTANT"}, status="TESTING"), {}, "off", Reason.STATIC),
        (flag({"strategy": "BLUE_GREEN", "live": "on"}), {}, "on", Reason.STATIC),
        (flag({"strategy": "BLUE_GREEN", "live": "off"}), {}, "off", Reason.STATIC),
        (gradual(0), {}, "off", Reason.STATIC),
        (gradual(100), {}, "on", Reason.STATIC),
        (flag({"strategy": "CANARY", "groups": {"staff": STAFF}}), {}, "off", Reason.DEFAULT),
        (
            flag({"strategy": "CANARY", "groups": {"staff": STAFF}}),
            {"email": "a@acme.example"},
            "on",
            Reason.TARGETING_MATCH,
        ),
    ],
)
def test_reason(
    spec: dict[str, Any], context: dict[str, Any], variant: str, reason: Reason
) -> None:
    assert answer(spec, context) == (variant == "on", variant, reason, None)


def test_the_first_rule_that_matches_wins() -> None:
    rules = [RULE, {**RULE, "values": ["gold", "silver"], "variant": "off"}]
    assert answer(flag(targeting=rules), {"plan": "gold"}).variant == "on"
    assert answer(flag(targeting=rules[::-1]), {"plan": "gold"}).variant == "off"


@HASHES
def test_raising_a_percentage_only_adds(pinned: str) -> None:
    before: set[int] = set()
    for share in (1, 5, 10, 50, 90, 99):
        inside = who(gradual(share, hash=pinned))
        assert before < inside
        assert len(inside) / len(USERS) == pytest.approx(share / 100, abs=0.02)
        before = inside


def test_a_fine_percentage_is_between_its_neighbours() -> None:
    assert who(gradual(10)) <= who(gradual(10.005)) <= who(gradual(10.01)) <= who(gradual(11))


@HASHES
def test_everyone_of_a_split_is_told_so(pinned: str) -> None:
    ask = compile_flag("express", gradual(50, hash=pinned))
    assert {ask(user).reason for user in USERS} == {Reason.SPLIT}


@HASHES
def test_canary_takes_its_share_of_the_rest(pinned: str) -> None:
    spec = flag({"strategy": "CANARY", "percentage": 20, "groups": {"staff": STAFF}}, hash=pinned)
    assert who(spec) == who(gradual(20, hash=pinned))
    ask = compile_flag("express", spec)
    assert all(ask({**user, "email": "x@acme.example"}).value for user in USERS[:100])


@HASHES
def test_arms_of_a_test(pinned: str) -> None:
    spec = flag(
        {"strategy": "AB_TEST", "weights": {"a": 20, "b": 30, "c": 50}},
        type="STRING",
        variants={"c": "C", "b": "B", "a": "A"},
        default="a",
        hash=pinned,
    )
    ask = compile_flag("button", spec)
    got = [ask(user) for user in USERS]
    assert {one.reason for one in got} == {Reason.SPLIT}
    for arm, share in {"a": 0.2, "b": 0.3, "c": 0.5}.items():
        assert sum(one.variant == arm for one in got) / len(got) == pytest.approx(share, abs=0.02)
    other = {**spec, "rollout": {**spec["rollout"], "weights": {"c": 50, "a": 20, "b": 30}}}
    again = compile_flag("button", other)
    assert [again(user) for user in USERS] == got


@HASHES
def test_a_flag_that_is_renamed_keeps_its_users_by_a_salt(pinned: str) -> None:
    before = who(gradual(30, hash=pinned))
    kept = {"strategy": "GRADUAL", "percentage": 30, "salt": "express"}
    assert who(flag(kept, hash=pinned), "fast") == before
    assert who(gradual(30, hash=pinned), "fast") != before


@HASHES
def test_tests_of_different_salts_are_independent(pinned: str) -> None:
    rollout = {"strategy": "AB_TEST", "weights": {"on": 50, "off": 50}}
    first = who(flag({**rollout, "salt": "one"}, hash=pinned))
    second = who(flag({**rollout, "salt": "two"}, hash=pinned))
    assert len(first & second) / len(first) == pytest.approx(0.5, abs=0.02)
    assert who(flag({**rollout, "salt": "one"}, hash=pinned), "another-flag") == first


def test_schedule() -> None:
    steps = [{"percentage": 5, "after": "0s"}, {"percentage": 100, "after": "1d"}]
    spec = flag({"strategy": "GRADUAL", "steps": steps})
    start = datetime(2027, 3, 1, tzinfo=UTC)
    shares = []
    for hours in (0, 23, 24, 400):
        now = start + timedelta(hours=hours)
        ask = compile_flag("express", spec, start=start, now=now)
        shares.append(sum(bool(ask(user).value) for user in USERS) / len(USERS))
    assert shares == pytest.approx([0.05, 0.05, 1, 1], abs=0.01)
    later = flag({"strategy": "GRADUAL", "steps": [{"percentage": 50, "after": "2d"}]})
    early = compile_flag("express", later, start=start, now=start + timedelta(days=1))
    assert early(USERS[0]).reason is Reason.STATIC


@HASHES
@pytest.mark.parametrize(
    ("context", "error"),
    [
        ({}, ErrorCode.TARGETING_KEY_MISSING),
        ({"targetingKey": ""}, ErrorCode.TARGETING_KEY_MISSING),
        ({"targetingKey": None}, ErrorCode.TARGETING_KEY_MISSING),
        ({"targetingKey": True}, ErrorCode.INVALID_CONTEXT),
        ({"targetingKey": 1.5}, ErrorCode.INVALID_CONTEXT),
        ({"targetingKey": ["a"]}, ErrorCode.INVALID_CONTEXT),
        ({"targetingKey": "\ud800"}, ErrorCode.INVALID_CONTEXT),
    ],
)
def test_a_context_that_cannot_be_hashed(
    pinned: str, context: dict[str, Any], error: ErrorCode
) -> None:
    assert answer(gradual(50, hash=pinned), context) == (False, "off", Reason.ERROR, error)


@HASHES
def test_numbers_are_hashed_as_their_digits(pinned: str) -> None:
    ask = compile_flag("express", gradual(50, hash=pinned))
    for n in range(200):
        assert ask({"targetingKey": n}) == ask({"targetingKey": str(n)})
        assert ask({"targetingKey": float(n)}) == ask({"targetingKey": str(n)})


def test_stickiness_by_another_attribute() -> None:
    spec = flag({"strategy": "GRADUAL", "percentage": 50, "stickiness": "account.id"})
    ask = compile_flag("express", spec)
    assert ask({"targetingKey": "u"}).error is ErrorCode.TARGETING_KEY_MISSING
    answers = {ask({"account": {"id": n}, "targetingKey": "u"}).variant for n in range(50)}
    assert answers == {"on", "off"}


def test_errors_around_a_flag() -> None:
    flags = {"express": compile_flag("express", flag())}
    assert evaluate(flags, "nosuch", {}).error is ErrorCode.FLAG_NOT_FOUND
    assert evaluate(flags, "express", "user").error is ErrorCode.INVALID_CONTEXT
    assert evaluate(flags, "express", {}, wanted="NUMBER").error is ErrorCode.TYPE_MISMATCH
    assert evaluate(flags, "express", {}, wanted="BOOLEAN") == (False, "off", Reason.STATIC, None)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {**BASE, "default": "maybe"},
        {**BASE, "targeting": [{"attribute": "a", "operator": "like", "values": [1]}]},
        {**BASE, "targeting": [{**RULE, "variant": "maybe"}]},
        {**BASE, "rollout": "all"},
    ],
)
def test_what_is_no_flag(spec: dict[str, Any]) -> None:
    with pytest.raises(FlagError, match="flag 'express' cannot be evaluated"):
        compile_flag("express", spec)


def speed(spec: dict[str, Any], contexts: list[dict[str, Any]]) -> float:
    """Evaluations a second of processor time, the best of some tries."""
    ask = compile_flag("express", spec)
    best = 0.0
    for _ in range(5):
        begin = time.process_time()
        for context in contexts:
            ask(context)
        best = max(best, len(contexts) / (time.process_time() - begin))
    return best


def test_speed() -> None:
    contexts = [
        {**user, "plan": "free", "age": n % 90, "app": {"version": f"2.{n % 9}.0"}}
        for n, user in enumerate(USERS)
    ]
    assert speed(gradual(10), contexts) > 500_000
    rules = [
        {**RULE, "operator": "in", "values": ["gold", "silver"]},
        {"attribute": "age", "operator": "gt", "values": [80], "variant": "on"},
        {"attribute": "app.version", "operator": "semverGe", "values": ["2.8.0"], "variant": "on"},
    ]
    assert speed(gradual(10, targeting=rules), contexts) > 150_000
