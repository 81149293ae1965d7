"""Changes of Routes and Nodes on their way into a proxy: what every proxy has in common.

Bodies are kept in a `LocalStore`, and the proxy's whole configuration is made of them. So a batch
is taken in change by change, and then made so at once; see `MeshBatch.run`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from hrctl.database import json_text
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Context, Outcome, Result, Secrets, Stamp
from hrctl.drivers.local_store import LocalStore, Write
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body

_TAKEN: Final = "being changed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change that may be made, as a row of the store. `body` is None where it goes."""

    change: Change
    write: Write
    body: Body | None


class MeshDriver(Protocol):
    """What a batch needs of its driver.

    `revived` are versions of what came back when the proxy was started again: the plan saw nothing
    of it, and wants it created.
    """

    @property
    def context(self) -> Context:
        """Instance and project."""
        ...

    @property
    def store(self) -> LocalStore:
        """The bodies as they were applied."""
        ...

    @property
    def revived(self) -> dict[Address, str]:
        """Address -> version, of what came back."""
        ...

    def scan(self) -> Iterator[Stamp]:
        """As `Driver.scan`."""
        ...

    def bodies(self) -> Mapping[Address, Body]:
        """All bodies as they were applied."""
        ...


class MeshBatch(ABC):
    """One call of `apply`."""

    refusal: ClassVar[str]  # the code of the error with which a proxy refuses a configuration

    def __init__(self, driver: MeshDriver, secrets: Secrets) -> None:
        self._mesh = driver
        self._secrets = secrets
        self._bodies: Mapping[Address, Body] = {}
        self._versions: dict[Address, str] = {}

    def run(self, batch: Sequence[Change]) -> Iterator[Outcome]:
        """Carry it out, one outcome each.

        1. Start the embedded proxy where it does not run.
        2. Leave out what is stale, cannot be resolved, or is more than the proxy can do.
        3. Make its configuration anew in memory, have it checked, and brought in (`_make_so`).

        Where the proxy refuses several changes at once they are tried by halves, so that only
        those fail which it refuses.
        """
        started = time.perf_counter()
        try:
            self._start()
            with self._lock():
                outcomes = self._carry(batch)
        except HrctlError as error:
            outcomes = {id(one): _failed(one, error) for one in batch}
        each = (time.perf_counter() - started) / max(1, len(batch))
        for change in batch:
            found = outcomes[id(change)]
            yield Outcome(found.address, found.result, found.version, {}, found.error, each)

    # -- what each proxy does in its own way -----------------------------------------------------

    @abstractmethod
    def _start(self) -> None:
        """See that the proxy is there. What came back with it goes into `revived`."""

    @abstractmethod
    def _lock(self) -> AbstractContextManager[None]:
        """Alone among threads and processes."""

    @abstractmethod
    def _begin(self) -> None:
        """Get ready to `_take` changes to `self._bodies`."""

    @abstractmethod
    def _require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what the proxy cannot do at all.

        Raises:
            HrctlError: HR212.
        """

    @abstractmethod
    def _take(self, address: Address, body: Body | None) -> None:
        """Take in a change to a body (None: it goes), where it goes with the others.

        Raises:
            HrctlError: where it does not.
        """

    @abstractmethod
    def _make_so(
        self, wanted: Mapping[Address, Body], accepted: Sequence[Accepted]
    ) -> list[str | None]:
        """Bring the proxy to these bodies, write them, and return the version of each change.

        Raises:
            HrctlError: with the code `refusal`, where the proxy refuses it. All is as before then.
            OSError: where a file cannot be written.
        """

    @abstractmethod
    def _cannot_write(self, error: OSError) -> HrctlError:
        """HR083, for a file that cannot be written."""

    def _look(self) -> Iterable[Stamp]:
        """What is there now."""
        return self._mesh.scan()

    def _but(self, changes: Mapping[Address, Body | None]) -> Mapping[Address, Body]:
        """`self._bodies` with some set, or (None) taken away."""
        wanted = {**self._bodies, **changes}
        return {address: body for address, body in wanted.items() if body is not None}

    # -- the same for all ------------------------------------------------------------------------

    def _carry(self, batch: Sequence[Change]) -> dict[int, Outcome]:
        self._bodies = self._mesh.bodies()
        self._versions = {one.address: one.version for one in self._look()}
        outcomes: dict[int, Outcome] = {}
        accepted: list[Accepted] = []
        self._begin()
        for change in batch:
            try:
                taken = self._accept(change)
                if isinstance(taken, Accepted):
                    self._take(change.address, taken.body)
                    accepted.append(taken)
                else:
                    outcomes[id(change)] = taken
            except HrctlError as error:
                outcomes[id(change)] = _failed(change, error)
                self._versions.pop(change.address, None)
        return outcomes | self._commit(accepted)

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
            self._require_possible(change.address, body)
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
        wanted = self._but(changes)
        try:
            versions = self._make_so(wanted, accepted)
        except OSError as error:
            failure = self._cannot_write(error)
            return {id(one.change): _failed(one.change, failure) for one in accepted}
        except HrctlError as error:
            if len(accepted) > 1 and error.diagnostics[0].code == self.refusal:
                half = len(accepted) // 2
                return self._commit(accepted[:half]) | self._commit(accepted[half:])
            return {id(one.change): _failed(one.change, error) for one in accepted}
        self._bodies = wanted
        return {
            id(one.change): Outcome(one.change.address, Result.DONE, version)
            for one, version in zip(accepted, versions, strict=True)
        }

    def _leaving(
        self, wanted: Mapping[Address, Body], accepted: Sequence[Accepted]
    ) -> dict[Address, Body]:
        """Nodes that go although they may have requests."""
        return {
            one.change.address: self._bodies[one.change.address]
            for one in accepted
            if one.change.action is Action.DELETE
            and one.change.address.kind == "Node"
            and one.change.address in self._bodies
            and one.change.address not in wanted
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
