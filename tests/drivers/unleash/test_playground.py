"""What a real Unleash answers for somebody, against hrctl's own evaluation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hrctl.drivers.api import Evaluates, Result
from hrctl.drivers.contract import ContractSecrets, context_for
from hrctl.drivers.unleash import UnleashDriver
from hrctl.drivers.unleash.playground import sent_context
from hrctl.logic.flags import Evaluation, compile_flag
from hrctl.logic.flags.evaluation import ErrorCode, Reason
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.plan import Reason as Why
from hrctl.model.validate import complete
from tests.drivers.unleash import test_equality as pairs
from tests.drivers.unleash.server import ADMIN, Unleash

SEED = 20271124
FLAGS = 60
CONTEXTS = 30
GRADUAL = {"status": "ROLLOUT", "rollout": {"strategy": "GRADUAL", "percentage": 40}}
GOLD = {"contextName": "plan", "operator": "IN", "values": ["gold"]}
FLAG = "/api/admin/projects/default/features/f"


def flag(name: str) -> Address:
    return Address.of("acme/dev", "FeatureFlag", name)


@pytest.fixture
def driver(
    unleash: Unleash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UnleashDriver]:
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)
    config = {"url": unleash.url, "token": {"valueFrom": {"env": "UNLEASH_TOKEN"}}}
    with UnleashDriver(config, context_for(tmp_path)) as made:
        yield made


def put(driver: UnleashDriver, specs: Mapping[str, Any]) -> None:
    changes = [
        Change(
            flag(name),
            Action.CREATE,
            Why.NEW,
            "tested",
            after={"metadata": {}, "spec": complete("FeatureFlag", {"hash": "unleash", **spec})},
        )
        for name, spec in specs.items()
    ]
    for outcome in driver.apply(changes, ContractSecrets()):
        assert outcome.result is Result.DONE, outcome.error


def ask(driver: UnleashDriver, spec: Mapping[str, Any], **context: Any) -> Evaluation:
    """What one flag gives."""
    put(driver, {"f": spec})
    return again(driver, **context)


def again(driver: UnleashDriver, **context: Any) -> Evaluation:
    ((address, (answer,)),) = driver.evaluate([flag("f")], [context])
    assert address == flag("f")
    return answer


def test_equal_to_hrctl(driver: UnleashDriver) -> None:
    """But for dates and for keys that are not ASCII, which have tests of their own below."""
    assert isinstance(driver, Evaluates)
    random = Random(SEED)  # noqa: S311 - the same ones every time
    made = (pairs.spec(random) for _ in range(10 * FLAGS))
    undated = [one for one in made if '"joined"' not in json.dumps(one)]
    specs = {f"flag-{at}": one for at, one in enumerate(undated[:FLAGS])}
    held = (pairs.context(random) for _ in range(10 * CONTEXTS))
    contexts = [one for one in held if one["targetingKey"].isascii()][:CONTEXTS]
    put(driver, specs)
    reasons: Counter[str] = Counter()
    for address, answers in driver.evaluate([flag(name) for name in specs], contexts):
        ours = compile_flag(address.name, specs[address.name])
        for context, theirs in zip(contexts, answers, strict=True):
            mine = ours(context)
            reasons[mine.reason] += 1
            if mine.reason is Reason.DISABLED:  # what the code passes
                mine = Evaluation(None, None, Reason.DISABLED)
            assert theirs == mine, (specs[address.name], context)
    assert reasons.total() == FLAGS * CONTEXTS
    assert set(reasons) == {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"}
    assert min(reasons.values()) > 50


def test_dates_are_those_of_the_clock_there(driver: UnleashDriver) -> None:
    """Not of the attribute; Node's SDK does so too, Python's does not."""
    rule = {"attribute": "joined", "operator": "after", "values": ["2000-01-01"], "variant": "on"}
    spec = {"type": "BOOLEAN", "status": "ENABLED", "targeting": [rule]}
    assert ask(driver, spec, joined="1999-01-01T00:00:00Z").value is True
    body = complete("FeatureFlag", {"hash": "unleash", **spec})
    assert compile_flag("f", body)({"joined": "1999-01-01T00:00:00Z"}).value is False


def test_keys_that_are_not_ascii_fall_elsewhere_there(driver: UnleashDriver) -> None:
    """Unleash and Node's SDK do not hash UTF-8; Python's does."""
    spec = {"type": "BOOLEAN", **GRADUAL}
    put(driver, {"f": spec})
    contexts = [{"targetingKey": f"{name}-{n}"} for name in ("user", "jürgen") for n in range(40)]
    ((_, answers),) = driver.evaluate([flag("f")], contexts)
    ours = compile_flag("f", complete("FeatureFlag", {"hash": "unleash", **spec}))
    same = [ours(one) == answer for one, answer in zip(contexts, answers, strict=True)]
    assert all(same[:40])
    assert not all(same[40:])


@pytest.fixture
def segment(unleash: Unleash) -> Iterator[int]:
    """Of those who pay."""
    held = {"name": "gold", "constraints": [GOLD]}
    number: int = unleash.call("POST", "/api/admin/segments", held)["id"]
    yield number
    unleash.clear()  # one that is used cannot be deleted
    unleash.call("DELETE", f"/api/admin/segments/{number}")


def test_a_change_by_hand_is_evaluated(
    unleash: Unleash, driver: UnleashDriver, segment: int
) -> None:
    """As it stands, a segment of theirs among it; and an environment that they turned off."""
    ask(driver, {"type": "BOOLEAN", **GRADUAL}, targetingKey="user-1")
    path = f"{FLAG}/environments/development/strategies"
    (one,) = unleash.call("GET", path)
    one |= {"segments": [segment], "parameters": {**one["parameters"], "rollout": "100"}}
    unleash.call("PUT", f"{path}/{one.pop('id')}", one)
    gold, free = ({"targetingKey": "user-1", "plan": plan} for plan in ("gold", "free"))
    assert again(driver, **gold) == (True, "on", Reason.TARGETING_MATCH, None)
    assert again(driver, **free) == (False, "off", Reason.DEFAULT, None)
    unleash.call("POST", f"{FLAG}/environments/development/off")
    assert again(driver, **gold) == (None, None, Reason.DISABLED, None)


def test_a_strategy_that_only_their_applications_know(
    unleash: Unleash, driver: UnleashDriver
) -> None:
    ask(driver, {"type": "BOOLEAN", "status": "ENABLED"})
    path = f"{FLAG}/environments/development/strategies"
    unleash.call("POST", path, {"name": "applicationHostname", "parameters": {"hostNames": "x"}})
    assert again(driver) == (None, None, Reason.ERROR, ErrorCode.PARSE_ERROR)


def test_what_is_not_there(driver: UnleashDriver) -> None:
    """Also what bears another's mark, and a registry without an environment."""
    put(driver, {"f": {"type": "BOOLEAN"}})
    asked = [
        flag("missing"),
        Address("acme/other/dev:FeatureFlag/f"),
        Address("acme:FeatureFlag/f"),
        flag("f"),
    ]
    found = dict(driver.evaluate(asked, [{}, {}]))
    assert list(found) == asked
    missing = Evaluation(None, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    assert [found[one] for one in asked[:3]] == [[missing] * 2] * 3
    assert [one.reason for one in found[flag("f")]] == [Reason.DISABLED] * 2


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"type": "BOOLEAN"}, (True, None)),
        ({"type": "STRING", "variants": {"a": "A", "b": "B"}, "default": "b"}, ("B", "b")),
    ],
)
def test_a_flag_whose_description_people_wrote_is_answered(
    unleash: Unleash, driver: UnleashDriver, spec: dict[str, Any], wanted: tuple[Any, Any]
) -> None:
    """Applications get it all the same; so they do what people made."""
    rollout = {"rollout": {"strategy": "INSTANT"}} if spec["type"] == "BOOLEAN" else {}
    put(driver, {"f": {"status": "ENABLED", **rollout, **spec}})
    patch = [{"op": "replace", "path": "/description", "value": "ours now"}]
    unleash.call("PATCH", FLAG, patch)
    assert again(driver)[:2] == wanted


def test_nobody_without_the_attribute_is_in_a_test(driver: UnleashDriver) -> None:
    test = {"strategy": "AB_TEST", "weights": {"a": 50, "b": 50}, "stickiness": "account"}
    spec = {"type": "STRING", "status": "ENABLED", "variants": {"a": "A", "b": "B"}}
    answer = ask(driver, {**spec, "default": "a", "rollout": test}, targetingKey="u")
    assert answer == (None, None, Reason.ERROR, ErrorCode.TARGETING_KEY_MISSING)
    assert again(driver, account="acc-1").variant in {"a", "b"}


@pytest.mark.parametrize(
    ("word", "value", "matches"),
    [
        ("eq", "a, b", True),
        ("eq", "a", False),
        ("startsWith", "a,", True),
        ("endsWith", ",", False),
    ],
)
def test_a_comma_is_part_of_the_value(
    driver: UnleashDriver, word: str, value: str, *, matches: bool
) -> None:
    rule = {"attribute": "where", "operator": word, "values": [value], "variant": "on"}
    spec = {"type": "BOOLEAN", "status": "ENABLED", "targeting": [rule]}
    assert ask(driver, spec, where="a, b").value is matches


def test_variants_of_one_value_are_not_told_apart(driver: UnleashDriver) -> None:
    variants = {"on": True, "also": True, "off": False}
    spec = {"type": "BOOLEAN", "status": "ENABLED", "variants": variants}
    rollout = {"strategy": "INSTANT", "variant": "also"}
    assert ask(driver, {**spec, "rollout": rollout}) == (True, None, Reason.STATIC, None)


def test_contexts_are_text() -> None:
    held = {
        "targetingKey": 42,
        "app": {"version": "2.1.0", "tags": ["x"]},
        "age": 18.0,
        "half": 0.5,
        "beta": True,
        "none": None,
        "sessionId": "s",
        "appName": "shop",
    }
    assert sent_context(held) == {
        "appName": "shop",
        "userId": "42",
        "sessionId": "s",
        "properties": {
            "app.version": "2.1.0",
            "app.tags": '["x"]',
            "age": "18",
            "half": "0.5",
            "beta": "true",
        },
    }
