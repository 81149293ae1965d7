"""The driver: Services as processes of a supervisord, embedded or one that is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import (
    Capabilities,
    Context,
    HealthReport,
    Live,
    Outcome,
    Ownership,
    Secrets,
    Stamp,
)
from hrctl.drivers.credentials import environment_value
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.supervisor.client import Client
    from hrctl.drivers.supervisor.rollout import Machine
    from hrctl.drivers.supervisor.state import Process
    from hrctl.drivers.supervisor.store import Snapshot

Known = Mapping[str, "Sequence[Process]"]


class SupervisorDriver:
    """See the package's docstring for how the parts hang together.

    A plan never starts a supervisord: without one, services are read as STOPPED, so that the plan
    shows what an apply would bring back.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"Service"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK,
        compare_and_set=True,
        max_batch=16,
        max_parallel=4,
        renames=True,
        records_fields=frozenset({"/spec/resources"}),
    )
    actions: ClassVar[frozenset[str]] = frozenset({"restart", "start", "stop"})

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`mode`, and for an external supervisord where it is."""
        from hrctl.drivers.supervisor.config import SupervisorConfig

        return SupervisorConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self.config: Final = config
        self.context: Final = context
        self.folders: Final = Folders.of(config, context)
        self._client: Client | None = None
        self._leaving: dict[str, float] = {}

    def __enter__(self) -> Self:
        """An external supervisord must answer; an embedded one is started when it is needed.

        Raises:
            HrctlError: HR080, where an external one does not answer; HR086, where the variable
                that holds its password is not set.
        """
        if not self.folders.embedded:
            client = self.connect()
            if client is not None:
                client.call("getState")
            if not self.folders.groups.is_dir():
                raise HrctlError.of(
                    "HR080",
                    f"configDir {self.folders.groups} is not a folder",
                    hint="name the folder that the supervisord's [include] section reads",
                )
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is held open between calls; an embedded supervisord stays up."""

    def connect(self) -> Client | None:
        """A client of the supervisord; None where it is the embedded one and does not run."""
        if self.folders.embedded:
            from hrctl.drivers.supervisor.daemon import answers

            if not self.folders.run.is_dir() or not answers(self.folders.socket()):
                return None
        path = self.folders.socket()
        if self._client is None or self._client.path != path:
            from hrctl.drivers.supervisor.client import Client

            self._client = Client(
                path,
                username=self.config.get("username"),
                password=self._password(),
                fence=self.folders.fence,
            )
        return self._client

    def _password(self) -> str | None:
        password = self.config.get("password")
        if password is None:
            return None
        name = password["valueFrom"]["env"]
        where = f"the supervisord at {self.config['socket']}"
        value = environment_value(name, where, self.context.root)
        if not value:
            raise HrctlError.of(
                "HR086",
                f"driver {self.context.instance} needs the variable {name}, which is not set",
                hint=f"set {name} to the password of that supervisord",
            )
        return value

    def machine(self, client: Client | None) -> Machine:
        """What the rollouts of one call share; groups that leave are known to all calls."""
        from hrctl.drivers.supervisor.rollout import Machine

        return Machine(self.folders, client, self._leaving)

    # -- looking ---------------------------------------------------------------------------------

    def scan(self) -> Iterator[Stamp]:
        """A stamp for each group: ours from their files, others where supervisord runs them."""
        if not self.folders.groups.is_dir():
            return
        from hrctl.drivers.supervisor import store

        client = self.connect()
        found = list(store.every(self.folders))
        if not found and client is None:
            return
        known: Known = client.processes() if client is not None else {}
        key = self.folders.key() if found else b""
        for snapshot in found:
            marker = snapshot.marker
            yield Stamp(marker.address, marker.owner, self._version(snapshot, known, key))
        for live in self._foreign(client, known, found):
            yield Stamp(live.address, None, live.version)

    def _version(self, snapshot: Snapshot, known: Known, key: bytes) -> str:
        from hrctl.drivers.supervisor.groupfile import group_name

        return snapshot.version(key, known.get(group_name(snapshot.marker.address), ()))

    def _foreign(
        self, client: Client | None, known: Known, ours: Iterable[Snapshot]
    ) -> Iterator[Live]:
        if client is None:
            return
        from hrctl.drivers.supervisor import discover
        from hrctl.drivers.supervisor.groupfile import group_name

        names = {group_name(snapshot.marker.address) for snapshot in ours}
        if not known.keys() - names:
            return
        for group, programs in discover.foreign(client.call("getAllConfigInfo"), names):
            yield discover.live_of(self.context.project, group, programs, known.get(group, ()))

    def foreign_group(self, address: Address) -> str | None:
        """The name of the group that stands at this address and is not ours."""
        from hrctl.drivers.supervisor import discover, store
        from hrctl.drivers.supervisor.groupfile import group_name

        client = self.connect()
        if client is None:
            return None
        ours = {group_name(snapshot.marker.address) for snapshot in store.every(self.folders)}
        for group, _ in discover.foreign(client.call("getAllConfigInfo"), ours):
            if discover.address_of(self.context.project, group) == address:
                return group
        return None

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The applied bodies, with what differs live written over them."""
        if not addresses or not self.folders.groups.is_dir():
            return
        from hrctl.drivers.supervisor import store

        client = self.connect()
        files = {address: store.read(self.folders, address) for address in addresses}
        found = [snapshot for snapshot in files.values() if snapshot is not None]
        known: Known = client.groups(dict(map(store.size, found))) if client is not None else {}
        for snapshot in found:
            yield self._live(snapshot, known)
        if len(found) < len(files) and client is not None:
            ours, every = list(store.every(self.folders)), client.processes()
            for live in self._foreign(client, every, ours):
                if files.get(live.address, live) is None:
                    yield live

    def _live(self, snapshot: Snapshot, known: Known) -> Live:
        from hrctl.drivers.supervisor import state
        from hrctl.drivers.supervisor.groupfile import group_name, is_as_written

        marker, key = snapshot.marker, self.folders.key()
        body = deepcopy(marker.body)
        conditions = state.conditions(marker, known.get(group_name(marker.address), ()))
        body["spec"]["state"], up = state.live_state(marker, conditions)
        if up is not None:
            body["spec"]["replicas"] = up
        if not is_as_written(marker, snapshot.text):
            from hrctl.drivers.supervisor import drift

            drift.overlay_conf(body, marker, snapshot.text, self.folders)
        if state.seal(key, snapshot.launch) != marker.launch:
            from hrctl.drivers.supervisor import drift

            drift.overlay_launch(body, marker, snapshot.launch, key, self.folders)
        version = self._version(snapshot, known, key)
        return Live(marker.address, body, version, marker.owner)

    # -- changing --------------------------------------------------------------------------------

    def plan(self, change: Change) -> Change:
        """Nothing to add: every field of a Service can change in place."""
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry the batch out; see `batch.Batch.run`."""
        from hrctl.drivers.supervisor.batch import Batch

        return Batch(self, secrets).run(batch)

    def act(self, action: str, address: Address) -> None:
        """`restart`, `start` or `stop` the processes of a Service; what is declared stays.

        Raises:
            HrctlError: HR092, where it is not there; what `apply` raises else.
        """
        from hrctl.drivers.supervisor import verbs

        verbs.act(self, action, address)

    def down(self) -> bool:
        """Stop the embedded supervisord with all that it runs or left running; whether any ran.

        The group files stay, so the next plan wants the services back.
        """
        from hrctl.drivers.supervisor import daemon

        return self.folders.embedded and daemon.down(self.folders)

    # -- verbs -----------------------------------------------------------------------------------

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """A report for each replica, the declared check run once."""
        from hrctl.drivers.supervisor import verbs

        return verbs.health_reports(self, addresses)

    def logs(self, address: Address, *, tail: int, follow: bool) -> Iterator[str]:
        """The lines of all replicas; each names its replica where there are several.

        Raises:
            HrctlError: HR092, where the Service is not there.
        """
        from hrctl.drivers.supervisor import verbs

        return verbs.log_lines(self, address, tail=tail, follow=follow)

    def metrics(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, dict[str, Json]]]:
        """A row for each replica: processor, memory, uptime, restarts, health latency."""
        from hrctl.drivers.supervisor import verbs

        return verbs.metric_rows(self, addresses)

    def discover(self) -> Iterable[Live]:
        """Groups that are not hrctl's; see `discover`."""
        from hrctl.drivers.supervisor import store

        client = self.connect()
        known: dict[str, Any] = dict(client.processes()) if client is not None else {}
        return list(self._foreign(client, known, list(store.every(self.folders))))
