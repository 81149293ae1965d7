"""hrctl's answers are those of flagd, in Python and in Node, on what the driver writes."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from hrctl.drivers.flagd.definition import define
from hrctl.logic.flags import Evaluation, Reason, compile_flag
from hrctl.model.validate import check_spec, complete
from tests.drivers.flagd import pairs

SEED = 20270331
COUNT = 24_000
Ask = tuple[str, str, Any, dict[str, Any]]


def configuration(specs: dict[str, dict[str, Any]]) -> str:
    return json.dumps({"flags": {name: define(name, {"spec": one}) for name, one in specs.items()}})


@cache
def asked() -> tuple[str, list[Ask], list[Evaluation]]:
    """The configuration, what is asked of it, and hrctl's own answers."""
    specs = pairs.flags(SEED, 400)
    ours = {name: compile_flag(name, spec) for name, spec in specs.items()}
    asks: list[Ask] = []
    answers = []
    for name, context in pairs.pairs(SEED, list(specs), COUNT):
        kind = specs[name]["type"]
        asks.append((pairs.TYPES[kind], name, pairs.FALLBACK[kind], context))
        answers.append(ours[name](context))
    return configuration(specs), asks, answers


# hrctl's reason and theirs: flagd knows no SPLIT, and calls a key that is missing a rule that does
# not match
REASONS = {
    ("STATIC", "STATIC"),
    ("DEFAULT", "DEFAULT"),
    ("TARGETING_MATCH", "TARGETING_MATCH"),
    ("SPLIT", "TARGETING_MATCH"),
    ("ERROR", "DEFAULT"),
    ("DISABLED", "DISABLED"),
}
Compared = tuple[list[tuple[Ask, Evaluation, dict[str, Any]]], Counter[tuple[str, str]]]


def compared(theirs: list[dict[str, Any]]) -> Compared:
    """Each answer that is another than hrctl's, and how often which reasons went together."""
    _, asks, ours = asked()
    others = []
    reasons: Counter[tuple[str, str]] = Counter()
    for ask, answer, their in zip(asks, ours, theirs, strict=True):
        reasons[answer.reason, their["reason"]] += 1
        if answer.reason is Reason.DISABLED:
            # a disabled flag gives what the code passes, in every SDK
            same = (their["value"], their["reason"]) == (ask[2], "DISABLED")
        else:
            same = (their["variant"], their["value"]) == (answer.variant, answer.value)
        if not same or their.get("errorCode") is not None:
            others.append((ask, answer, their))
    return others, reasons


def test_python() -> None:
    config, asks, _ = asked()
    others, reasons = compared(pairs.ask_python(config, asks))
    assert others == []
    assert set(reasons) == REASONS
    assert reasons.total() == COUNT
    assert min(reasons.values()) > 50


def test_the_short_form_is_python_s_too() -> None:
    specs = pairs.flags(SEED, 400)
    made = {name: define(name, {"spec": one}, bare_text=False) for name, one in specs.items()}
    config, asks, _ = asked()
    short = json.dumps({"flags": made})
    assert len(short) < len(config)
    others, reasons = compared(pairs.ask_python(short, asks))
    assert others == []
    assert set(reasons) == REASONS
    assert min(reasons.values()) > 50


def test_node() -> None:
    config, asks, _ = asked()
    others, reasons = compared(pairs.ask_node(config, asks)[0])
    assert others == []
    assert set(reasons) == REASONS
    assert reasons.total() == COUNT
    assert min(reasons.values()) > 50


def test_what_differs_is_seen() -> None:
    """The comparison can fail: one salt that is another moves users of that flag, and no others."""
    specs = pairs.flags(SEED, 400)
    _, asks, ours = asked()
    (moved, *_) = (ask[1] for ask, one in zip(asks, ours, strict=True) if one.reason == "SPLIT")
    rollout = {**specs[moved]["rollout"], "salt": "another"}
    specs[moved] = {**specs[moved], "rollout": rollout}
    others, _ = compared(pairs.ask_python(configuration(specs), asks))
    assert {ask[1] for ask, _, _ in others} == {moved}


BASE: dict[str, Any] = {
    "type": "BOOLEAN",
    "status": "ENABLED",
    "variants": {"on": True, "off": False},
    "default": "off",
}
HALF = {"strategy": "GRADUAL", "percentage": 50, "stickiness": "userId"}


@pytest.mark.parametrize("bare_text", [True, False])
def test_it_is_valid_against_flagd_s_schema(*, bare_text: bool) -> None:
    specs = pairs.flags(SEED, 400)
    made = {name: define(name, {"spec": one}, bare_text=bare_text) for name, one in specs.items()}
    assert pairs.schema_error(json.dumps({"flags": made})) is None


@pytest.mark.parametrize(
    "change",
    [
        {"state": "ON"},
        {"variants": {}},
        {"targeting": {"fractional": [["on", "many"]]}},
        {"targeting": {"starts_with": ["one"]}},
    ],
)
def test_the_schema_is_asked(change: dict[str, Any]) -> None:
    """What is not valid is refused, so that the test before this one can fail."""
    definition = {**define("flag", {"spec": {**BASE, "rollout": HALF}}), **change}
    assert pairs.schema_error(json.dumps({"flags": {"flag": definition}})) is not None


@pytest.mark.parametrize(
    ("rule", "context"),
    [
        ({"attribute": "plan.length", "values": [4]}, {"plan": "gold"}),
        ({"attribute": "plan.0", "values": ["g"]}, {"plan": "gold"}),
        ({"attribute": "tags.0", "values": ["x"]}, {"tags": ["x"]}),
        ({"attribute": "a\\.b", "values": ["x"]}, {"a.b": "x"}),
        ({"attribute": "n", "values": [9007199254740993]}, {"n": 9007199254740992}),
    ],
)
def test_what_validate_refuses_is_another_answer_there(
    rule: dict[str, Any], context: dict[str, Any]
) -> None:
    spec = {**BASE, "targeting": [{**rule, "variant": "on"}]}
    assert check_spec("FeatureFlag", spec)
    assert check_spec("FeatureFlag", {**spec, "targeting": []}) == []
    assert max(differing(spec, [{"targetingKey": "u", **context}])) == 1


def test_a_name_of_flagd_s_own_would_make_the_whole_file_invalid() -> None:
    rule = {"attribute": "$flagd.key", "operator": "gt", "values": [1], "variant": "on"}
    spec = {**BASE, "targeting": [rule]}
    assert check_spec("FeatureFlag", spec)
    made = {"flag": define("flag", {"spec": spec})}
    assert pairs.schema_error(json.dumps({"flags": made})) is not None


def differing(spec: dict[str, Any], contexts: list[dict[str, Any]]) -> tuple[int, int]:
    """For how many contexts Python's and Node's answers are not hrctl's."""
    ours = [compile_flag("flag", spec)(context).variant for context in contexts]
    asks: list[Ask] = [("boolean", "flag", False, context) for context in contexts]
    config = configuration({"flag": spec})
    python = [one["variant"] for one in pairs.ask_python(config, asks)]
    node = [one["variant"] for one in pairs.ask_node(config, asks)[0]]
    return (
        sum(a != b for a, b in zip(ours, python, strict=True)),
        sum(a != b for a, b in zip(ours, node, strict=True)),
    )


def test_the_bare_form_puts_them_into_different_buckets() -> None:
    """Why the driver writes a longer one: of 1,000 users about half are elsewhere."""
    bare = {
        **define("flag", {"spec": BASE}),
        "targeting": {"fractional": [["on", 50], ["off", 50]]},
    }
    config = json.dumps({"flags": {"flag": bare}})
    asks: list[Ask] = [("boolean", "flag", False, {"targetingKey": f"u{n}"}) for n in range(1000)]
    python = [one["variant"] for one in pairs.ask_python(config, asks)]
    node = [one["variant"] for one in pairs.ask_node(config, asks)[0]]
    assert 400 < sum(a != b for a, b in zip(python, node, strict=True)) < 600


def test_differences_that_are_theirs() -> None:
    """docs/flags.md has this list."""
    split = {**BASE, "rollout": HALF}
    keys = [{"targetingKey": f"user-{n}"} for n in range(400)]
    assert differing(split, keys) == (0, 0)
    # Node hashes UTF-16, and no head for what is longer than 127
    foreign = [{"targetingKey": f"jürgen-{n}"} for n in range(400)]
    python, node = differing(split, foreign)
    assert python == 0 < node
    long = [{"targetingKey": f"{n:0200}"} for n in range(400)]
    python, node = differing(split, long)
    assert python == 0 < node
    # hrctl hashes text and whole numbers alone, and gives the default for anything else
    odd = [{"account": n + 0.5, "targetingKey": "u"} for n in range(400)]
    python, node = differing({**split, "rollout": {**HALF, "stickiness": "account"}}, odd)
    assert python > 100 < node


def test_differences_in_rules_that_are_theirs() -> None:
    def rule(operator: str, value: str) -> dict[str, Any]:
        return {
            **BASE,
            "targeting": [
                {"attribute": "held", "operator": operator, "values": [value], "variant": "on"}
            ],
        }

    def held(value: Any) -> list[dict[str, Any]]:
        return [{"held": value}]

    # Python fills up a version that is cut short before its pre-release
    assert differing(rule("semverGe", "1.0.0"), held("1.2-beta")) == (1, 0)
    # Node takes the text of a list for a version
    assert differing(rule("semverGe", "1.0.0"), held(["1.2.3"])) == (0, 1)
    # both take what looks like a date, and the calendar does not have
    assert differing(rule("after", "2027-01-01"), held("2027-13-45")) == (1, 1)


def test_node_hashes_bare_text_as_fractional_v2() -> None:
    """What the driver writes for `evaluators: text`; flags of fractional-v3 stay as they are."""
    specs = {
        name: {**one, "hash": "fractional-v2"} if at % 2 else one
        for at, (name, one) in enumerate(pairs.flags(SEED, 400).items())
    }
    config, asks, _ = configuration(specs), *asked()[1:]
    ours = {name: compile_flag(name, spec) for name, spec in specs.items()}
    theirs, _ = pairs.ask_node(config, asks)
    bare = 0
    for ask, their in zip(asks, theirs, strict=True):
        answer = ours[ask[1]](ask[3])
        if answer.reason is not Reason.DISABLED:
            assert their["variant"] == answer.variant, (ask, answer, their)
        bare += answer.reason is Reason.SPLIT and specs[ask[1]]["hash"] == "fractional-v2"
    assert bare > 1000


def test_the_old_name_of_a_hash_moves_nobody() -> None:
    spec = {**BASE, "rollout": HALF}
    old, new = ({**spec, "hash": name} for name in ("flagd-v2", "fractional-v3"))
    assert complete("FeatureFlag", old) == complete("FeatureFlag", new)
    assert complete("FeatureFlag", spec)["hash"] == "fractional-v3"
    assert define("flag", {"spec": old}) == define("flag", {"spec": new})
    users = [{"targetingKey": f"u{n}"} for n in range(200)]
    assert [compile_flag("flag", old)(user) for user in users] == [
        compile_flag("flag", new)(user) for user in users
    ]
