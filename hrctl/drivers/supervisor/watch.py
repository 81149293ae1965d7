"""Wait until a Service is healthy, or find out that it will not be."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.supervisor import health, install, state
from hrctl.drivers.supervisor.command import Launch
from hrctl.drivers.supervisor.groupfile import Marker, group_name
from hrctl.drivers.supervisor.state import Condition, Process
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.drivers.supervisor.rollout import Machine

_GRACE: Final = 10.0  # seconds to get going, before anything counts against a Service
_FIRST_INTERVAL: Final = 0.025
_STARTUP_INTERVAL: Final = 0.5  # while it starts it is looked at this often, if not more so
_AT_ONCE: Final = 8
_LOG_LINES: Final = 5


@dataclass(slots=True)
class Watch:
    """Looks at the replicas of one Service until each is healthy.

    Without a health check a replica is healthy when supervisord calls it RUNNING: it stayed up for
    a second. With one, when it passed `healthyThreshold` checks in a row; while it starts they come
    at least every half second. An answer at its port shows that it is up; a command need not have
    to do with it, so then it must be RUNNING as well.
    """

    address: Address
    marker: Marker
    launch: Launch
    machine: Machine
    secrets: tuple[str, ...] = ()
    passed: dict[int, int] = field(default_factory=dict)
    last: dict[int, health.Probe] = field(default_factory=dict)
    looks: int = 0

    def until_healthy(self) -> None:
        """Return when all replicas are healthy.

        Raises:
            HrctlError: HR085, where one has ended for good, or is not healthy in time: after a
                grace of ten seconds and `unhealthyThreshold` times (`interval` + `timeout`).
        """
        spec = self.marker.body["spec"]
        replicas, check = spec.get("replicas", 1), spec.get("healthCheck")
        policy = (spec.get("restart") or {}).get("policy", "always")
        group = group_name(self.address)
        by_command = check is not None and check.get("command") is not None
        alive = {state.RUNNING} if by_command else {state.STARTING, state.RUNNING}
        deadline = time.monotonic() + self._patience()
        due = 0.0
        for turn in itertools.count():
            processes = self.machine.processes(group, self.marker)
            self._refuse_failed(processes, policy)
            up = [int(one.name) for one in processes if one.state in alive]
            if check is None:
                running = sum(one.state == state.RUNNING for one in processes)
                if running >= replicas:
                    return
            elif time.monotonic() >= due:
                self._look(up)
                due = time.monotonic() + self._until_next(check)
                wanted = check.get("healthyThreshold", 1)
                if sum(self.passed.get(one, 0) >= wanted for one in up) >= replicas:
                    return
            if time.monotonic() > deadline:
                raise self._unhealthy(self._what_is_wrong(processes))
            self.machine.pause(turn)

    def _until_next(self, check: Mapping[str, Json]) -> float:
        """Quickly at first: most services are up within a fraction of a second."""
        self.looks += 1
        interval = seconds(check.get("interval", "10s"))
        return min(interval, _STARTUP_INTERVAL, _FIRST_INTERVAL * 2.0**self.looks)

    def _patience(self) -> float:
        spec = self.marker.body["spec"]
        check = spec.get("healthCheck")
        if check is None:
            return 2 * _GRACE
        once = seconds(check.get("interval", "10s")) + seconds(check.get("timeout", "2s"))
        return _GRACE + float(check.get("unhealthyThreshold", 3)) * once

    def _look(self, up: Sequence[int]) -> None:
        targets = [replica_target(self.marker, self.launch, replica) for replica in up]
        for replica in self.passed.keys() - set(up):
            self.passed[replica] = 0
        if len(targets) > 1:
            with ThreadPoolExecutor(min(len(targets), _AT_ONCE)) as pool:
                probes = list(pool.map(health.look, targets))
        else:
            probes = [health.look(target) for target in targets]
        for target, probe in zip(targets, probes, strict=True):
            before = self.passed.get(target.replica, 0)
            self.passed[target.replica] = before + 1 if probe.well else 0
            self.last[target.replica] = probe

    def _refuse_failed(self, processes: Sequence[Process], policy: str) -> None:
        for one in processes:
            if state.condition(one, policy) is Condition.FAILED:
                if one.state == state.FATAL:
                    why = (one.error or "it ended again and again").lower()
                else:
                    why = f"it ended with {one.exit_status}"
                raise self._unhealthy(f"replica {one.name} does not run: {why}", int(one.name))

    def _what_is_wrong(self, processes: Sequence[Process]) -> str:
        for replica, probe in sorted(self.last.items()):
            if not probe.well:
                return f"replica {replica}: {probe.detail}"
        for one in processes:
            if one.state != state.RUNNING:
                return f"replica {one.name} does not stay up: {(one.error or 'starting').lower()}"
        return "not all replicas are up" if processes else "supervisord has no such process"

    def _unhealthy(self, why: str, replica: int = 0) -> HrctlError:
        path = self.machine.folders.log(group_name(self.address), replica)
        lines = install.masked(install.last_lines(path, _LOG_LINES), self.secrets)
        return HrctlError(
            Diagnostic(
                "HR085",
                f"{self.address} is not healthy: {install.masked([why], self.secrets)[0]}",
                address=self.address,
                note="its last lines: " + " | ".join(lines) if lines else None,
                hint=f"see {path}, mend it and apply again",
            )
        )


def replica_target(marker: Marker, launch: Launch, replica: int) -> health.Target:
    """A replica as a health check sees it, with the environment that its process has."""
    from hrctl.drivers.supervisor.daemon import inherited

    own = launch.replicas[replica] if replica < len(launch.replicas) else {}
    return health.Target(
        marker.body["spec"], replica, {**inherited(), **launch.env, **own}, launch.cwd
    )
