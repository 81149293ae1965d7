"""hrctl's answers are those of Unleash's Python client on what the driver writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hrctl.drivers.api import Result
from hrctl.drivers.contract import ContractSecrets, context_for
from hrctl.drivers.unleash import UnleashDriver
from hrctl.drivers.unleash.refusals import refused
from hrctl.drivers.unleash.strategies import strategies
from hrctl.logic.flags import Evaluation, Reason, compile_flag
from hrctl.logic.flags.shares import arms
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.plan import Reason as Why
from hrctl.model.validate import complete
from tests.drivers.unleash.server import ADMIN, CLIENT, Unleash

SEED = 20270331
FLAGS = 200
COUNT = 20_000
VARIANTS: dict[str, dict[str, Any]] = {
    "BOOLEAN": {"on": True, "off": False},
    "STRING": {"a": "A", "b": "x y", "c": "ü"},
    "NUMBER": {"one": 1, "half": 0.5, "none": 0},
    "OBJECT": {"small": {"size": 1}, "large": {"size": 2, "of": [1, {"x": None}]}},
}
OPERANDS: dict[str, list[Any]] = {
    "plan": ["gold", "silver", "free"],
    "age": [0, 1, 17, 18, 18.5, -1],
    "mail": ["ann@acme.example", "bob@bramble.example", "acme", "x"],
    "version": ["1.0.0", "1.2.3", "2.0.0-rc.1", "2.0.0", "1.10.0"],
    "joined": ["2027-01-01T00:00:00Z", "2027-03-31T10:00:00Z", "2027-04-01T00:00:00Z"],
    "account": ["acc-1", "acc-2"],
}
OPERATORS: dict[str, list[str]] = {
    "plan": ["eq", "ne", "in", "notIn", "startsWith", "notEndsWith"],
    "age": ["gt", "le", "lt", "ge"],
    "mail": ["contains", "notContains", "endsWith", "startsWith", "notStartsWith"],
    "version": ["semverEq", "semverGt", "semverGe", "semverLt", "semverLe"],
    "joined": ["after", "before"],
    "account": ["eq", "in", "notIn"],
}


def spec(random: Random) -> dict[str, Any]:
    """A spec that Unleash can express."""
    kind = random.choice(list(VARIANTS))
    names = list(VARIANTS[kind])
    boolean = kind == "BOOLEAN"
    default = "off" if boolean else random.choice(names)

    def named() -> str:
        return "on" if boolean else random.choice(names)

    rules = [rule(random, named()) for _ in range(random.choice([0, 1, 1, 2, 3]))]
    status = random.choice(["ENABLED"] * 6 + ["ROLLOUT"] * 2 + ["TESTING", "DISABLED"])
    made = {
        "type": kind,
        "status": status,
        "variants": VARIANTS[kind],
        "default": default,
        "hash": "unleash",
        "targeting": rules,
    }
    strategy = random.choice(["INSTANT", "GRADUAL", "GRADUAL", "CANARY", "BLUE_GREEN", "AB_TEST"])
    if boolean and strategy == "AB_TEST":
        strategy = "GRADUAL"
    rollout: dict[str, Any] = {"strategy": strategy}
    if random.random() < 0.3:
        rollout["salt"] = random.choice(["s", "a-salt-that-is-longer-than-most", "x" * 60])
    if random.random() < 0.3:
        rollout["stickiness"] = "account"
    if strategy in {"GRADUAL", "CANARY"}:
        rollout["percentage"] = random.choice([0, 1, 10, 33, 50, 99, 100])
    if strategy == "CANARY":
        rollout["groups"] = {"b": [condition(random)], "a": [condition(random), condition(random)]}
    if strategy == "BLUE_GREEN":
        rollout["live"] = named()
    elif strategy == "AB_TEST":
        first = random.choice([0, 10, 33.3, 50])
        rest = dict.fromkeys(names[2:], 0)
        rollout["weights"] = {names[1]: 100 - first, names[0]: first, **rest}
    else:
        rollout["variant"] = named()
    if status == "ROLLOUT" or random.random() < 0.8:
        made["rollout"] = rollout
    return complete("FeatureFlag", made)


def rule(random: Random, variant: str) -> dict[str, Any]:
    if random.random() < 0.3:
        return {"all": [condition(random) for _ in range(2)], "variant": variant}
    return {**condition(random), "variant": variant}


def condition(random: Random) -> dict[str, Any]:
    attribute = random.choice(list(OPERATORS))
    word = random.choice(OPERATORS[attribute])
    several = attribute in {"plan", "mail", "account"}
    values = random.sample(OPERANDS[attribute], random.choice([1, 2]) if several else 1)
    return {"attribute": attribute, "operator": word, "values": values}


def context(random: Random) -> dict[str, Any]:
    """A context in which much is there, and some is missing."""
    made: dict[str, Any] = {
        "targetingKey": random.choice([f"user-{random.randrange(10**6)}", "jürgen", "u" * 200]),
        "account": f"acc-{random.randrange(10**6)}",
    }
    for name in ("plan", "age", "mail", "version", "joined"):
        if random.random() < 0.9:
            made[name] = random.choice(OPERANDS[name])
    return made


def asked(held: dict[str, Any]) -> dict[str, Any]:
    """A context as Unleash's client takes it; values are text."""
    found = {key: str(one) for key, one in held.items() if key != "targetingKey"}
    return {"userId": held["targetingKey"], "properties": found}


def value(kind: str, client: Any, name: str, held: dict[str, Any]) -> tuple[bool, Any]:
    """Whether it is on, and what an application gets."""
    if kind == "BOOLEAN":
        return True, client.is_enabled(name, asked(held))
    answer = client.get_variant(name, asked(held))
    if not answer["feature_enabled"]:
        return False, None
    text = answer["payload"]["value"]
    return True, text if kind == "STRING" else json.loads(text)


@pytest.fixture
def driver(
    unleash: Unleash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UnleashDriver]:
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)
    token = {"valueFrom": {"env": "UNLEASH_TOKEN"}}
    environments = {"shop": "development"}
    config = {"url": unleash.url, "token": token, "environments": environments}
    with UnleashDriver(config, context_for(tmp_path)) as made:
        yield made


def test_equal_to_the_python_client(
    unleash: Unleash, driver: UnleashDriver, tmp_path: Path
) -> None:
    from UnleashClient.clients.unleash_client import UnleashClient

    random = Random(SEED)  # noqa: S311 - the same ones every time
    specs = {f"flag-{at}": spec(random) for at in range(FLAGS)}
    changes = [
        Change(
            Address.of("acme/shop", "FeatureFlag", name),
            Action.CREATE,
            Why.NEW,
            "tested",
            after={"metadata": {}, "spec": one},
        )
        for name, one in specs.items()
    ]
    for outcome in driver.apply(changes, ContractSecrets()):
        assert outcome.result is Result.DONE, outcome.error
    for live, change in zip(driver.read([one.address for one in changes]), changes, strict=True):
        assert live.body == change.after
    client = UnleashClient(
        f"{unleash.url}/api",
        "tests",
        custom_headers={"Authorization": CLIENT},
        disable_metrics=True,
        disable_registration=True,
        cache_directory=str(tmp_path),
    )
    client.initialize_client()
    try:
        ours = {name: compile_flag(name, one) for name, one in specs.items()}
        reasons: Counter[str] = Counter()
        for _ in range(COUNT):
            name, held = random.choice(list(specs)), context(random)
            answer: Evaluation = ours[name](held)
            kind = specs[name]["type"]
            on, found = value(kind, client, name, held)
            reasons[answer.reason] += 1
            if answer.reason is Reason.DISABLED and kind != "BOOLEAN":
                assert not on
            else:
                assert (on, found) == (True, answer.value), (name, specs[name], held, answer)
    finally:
        client.destroy()
    wanted = {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"}
    assert set(reasons) == wanted
    assert min(reasons.values()) > 50


@pytest.mark.parametrize(
    ("operator", "value", "held", "theirs"),
    [
        ("gt", 17, "18", True),
        ("after", "2027-01-01", "2027-03-31", False),
        ("semverGe", "1.0.0", "2", False),
        ("semverGe", "1.0.0", "v2.1.0", False),
    ],
)
def test_differences_that_are_theirs(operator: str, value: Any, held: str, theirs: Any) -> None:
    """docs/flags.md has this list."""
    from yggdrasil_engine.engine import UnleashEngine  # type: ignore[import-untyped]

    rule = {"attribute": "x", "operator": operator, "values": [value], "variant": "on"}
    flag = {"type": "BOOLEAN", "status": "ENABLED", "hash": "unleash", "targeting": [rule]}
    body = {"metadata": {}, "spec": complete("FeatureFlag", flag)}
    feature = {"name": "f", "enabled": True, "strategies": strategies("f", body)}
    engine = UnleashEngine()
    engine.take_state(json.dumps({"version": 2, "features": [feature]}))
    answer = engine.is_enabled("f", {"userId": "u", "properties": {"x": held}})
    assert answer.is_enabled is theirs
    assert compile_flag("f", body["spec"])({"targetingKey": "u", "x": held}).value is not theirs


def test_a_rule_matches_who_has_no_key() -> None:
    from yggdrasil_engine.engine import UnleashEngine

    rule = {"attribute": "plan", "operator": "eq", "values": ["gold"], "variant": "on"}
    rollout = {"strategy": "GRADUAL", "percentage": 50, "stickiness": "account"}
    flag = {"type": "BOOLEAN", "status": "ENABLED", "hash": "unleash", "targeting": [rule]}
    body = {"metadata": {}, "spec": complete("FeatureFlag", {**flag, "rollout": rollout})}
    feature = {"name": "f", "enabled": True, "strategies": strategies("f", body)}
    engine = UnleashEngine()
    engine.take_state(json.dumps({"version": 2, "features": [feature]}))
    ours = compile_flag("f", body["spec"])
    for plan, wanted in (("gold", True), ("free", False)):
        assert engine.is_enabled("f", {"properties": {"plan": plan}}).is_enabled is wanted
        assert ours({"plan": plan}).value is wanted


@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"rollout": {"strategy": "GRADUAL", "percentage": 50, "stickiness": name}}
            for name in ("random", "targetingKey")
        ),
        {
            "targeting": [
                {
                    "attribute": "currentTime",
                    "operator": "after",
                    "values": ["2020-01-01"],
                    "variant": "on",
                }
            ]
        },
        {"targeting": [{"attribute": "targetingKey", "values": ["user-1"], "variant": "on"}]},
    ],
)
def test_names_that_are_refused_are_something_else_there(changed: dict[str, Any]) -> None:
    from yggdrasil_engine.engine import UnleashEngine

    flag = {"type": "BOOLEAN", "status": "ENABLED", "hash": "unleash", **changed}
    body = {"metadata": {}, "spec": complete("FeatureFlag", flag)}
    assert refused(body["spec"])
    engine = UnleashEngine()
    feature = {"name": "f", "enabled": True, "strategies": strategies("f", body)}
    engine.take_state(json.dumps({"version": 2, "features": [feature]}))
    ours = compile_flag("f", body["spec"])
    users = [f"user-{n}" for n in range(60)]
    theirs = [engine.is_enabled("f", {"userId": user}).is_enabled for user in users]
    assert theirs != [ours({"targetingKey": user}).value for user in users]


NAMES = ["b", "B", "a", "A", "a-1", "a_1", "a.1", "a1", "ab", "aB", "Ab", "10", "9", "~x", "-x"]


def test_variants_have_the_order_that_unleash_gives_them(
    unleash: Unleash, driver: UnleashDriver
) -> None:
    """It sorts as people do, not by the numbers of letters; who gets what depends on it."""
    weights = dict.fromkeys(NAMES, 6.6) | {"b": 7.6}
    flag = {
        "type": "STRING",
        "status": "ENABLED",
        "hash": "unleash",
        "default": "b",
        "variants": {name: f"value of {name}" for name in NAMES},
        "rollout": {"strategy": "AB_TEST", "weights": weights},
    }
    body = {"metadata": {}, "spec": complete("FeatureFlag", flag)}
    address = Address.of("acme/shop", "FeatureFlag", "f")
    change = Change(address, Action.CREATE, Why.NEW, "tested", after=body)
    (outcome,) = driver.apply([change], ContractSecrets())
    assert outcome.result is Result.DONE, outcome.error
    path = "/api/admin/projects/default/features/f/environments/development/strategies"
    (live,) = unleash.call("GET", path)
    order = [one["name"] for one in live["variants"]]
    assert [name for name, _ in arms(body["spec"]["rollout"], "unleash")] == order
    users = [{"targetingKey": f"user-{n}"} for n in range(60)]
    ((_, theirs),) = driver.evaluate([address], users)
    ours = compile_flag("f", body["spec"])
    assert [one.variant for one in theirs] == [ours(user).variant for user in users]


@pytest.mark.parametrize("strategy", ["GRADUAL", "AB_TEST"])
def test_stickiness_default_is_the_user_then_the_session_then_chance(strategy: str) -> None:
    from yggdrasil_engine.engine import UnleashEngine

    share = {"percentage": 40} if strategy == "GRADUAL" else {"weights": {"a": 40, "b": 60}}
    flag = {
        "type": "STRING",
        "status": "ENABLED",
        "hash": "unleash",
        "default": "b",
        "variants": {"a": "A", "b": "B"},
        "rollout": {"strategy": strategy, "stickiness": "default", **share},
    }
    body = {"metadata": {}, "spec": complete("FeatureFlag", flag)}
    assert refused(body["spec"]) is None
    engine = UnleashEngine()
    feature = {"name": "f", "enabled": True, "strategies": strategies("f", body)}
    engine.take_state(json.dumps({"version": 2, "features": [feature]}))
    ours = compile_flag("f", body["spec"])
    for at in range(1000):
        user = {"targetingKey": f"u{at}", "sessionId": f"s{at}"}
        session = {"sessionId": f"s{at}"}
        for held, theirs in (
            (user, {"userId": f"u{at}", "sessionId": f"s{at}"}),
            (session, session),
        ):
            assert engine.get_variant("f", theirs).variant.name == ours(held).variant
    chance = Counter(ours({}).variant for _ in range(1000))
    their_chance = Counter(engine.get_variant("f", {}).variant.name for _ in range(1000))
    assert 300 < chance["a"] < 500
    assert 300 < their_chance["a"] < 500


def test_weights_that_unleash_makes_add_up_are_read() -> None:
    """Two of three variants that share what is left: 334, 333 and 333 of 1,000."""
    from hrctl.drivers.unleash.reading import taken_over
    from hrctl.drivers.unleash.strategies import normal

    variants = [
        {
            "name": name,
            "weight": weight,
            "weightType": "variable",
            "stickiness": "userId",
            "payload": {"type": "string", "value": name},
        }
        for name, weight in (("x", 334), ("y", 333), ("z", 333))
    ]
    parameters = {"rollout": "100", "stickiness": "userId", "groupId": "f"}
    found = {"name": "flexibleRollout", "parameters": parameters, "variants": variants}
    spec = taken_over("f", [normal(found)], on=True)
    assert spec["rollout"]["weights"] == {"x": 33.4, "y": 33.3, "z": 33.3}
