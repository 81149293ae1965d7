"""Changes on their way into Envoy: checked, drained where needed, swapped in, noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Secrets
from hrctl.drivers.envoy import listening, process, snapshot, swap, traces
from hrctl.drivers.envoy.place import cannot_write
from hrctl.drivers.mesh_batch import Accepted, MeshBatch, closing
from hrctl.model.address import Address
from hrctl.model.values import Body

if TYPE_CHECKING:
    from hrctl.drivers.envoy.driver import EnvoyDriver


class Batch(MeshBatch):
    """One call of `apply`. This is how Envoy is brought to what is wanted.

    1. Make all files anew in memory, and have Envoy validate what changed, inlined.
    2. Drain nodes that go: nothing new for them, until they are idle or their time is up.
    3. Swap the files in, step by step; Envoy reports each, or all is as before.
    4. Keep the bodies.
    """

    refusal: ClassVar[str] = "HR211"
    _listeners: listening.Listeners

    def __init__(self, driver: EnvoyDriver, secrets: Secrets) -> None:
        super().__init__(driver, secrets)
        self._driver = driver
        self._place = driver.place

    def _start(self) -> None:
        driver, place = self._driver, self._place
        if driver.is_up():
            return
        place.make()
        process.start(place, driver.admin, driver.context.instance)
        process.require_known(driver.admin, driver.context.instance)
        driver.revived.update((one.address, one.version) for one in driver.store.stamps())

    def _lock(self) -> AbstractContextManager[None]:
        return self._place.lock()

    def _begin(self) -> None:
        self._listeners = listening.Listeners(self._bodies, self._place)

    def _require_possible(self, address: Address, body: Body) -> None:
        listening.require_possible(address, body)

    def _take(self, address: Address, body: Body | None) -> None:
        self._listeners.add(address, body)

    def _cannot_write(self, error: OSError) -> HrctlError:
        return cannot_write(error)

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
        draining = self._leaving(wanted, accepted)
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

    def _drain(self, nodes: Mapping[Address, Body], old: snapshot.Files) -> snapshot.Files:
        """Give them nothing new, and wait until they are idle; the files as they are then."""
        from hrctl.drivers.envoy import draining

        files = snapshot.files({**self._bodies, **closing(nodes)}, self._place.settings)
        files = snapshot.with_vacant(files, old)
        swap.carry(self._place, self._driver.admin, old, files)
        draining.wait_until_idle(self._driver.admin, [body["spec"] for body in nodes.values()])
        return files
