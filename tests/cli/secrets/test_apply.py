"""Applies of secrets: what is missing is told before anything changes, and what arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

WORKER = """\
    apiVersion: hrctl.dev/v1
    kind: Service
    metadata: {name: worker}
    spec:
      type: WORKER
      command: sleep 600
      env:
        TOKEN: {valueFrom: {config: app, key: TOKEN}}
        URL: {valueFrom: {component: db, output: url}}
    """
DB = """\
    apiVersion: hrctl.dev/v1
    kind: Component
    metadata: {name: db}
    spec:
      type: DATABASE
      provider: postgresql
      connection:
        endpoint: 127.0.0.1:5432
        username: app
    """


@pytest.fixture
def running(vault: Vault) -> Vault:
    """A service under supervisord that takes secrets of resources which `local` holds."""
    vault.write("shop/prod/worker.yaml", WORKER)
    vault.write("shop/prod/db.yaml", DB)
    prod = vault.read("shop/prod/registry.yaml")
    level, more = "{level: ENVIRONMENT}", "{level: ENVIRONMENT, drivers: {Service: procs}}"
    vault.write("shop/prod/registry.yaml", prod.replace(level, more))
    text = vault.read("hrctl.yaml") + "  drivers: {procs: {type: supervisor, mode: embedded}}\n"
    vault.write("hrctl.yaml", text)
    vault.write("shop/services.yaml", "")
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed="swordfish")
    vault.hrctl("secrets", "set", "Component/db", "connection.password", typed="halibut")
    vault.commit()
    return vault


@pytest.mark.parametrize("saved", [False, True])
def test_without_a_key_nothing_at_all_is_applied(running: Vault, *, saved: bool) -> None:
    running.hrctl("plan", "--out", "x.plan")
    assert running.fails("apply", *(["x.plan"] if saved else []), "--yes") == 1
    assert running.err.count("HR170 the") == 2
    assert f"is encrypted to {running.public('ann')[:16]}" in running.err.replace("\n", " ")
    assert "needed by acme/shop/prod:Service/worker /spec/env/TOKEN" in running.err.replace(
        "\n", " "
    )
    assert running.json("state", "list")["entries"] == []
    assert running.json("get")["live"] == []


def test_another_key_is_no_key(running: Vault) -> None:
    assert running.fails("apply", "--yes", "--identity", running.key("bob")) == 1
    assert "the identity here is another's" in running.err.replace("\n", " ")
    assert running.json("state", "list")["entries"] == []


def test_what_needs_no_key_is_applied_without_one(running: Vault) -> None:
    running.hrctl("apply", "--yes", "--target", "acme/shop/prod:Config/app")
    entry = running.json("get", "acme/shop/prod:Config/app")
    held = entry["body"]["spec"]["entries"]["TOKEN"]["value"]["valueFrom"]
    assert held["for"] == "acme/shop/prod:Config/app#/spec/entries/TOKEN"
    assert "swordfish" not in json.dumps(entry)


@pytest.mark.parametrize("bad", ["none.key", "bad.key"])
def test_an_identity_that_cannot_be_used_stops_plan_and_apply(running: Vault, bad: str) -> None:
    (running.root / "bad.key").write_text("nonsense\n")
    for command in (["plan"], ["apply", "--yes"]):
        assert running.fails(*command, "--identity", bad) == 1
        assert "HR176" in running.err
    assert running.json("state", "list")["entries"] == []
