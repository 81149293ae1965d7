"""`hash: unleash` gives what the engine of Unleash's clients gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from yggdrasil_engine.engine import UnleashEngine  # type: ignore[import-untyped]

from hrctl.logic.flags import compile_flag

USERS = [f"user-{n}" for n in range(10_000)]
BASE: dict[str, Any] = {
    "type": "STRING",
    "status": "ENABLED",
    "variants": {"a": "A", "b": "B", "c": "C"},
    "default": "a",
    "hash": "unleash",
}


def engine(percentage: int, **weights: int) -> Any:
    parameters = {"rollout": str(percentage), "stickiness": "userId", "groupId": "flag"}
    variants = [
        {"name": name, "weight": weight, "stickiness": "userId"} for name, weight in weights.items()
    ]
    strategy = {"name": "flexibleRollout", "parameters": parameters, "variants": variants}
    feature = {"name": "flag", "type": "release", "enabled": True, "strategies": [strategy]}
    made = UnleashEngine()
    made.take_state(json.dumps({"version": 2, "features": [feature]}))
    return made


@pytest.mark.parametrize("percentage", [1, 37, 99])
def test_a_percentage(percentage: int) -> None:
    rollout = {
        "strategy": "GRADUAL",
        "percentage": percentage,
        "variant": "b",
        "stickiness": "userId",
    }
    ask = compile_flag("flag", {**BASE, "rollout": rollout})
    theirs = engine(percentage)
    for user in USERS:
        is_in = ask({"targetingKey": user}).variant == "b"
        assert theirs.is_enabled("flag", {"userId": user}).is_enabled is is_in


@pytest.mark.parametrize("weights", [{"a": 20, "b": 30, "c": 50}, {"a": 33.3, "b": 0.1, "c": 66.6}])
def test_arms(weights: dict[str, float]) -> None:
    rollout = {"strategy": "AB_TEST", "weights": weights, "stickiness": "userId"}
    ask = compile_flag("flag", {**BASE, "rollout": rollout})
    theirs = engine(100, **{name: round(weight * 10) for name, weight in weights.items()})
    for user in USERS:
        variant = theirs.get_variant("flag", {"userId": user}).variant.name
        assert variant == ask({"targetingKey": user}).variant
