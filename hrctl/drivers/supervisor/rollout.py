"""One Service from its files to the state that is wanted, in a thread of its own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor import install, ports, state, store
from hrctl.drivers.supervisor.client import Client, Code, RpcFaultError
from hrctl.drivers.supervisor.command import Launch, PortUse, port_uses
from hrctl.drivers.supervisor.folders import Folders
from hrctl.drivers.supervisor.groupfile import APPLIED, UNHEALTHY, Marker, install_digest
from hrctl.drivers.supervisor.state import Process
from hrctl.drivers.supervisor.watch import Watch
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.2
_STOP_SLACK = 10.0  # seconds beyond stopTimeout that supervisord may take to see a process end


@dataclass(slots=True)
class Machine:
    """What the rollouts of one driver share. `client` is None where no supervisord runs."""

    folders: Folders
    client: Client | None
    leaving: dict[str, float] = field(default_factory=dict)  # groups on their way out: stopTimeout
    abandoned: threading.Event = field(default_factory=threading.Event)

    def processes(self, group: str, marker: Marker) -> Sequence[Process]:
        """The processes of a group that was made for `marker`; none where nothing runs."""
        if self.client is None:
            return ()
        return self.client.groups({group: store.replicas_of(marker)}).get(group, ())

    def groups_by_pid(self) -> dict[int, str]:
        """Which group each running process leads a replica of."""
        if self.client is None:
            return {}
        found = self.client.processes()
        return {one.pid: group for group, some in found.items() for one in some if one.pid}

    def pause(self, turn: int) -> None:
        """Wait a moment, longer from turn to turn; not at all where hrctl is told to leave.

        Raises:
            HrctlError: HR085, where the apply has been abandoned.
        """
        if self.abandoned.wait(min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5**turn)):
            raise HrctlError.of("HR085", "the apply was cut off while it waited")


@dataclass(frozen=True, slots=True)
class Target:
    """What a rollout is to reach.

    Attributes:
        address: of the Service.
        group: its name at supervisord.
        marker: what its file says now.
        launch: what its launch file holds.
        secrets: values that no message may show.
        restart: whether the group that runs is not as its files say.
        old: the marker that the files had before, under `old_group`.
        old_group: the group that ran before; another one where the address changed.
    """

    address: Address
    group: str
    marker: Marker
    launch: Launch
    secrets: tuple[str, ...]
    restart: bool
    old: Marker | None = None
    old_group: str | None = None


def roll_out(machine: Machine, target: Target) -> None:
    """Bring one Service where it is wanted.

    1. Run the install commands where they are needed; what runs goes on meanwhile.
    2. See that the ports are free, those aside that its own group holds.
    3. Where anything but the state changed: stop, remove and add the group.
    4. Start what does not run (or stop what does), and wait until it is healthy.
    5. Note in the marker how it ended.

    Raises:
        HrctlError: HR083, HR085, HR088, HR090 or HR091; the files stay, marked as unhealthy.
    """
    marker = target.marker
    try:
        marker = _install(machine, target)
        _converge(machine, target)
    except HrctlError:
        store.write_conf(machine.folders, replace(marker, phase=UNHEALTHY))
        raise
    except RpcFaultError as fault:
        store.write_conf(machine.folders, replace(marker, phase=UNHEALTHY))
        raise refused(target.address, fault) from None
    store.write_conf(machine.folders, replace(marker, phase=APPLIED))


def _install(machine: Machine, target: Target) -> Marker:
    spec, launch = target.marker.body["spec"], target.launch
    if install.is_needed(spec, target.marker.installed, launch.cwd):
        environment = {**_path(), **launch.env}
        install.run(
            spec["install"]["commands"],
            env=environment,
            cwd=launch.cwd,
            log=machine.folders.log(target.group, "install"),
            secrets=target.secrets,
            fence=machine.folders.fence,
        )
    elif spec.get("state", "RUNNING") == "CREATED":
        return target.marker
    return replace(target.marker, installed=install_digest(spec))


def _path() -> dict[str, str]:
    from hrctl.drivers.supervisor.daemon import inherited

    return inherited()


def _converge(machine: Machine, target: Target) -> None:
    client = machine.client
    if client is None:
        from hrctl.drivers.supervisor.daemon import end_orphans

        end_orphans(machine.folders, target.group)
        return
    running = target.marker.body["spec"].get("state", "RUNNING") == "RUNNING"
    if target.restart:
        _replace(machine, client, target, running=running)
    if not running:
        halt(machine, client, target.group, target.marker)
        return
    start(machine, client, target)
    watch(machine, target)


def _replace(machine: Machine, client: Client, target: Target, *, running: bool) -> None:
    """Stop, remove, add. Ports are looked at before the old goes, and again when it has gone."""
    group = target.old_group or target.group
    if running:
        _require_ports(machine, target)
    take_down(machine, client, group, target.old or target.marker)
    if group != target.group:
        store.remove(machine.folders, group)
    store.forget_starts(machine.folders, target.group)
    if running:
        _free(machine, target.address, _uses(target))
    add(client, target.address, target.group)
    if running:
        _start_all(client, target.group)


def _uses(target: Target) -> list[PortUse]:
    spec = target.marker.body["spec"]
    return port_uses(spec, spec.get("replicas", 1))


def _start_all(client: Client, group: str) -> None:
    client.call("startProcessGroup", group, False)  # where supervisord has not, by autostart


def watch(machine: Machine, target: Target) -> None:
    """Wait until it is healthy; see `Watch.until_healthy`."""
    Watch(target.address, target.marker, target.launch, machine, target.secrets).until_healthy()


def stop_timeout(marker: Marker) -> float:
    """How long its processes may take to end."""
    return seconds(marker.body["spec"].get("stopTimeout", "10s"))


def _require_ports(machine: Machine, target: Target) -> None:
    """Every port but those that its own group holds now."""
    group = target.old_group or target.group
    mine: set[PortUse] = set()
    if target.old is not None and any(one.pid for one in machine.processes(group, target.old)):
        spec = target.old.body["spec"]
        mine = set(port_uses(spec, spec.get("replicas", 1)))
    held = {(use.kind, use.number) for use in mine}
    others = [use for use in _uses(target) if (use.kind, use.number) not in held]
    _free(machine, target.address, others)


def _free(machine: Machine, address: Address, uses: list[PortUse]) -> None:
    ports.require_free(
        address,
        uses,
        groups=machine.groups_by_pid,
        patience=lambda group: (
            machine.leaving.get(group, 0.0) + 1.0 if group in machine.leaving else 0.0
        ),
    )


def add(client: Client, address: Address, group: str) -> None:
    """Let supervisord take the group from its configuration.

    Raises:
        HrctlError: HR083, where it does not read the group's file.
    """
    try:
        client.call("addProcessGroup", group)
    except RpcFaultError as fault:
        if fault.code == Code.BAD_NAME:
            raise HrctlError.of(
                "HR083",
                f"supervisord does not know the group of {address}: it does not read its file",
                hint="let its [include] section name configDir: files = DIR/*.conf",
            ) from None
        if fault.code != Code.ALREADY_ADDED:
            raise


def start(machine: Machine, client: Client, target: Target) -> None:
    """Start the replicas that do not run, after a look at their ports."""
    found = {one.name: one for one in machine.processes(target.group, target.marker)}
    spec = target.marker.body["spec"]
    idle = {
        replica
        for replica in range(spec.get("replicas", 1))
        if str(replica) not in found or found[str(replica)].state in state.HALTED
    }
    if not idle:
        return
    _free(machine, target.address, [use for use in _uses(target) if use.replica in idle])
    _start_all(client, target.group)


def halt(machine: Machine, client: Client, group: str, marker: Marker) -> None:
    """Stop all processes of a group and wait until they have ended.

    Raises:
        HrctlError: HR091, where one does not end, not even when it is killed.
    """
    machine.leaving[group] = stop_timeout(marker)
    try:
        _settle(machine, client, group, lambda: None, marker)
    finally:
        del machine.leaving[group]


def take_down(machine: Machine, client: Client, group: str, marker: Marker) -> None:
    """Stop a group and let supervisord forget it; no error where it does not know it.

    Raises:
        HrctlError: HR091, where a process does not end.
    """
    machine.leaving[group] = stop_timeout(marker)
    try:
        _settle(machine, client, group, lambda: client.call("removeProcessGroup", group), marker)
    finally:
        del machine.leaving[group]


def _settle(
    machine: Machine, client: Client, group: str, then: Callable[[], object], marker: Marker
) -> None:
    """Stop the group until nothing of it runs, and then do the rest.

    A process that has just exited may be started again before the stop is heard, and a group that
    was changed by hand may have more replicas than its marker says; so it is said until it holds.
    """
    deadline = time.monotonic() + stop_timeout(marker) + _STOP_SLACK
    for turn in itertools.count():
        processes = machine.processes(group, marker)
        live = [one for one in processes if one.state not in state.HALTED]
        try:
            if not live:
                then()
                return
            if any(one.state != state.STOPPING for one in live):
                client.call("stopProcessGroup", group, False)
        except RpcFaultError as fault:
            if fault.code == Code.BAD_NAME:
                return  # it is not there: as wanted
            if fault.code != Code.STILL_RUNNING:
                raise
            client.call("stopProcessGroup", group, False)
        if time.monotonic() > deadline:
            who = ", ".join(f"process {one.pid}" for one in live)
            raise HrctlError.of(
                "HR091",
                f"group {group} does not stop: {who or 'it is started again and again'}",
                hint="see what holds it, such as a hanging file system, and end it by hand",
            )
        machine.pause(turn)


def refused(address: Address, fault: RpcFaultError) -> HrctlError:
    """What supervisord says, as an error of ours."""
    return HrctlError.of(
        "HR083",
        f"supervisord refused {address}: {fault.text} (fault {fault.code})",
        hint="see the log of that supervisord",
    )
