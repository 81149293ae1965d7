"""A system that does not answer stops what needs it, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

FAR = "{type: supervisor, mode: external, socket: /no/such, configDir: /no}"
WORKER = "acme/shop/dev:Service/worker"


@pytest.fixture
def half(shell: Shell) -> Shell:
    """The services of prod are bound to a supervisord that is not there."""
    near = "{type: local}"
    project = f"spec: {{drivers: {{far: {FAR}, near: {near}}}}}\n"
    shell.write("hrctl.yaml", shell.read("hrctl.yaml") + project)
    for name, driver in {"prod": "far", "dev": "near"}.items():
        path = f"shop/{name}/registry.yaml"
        bound = f"ENVIRONMENT, drivers: {{Service: {driver}}}}}"
        shell.write(path, shell.read(path).replace("ENVIRONMENT}", bound))
    shell.git("add", "-A")
    shell.git("commit", "--quiet", "-m", "Bind")
    return shell


def test_a_plan_shows_what_the_others_say(half: Shell) -> None:
    assert half.fails("plan") == 1
    assert WORKER.partition(":")[2] in half.out
    assert "HR080" in half.err
    assert half.fails("plan", "-o", "json") == 1
    found = json.loads(half.out)
    assert not found["complete"]
    assert {one["driver"] for one in found["changes"]} == {"local", "near"}


def test_nothing_is_applied_where_one_does_not_answer(half: Shell) -> None:
    assert half.fails("apply", "--yes") == 1
    assert "HR080" in half.err
    assert half.json("state", "list") == {"entries": []}


def test_targets_ask_only_the_systems_that_they_need(half: Shell) -> None:
    half.hrctl("apply", "--yes", "--target", WORKER)
    assert "HR080" not in half.err
    assert WORKER in [one["address"] for one in half.json("state", "list")["entries"]]
    half.hrctl("destroy", "--yes", "--target", WORKER)
    assert half.fails("plan", "--target", "acme/shop/prod") == 1
    assert "HR080" in half.err


def test_what_depends_on_the_other_system_needs_it(half: Shell) -> None:
    path = "shop/registry.yaml"
    half.write(path, half.read(path).replace("PROJECT}", "PROJECT, drivers: {Service: far}}"))
    base = "kind: Service\nmetadata: {name: base}\nspec: {type: API, command: serve}\n"
    half.write("shop/base.yaml", f"apiVersion: hrctl.dev/v1\n{base}")
    text = half.read("shop/dev/jobs.yaml")
    half.write("shop/dev/jobs.yaml", text.replace("/worker]", "/worker, Service/base]"))
    half.hrctl("plan", "--target", WORKER)
    assert half.fails("plan", "--target", "acme/shop/dev:Service/mailer") == 1


def test_drift_that_nobody_could_look_for_is_not_denied(half: Shell) -> None:
    assert half.fails("drift") == 1
    assert "No drift" not in half.out
    assert "HR080" in half.err
