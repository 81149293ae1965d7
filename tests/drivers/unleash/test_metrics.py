"""What applications ask, as they report it to a real Unleash, in the counts of the driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.api import Count, Counts, Result
from hrctl.drivers.contract import ContractSecrets, context_for
from hrctl.drivers.unleash import UnleashDriver
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.validate import complete
from tests.cli.verbs.conftest import Shell
from tests.drivers.envoy.conftest import eventually
from tests.drivers.unleash.server import ADMIN, CLIENT, Unleash

PATIENCE = 60.0  # Unleash writes what it heard every 5 s
EXPRESS, COLOUR, IDLE = (
    Address(f"acme/shop/dev:FeatureFlag/{name}") for name in ("express", "colour", "idle")
)
ELSEWHERE = Address("acme/shop/prod:FeatureFlag/express")
SPECS: dict[Address, dict[str, Any]] = {
    EXPRESS: {"type": "BOOLEAN", "rollout": {"strategy": "GRADUAL", "percentage": 50}},
    ELSEWHERE: {"type": "BOOLEAN", "rollout": {"strategy": "GRADUAL", "percentage": 50}},
    COLOUR: {
        "type": "STRING",
        "variants": {"red": "r", "blue": "b"},
        "default": "red",
        "rollout": {"strategy": "AB_TEST", "weights": {"red": 50, "blue": 50}},
    },
    IDLE: {"type": "BOOLEAN"},
}

PROJECT = """\
    apiVersion: hrctl.dev/v1
    kind: Project
    metadata: {name: acme}
    spec:
      drivers:
        toggles: {type: unleash, url: "%s", token: {valueFrom: {env: UNLEASH_TOKEN}}}
    """
SHOP = """\
    apiVersion: hrctl.dev/v1
    kind: Registry
    metadata: {name: shop}
    spec: {level: PROJECT, drivers: {FeatureFlag: toggles}}
    """
MISSING = """\
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {name: missing}
    spec: {type: BOOLEAN, hash: unleash}
    """
FLAGS = """\
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {name: express, instances: ENVIRONMENT}
    spec: {type: BOOLEAN, hash: unleash}
    ---
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {name: colour, instances: ENVIRONMENT}
    spec: {type: STRING, hash: unleash, variants: {red: r, blue: b}, default: red}
    """


@pytest.fixture
def driver(
    unleash: Unleash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UnleashDriver]:
    """With the flags of `SPECS`."""
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)
    config = {"url": unleash.url, "token": {"valueFrom": {"env": "UNLEASH_TOKEN"}}}
    with UnleashDriver(config, context_for(tmp_path)) as made:
        changes = [
            Change(address, Action.CREATE, Reason.NEW, "tested", after=body(spec))
            for address, spec in SPECS.items()
        ]
        for outcome in made.apply(changes, ContractSecrets()):
            assert outcome.result is Result.DONE, outcome.error
        yield made


def body(spec: dict[str, Any]) -> dict[str, Any]:
    whole = {"status": "ENABLED", "hash": "unleash", **spec}
    return {"metadata": {}, "spec": complete("FeatureFlag", whole)}


def counted(driver: UnleashDriver, done: Callable[[dict[Address, Count]], bool]) -> dict[Any, Any]:
    """The counts once they are as is wanted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = {one.address: one for one in driver.evaluations(list(SPECS))}
        if done(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_what_an_application_asks_is_counted(
    unleash: Unleash, driver: UnleashDriver, tmp_path: Path, shell: Shell
) -> None:
    """By the driver, and by `hrctl flag stats` and `hrctl flag stale`.

    One test, as Unleash drops what it hears of a flag that is less than 10 s younger than another
    it heard of.
    """
    from UnleashClient.clients.unleash_client import UnleashClient

    assert isinstance(driver, Counts)
    begin = datetime.now(UTC)
    never = {one.address: one for one in driver.evaluations(list(SPECS))}
    assert {one.last for one in never.values()} == {None}
    assert {one.enabled + one.disabled for one in never.values()} == {0}
    unleash.until_served(EXPRESS.name, COLOUR.name)
    client = UnleashClient(
        f"{unleash.url}/api",
        "shop",
        custom_headers={"Authorization": CLIENT},
        cache_directory=str(tmp_path),
    )
    client.initialize_client()
    users = [{"userId": f"user-{n}"} for n in range(40)]
    answers = [client.is_enabled("express", one) for one in users]
    colours = [client.get_variant("colour", one)["name"] for one in users]
    client.destroy()  # reports what was asked

    def told(found: dict[Address, Count]) -> bool:  # it writes variants after the rest
        express, colour = found[EXPRESS], found[COLOUR]
        return express.enabled + express.disabled == sum(colour.variants.values()) == 40

    found = counted(driver, told)
    express, colour = found[EXPRESS], found[COLOUR]
    assert (express.enabled, express.disabled) == (sum(answers), 40 - sum(answers))
    assert 0 < express.enabled < 40
    assert colour.variants == {name: colours.count(name) for name in ("blue", "red")}
    assert (colour.enabled, colour.disabled) == (40, 0)
    assert express.applications == colour.applications == ("shop",)
    assert express.last is not None
    assert begin - timedelta(hours=1) <= express.last  # the beginning of the hour, until it is told
    assert begin - timedelta(hours=49) < express.since <= begin - timedelta(hours=46)
    for address in (IDLE, ELSEWHERE):
        assert (found[address].last, found[address].enabled) == (None, 0)
    assert all(one.known <= datetime.now(UTC) for one in found.values())
    _told_by_stats(unleash, shell, answers.count(True), colours.count("blue"))
    _told_by_stale(shell)


def _told_by_stats(unleash: Unleash, shell: Shell, on: int, blue: int) -> None:
    """A flag that is not BOOLEAN is enabled where it gives another variant than its default."""
    shell.write("hrctl.yaml", PROJECT % unleash.url)
    shell.write("shop/registry.yaml", SHOP)
    shell.write("shop/flags.yaml", FLAGS)
    shell.write("shop/prod/missing.yaml", MISSING)
    for name in ("colour", "missing"):
        shell.hrctl("flag", "evaluate", f"prod:{name}", "--user", "u")
    found = {one["address"]: one for one in shell.json("flag", "stats")["evaluations"]}
    counts = {
        name: (one["source"], one["live"], one["enabled"], one["disabled"])
        for name, one in found.items()
    }
    assert counts == {
        EXPRESS: ("toggles", True, on, 40 - on),
        COLOUR: ("toggles", True, blue, 40 - blue),
        ELSEWHERE: ("toggles", True, 0, 0),
        "acme/shop/prod:FeatureFlag/colour": ("toggles", True, 0, 0),
        "acme/shop/prod:FeatureFlag/missing": ("hrctl flag evaluate", False, 0, 1),
    }
    assert found[COLOUR]["variants"] == {"blue": blue, "red": 40 - blue}
    assert found[EXPRESS]["applications"] == ["shop"]
    assert found[ELSEWHERE]["last"] is None
    said = shell.hrctl("flag", "stats")
    assert "UTC, counted by toggles (unleash):" in said
    assert "on this machine since" in said


def _told_by_stale(shell: Shell) -> None:
    """Only what nobody asked for during its `staleAfter`."""
    shell.hrctl("flag", "stale", "--only", "unused")  # a month has not passed
    hasty = FLAGS.replace("{type: BOOLEAN,", "{type: BOOLEAN, staleAfter: 1s,")
    shell.write("shop/flags.yaml", hasty)
    express = ("flag", "stale", "prod:express", "--only", "unused")
    eventually(lambda: shell.fails(*express) == 1, "a second has passed since it was made")
    assert "acme/shop/prod:express was never asked for, as 'toggles' counts" in shell.out
    assert shell.fails("flag", "stale", "colour", "--only", "unused") == 0
    assert shell.fails("flag", "stale", "--only", "unused") == 1
    assert "No driver counts what applications ask of 1 of 5 flags." in shell.err


def test_what_is_not_there_is_left_out(unleash: Unleash, driver: UnleashDriver) -> None:
    """Also what is another's, and a registry without an environment; but not what people made."""
    features = "/api/admin/projects/default/features"
    unleash.call("POST", features, {"name": "theirs", "type": "release"})
    asked = [
        Address("acme/shop/dev:FeatureFlag/missing"),
        Address("acme/other/dev:FeatureFlag/express"),
        Address("acme/shop:FeatureFlag/express"),
        IDLE,
        Address("acme/shop/dev:FeatureFlag/theirs"),
    ]
    assert [one.address for one in driver.evaluations(asked)] == asked[-2:]
    assert list(driver.evaluations([])) == []
