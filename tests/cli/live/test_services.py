"""A route to a Service that does not run is not well, whatever its proxy takes the host for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.live.conftest import SERVER
from tests.cli.test_transcripts import run
from tests.drivers.supervisor.conftest import free_ports

ROUTE = """\
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {{name: api}}
spec:
  type: API
  command: {command}
  ports: [{{name: http, port: {port}}}]
---
apiVersion: hrctl.dev/v1
kind: Route
metadata: {{name: calls}}
spec: {{type: HTTP, hosts: [api.example], destinations: [{{service: api}}]}}
"""


@pytest.fixture
def root(env: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The project with a Service under supervisord and a route to it, applied."""
    found, port = tmp_path / "acme", free_ports()
    for name, old, new in (
        ("hrctl.yaml", "  drivers:\n", "  drivers:\n    jobs: {type: supervisor}\n"),
        ("registry.yaml", "drivers: {", "drivers: {Service: jobs, "),
    ):
        file = found / name
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
    command = f"{sys.executable} -S {SERVER} {port} api"
    file = found / "shop/api.yaml"
    file.write_text(ROUTE.format(command=command, port=port).removeprefix("---\n"), "utf-8")
    run("git add --all && git commit --quiet --message Api", found, env)
    try:
        run("hrctl apply --yes --quiet", found, env)
        yield found
    finally:
        assert "Stopped jobs" in run("hrctl driver stop jobs --yes", found, env)


def test_health_and_simulate_know_the_service(root: Path, env: dict[str, str]) -> None:
    well = run("hrctl mesh health calls; echo $?", root, env)
    assert "HEALTHY" in well
    assert well.endswith("\n0\n")
    asked = "hrctl mesh simulate --host api.example; echo $?"
    assert run(asked, root, env).endswith("\n0\n")

    run("hrctl service stop api --commit --apply --yes --quiet", root, env)
    sick = run("hrctl mesh health calls; echo $?", root, env)
    assert "UNHEALTHY" in sick
    assert "Service/api is STOPPED" in " ".join(sick.split())
    assert sick.endswith("\n1\n")
    simulated = run(asked, root, env)
    assert "100.00 %  Service/api, which is declared STOPPED" in simulated
    assert simulated.endswith("\n1\n")


def test_a_plan_warns_of_limits_that_nothing_enforces(root: Path, env: dict[str, str]) -> None:
    assert "HR345" not in run("hrctl plan", root, env)
    file = root / "shop/api.yaml"
    text = file.read_text("utf-8")
    file.write_text(
        text.replace("type: API\n", "type: API\n  resources: {memory: 64Mi}\n"), "utf-8"
    )
    told = run("hrctl plan; echo $?", root, env)
    assert "HR345 warning: resources of acme/shop:Service/api is only recorded" in told
    assert told.endswith("\n0\n")
