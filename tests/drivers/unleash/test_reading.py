"""Strategies as the fields of a flag: what is read is what stands there, whatever stands there."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from hrctl.drivers.unleash.reading import changed, taken_over
from hrctl.drivers.unleash.strategies import normal, strategies
from hrctl.logic.flags import compile_flag
from hrctl.model.validate import complete
from tests.drivers.unleash.test_equality import context as any_context
from tests.drivers.unleash.test_equality import spec as any_spec

SEED = 8
PAIRS = 600
BOOLEAN = {"type": "BOOLEAN", "status": "ENABLED", "hash": "unleash"}


def written(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [normal(one) for one in strategies("flag", {"spec": spec})]


def is_shown(spec: dict[str, Any]) -> bool:
    return any("strategy" in one for one in spec["targeting"])


def test_a_change_of_one_flag_into_another() -> None:
    """Either the fields say what stands there, or the strategies themselves do."""
    random = Random(SEED)  # noqa: S311 - the same ones every time
    read = 0
    for _ in range(PAIRS):
        base, other = any_spec(random), any_spec(random)
        found = written(other)
        made = changed("flag", base, found)
        if is_shown(made):
            assert [one["strategy"] for one in made["targeting"]] == found
        else:
            read += 1
            assert written(made) == found
    assert read > PAIRS / 50  # two random flags rarely have the same type and variants


def test_what_is_taken_over_gives_everybody_the_same() -> None:
    random = Random(SEED)  # noqa: S311 - the same ones every time
    read = 0
    for _ in range(PAIRS):
        spec = any_spec(random)
        made = taken_over("flag", written(spec), on=True)
        if is_shown(made):
            continue
        read += 1
        status = "TESTING" if spec["status"] == "TESTING" else "ENABLED"
        ours = compile_flag("flag", {**spec, "status": status})
        theirs = compile_flag("flag", {**made, "status": "ENABLED"})
        for _ in range(20):
            held = any_context(random)
            assert theirs(held).value == ours(held).value, (spec, made, held)
    assert read > PAIRS / 2


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], {"rollout": {"strategy": "INSTANT"}}),
        ([{"name": "default"}], {"rollout": {"strategy": "INSTANT"}}),
        (
            [
                {
                    "name": "flexibleRollout",
                    "parameters": {"rollout": "100", "stickiness": "random", "groupId": "other"},
                }
            ],
            {"rollout": {"strategy": "INSTANT"}},
        ),
        (
            [
                {
                    "name": "flexibleRollout",
                    "parameters": {"rollout": "30", "stickiness": "account", "groupId": "other"},
                }
            ],
            {
                "status": "ROLLOUT",
                "rollout": {
                    "strategy": "GRADUAL",
                    "percentage": 30,
                    "stickiness": "account",
                    "salt": "other",
                },
            },
        ),
    ],
)
def test_what_people_made(found: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    made = taken_over("flag", [normal(one) for one in found], on=True)
    whole = complete("FeatureFlag", {**BOOLEAN, "status": "ROLLOUT", **wanted})
    assert made == whole


@pytest.mark.parametrize(
    "found",
    [
        {"name": "ours", "parameters": {"x": "1"}},
        {"name": "flexibleRollout", "parameters": {}},
        {"name": "flexibleRollout", "parameters": {"rollout": "many", "stickiness": ""}},
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "30", "stickiness": "", "groupId": "flag"},
        },
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100", "stickiness": "default", "groupId": "flag"},
            "constraints": [{"contextName": "x", "operator": "REGEX", "value": "a+"}],
        },
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100", "stickiness": "userId", "groupId": "flag"},
            "variants": [{"name": "", "weight": 1000, "payload": {"type": "csv", "value": "a,b"}}],
        },
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100", "stickiness": "userId", "groupId": "flag"},
            "variants": [{"name": "a", "weight": 1000}],
        },
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100"},
            "segments": [{"name": "one", "constraints": []}, {"name": "two", "constraints": []}],
        },
    ],
    ids=str,
)
def test_what_no_field_can_say_stands_as_it_is(found: dict[str, Any]) -> None:
    bare = [normal(found)]
    for made in (
        taken_over("flag", bare, on=False),
        changed("flag", complete("FeatureFlag", BOOLEAN), bare),
    ):
        assert [one["strategy"] for one in made["targeting"]] == bare
