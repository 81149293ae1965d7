"""Changes of Routes and Nodes on their way into a proxy: what every proxy has in common.

Bodies are kept in a `LocalStore`, and the proxy's whole configuration is made of them. So a batch
is taken in change by change, and then made so at once; see `MeshBatch.run`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from hrctl.database import json_text
from hrctl.diagnostics import Diagnostic, HrctlError, LeaseLostError
from hrctl.drivers.api import Outcome, Result, Secrets, Stamp
from hrctl.drivers.local_store import Write, Written
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.drivers.mesh.driver import MeshDriver
from hrctl.drivers.mesh.journal import settle_alone
from hrctl.drivers.mesh.listeners import Listeners
from hrctl.drivers.mesh.names import numeric
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

_TAKEN: Final = "being changed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change that may be made, as a row of the store. `body` is None where it goes."""

    change: Change
    write: Write
    body: Body | None


class MeshBatch(ABC):
    """One call of `apply`."""

    refusal: ClassVar[str]  # the code of the error with which a proxy refuses a configuration

    def __init__(self, driver: MeshDriver[Any], secrets: Secrets) -> None:
        self._mesh = driver
        self._secrets = secrets
        self._bodies = Bodies.given({})
        self._versions: dict[Address, str] = {}

    def run(self, batch: Sequence[Change]) -> Iterator[Outcome]:
        """Carry it out, one outcome each.

        1. Start the embedded proxy where it does not run.
        2. Leave out what is stale, cannot be resolved, or is more than the proxy can do.
        3. Make its configuration in memory, and have the proxy check it.
        4. Drain nodes that go: nothing new for them, until they are idle or their time is up.
        5. Bring it in; the proxy reports that it has it, or all is as before.
        6. Keep the bodies.

        What the proxy has by then is kept also where this process dies in between, see `journal`.
        Where the proxy refuses several changes at once they are tried by halves, so that only those
        fail which it refuses.
        """
        started = time.perf_counter()
        try:
            self._start()
            with self._mesh.lock():
                outcomes = self._carry(batch)
        except HrctlError as error:
            outcomes = {id(one): _failed(one, error) for one in batch}
        each = (time.perf_counter() - started) / max(1, len(batch))
        for change in batch:
            found = outcomes[id(change)]
            yield Outcome(found.address, found.result, found.version, {}, found.error, each)

    # -- what each proxy does in its own way -----------------------------------------------------

    @abstractmethod
    def _check(self, wanted: Bodies, changed: Collection[Address]) -> None:
        """Have the proxy check what would be made of these bodies; nothing is touched.

        Raises:
            HrctlError: with the code `refusal`, where the proxy refuses it.
        """

    @abstractmethod
    def _bring(self, wanted: Bodies, changed: Collection[Address]) -> None:
        """Bring the proxy from `self._bodies` to these, checked, and note what was written.

        Args:
            wanted: all bodies.
            changed: addresses that may be brought to their bodies, whatever somebody did to them.

        Raises:
            HrctlError: with the code `refusal`, where the proxy refuses it. All is as before then.
            OSError: where a file cannot be written.
        """

    @abstractmethod
    def _take_back(self) -> None:
        """Undo the last `_bring`."""

    @abstractmethod
    def _stored(self, writes: Sequence[Write], written: Sequence[Written]) -> None:
        """Take note that the store has the bodies, too."""

    def _look(self) -> Iterable[Stamp]:
        """What is there now."""
        return self._mesh.scan()

    # -- the same for all ------------------------------------------------------------------------

    def _start(self) -> None:
        """See that the proxy is there. What came back with it goes into `revived`."""
        driver = self._mesh
        if not driver.is_up():
            driver.start()
            driver.require_known()
            driver.revived.update((one.address, one.version) for one in driver.scan())

    def _carry(self, batch: Sequence[Change]) -> dict[int, Outcome]:
        settle_alone(self._mesh)
        self._bodies = self._mesh.bodies()
        self._versions = {one.address: one.version for one in self._look()}
        outcomes: dict[int, Outcome] = {}
        accepted: list[Accepted] = []
        for change in batch:
            try:
                taken = self._accept(change)
                if isinstance(taken, Accepted):
                    accepted.append(taken)
                else:
                    outcomes[id(change)] = taken
            except HrctlError as error:
                outcomes[id(change)] = _failed(change, error)
                self._versions.pop(change.address, None)
        while refused := self._refused(accepted):
            outcomes |= refused
            accepted = [one for one in accepted if id(one.change) not in refused]
        return outcomes | self._commit(accepted)

    def _refused(self, accepted: Sequence[Accepted]) -> dict[int, Outcome]:
        """Those that cannot listen where they want to.

        They stay where they are, where others of these then may not come.
        """
        place = self._mesh.place
        default, routes = str(place.given["listen"]), self._bodies.of("Route")
        listeners = Listeners(routes, default, self._mesh.listens(), local=place.embedded)
        for one in accepted:
            listeners.leave(one.change.previous_address or one.change.address)
        found: dict[int, Outcome] = {}
        for one in accepted:
            try:
                listeners.add(one.change.address, one.body)
            except HrctlError as error:
                found[id(one.change)] = _failed(one.change, error)
        return found

    def _accept(self, change: Change) -> Accepted | Outcome:
        source = change.previous_address or change.address
        current = self._versions.get(source)
        if change.action is Action.DELETE and current is None:
            return Outcome(change.address, Result.DONE)
        revived = self._mesh.revived.pop(change.address, None)
        expected = revived if change.action is Action.CREATE else change.expect_version
        taken = change.previous_address is not None and change.address in self._versions
        if current != expected or taken:
            return _stale(change, current)
        body = text = None
        if change.action is not Action.DELETE:
            body = self._secrets.resolve(change.after)
            self._mesh.require_possible(change.address, body)
            text = json_text(body)
        self._versions.pop(source, None)
        if text is not None:
            self._versions[change.address] = _TAKEN
        row = current.partition("+")[0] if current is not None else None
        return Accepted(change, Write(change.address, row, text, change.previous_address), body)

    def _commit(self, accepted: Sequence[Accepted]) -> dict[int, Outcome]:
        if not accepted:
            return {}
        changes: dict[Address, Body | None] = {}
        for one in accepted:
            changes[one.change.previous_address or one.change.address] = None
            changes[one.change.address] = one.body
        try:
            versions = self._make_so(changes, [one.write for one in accepted])
        except OSError as error:
            failure = self._mesh.place.cannot_write(error)
            return {id(one.change): _failed(one.change, failure) for one in accepted}
        except HrctlError as error:
            if len(accepted) > 1 and error.diagnostics[0].code == self.refusal:
                half = len(accepted) // 2
                return self._commit(accepted[:half]) | self._commit(accepted[half:])
            return {id(one.change): _failed(one.change, error) for one in accepted}
        return {
            id(one.change): Outcome(one.change.address, Result.DONE, version)
            for one, version in zip(accepted, versions, strict=True)
        }

    def _make_so(
        self, changes: Mapping[Address, Body | None], writes: Sequence[Write]
    ) -> list[str | None]:
        """Nodes that go are drained first, as a change of its own; the version of each write."""
        leaving = self._leaving(writes)
        if leaving:
            self._check(self._bodies.but(changes), changes)
            expected = {one.address: one.expect for one in writes}
            drained = self._change(closing(leaving), expected, changes)
            try:
                self._wait_until_idle([body["spec"] for body in leaving.values()])
                late = [one._replace(expect=drained.get(one.address, one.expect)) for one in writes]
                return self._written(changes, late, changes)
            except LeaseLostError:
                raise
            except (HrctlError, OSError):
                self._change(leaving, drained, changes)
                raise
        return self._written(changes, writes, changes)

    def _change(
        self,
        bodies: Mapping[Address, Body],
        expected: Mapping[Address, str | None],
        batch: Collection[Address],
    ) -> dict[Address, str | None]:
        """Give nodes these bodies; the versions that they have then."""
        writes = [Write(at, expected[at], json_text(body)) for at, body in bodies.items()]
        return dict(zip(bodies, self._written(bodies, writes, batch), strict=True))

    def _written(
        self,
        changes: Mapping[Address, Body | None],
        writes: Sequence[Write],
        batch: Collection[Address],
    ) -> list[str | None]:
        """Bring proxy and store to what is wanted; the version of each write."""
        wanted, owner = self._bodies.but(changes), self._mesh.context.project
        journal, fence = self._mesh.journal, self._mesh.context.fence
        fence()
        journal.begin(writes, owner)
        try:
            self._bring(wanted, batch)
            try:
                fence()
                written = self._mesh.store.write(writes, owner)
            except LeaseLostError:
                raise
            except (HrctlError, OSError):
                self._take_back()
                raise
        except LeaseLostError:
            raise  # the journal stays: the next run finishes or forgets it
        except (HrctlError, OSError):
            journal.end()
            raise
        self._bodies = wanted
        self._stored(writes, written)
        journal.end()  # last: who is killed before leaves it to the next run to clear up
        return [one.version for one in written]

    def _wait_until_idle(self, nodes: Sequence[Mapping[str, Json]]) -> None:
        """Return when none of these specs has anything to do, or its `drainTimeout` is over."""
        started = time.monotonic()
        waiting = {
            numeric(node["address"]): started + seconds(node.get("drainTimeout", "30s"))
            for node in nodes
        }
        while waiting:
            active = self._mesh.active()
            now = time.monotonic()
            waiting = {at: until for at, until in waiting.items() if active.get(at) and now < until}
            if waiting:
                time.sleep(0.05)

    def _leaving(self, writes: Sequence[Write]) -> dict[Address, Body]:
        """Nodes that go although they may have requests."""
        return {
            one.address: self._bodies[one.address]
            for one in writes
            if one.body is None and one.address.kind == "Node" and one.address in self._bodies
        }


def closing(nodes: Mapping[Address, Body]) -> dict[Address, Body]:
    """The bodies of nodes that get nothing new."""
    return {
        address: {**body, "spec": {**body["spec"], "state": "DRAINING"}}
        for address, body in nodes.items()
    }


def _stale(change: Change, version: str | None) -> Outcome:
    now = f"is at version {version} now" if version else "is gone"
    wanted = f"version {change.expect_version}" if change.expect_version else "nothing there"
    error = Diagnostic(
        "HR084",
        f"{change.address} {now}, the plan saw {wanted}",
        address=change.address,
        hint="plan again",
    )
    return Outcome(change.address, Result.STALE, version, error=error)


def _failed(change: Change, error: HrctlError) -> Outcome:
    return Outcome(change.address, Result.FAILED, error=error.diagnostics[0])
