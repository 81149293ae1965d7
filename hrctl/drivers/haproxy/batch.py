"""Changes on their way into HAProxy: checked, drained where needed, brought in, noted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Secrets
from hrctl.drivers.haproxy import keeping, process, swap
from hrctl.drivers.haproxy.configuration import configuration
from hrctl.drivers.local_store import Write, Written
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.batch import MeshBatch
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.drivers.mesh.following import Behind
from hrctl.model.address import Address

if TYPE_CHECKING:
    from hrctl.drivers.haproxy.driver import HaproxyDriver


class Batch(MeshBatch):
    """One call of `apply`. This is how HAProxy is brought to what is wanted.

    The configuration is made anew in memory, and checked by HAProxy; then brought in, at the socket
    or by a reload. What runs must be it, or all is as before.
    """

    refusal: ClassVar[str] = "HR233"
    _before: keeping.Target
    _behind: Behind  # before it

    def __init__(self, driver: HaproxyDriver, secrets: Secrets) -> None:
        super().__init__(driver, secrets)
        self._driver = driver
        self._place = driver.place

    def _check(self, wanted: Bodies, changed: Collection[Address]) -> None:
        self._target(wanted, changed)

    def _bring(self, wanted: Bodies, changed: Collection[Address]) -> None:
        place, runtime = self._place, self._driver.runtime
        to = self._target(wanted, changed)
        self._before, self._behind = self._there(), self._driver.behind()
        try:
            swap.carry(place, runtime, to)
            behind = following.but(self._behind, wanted.changed)
            place.note(to.made, following.note(place.given, behind))
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

    def _target(self, wanted: Bodies, changed: Collection[Address]) -> keeping.Target:
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
            self._require_apart(new.listens.keys() - there.made.listens.keys())
            return to
        if to.kept and process.check(new.files, self._place) is None:
            raise keeping.refused(to.kept)
        raise HrctlError.of(
            "HR233",
            f"HAProxy refuses the configuration: {reason}",
            hint="nothing was changed; mend the route that it names",
        )

    def _require_apart(self, fresh: Collection[str]) -> None:
        """Refuse new listeners where a frontend of somebody else listens.

        Raises:
            HrctlError: HR233.
        """
        found = process.bound_elsewhere(fresh, self._place)
        if found is not None:
            listen, file = found
            raise HrctlError.of(
                "HR233",
                f"{file} has a frontend at {listen} as well, and requests would come to either",
                hint="nothing was changed; let the route listen elsewhere",
            )

    def _stored(self, writes: Sequence[Write], written: Sequence[Written]) -> None:
        """All that is noted follows from the bodies."""
