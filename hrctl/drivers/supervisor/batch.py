"""One apply of the driver: compare, write, reload once, then each Service in its own thread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Outcome, Result, Secrets
from hrctl.drivers.supervisor import daemon, rollout, store
from hrctl.drivers.supervisor.client import Client, Code, Reload, RpcFaultError
from hrctl.drivers.supervisor.command import Launch, build_launch, text_of
from hrctl.drivers.supervisor.folders import Folders
from hrctl.drivers.supervisor.groupfile import (
    APPLIED,
    APPLYING,
    Marker,
    current_runner,
    group_name,
)
from hrctl.drivers.supervisor.rollout import Machine, Target
from hrctl.drivers.supervisor.state import Process, seal
from hrctl.drivers.supervisor.store import Snapshot
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Json, is_reference

if TYPE_CHECKING:
    from hrctl.drivers.supervisor.driver import SupervisorDriver


@dataclass(slots=True)
class Job:
    """One change on its way. `marker` and `launch` are None for a delete.

    `before` are the files at the address that the change names as live: the previous address where
    it has one.
    """

    change: Change
    group: str
    began: float
    marker: Marker | None = None
    launch: Launch | None = None
    secrets: tuple[str, ...] = ()
    before: Snapshot | None = None
    restart: bool = True

    @property
    def live_address(self) -> Address:
        """The address under which it is live so far."""
        return self.change.previous_address or self.change.address

    @property
    def runs(self) -> bool:
        """Whether processes are wanted."""
        return (
            self.marker is not None
            and self.marker.body["spec"].get("state", "RUNNING") == "RUNNING"
        )


@dataclass(slots=True)
class Batch:
    """The changes of one `apply` call."""

    driver: SupervisorDriver
    secrets: Secrets
    jobs: list[Job] = field(default_factory=list)
    refused: list[Outcome] = field(default_factory=list)

    @property
    def folders(self) -> Folders:
        """Of the driver's instance."""
        return self.driver.folders

    def run(self, changes: Sequence[Change]) -> Iterator[Outcome]:
        """One outcome for each change, as soon as it is known.

        1. Work out each launch; what cannot be has failed, with nothing touched.
        2. Under the lock: start a supervisord where one is needed, compare versions, write all
           files, reload the configuration once.
        3. In threads: each Service to its wanted state.
        4. Let supervisord forget what was deleted; end an embedded one that has no group left.
        """
        self.folders.make()
        for change in changes:
            self._prepare(change)
        try:
            with self.folders.lock():
                machine = self._place()
        except HrctlError as error:
            yield from self.refused
            yield from (_failed(job, error) for job in self.jobs)
            return
        yield from self.refused
        yield from self._carry_out(machine)
        if any(job.marker is None or job.live_address != job.change.address for job in self.jobs):
            self._tidy(machine)

    # -- 1. what is wanted -----------------------------------------------------------------------

    def _prepare(self, change: Change) -> None:
        job = Job(change, group_name(change.address), time.monotonic())
        if change.action is not Action.DELETE:
            try:
                self._work_out(job)
            except HrctlError as error:
                self.refused.append(_failed(job, error))
                return
        self.jobs.append(job)

    def _work_out(self, job: Job) -> None:
        address, body = job.change.address, self.secrets.resolve(job.change.after or {})
        declared: Mapping[str, Json] = body["spec"].get("env") or {}
        values = self.secrets.reveal(dict(declared))
        job.launch = build_launch(address, job.group, body, values, self.folders)
        hidden = {name: text_of(values[name]) for name in declared if is_reference(declared[name])}
        job.secrets = tuple(hidden.values())
        key = self.folders.key()
        job.marker = Marker(
            owner=self.driver.context.project,
            address=address,
            digest=job.change.digest,
            phase=APPLYING,
            installed="",
            launch=seal(key, job.launch.encode()),
            sealed={
                name: seal(key, value.encode("utf-8", "surrogatepass"))
                for name, value in hidden.items()
            },
            nonce=os.urandom(8).hex(),
            body=body,
            **current_runner(),
        )

    # -- 2. files --------------------------------------------------------------------------------

    def _place(self) -> Machine:
        client = self._client()
        for job in self.jobs:
            job.before = store.read(self.folders, job.live_address)
        sizes = dict(store.size(job.before) for job in self.jobs if job.before is not None)
        known = client.groups(sizes) if client is not None else {}
        taken: set[Address] = set()
        self.jobs = [job for job in self.jobs if self._is_as_planned(job, known, taken)]
        machine = self.driver.machine(client)
        written: list[Job] = []
        try:
            for job in self.jobs:
                if job.marker is not None:
                    written.append(job)
                    self._write(job)
            if written and client is not None:
                self._judge(written, self._reload(client))
        except (HrctlError, OSError) as error:
            self._take_back(written, client)
            if isinstance(error, OSError):
                raise _cannot_write(error) from None
            raise
        return machine

    def _client(self) -> Client | None:
        """The supervisord, started where it is ours and needed; None where none has to run.

        Raises:
            HrctlError: HR080 or HR082.
        """
        if self.folders.embedded and any(job.runs for job in self.jobs):
            daemon.ensure(self.folders, self.driver.context.instance)
        return self.driver.connect()

    def _is_as_planned(
        self, job: Job, known: Mapping[str, Sequence[Process]], taken: set[Address]
    ) -> bool:
        """Whether what is live is what the plan saw; if not, the outcome says so.

        An address that stands in a batch twice has moved on for the second of them.
        """
        address, expected = job.live_address, job.change.expect_version
        live: str | None = None
        if job.before is not None:
            live = job.before.version(self.folders.key(), known.get(group_name(address), ()))
        elif expected is not None:
            foreign = self.driver.foreign_group(address)
            if foreign is not None:
                self.refused.append(_failed(job, _kept_elsewhere(address, foreign)))
                return False
        twice = address in taken or job.change.address in taken
        taken |= {address, job.change.address}
        free = address == job.change.address or not self._is_there(job.change.address)
        if live == expected and free and not twice:
            return True
        if live is None and job.change.action is Action.DELETE:
            self.refused.append(_outcome(job, Result.DONE))
        else:
            self.refused.append(_stale(job, live))
        return False

    def _is_there(self, address: Address) -> bool:
        return store.read(self.folders, address) is not None

    def _write(self, job: Job) -> None:
        assert job.marker is not None  # noqa: S101  # the caller chose these
        assert job.launch is not None  # noqa: S101
        before, data = job.before, job.launch.encode()
        if before is not None:
            job.marker = replace(job.marker, installed=before.marker.installed)
        job.restart = (
            before is None
            or job.live_address != job.change.address
            or job.change.action is Action.REPLACE
            or before.launch != data
            or before.marker.phase != APPLIED
        )
        if before is not None and job.live_address == job.change.address:
            store.mark_applying(self.folders, before)
        store.write_launch(self.folders, job.group, data)
        store.write_conf(self.folders, job.marker)

    def _reload(self, client: Client) -> Reload:
        try:
            return client.reload()
        except RpcFaultError as fault:
            what = fault.text.removeprefix("CANT_REREAD: ").strip() or str(fault)
            raise HrctlError.of(
                "HR083",
                f"supervisord cannot read its configuration: {what}",
                hint="mend or remove what it names; nothing was changed"
                if fault.code == Code.CANT_REREAD
                else "see the log of that supervisord; nothing was changed",
            ) from None

    def _judge(self, jobs: Iterable[Job], reload: Reload) -> None:
        for job in jobs:
            job.restart = job.restart or job.group in reload.added or job.group in reload.changed

    def _take_back(self, jobs: Iterable[Job], client: Client | None) -> None:
        """Nothing runs differently so far: put the files back as they were."""
        for job in jobs:
            moved = job.live_address != job.change.address
            store.restore(self.folders, job.group, None if moved else job.before)
        if client is not None:
            try:
                client.reload()
            except RpcFaultError:
                return  # unreadable before as well: it is what was just reported

    # -- 3. processes ----------------------------------------------------------------------------

    def _carry_out(self, machine: Machine) -> Iterator[Outcome]:
        if not self.jobs:
            return
        with ThreadPoolExecutor(len(self.jobs), thread_name_prefix="hrctl-service") as pool:
            futures: dict[Future[Outcome], Job] = {
                pool.submit(self._one, machine, job): job for job in self.jobs
            }
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                machine.abandoned.set()  # where the caller leaves early, so do the threads

    def _one(self, machine: Machine, job: Job) -> Outcome:
        try:
            if job.marker is None:
                self._delete(machine, job)
                return _outcome(job, Result.DONE)
            assert job.launch is not None  # noqa: S101  # it comes with the marker
            old = job.before
            target = Target(
                job.change.address,
                job.group,
                job.marker,
                job.launch,
                job.secrets,
                job.restart,
                old.marker if old else None,
                group_name(job.live_address) if old else None,
            )
            rollout.roll_out(machine, target)
            return _outcome(job, Result.DONE, version=self._version(machine, job))
        except RpcFaultError as fault:
            error = HrctlError.of(
                "HR083", f"supervisord refused {job.change.address}: {fault.text}"
            )
            return replace(_failed(job, error), version=self._version(machine, job))
        except OSError as error:
            return replace(_failed(job, _cannot_write(error)), version=self._version(machine, job))
        except HrctlError as error:
            return replace(_failed(job, error), version=self._version(machine, job))

    def _delete(self, machine: Machine, job: Job) -> None:
        if machine.client is None:
            daemon.end_orphans(self.folders, job.group)
        elif job.before is not None:
            rollout.take_down(machine, machine.client, job.group, job.before.marker)
        with self.folders.lock():
            # before its file goes: a supervisord that a killed apply left without groups would stay
            if machine.client is not None and store.is_last(self.folders, job.group):
                daemon.stop(self.folders, machine.client)
            store.remove(self.folders, job.group)

    def _version(self, machine: Machine, job: Job) -> str | None:
        now = store.read(self.folders, job.change.address)
        if now is None:
            return None
        try:
            processes = machine.processes(job.group, now.marker)
        except HrctlError:
            processes = ()  # the supervisord has gone: so have its processes
        return now.version(self.folders.key(), processes)

    # -- 4. afterwards ---------------------------------------------------------------------------

    def _tidy(self, machine: Machine) -> None:
        if machine.client is None:
            return
        with self.folders.lock():
            if self.folders.embedded and not store.has_groups(self.folders):
                daemon.stop(self.folders, machine.client)
                return
            try:
                machine.client.reload()
            except RpcFaultError:
                return  # the next apply that needs it says what is wrong with it


def _outcome(job: Job, result: Result, *, version: str | None = None) -> Outcome:
    seconds = round(time.monotonic() - job.began, 3)
    return Outcome(job.change.address, result, version=version, seconds=seconds)


def _failed(job: Job, error: HrctlError) -> Outcome:
    return replace(_outcome(job, Result.FAILED), error=error.diagnostics[0])


def _stale(job: Job, live: str | None) -> Outcome:
    expected = job.change.expect_version
    if live is None:
        what = "is not there any more"
    elif expected is None:
        what = "is there already"
    else:
        what = "was changed since it was planned"
    about = Diagnostic(
        "HR084",
        f"{job.live_address} {what}; nothing was done to it",
        address=job.change.address,
        hint="run `hrctl plan` again",
    )
    return replace(_outcome(job, Result.STALE, version=live), error=about)


def _cannot_write(error: OSError) -> HrctlError:
    return HrctlError.of(
        "HR083",
        f"cannot write {error.filename}: {(error.strerror or str(error)).lower()}",
        hint="services need a folder that can be written to",
    )


def _kept_elsewhere(address: Address, group: str) -> HrctlError:
    return HrctlError.of(
        "HR089",
        f"{address} is group '{group}', from a configuration that is not hrctl's",
        hint=f"remove '{group}' from supervisord's configuration and apply again:"
        " hrctl then makes its own",
    )
