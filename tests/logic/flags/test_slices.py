"""Other weights of a test move as few users as can be, and flagd's evaluators agree on who."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hrctl.drivers.flagd.definition import define
from hrctl.logic.flags import compile_flag
from hrctl.logic.flags.shares import resliced
from hrctl.model.validate import check_spec, complete
from tests.drivers.flagd import pairs

USERS = [{"targetingKey": f"user-{n}"} for n in range(4000)]
BASE: dict[str, Any] = {
    "type": "STRING",
    "status": "ROLLOUT",
    "variants": {name: name for name in "abcd"},
    "default": "a",
}


def with_weights(weights: dict[str, float], slices: Any = None) -> dict[str, Any]:
    rollout: dict[str, Any] = {"strategy": "AB_TEST", "weights": weights}
    if slices:
        rollout["slices"] = slices
    return complete("FeatureFlag", {**BASE, "rollout": rollout})


def some_weights(random: Random) -> dict[str, float]:
    cuts = sorted(random.sample(range(1, 1000), 3))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, 1000], strict=True)]
    return {name: share / 10 for name, share in zip("abcd", shares, strict=True)}


def test_as_few_as_can_be_move() -> None:
    """At least those by whom arms grow have to move: no more do, whatever came before."""
    random = Random(5)  # noqa: S311 - the same ones every time
    for _ in range(20):
        weights = some_weights(random)
        spec = with_weights(weights)
        for _ in range(5):
            wanted = some_weights(random)
            slices = resliced(spec["rollout"], wanted)
            after = with_weights(wanted, slices)
            assert check_spec("FeatureFlag", after) == []
            one, other = compile_flag("f", spec), compile_flag("f", after)
            moved = sum(one(user).variant != other(user).variant for user in USERS)
            least = sum(max(0.0, wanted[name] - weights[name]) for name in wanted) / 100
            assert abs(moved / len(USERS) - least) < 0.04
            spec, weights = after, wanted


def test_evaluators_agree_on_slices() -> None:
    spec = with_weights({"a": 20, "b": 30, "c": 50, "d": 0})
    wanted: dict[str, float] = {"a": 10, "b": 30, "c": 55, "d": 5}
    slices = resliced(spec["rollout"], wanted)
    assert slices is not None
    assert [one["variant"] for one in slices] == ["a", "c", "d", "b", "c"]
    after = with_weights(wanted, slices)
    ours = compile_flag("f", after)
    config = json.dumps({"flags": {"f": define("f", {"spec": after})}})
    asks: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("string", "f", "", user) for user in USERS[:1000]
    ]
    answers = [ours(user).variant for user in USERS[:1000]]
    assert [one["variant"] for one in pairs.ask_python(config, asks)] == answers
    assert [one["variant"] for one in pairs.ask_node(config, asks)[0]] == answers
    assert pairs.schema_error(config) is None


def test_slices_must_be_the_weights() -> None:
    slices = [{"variant": "a", "weight": 50}, {"variant": "b", "weight": 50}]
    rollout = {"strategy": "AB_TEST", "weights": {"a": 40, "b": 60}, "slices": slices}
    found = check_spec("FeatureFlag", {**BASE, "rollout": rollout})
    assert {one.path for one in found} == {"/spec/rollout/slices"}
    assert "rollout.slices give 'a' 50 %, rollout.weights 40 %" in {one.summary for one in found}
    spec = {**BASE, "hash": "unleash", "rollout": {**rollout, "weights": {"a": 50, "b": 50}}}
    assert [one.path for one in check_spec("FeatureFlag", spec)] == ["/spec/rollout/slices"]
