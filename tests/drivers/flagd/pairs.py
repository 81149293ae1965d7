"""Random flags and contexts with a fixed seed, and what flagd's two evaluators say of them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hrctl.model.validate import complete

NODE = Path(__file__).parents[2] / "node"
TYPES = {"BOOLEAN": "boolean", "STRING": "string", "NUMBER": "number", "OBJECT": "object"}
FALLBACK: dict[str, Any] = {"BOOLEAN": False, "STRING": "", "NUMBER": -1, "OBJECT": {}}

VARIANTS: dict[str, dict[str, Any]] = {
    "BOOLEAN": {"on": True, "off": False},
    "STRING": {"a": "A", "b": "", "c": "ü"},
    "NUMBER": {"one": 1, "half": 0.5, "none": 0},
    "OBJECT": {"small": {"size": 1}, "large": {"size": 2, "of": [1, {"x": None}]}},
}
PLANS = ["gold", "silver", "free", "", "GOLD"]
NUMBERS = [0, 1, 2, 17, 18, 18.5, -1, 1e6]
VERSIONS = ["1.0.0", "1.2.3", "2.0.0-rc.1", "2.0.0", "v2.1.0", "2", "2.1", "1.10.0"]
DATES = ["2027-01-01", "2027-03-31", "2027-03-31T10:00:00Z", "2027-03-31T10:00:00.500Z"]
MAILS = ["ann@acme.example", "bob@bramble.example", "x", "acme"]
OPERANDS: dict[str, list[Any]] = {
    "plan": PLANS[:3],
    "age": NUMBERS,
    "beta": [True, False, 1, 0],
    "mail": MAILS,
    "tags": ["x", "y"],
    "app.version": [one for one in VERSIONS if one != "2"],
    "user.joined": DATES,
}
OPERATORS: dict[str, list[str]] = {
    "plan": ["eq", "ne", "in", "notIn", "startsWith", "notEndsWith"],
    "age": ["eq", "ne", "gt", "le", "lt", "ge"],
    "beta": ["eq", "ne", "in"],
    "mail": ["contains", "notContains", "endsWith", "startsWith", "notStartsWith"],
    "tags": ["contains", "notContains", "eq"],
    "app.version": [
        "semverEq",
        "semverNe",
        "semverGt",
        "semverLe",
        "semverLt",
        "semverGe",
    ],
    "user.joined": ["after", "notAfter", "before", "notBefore"],
}
ODD: list[Any] = [None, True, False, 0, 1, "", "18", "x", [], ["x"], {}, {"x": 1}, 3.5]


def flags(seed: int, count: int) -> dict[str, dict[str, Any]]:
    """Complete specs by name."""
    random = Random(seed)  # noqa: S311 - the same ones every time
    return {f"flag-{at}": complete("FeatureFlag", _spec(random)) for at in range(count)}


def _spec(random: Random) -> dict[str, Any]:
    kind = random.choice(list(VARIANTS))
    names = list(VARIANTS[kind])
    spec: dict[str, Any] = {
        "type": kind,
        "status": random.choice(["ENABLED"] * 6 + ["ROLLOUT", "TESTING", "DISABLED"]),
        "variants": VARIANTS[kind],
        "default": random.choice(names),
        "targeting": [
            _rule(random, random.choice(names)) for _ in range(random.choice([0, 1, 1, 2, 3]))
        ],
    }
    rollout = _rollout(random, names)
    if rollout or spec["status"] == "ROLLOUT":
        spec["rollout"] = rollout or {"strategy": "INSTANT", "variant": names[0]}
    return spec


def _rollout(random: Random, names: list[str]) -> dict[str, Any] | None:
    strategy = random.choice([None, "INSTANT", "GRADUAL", "GRADUAL", "CANARY", "BLUE_GREEN", "AB"])
    made: dict[str, Any] = {"strategy": strategy, "variant": random.choice(names)}
    share = random.choice([0, 1, 10, 12.5, 33.333, 50, 99.9, 100])
    if random.random() < 0.3:
        made["salt"] = random.choice(["s", "a-salt-that-is-longer-than-most", "x" * 60])
    if random.random() < 0.3:
        made["stickiness"] = random.choice(["account", "user.id", "targetingKey"])
    if strategy == "GRADUAL":
        made["percentage"] = share
    elif strategy == "CANARY":
        made |= {"percentage": share, "groups": {"b": [_condition(random)], "a": _group(random)}}
    elif strategy == "BLUE_GREEN":
        made["live"] = made.pop("variant")
    elif strategy == "AB":
        first = random.choice([0, 10, 33.3, 50])
        rest = dict.fromkeys(names[2:], 0)
        del made["variant"]
        made |= {"strategy": "AB_TEST", "weights": {names[1]: 100 - first, names[0]: first, **rest}}
    return made if strategy else None


def _group(random: Random) -> list[dict[str, Any]]:
    return [_condition(random) for _ in range(random.choice([1, 2]))]


def _rule(random: Random, variant: str) -> dict[str, Any]:
    if random.random() < 0.3:
        return {"all": [_condition(random) for _ in range(2)], "variant": variant}
    return {**_condition(random), "variant": variant}


def _condition(random: Random) -> dict[str, Any]:
    attribute = random.choice(list(OPERATORS))
    word = random.choice(OPERATORS[attribute])
    several = word in {"eq", "ne", "in", "notIn"} or "ontains" in word or "With" in word
    values = random.sample(OPERANDS[attribute], random.choice([1, 2]) if several else 1)
    return {"attribute": attribute, "operator": word, "values": values}


def context(random: Random) -> dict[str, Any]:
    """A context in which much is there, some is missing, and some is of an odd type."""
    made: dict[str, Any] = {
        "targetingKey": random.choice([f"user-{random.randrange(10**6)}", "u" * 40, "7"]),
        "plan": random.choice(PLANS),
        "age": random.choice(NUMBERS),
        "beta": random.choice([True, False]),
        "mail": random.choice(MAILS),
        "tags": random.choice([["x"], ["x", "z"], [], "x y"]),
        "app": {"version": random.choice(VERSIONS)},
        "user": {"joined": random.choice(DATES), "id": random.randrange(10**6)},
        "account": random.choice([random.randrange(10**9), f"acc-{random.randrange(10**6)}"]),
    }
    for name in list(made)[1:]:
        if random.random() < 0.06:
            del made[name]
    for name in ("plan", "age", "beta", "mail"):
        if random.random() < 0.1:
            made[name] = random.choice(ODD)
    return made


def pairs(seed: int, many: Sequence[str], count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of flags, and contexts."""
    random = Random(seed)  # noqa: S311
    for _ in range(count):
        yield random.choice(many), context(random)


def ask_node(
    config: str, asks: Sequence[tuple[str, str, Any, dict[str, Any]]]
) -> tuple[list[dict[str, Any]], float]:
    """What @openfeature/flagd-core answers, and how many milliseconds it took to load."""
    done = _node(config, asks)
    assert done.returncode == 0, done.stderr[:2000]
    answered = json.loads(done.stdout)
    return answered["answers"], answered["loaded"]


def schema_error(config: str) -> str | None:
    """What flagd's published schemas, which @openfeature/flagd-core brings, do not allow."""
    done = _node(config, [])
    if done.returncode == 0:
        return None
    assert "invalid flagd flag configuration" in done.stderr
    return done.stderr


def _node(
    config: str, asks: Sequence[tuple[str, str, Any, dict[str, Any]]]
) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "@openfeature" / "flagd-core").is_dir():
        pytest.skip("@openfeature/flagd-core is not installed (make dev)")
    return subprocess.run(
        [node, "flagd_core.js"],
        input=json.dumps({"config": config, "asks": asks}),
        capture_output=True,
        text=True,
        cwd=NODE,
        check=False,
        timeout=120,
    )


def ask_python(
    config: str, asks: Sequence[tuple[str, str, Any, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """What `openfeature-provider-flagd` answers in its own process."""
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext

    core = FlagdCore()
    core.set_flags(config)
    methods = {
        "boolean": core.resolve_boolean_value,
        "string": core.resolve_string_value,
        "number": core.resolve_float_value,
        "object": core.resolve_object_value,
    }
    found = []
    logging.disable(logging.CRITICAL)  # it logs each version that is none, with a traceback
    try:
        for kind, flag, fallback, asked in asks:
            attributes = {key: one for key, one in asked.items() if key != "targetingKey"}
            given = EvaluationContext(asked.get("targetingKey"), attributes)
            method: Any = methods[kind]
            answer = method(flag, fallback, given)
            found.append(
                {
                    "value": answer.value,
                    "variant": answer.variant,
                    "reason": answer.reason,
                    "errorCode": answer.error_code,
                }
            )
    finally:
        logging.disable(logging.NOTSET)
    return found
