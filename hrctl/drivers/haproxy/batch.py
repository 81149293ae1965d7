"""Changes on their way into HAProxy: checked, drained where needed, brought in, noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Secrets
from hrctl.drivers.haproxy import draining, process, swap
from hrctl.drivers.haproxy.configuration import Configuration, configuration
from hrctl.drivers.haproxy.place import cannot_write
from hrctl.drivers.mesh.batch import Accepted, MeshBatch, closing
from hrctl.drivers.mesh.listeners import Listeners
from hrctl.model.address import Address
from hrctl.model.values import Body

if TYPE_CHECKING:
    from hrctl.drivers.haproxy.driver import HaproxyDriver


class Batch(MeshBatch):
    """One call of `apply`. This is how HAProxy is brought to what is wanted.

    1. Make the configuration anew in memory, and have HAProxy check it.
    2. Drain nodes that go: nothing new for them, until they are idle or their time is up.
    3. Bring it in, at the socket or by a reload; what runs must be it, or all is as before.
    4. Keep the bodies.
    """

    refusal: ClassVar[str] = "HR233"
    _listeners: Listeners

    def __init__(self, driver: HaproxyDriver, secrets: Secrets) -> None:
        super().__init__(driver, secrets)
        self._driver = driver
        self._place = driver.place

    def _start(self) -> None:
        driver, place = self._driver, self._place
        if driver.is_up():
            return
        place.make()
        process.start(place, driver.runtime, driver.context.instance)
        process.require_known(driver.runtime, driver.context.instance)
        driver.revived.update((one.address, one.version) for one in driver.store.stamps())

    def _lock(self) -> AbstractContextManager[None]:
        return self._place.lock()

    def _begin(self) -> None:
        opened = self._place.applied().get("listens", ())
        self._listeners = Listeners(
            self._bodies, self._place.settings.listen, opened, local=self._place.embedded
        )

    def _require_possible(self, address: Address, body: Body) -> None:
        self._driver.require_possible(address, body)

    def _take(self, address: Address, body: Body | None) -> None:
        self._listeners.add(address, body)

    def _cannot_write(self, error: OSError) -> HrctlError:
        return cannot_write(error)

    def _make_so(
        self, wanted: Mapping[Address, Body], accepted: Sequence[Accepted]
    ) -> list[str | None]:
        place, runtime = self._place, self._driver.runtime
        old = configuration(self._bodies, place.settings)
        new = configuration(wanted, place.settings)
        if new.files != place.present():
            reason = process.check(new, place)
            if reason is not None:
                raise HrctlError.of(
                    "HR233",
                    f"HAProxy refuses the configuration: {reason}",
                    hint="nothing was changed; mend the route that it names",
                )
        leaving = self._leaving(wanted, accepted)
        try:
            if leaving:
                self._drain(leaving)
            swap.carry(place, runtime, new)
            place.note(new)
            written = self._driver.store.write(
                [one.write for one in accepted], self._driver.context.project
            )
        except (HrctlError, OSError):
            self._back(old)
            raise
        return [one.version for one in written]

    def _drain(self, nodes: Mapping[Address, Body]) -> None:
        """Give nodes nothing new, and wait until they are idle."""
        place, runtime = self._place, self._driver.runtime
        drained = configuration({**self._bodies, **closing(nodes)}, place.settings)
        swap.carry(place, runtime, drained)
        place.note(drained)
        draining.wait_until_idle(place, runtime, [body["spec"] for body in nodes.values()])

    def _back(self, old: Configuration) -> None:
        swap.carry(self._place, self._driver.runtime, old)
        self._place.note(old)
