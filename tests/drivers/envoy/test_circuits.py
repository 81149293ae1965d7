"""Circuits open, are on trial, and close again, as real traffic fails and does not."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.drivers.envoy.circuits import state, trials
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")


def circuit(mesh: Mesh) -> str | None:
    (report,) = mesh.driver.health([WEB])
    found: str | None = report.circuit
    return found


def answered(mesh: Mesh, status: int) -> None:
    """Wait until requests are answered so: what a circuit is, is told before it is done.

    Envoy gathers what becomes of hosts for some milliseconds before its threads that serve know,
    and each connection may come to another of them.
    """

    def settled() -> bool:
        return all(mesh.get("/").status == status for _ in range(10))

    eventually(settled, f"the answer is {status}")


def fail(mesh: Mesh, times: int) -> None:
    for _ in range(times):
        assert mesh.get("/status/500").status == 500


def test_a_whole_cycle_and_one_that_fails_its_trial(mesh: Mesh) -> None:
    mesh.route(
        destinations=[mesh.to("v1")], circuitBreaker={"failureThreshold": 3, "openFor": "1500ms"}
    )
    assert circuit(mesh) == "CLOSED"
    fail(mesh, 2)
    assert mesh.get("/").status == 200  # not in a row
    fail(mesh, 2)
    assert circuit(mesh) == "CLOSED"
    fail(mesh, 1)
    started = time.monotonic()
    eventually(lambda: circuit(mesh) == "OPEN", "the circuit opens")
    answered(mesh, 503)
    eventually(lambda: circuit(mesh) == "HALF_OPEN", "the time is up")
    assert time.monotonic() - started > 1.0
    answered(mesh, 200)
    fail(mesh, 3)
    eventually(lambda: circuit(mesh) == "OPEN", "it has failed its trial")
    seen = []

    def changes() -> bool:
        seen.append(circuit(mesh))
        return seen[-1] == "CLOSED"

    eventually(changes, "the circuit closes")
    assert list(dict.fromkeys(seen)) == ["OPEN", "HALF_OPEN", "CLOSED"]
    assert mesh.get("/").body == "v1"


def test_a_part_of_the_hosts_is_half_open(mesh: Mesh) -> None:
    endpoints = [mesh.backend(name).address for name in ("v1", "v2")]
    breaker = {"failureThreshold": 1, "openFor": "20s"}
    mesh.route(destinations=[{"service": "web", "endpoints": endpoints}], circuitBreaker=breaker)
    fail(mesh, 1)
    eventually(lambda: circuit(mesh) == "HALF_OPEN", "one of two is left alone")
    eventually(lambda: len({mesh.get("/").body for _ in range(20)}) == 1, "it gets nothing")
    fail(mesh, 1)
    eventually(lambda: circuit(mesh) == "OPEN", "both are")
    answered(mesh, 503)
    assert mesh.answers(20) == {"503": 20}


def test_not_more_hosts_than_allowed_are_left_alone(mesh: Mesh) -> None:
    endpoints = [mesh.backend(name).address for name in ("v1", "v2")]
    breaker = {"failureThreshold": 1, "openFor": "20s", "maxEjectionPercent": 50}
    mesh.route(destinations=[{"service": "web", "endpoints": endpoints}], circuitBreaker=breaker)
    fail(mesh, 6)
    assert circuit(mesh) == "HALF_OPEN"
    assert mesh.get("/").status == 200


def test_a_host_that_only_its_health_check_finds_well_stays_left_alone(mesh: Mesh) -> None:
    check = {"http": "/healthz", "interval": "50ms"}
    breaker = {"failureThreshold": 1, "openFor": "1500ms"}
    mesh.route(destinations=[mesh.to("v1")], circuitBreaker=breaker, healthCheck=check)
    eventually(lambda: mesh.get("/").status == 200, "it is well")
    fail(mesh, 1)
    started = time.monotonic()
    eventually(lambda: mesh.get("/").status == 503, "it is left alone")
    eventually(lambda: mesh.get("/").status == 200, "it is back")
    assert time.monotonic() - started > 1.0


def host(port: int, **health: Any) -> dict[str, Any]:
    socket = {"address": "10.0.0.1", "port_value": port}
    return {"address": {"socket_address": socket}, "health_status": health}


@pytest.mark.parametrize(
    ("hosts", "on_trial", "expected"),
    [
        ([host(1), host(2)], [], "CLOSED"),
        ([], [], "CLOSED"),
        ([host(1, failed_outlier_check=True)], [], "OPEN"),
        ([host(1, failed_outlier_check=True), host(2)], [], "HALF_OPEN"),
        # the other one is sick: nobody takes requests
        (
            [host(1, failed_outlier_check=True), host(2, failed_active_health_check=True)],
            [],
            "OPEN",
        ),
        ([host(1), host(2)], [("10.0.0.1", 2)], "HALF_OPEN"),
        ([host(1), host(2)], [("10.0.0.1", 3)], "CLOSED"),
    ],
)
def test_states(
    hosts: list[dict[str, Any]], on_trial: list[tuple[str, int]], expected: str
) -> None:
    assert state(hosts, on_trial) == expected


def event(action: str, port: int, ago: float, cluster: str = "c") -> str:
    at = datetime.fromtimestamp(time.time() - ago, UTC).isoformat(timespec="milliseconds")
    return json.dumps(
        {
            "type": "CONSECUTIVE_5XX",
            "timestamp": at.replace("+00:00", "Z"),
            "cluster_name": cluster,
            "upstream_url": f"[::1]:{port}" if port > 9 else f"10.0.0.1:{port}",
            "action": action,
        },
        separators=(",", ":"),
    )


def test_the_last_event_of_each_host_counts(tmp_path: Path) -> None:
    log = tmp_path / "envoy.log"
    assert trials(log, "c", 10) == set()
    lines = [
        "[2026-11-24 15:00:22.392][6975][info][config] something else",
        event("EJECT", 1, 30),
        event("UNEJECT", 1, 5),
        event("EJECT", 2, 30),
        event("UNEJECT", 2, 15),
        event("UNEJECT", 3, 5, "another"),
        event("EJECT", 4, 12),  # it came back, which is not written yet
        event("EJECT", 5, 30),
        event("UNEJECT", 12, 1),
        event("UNEJECT", 6, 1)[:-5],  # it is being written
    ]
    log.write_text("\n".join(lines), "utf-8")
    assert trials(log, "c", 10) == {("10.0.0.1", 1), ("10.0.0.1", 4), ("::1", 12)}
    log.write_text("x" * 2**20 + "\n" + event("UNEJECT", 1, 1) + "\n", "utf-8")
    assert trials(log, "c", 10) == {("10.0.0.1", 1)}
