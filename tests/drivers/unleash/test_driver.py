"""What the driver does beyond the contract: drift by field, owners, refusals, revival."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Outcome, Result
from hrctl.drivers.contract import ContractSecrets, context_for
from hrctl.drivers.discovery import load_driver
from hrctl.drivers.unleash import UnleashDriver
from hrctl.drivers.unleash.strategies import strategies
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.validate import check_model, complete
from tests.drivers.supervisor.conftest import free_ports
from tests.drivers.unleash.server import ADMIN, CLIENT, Unleash

FLAG = "/api/admin/projects/default/features/express"
DEVELOPMENT = f"{FLAG}/environments/development"
EXPRESS = Address("acme/shop/dev:FeatureFlag/express")
PRODUCTION = Address("acme/shop/prod:FeatureFlag/express")
TOKEN = {"valueFrom": {"env": "UNLEASH_TOKEN"}}
GRADUAL: dict[str, Any] = {
    "type": "BOOLEAN",
    "status": "ROLLOUT",
    "hash": "unleash",
    "rollout": {"strategy": "GRADUAL", "percentage": 10},
}
TEXTS: dict[str, Any] = {
    "type": "STRING",
    "status": "ENABLED",
    "hash": "unleash",
    "variants": {"a": "A", "b": "B"},
    "default": "a",
    "rollout": {"strategy": "AB_TEST", "weights": {"a": 50, "b": 50}},
}


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)


def make(url: str, folder: Path, project: str = "contract", **more: Any) -> UnleashDriver:
    return UnleashDriver({"url": url, "token": TOKEN, **more}, context_for(folder, project))


@pytest.fixture
def driver(unleash: Unleash, tmp_path: Path) -> Iterator[UnleashDriver]:
    with make(unleash.url, tmp_path) as made:
        yield made


def change(driver: UnleashDriver, address: Address, spec: dict[str, Any] | None) -> Change:
    version = {one.address: one.version for one in driver.scan()}.get(address)
    action = Action.DELETE if spec is None else Action.UPDATE if version else Action.CREATE
    body = None if spec is None else {"metadata": {}, "spec": complete("FeatureFlag", spec)}
    return Change(address, action, Reason.EDITED, "tested", after=body, expect_version=version)


def put(driver: UnleashDriver, address: Address, spec: dict[str, Any] | None) -> Outcome:
    (outcome,) = driver.apply([change(driver, address, spec)], ContractSecrets())
    return outcome


def done(driver: UnleashDriver, address: Address, spec: dict[str, Any] | None) -> None:
    outcome = put(driver, address, spec)
    assert outcome.result is Result.DONE, outcome.error


def live(driver: UnleashDriver, address: Address = EXPRESS) -> dict[str, Any]:
    (found,) = driver.read([address])
    spec: dict[str, Any] = found.body["spec"]
    return spec


def strategy(unleash: Unleash) -> dict[str, Any]:
    """The first strategy, as the web interface sends it back."""
    (found, *_) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    return dict(found)


def test_it_is_built_in() -> None:
    assert load_driver("unleash") is UnleashDriver


def test_a_percentage_that_was_changed_by_hand(unleash: Unleash, driver: UnleashDriver) -> None:
    done(driver, EXPRESS, GRADUAL)
    one = strategy(unleash)
    one["parameters"]["rollout"] = "25"
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{one.pop('id')}", one)
    wanted = complete("FeatureFlag", GRADUAL)
    assert live(driver) == {**wanted, "rollout": {**wanted["rollout"], "percentage": 25}}


def test_a_switch_that_was_turned_by_hand(unleash: Unleash, driver: UnleashDriver) -> None:
    done(driver, EXPRESS, GRADUAL)
    unleash.call("POST", f"{DEVELOPMENT}/off")
    assert live(driver) == {**complete("FeatureFlag", GRADUAL), "status": "DISABLED"}
    done(driver, EXPRESS, GRADUAL)
    assert live(driver)["status"] == "ROLLOUT"


def test_weights_and_values_that_were_changed_by_hand(
    unleash: Unleash, driver: UnleashDriver
) -> None:
    done(driver, EXPRESS, TEXTS)
    one = strategy(unleash)
    name = one.pop("id")
    first, second = one["variants"]
    by_name = {held["name"]: held for held in (first, second)}
    by_name["a"]["weight"], by_name["b"]["weight"] = 300, 700
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{name}", one)
    assert live(driver)["rollout"]["weights"] == {"a": 30, "b": 70}
    done(driver, EXPRESS, TEXTS)
    by_name["a"]["weight"], by_name["b"]["weight"] = 500, 500
    by_name["b"]["payload"]["value"] = "other"
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{name}", one)
    assert live(driver)["variants"] == {"a": "A", "b": "other"}
    assert live(driver)["rollout"]["weights"] == {"a": 50, "b": 50}


def test_what_no_field_of_ours_is_stands_as_targeting(
    unleash: Unleash, driver: UnleashDriver
) -> None:
    done(driver, EXPRESS, GRADUAL)
    unleash.call("POST", f"{DEVELOPMENT}/strategies", {"name": "default"})
    found = live(driver)["targeting"]
    assert [one["strategy"]["name"] for one in found] == ["flexibleRollout", "default"]
    done(driver, EXPRESS, GRADUAL)
    assert live(driver) == complete("FeatureFlag", GRADUAL)


def test_variants_that_are_left_out_are_gone(unleash: Unleash, driver: UnleashDriver) -> None:
    done(driver, EXPRESS, TEXTS)
    done(driver, EXPRESS, {**TEXTS, "rollout": {"strategy": "INSTANT", "variant": "b"}})
    assert [one["name"] for one in strategy(unleash)["variants"]] == ["b"]


def test_an_archived_name_is_revived(unleash: Unleash, driver: UnleashDriver) -> None:
    done(driver, EXPRESS, TEXTS)
    done(driver, EXPRESS, None)
    assert list(driver.scan()) == []
    done(driver, EXPRESS, GRADUAL)
    assert live(driver) == complete("FeatureFlag", GRADUAL)
    assert not strategy(unleash).get("variants")


def test_two_environments_of_one_feature(unleash: Unleash, driver: UnleashDriver) -> None:
    done(driver, EXPRESS, GRADUAL)
    done(driver, PRODUCTION, TEXTS)
    assert live(driver) == complete("FeatureFlag", GRADUAL)
    assert live(driver, PRODUCTION) == complete("FeatureFlag", TEXTS)
    assert {one.address for one in driver.scan()} == {EXPRESS, PRODUCTION}
    done(driver, EXPRESS, None)
    assert [one.address for one in driver.scan()] == [PRODUCTION]
    assert unleash.call("GET", f"{DEVELOPMENT}/strategies") == []
    done(driver, EXPRESS, GRADUAL)
    assert {one.address for one in driver.scan()} == {EXPRESS, PRODUCTION}


def test_what_people_use_in_another_environment_stays(
    unleash: Unleash, driver: UnleashDriver
) -> None:
    done(driver, EXPRESS, GRADUAL)
    production = f"{FLAG}/environments/production"
    theirs = {"name": "default", "parameters": {}, "constraints": []}
    unleash.call("POST", f"{production}/strategies", theirs)
    unleash.call("POST", f"{production}/on")
    outcome = put(driver, PRODUCTION, GRADUAL)
    assert outcome.error is not None
    assert (outcome.result, outcome.error.code) == (Result.FAILED, "HR267")
    assert "environment 'production'" in outcome.error.summary
    done(driver, EXPRESS, None)
    assert list(driver.scan()) == []
    (left,) = unleash.call("GET", f"{production}/strategies")
    assert left["name"] == "default"
    used = unleash.call("GET", FLAG)["environments"]
    assert {one["name"]: one["enabled"] for one in used if one["enabled"]} == {"production": True}
    assert unleash.call("GET", f"{DEVELOPMENT}/strategies") == []


def test_two_environments_in_one_batch(unleash: Unleash, driver: UnleashDriver) -> None:
    """They share a description: what one writes there is not undone by the next."""
    for first, second in ((10, 20), (30, 40)):
        specs = {
            address: {**GRADUAL, "rollout": {"strategy": "GRADUAL", "percentage": share}}
            for address, share in ((EXPRESS, first), (PRODUCTION, second))
        }
        batch = [change(driver, address, spec) for address, spec in specs.items()]
        outcomes = list(driver.apply(batch, ContractSecrets()))
        assert [one.result for one in outcomes] == [Result.DONE] * 2
        seen = {one.address: one.version for one in driver.scan()}
        assert seen == {one.address: one.version for one in outcomes}
        for address, spec in specs.items():
            assert live(driver, address) == complete("FeatureFlag", spec)
    batch = [change(driver, address, None) for address in (EXPRESS, PRODUCTION)]
    for outcome in driver.apply(batch, ContractSecrets()):
        assert outcome.result is Result.DONE, outcome.error
    assert list(driver.scan()) == []
    assert unleash.call("GET", "/api/admin/projects/default/features")["features"] == []


@pytest.mark.parametrize(
    "body", [{}, {"spec": {}}, {"spec": {"status": "ROLLOUT"}, "metadata": {}}], ids=str
)
def test_marks_that_people_broke_stop_no_scan(
    unleash: Unleash, driver: UnleashDriver, body: dict[str, Any]
) -> None:
    done(driver, EXPRESS, GRADUAL)
    sentence, _, line = unleash.call("GET", FLAG)["description"].rpartition("\n")
    marks = json.loads(line.removeprefix("hrctl:"))
    marks["development"]["body"] = body
    text = f"{sentence}\nhrctl:{json.dumps(marks)}"
    patch = [{"op": "replace", "path": "/description", "value": text}]
    unleash.call("PATCH", FLAG, patch)
    stamps = list(driver.scan())
    lives = list(driver.read([EXPRESS]))
    assert [one.version for one in lives] == [one.version for one in stamps]


def test_what_people_made_is_left_alone(unleash: Unleash, driver: UnleashDriver) -> None:
    body = {"name": "express", "type": "release", "description": "theirs"}
    unleash.call("POST", "/api/admin/projects/default/features", body)
    made = change(driver, EXPRESS, GRADUAL)
    with pytest.raises(HrctlError, match="belongs to people") as raised:
        driver.plan(made)
    assert raised.value.diagnostics[0].code == "HR267"
    outcome = put(driver, EXPRESS, GRADUAL)
    assert outcome.result is Result.FAILED
    assert unleash.call("GET", FLAG)["description"] == "theirs"
    assert unleash.call("GET", f"{DEVELOPMENT}/strategies") == []


def test_another_project_is_named(unleash: Unleash, driver: UnleashDriver, tmp_path: Path) -> None:
    done(driver, EXPRESS, GRADUAL)
    with make(unleash.url, tmp_path, "another") as other:
        list(other.scan())
        for address in (EXPRESS, PRODUCTION):
            made = Change(
                address,
                Action.CREATE,
                Reason.NEW,
                "tested",
                after={"metadata": {}, "spec": complete("FeatureFlag", TEXTS)},
            )
            (outcome,) = other.apply([made], ContractSecrets())
            assert outcome.error
            assert "project 'contract'" in outcome.error.summary
    assert live(driver) == complete("FeatureFlag", GRADUAL)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({**GRADUAL, "hash": "fractional-v3"}, "hash fractional-v3"),
        ({**GRADUAL, "default": "on", "rollout": {**GRADUAL["rollout"]}}, "variant 'off' (false)"),
        ({**TEXTS, "variants": {"a": "", "b": "B"}}, "an empty text"),
        (
            {
                **GRADUAL,
                "rollout": {"strategy": "GRADUAL", "steps": [{"percentage": 5, "after": "0s"}]},
            },
            "rollout.steps",
        ),
        (
            {
                **GRADUAL,
                "type": "BOOLEAN",
                "rollout": {**TEXTS["rollout"], "weights": {"on": 50, "off": 50}},
            },
            "AB_TEST between",
        ),
        (
            {
                **GRADUAL,
                "targeting": [
                    {"attribute": "age", "operator": "eq", "values": [18], "variant": "on"}
                ],
            },
            "operator eq with 18",
        ),
        *(
            ({**GRADUAL, "rollout": {**GRADUAL["rollout"], "stickiness": name}}, f"'{name}', which")
            for name in ("random", "targetingKey")
        ),
        (
            {
                **GRADUAL,
                "targeting": [
                    {
                        "all": [
                            {"attribute": "plan", "values": ["x"]},
                            {
                                "attribute": "currentTime",
                                "operator": "after",
                                "values": ["2027-01-01"],
                            },
                        ],
                        "variant": "on",
                    }
                ],
            },
            "its own clock",
        ),
        (
            {
                **GRADUAL,
                "rollout": {
                    "strategy": "CANARY",
                    "percentage": 5,
                    "groups": {"staff": [{"attribute": "targetingKey", "values": ["ann"]}]},
                },
            },
            "the attribute 'targetingKey', which Unleash calls userId",
        ),
    ],
)
def test_what_unleash_does_not_have_is_named(
    tmp_path: Path, spec: dict[str, Any], said: str
) -> None:
    body = {"metadata": {}, "spec": complete("FeatureFlag", spec)}
    made = Change(EXPRESS, Action.CREATE, Reason.NEW, "tested", after=body)
    with pytest.raises(HrctlError) as raised:
        make("http://127.0.0.1:1", tmp_path).plan(made)
    (found,) = raised.value.diagnostics
    assert found.code == "HR252"
    assert said in found.summary


def _asking(operator: str, value: Any) -> dict[str, Any]:
    rule = {"attribute": "plan", "operator": operator, "values": [value], "variant": "on"}
    return {**GRADUAL, "targeting": [rule]}


@pytest.mark.parametrize(
    ("spec", "said", "theirs"),
    [
        ({**TEXTS, "variants": {"a": "A", "b": "B", "x y": "C"}}, "'x y' as a", "URL friendly"),
        ({**TEXTS, "variants": {"a": "A", "b": "B", "c" * 101: "C"}}, "as a variant's", "100"),
        (_asking("in", "x" * 101), "a value of 101 characters", "100 characters"),
        (_asking("gt", 1e300), "the number 1e+300", "safe number"),
        (_asking("contains", " x"), "' x' with white space", None),
    ],
)
def test_what_unleash_would_refuse_at_an_apply_is_told_by_the_plan(
    unleash: Unleash, driver: UnleashDriver, spec: dict[str, Any], said: str, theirs: str | None
) -> None:
    if "variants" in spec:
        weights = dict.fromkeys(spec["variants"], 1)
        spec = {**spec, "rollout": {"strategy": "AB_TEST", "weights": {**weights, "a": 98}}}
    body = {"metadata": {}, "spec": complete("FeatureFlag", spec)}
    with pytest.raises(HrctlError) as raised:
        driver.plan(Change(EXPRESS, Action.CREATE, Reason.NEW, "tested", after=body))
    (found,) = raised.value.diagnostics
    assert (found.code, said in found.summary) == ("HR252", True)
    if theirs is None:
        return
    wanted = strategies("express", body)
    feature = {"name": "express", "type": "release"}
    unleash.call("POST", "/api/admin/projects/default/features", feature)
    (*_, asking) = sorted(wanted, key=lambda one: bool(one["constraints"]))
    with pytest.raises(AssertionError, match=theirs):  # of the call, which is answered with 400
        unleash.call("POST", f"{DEVELOPMENT}/strategies", asking)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"projects": {"acme": "shop"}}, "no project 'shop'"),
        ({"environments": {"dev": "staging"}}, "no environment 'staging'"),
    ],
)
def test_a_place_that_is_missing(
    unleash: Unleash, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(HrctlError, match=said) as raised, make(unleash.url, tmp_path, **more):
        pass
    assert raised.value.diagnostics[0].code == "HR266"


def test_a_registry_without_an_environment(driver: UnleashDriver) -> None:
    made = change(driver, Address("acme/shop:FeatureFlag/express"), GRADUAL)
    with pytest.raises(HrctlError, match="registry acme/shop has no environment"):
        driver.plan(made)


@pytest.mark.parametrize("text", ["", "wrong-token", CLIENT, "ü\n"])
def test_a_token_that_is_refused_is_not_shown(
    unleash: Unleash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", text)
    with pytest.raises(HrctlError) as raised, make(unleash.url, tmp_path):
        pass
    (found,) = raised.value.diagnostics
    assert found.code == "HR265"
    assert "UNLEASH_TOKEN" in found.summary
    assert not text or text not in str(found)


def test_an_unleash_that_is_down(tmp_path: Path) -> None:
    down = make(f"http://127.0.0.1:{free_ports()}", tmp_path)
    with pytest.raises(HrctlError, match="cannot reach Unleash") as raised, down:
        pass
    assert raised.value.diagnostics[0].code == "HR080"
    body = {"metadata": {}, "spec": complete("FeatureFlag", GRADUAL)}
    made = Change(EXPRESS, Action.CREATE, Reason.NEW, "tested", after=body)
    (outcome,) = down.apply([made], ContractSecrets())
    assert outcome.error
    assert outcome.error.code == "HR080"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"url": "unleash", "token": TOKEN},
        {"url": "http://x", "token": "s"},
        {"url": "http://x", "token": TOKEN, "tags": ["hrctl"]},
        {"url": "http://x", "token": TOKEN, "tags": ["x"]},
    ],
)
def test_a_block_that_is_wrong(config: dict[str, Any]) -> None:
    assert check_model(UnleashDriver.config_model(), config)
