"""Changes on their way into Envoy: taken in, checked, drained where needed, swapped, noted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hrctl.database import json_text
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Outcome, Result, Secrets
from hrctl.drivers.envoy import listening, process, snapshot, swap, traces
from hrctl.drivers.envoy.place import cannot_write
from hrctl.drivers.local_store import Write
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body

if TYPE_CHECKING:
    from hrctl.drivers.envoy.driver import EnvoyDriver

_TAKEN: Final = "being changed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change that may be made, as a row of the store. `body` is None where it goes."""

    change: Change
    write: Write
    body: Body | None


class Batch:
    """One call of `apply`."""

    def __init__(self, driver: EnvoyDriver, secrets: Secrets) -> None:
        self._driver = driver
        self._place = driver.place
        self._secrets = secrets
        self._bodies: dict[Address, Body] = {}
        self._versions: dict[Address, str] = {}

    def run(self, batch: Sequence[Change]) -> Iterator[Outcome]:
        """Carry it out, one outcome each.

        1. Start the embedded Envoy where it does not run.
        2. Leave out what is stale, cannot be resolved, or is more than Envoy can do.
        3. Make all files anew in memory, and have Envoy validate what changed, inlined.
        4. Drain nodes that go: nothing new for them, until they are idle or their time is up.
        5. Swap the files in, step by step; Envoy reports each, or all is as before.
        6. Keep the bodies.

        Where Envoy refuses several changes at once they are tried by halves, so that only those
        fail which it refuses.
        """
        started = time.perf_counter()
        try:
            self._start()
            with self._place.lock():
                outcomes = self._carry(batch)
        except HrctlError as error:
            outcomes = {id(one): _failed(one, error) for one in batch}
        each = (time.perf_counter() - started) / max(1, len(batch))
        for change in batch:
            found = outcomes[id(change)]
            yield Outcome(found.address, found.result, found.version, {}, found.error, each)

    def _start(self) -> None:
        """See that there is an Envoy. One that was not running comes back with what it had.

        The plan saw nothing of that, and wants it created: `revived` tells that it may be.
        """
        driver, place = self._driver, self._place
        if driver.is_up():
            return
        place.make()
        process.start(place, driver.admin, driver.context.instance)
        process.require_known(driver.admin, driver.context.instance)
        driver.revived.update((one.address, one.version) for one in driver.store.stamps())

    def _carry(self, batch: Sequence[Change]) -> dict[int, Outcome]:
        self._bodies = self._driver.bodies()
        self._versions = {one.address: one.version for one in self._driver.scan()}
        outcomes: dict[int, Outcome] = {}
        accepted: list[Accepted] = []
        listeners = listening.Listeners(self._bodies, self._place)
        for change in batch:
            try:
                taken = self._accept(change)
                if isinstance(taken, Accepted):
                    listeners.add(change.address, taken.body)
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
        expected = None if change.action is Action.CREATE else change.expect_version
        if change.action is Action.CREATE:
            expected = self._driver.revived.pop(change.address, None)
        taken = change.previous_address is not None and change.address in self._versions
        if current != expected or taken:
            return _stale(change, current)
        body = text = None
        if change.action is not Action.DELETE:
            body = self._secrets.resolve(change.after)
            listening.require_possible(change.address, body)
            text = json_text(body)
        self._versions.pop(source, None)
        if text is not None:
            self._versions[change.address] = _TAKEN
        row = current.partition("+")[0] if current is not None else None
        return Accepted(change, Write(change.address, row, text, change.previous_address), body)

    # -- committing ------------------------------------------------------------------------------

    def _commit(self, accepted: Sequence[Accepted]) -> dict[int, Outcome]:
        if not accepted:
            return {}
        wanted = dict(self._bodies)
        for one in accepted:
            wanted.pop(one.change.previous_address or one.change.address, None)
            if one.body is not None:
                wanted[one.change.address] = one.body
        try:
            versions = self._make_so(wanted, accepted)
        except OSError as error:
            return {id(one.change): _failed(one.change, cannot_write(error)) for one in accepted}
        except HrctlError as error:
            if len(accepted) > 1 and error.diagnostics[0].code == "HR211":
                half = len(accepted) // 2
                return self._commit(accepted[:half]) | self._commit(accepted[half:])
            return {id(one.change): _failed(one.change, error) for one in accepted}
        self._bodies = wanted
        return {
            id(one.change): Outcome(one.change.address, Result.DONE, version)
            for one, version in zip(accepted, versions, strict=True)
        }

    def _make_so(
        self, wanted: Mapping[Address, Body], accepted: Sequence[Accepted]
    ) -> list[str | None]:
        settings, admin = self._place.settings, self._driver.admin
        old = self._place.present()
        new = snapshot.with_vacant(snapshot.files(wanted, settings), old)
        changed = {path for path, _ in old.items() ^ new.items() if path in new}
        if changed:
            reason = process.validate(snapshot.inlined(new, changed, old))
            if reason is not None:
                raise HrctlError.of(
                    "HR211",
                    f"Envoy refuses the configuration: {reason}",
                    hint="nothing was changed; mend the route that it names",
                )
        # those that go are in Envoy until the swap
        traces.provide(self._place, {**self._bodies, **wanted})
        draining = self._draining(wanted, accepted)
        if draining:
            old = self._drain(draining, old)
        swap.carry(self._place, admin, old, new)
        try:
            self._place.note(new)
            written = self._driver.store.write(
                [one.write for one in accepted], self._driver.context.project
            )
        except (HrctlError, OSError):
            swap.carry(self._place, admin, new, old)
            self._place.note(old)
            raise
        traces.provide(self._place, wanted)
        return [one.version for one in written]

    def _draining(
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

    def _drain(self, nodes: Mapping[Address, Body], old: snapshot.Files) -> snapshot.Files:
        """Give them nothing new, and wait until they are idle; the files as they are then."""
        from hrctl.drivers.envoy import draining

        closing = {
            address: {**body, "spec": {**body["spec"], "state": "DRAINING"}}
            for address, body in nodes.items()
        }
        files = snapshot.files({**self._bodies, **closing}, self._place.settings)
        files = snapshot.with_vacant(files, old)
        swap.carry(self._place, self._driver.admin, old, files)
        draining.wait_until_idle(self._driver.admin, [body["spec"] for body in nodes.values()])
        return files


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
