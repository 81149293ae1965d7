"""Changes on their way into HAProxy: checked, drained where needed, brought in, noted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Secrets
from hrctl.drivers.haproxy import draining, keeping, process, swap
from hrctl.drivers.haproxy.configuration import configuration
from hrctl.drivers.haproxy.place import cannot_write
from hrctl.drivers.local_store import Write, Written
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.batch import MeshBatch
from hrctl.drivers.mesh.following import Behind
from hrctl.drivers.mesh.listeners import Listeners
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from hrctl.drivers.haproxy.driver import HaproxyDriver


class Batch(MeshBatch):
    """One call of `apply`. This is how HAProxy is brought to what is wanted.

    The configuration is made anew in memory, and checked by HAProxy; then brought in, at the socket
    or by a reload. What runs must be it, or all is as before.
    """

    refusal: ClassVar[str] = "HR233"
    _listeners: Listeners
    _before: keeping.Target
    _behind: Behind  # before it

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
        driver.revived.update((one.address, one.version) for one in driver.scan())

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

    def _check(self, wanted: Mapping[Address, Body], changed: Collection[Address]) -> None:
        self._target(wanted, changed)

    def _bring(self, wanted: Mapping[Address, Body], changed: Collection[Address]) -> None:
        place, runtime = self._place, self._driver.runtime
        to = self._target(wanted, changed)
        self._before, self._behind = self._there(), self._driver.behind()
        behind = self._behind
        try:
            swap.carry(place, runtime, to)
            applied = [one for one in behind if wanted.get(one) is not self._bodies.get(one)]
            place.note(to.made, following.note(place.given, following.but(behind, applied)))
        except (HrctlError, OSError):
            self._take_back()  # also where a worker has started in the meantime, with the new files
            raise

    def _take_back(self) -> None:
        swap.carry(self._place, self._driver.runtime, self._before)
        self._place.note(self._before.made, following.note(self._place.given, self._behind))

    def _there(self) -> keeping.Target:
        """What is there now, edits and all."""
        made = configuration(self._bodies, self._place.settings)
        names = [one.name for one in made.backends]
        live = self._driver.runtime.state(names, self._place.settings.table)
        return keeping.Target(made, self._place.present(), live)

    def _target(
        self, wanted: Mapping[Address, Body], changed: Collection[Address]
    ) -> keeping.Target:
        """Where HAProxy is to be brought, checked.

        Raises:
            HrctlError: HR233, where HAProxy refuses it; HR217, where it does so only because of
                what somebody did by hand, or that cannot be kept.
        """
        there = self._there()
        new = configuration(wanted, self._place.settings)
        to = keeping.target(there, new, changed)
        if to.files == there.files:
            return to
        reason = process.check(to.files, self._place)
        if reason is None:
            return to
        if to.kept and process.check(new.files, self._place) is None:
            raise keeping.refused(to.kept)
        raise HrctlError.of(
            "HR233",
            f"HAProxy refuses the configuration: {reason}",
            hint="nothing was changed; mend the route that it names",
        )

    def _stored(self, writes: Sequence[Write], written: Sequence[Written]) -> None:
        """All that is noted follows from the bodies."""

    def _wait_until_idle(self, nodes: Sequence[Mapping[str, Json]]) -> None:
        draining.wait_until_idle(self._place, self._driver.runtime, nodes)
