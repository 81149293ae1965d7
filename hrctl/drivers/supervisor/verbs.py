"""What can be asked of running Services, or done to them, without changing what is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import HealthReport
from hrctl.drivers.supervisor import daemon, health, logs, procs, rollout, state, store
from hrctl.drivers.supervisor.client import RpcFaultError
from hrctl.drivers.supervisor.command import Launch
from hrctl.drivers.supervisor.groupfile import group_name
from hrctl.drivers.supervisor.state import Process
from hrctl.drivers.supervisor.store import Snapshot
from hrctl.drivers.supervisor.watch import replica_target
from hrctl.model.address import Address
from hrctl.model.values import Json, is_reference

if TYPE_CHECKING:
    from hrctl.drivers.supervisor.driver import SupervisorDriver

_NAMES = {
    state.STOPPED: "STOPPED",
    state.STARTING: "STARTING",
    state.RUNNING: "RUNNING",
    state.BACKOFF: "STARTING",
    state.STOPPING: "STOPPED",
    state.EXITED: "FAILED",
    state.FATAL: "FAILED",
}


def require(driver: SupervisorDriver, address: Address) -> Snapshot:
    """The files of a Service.

    Raises:
        HrctlError: HR092, where there are none.
    """
    found = store.read(driver.folders, address)
    if found is None:
        raise HrctlError.of(
            "HR092",
            f"{address} is not there at driver {driver.context.instance}",
            hint="apply it first",
        )
    return found


def launch_of(snapshot: Snapshot) -> Launch:
    """What the launch file says.

    Raises:
        HrctlError: HR093, where it is missing or damaged.
    """
    try:
        return Launch(**json.loads(snapshot.launch))
    except (ValueError, TypeError):
        raise HrctlError.of(
            "HR093",
            f"the launch file of {snapshot.marker.address} is missing or damaged",
            hint="apply it again: that writes a new one",
        ) from None


def act(driver: SupervisorDriver, action: str, address: Address) -> None:
    """Stop, start or restart; see `SupervisorDriver.act`."""
    snapshot = require(driver, address)
    group, marker = group_name(address), snapshot.marker
    with driver.folders.lock():
        if driver.folders.embedded and action != "stop":
            daemon.ensure(driver.folders, driver.context.instance)
        client = driver.connect()
        if client is None:
            daemon.end_orphans(driver.folders, group)
            return
    machine = driver.machine(client)
    try:
        if action in {"stop", "restart"}:
            rollout.halt(machine, client, group, marker)
        if action in {"start", "restart"}:
            launch = launch_of(snapshot)
            hidden = _secrets(snapshot, launch)
            target = rollout.Target(address, group, marker, launch, hidden, restart=False)
            if client.reload().added & {group}:
                rollout.add(client, address, group)
            rollout.start(machine, client, target)
            rollout.watch(machine, target)
    except RpcFaultError as fault:
        raise rollout.refused(address, fault) from None


def _secrets(snapshot: Snapshot, launch: Launch) -> tuple[str, ...]:
    declared = snapshot.marker.body["spec"].get("env") or {}
    return tuple(
        launch.env[name]
        for name, value in declared.items()
        if is_reference(value) and name in launch.env
    )


def _replicas(driver: SupervisorDriver, snapshot: Snapshot) -> Iterator[tuple[int, Process | None]]:
    client = driver.connect()
    group, count = store.size(snapshot)
    found = client.groups({group: count}).get(group, []) if client is not None else []
    known = {one.name: one for one in found}
    for replica in range(count):
        yield replica, known.get(str(replica))


def _probe(snapshot: Snapshot, replica: int, process: Process | None) -> health.Probe | None:
    """The declared check; None where there is none or nothing runs."""
    if process is None or process.state not in {state.RUNNING, state.STARTING}:
        return None
    if not snapshot.marker.body["spec"].get("healthCheck"):
        return None
    return health.look(replica_target(snapshot.marker, launch_of(snapshot), replica))


def health_reports(
    driver: SupervisorDriver, addresses: Sequence[Address]
) -> Iterator[HealthReport]:
    """One report a replica; a Service that is not there, or has no replica, has one itself."""
    for address in addresses:
        snapshot = store.read(driver.folders, address)
        if snapshot is None:
            yield HealthReport(address, "MISSING", detail="it is not there")
            continue
        wanted = snapshot.marker.body["spec"].get("state", "RUNNING")
        found = list(_replicas(driver, snapshot))
        if not found:
            yield HealthReport(address, wanted, detail="no replica is wanted")
        for replica, process in found:
            yield _report(address, replica, process, _probe(snapshot, replica, process), wanted)


def _report(
    address: Address,
    replica: int,
    process: Process | None,
    probe: health.Probe | None,
    wanted: str,
) -> HealthReport:
    if process is None or process.state in {state.STOPPED, state.STOPPING}:
        status = "STOPPED" if wanted == "RUNNING" else wanted
        return HealthReport(address, status, replica, "no process runs")
    status = _NAMES.get(process.state, "FAILED")
    if probe is None:
        detail = process.error or (f"process {process.pid}" if process.pid else "")
        return HealthReport(address, status, replica, detail)
    status = "RUNNING" if probe.well else "DEGRADED"
    return HealthReport(address, status, replica, probe.detail, round(probe.seconds * 1000, 2))


def metric_rows(
    driver: SupervisorDriver, addresses: Sequence[Address]
) -> Iterator[tuple[Address, dict[str, Json]]]:
    """The usage of all is measured at once; then one row a replica."""
    found: list[tuple[Snapshot, int, Process | None]] = []
    for address in addresses:
        snapshot = store.read(driver.folders, address)
        if snapshot is not None:
            found += [(snapshot, *pair) for pair in _replicas(driver, snapshot)]
    usages = procs.usages(process.pid for _, _, process in found if process is not None)
    for snapshot, replica, process in found:
        row: dict[str, Any] = {
            "replica": replica,
            "state": _NAMES.get(process.state, "FAILED") if process else "STOPPED",
            "pid": process.pid if process and process.pid else None,
            "cpu_percent": None,
            "rss_bytes": None,
            "uptime_seconds": process.uptime if process and process.pid else 0,
            "restarts": _restarts(driver, snapshot, replica),
            "health_latency_ms": None,
        }
        usage = usages.get(process.pid) if process else None
        if usage is not None:
            row["cpu_percent"], row["rss_bytes"] = usage
        probe = _probe(snapshot, replica, process)
        if probe is not None and probe.well:
            row["health_latency_ms"] = round(probe.seconds * 1000, 2)
        yield snapshot.marker.address, row


def _restarts(driver: SupervisorDriver, snapshot: Snapshot, replica: int) -> int:
    """How often it was started again since it was last rolled out."""
    path = driver.folders.starts(group_name(snapshot.marker.address))
    with suppress(OSError, ValueError, IndexError):
        note = path.with_name(f"{path.name}.{replica}").read_text(encoding="ascii")
        return max(0, int(note.split()[0]) - 1)
    return 0


def log_lines(
    driver: SupervisorDriver, address: Address, *, tail: int, follow: bool
) -> Iterator[str]:
    """See `SupervisorDriver.logs`."""
    spec = require(driver, address).marker.body["spec"]
    group = group_name(address)
    paths = [driver.folders.log(group, replica) for replica in range(spec.get("replicas", 1))]
    return logs.show(paths, tail_lines=tail, follow=follow)
