"""Changes on their way into Envoy: checked, drained where needed, swapped in, noted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Secrets, Stamp
from hrctl.drivers.envoy import assembly, keeping, process, swap, traces
from hrctl.drivers.envoy.inlining import inlined
from hrctl.drivers.envoy.place import digest
from hrctl.drivers.envoy.snapshot import Files, Parsed, with_vacant
from hrctl.drivers.local_store import Write, Written
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.batch import MeshBatch
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.drivers.mesh.driver import stamps
from hrctl.drivers.mesh.following import Behind
from hrctl.model.address import Address

if TYPE_CHECKING:
    from hrctl.drivers.envoy.drift import Altered
    from hrctl.drivers.envoy.driver import EnvoyDriver


Edits = dict[str, list["Altered"]]  # by the address that they belong to


class Batch(MeshBatch):
    """One call of `apply`. This is how Envoy is brought to what is wanted.

    The files are made in memory, of those that are there where they can be trusted, and Envoy
    validates what changed, inlined. They are swapped in step by step; Envoy reports each, or all is
    as before. In the end it is noted of which bodies they are made.
    """

    refusal: ClassVar[str] = "HR211"

    def __init__(self, driver: EnvoyDriver, secrets: Secrets) -> None:
        super().__init__(driver, secrets)
        self._driver = driver
        self._files: Files = {}
        self._old = Parsed({})  # the same, read
        self._digests: dict[str, str] = {}
        self._rows: dict[str, str] = {}  # address -> version, of the whole store
        self._sure = False  # whether the files are made of exactly these rows, by this code
        self._altered: Edits = {}  # what somebody edited, by address
        self._noted: dict[str, str] = {}  # digests, as if nobody had
        self._behind: Behind = {}  # routes that were made with other settings
        self._before = (self._digests, self._altered, self._noted, self._behind)

    def _look(self) -> Iterable[Stamp]:
        if not self._driver.is_up():
            return ()
        look = self._driver.look()
        self._files, self._digests = look.files, look.digests
        self._rows = {one.address: one.version for one in look.rows}
        self._altered, self._noted = look.altered, self._driver.place.digests()
        self._behind = look.behind
        self._sure = look.as_written and self._token() == self._driver.place.made()
        return stamps(look.rows, look.altered, look.behind)

    def _token(self) -> str:
        return self._driver.place.token(assembly.FORMAT, self._digests, self._rows)

    def _check(self, wanted: Bodies, changed: Collection[Address]) -> None:
        self._old = Parsed(self._files)
        kept = keeping.left(self._altered, changed)
        made = keeping.kept(self._assemble(wanted), kept, wanted, self._driver.place.settings)
        self._validated(made, swap.Watched(self._driver.place, self._driver.admin))

    def _bring(self, wanted: Bodies, changed: Collection[Address]) -> None:
        self._old = Parsed(self._files)
        try:
            self._brought(wanted, keeping.left(self._altered, changed))
        except (HrctlError, OSError):
            self._look_again()
            raise

    def _look_again(self) -> None:
        """What could not be put back is no longer what is known of it."""
        before, self._files = self._files, self._driver.place.present()
        if self._files != before:
            self._digests = {path: digest(data) for path, data in self._files.items()}
            self._sure = False

    def _brought(self, wanted: Bodies, kept: Edits) -> None:
        pure = self._assemble(wanted)
        try:
            self._swapped(wanted, pure, kept)
        except HrctlError as error:
            if not kept or error.diagnostics[0].code != self.refusal:
                raise
            # where it is refused without the edits, too, they are not the reason
            self._validated(pure, swap.Watched(self._driver.place, self._driver.admin))
            raise keeping.refused(kept) from None

    def _swapped(self, wanted: Bodies, pure: assembly.Made, kept: Edits) -> None:
        """From the files that are there to those made, and to what was `kept` in them."""
        place, admin, old = self._driver.place, self._driver.admin, self._old
        watched = swap.Watched(place, admin)
        new = self._validated(keeping.kept(pure, kept, wanted, place.settings), watched)
        # those that go are in Envoy until the swap
        traces.provide(place, {**self._bodies.of("Route"), **wanted.of("Route")})
        swap.carry(place, admin, old, new, watched)
        digests = self._digested(new)
        noted = self._digested(self._all(pure)) if kept else digests
        behind = following.but(self._behind, wanted.changed)
        self._before = (self._digests, self._altered, self._noted, self._behind)
        try:
            place.note(noted, following.note(place.given, behind))
        except OSError:
            swap.carry(place, admin, new, old)
            raise
        self._files, self._digests = new.files, digests
        self._altered, self._noted, self._behind = kept, noted, behind

    def _take_back(self) -> None:
        place, old = self._driver.place, self._old
        swap.carry(place, self._driver.admin, Parsed(self._files), old)
        self._files = old.files
        self._digests, self._altered, self._noted, self._behind = self._before
        place.note(self._noted, following.note(place.given, self._behind))

    def _digested(self, found: Parsed) -> dict[str, str]:
        return {
            path: self._digests[path] if data is self._files.get(path) else digest(data)
            for path, data in found.files.items()
        }

    def _assemble(self, wanted: Bodies) -> assembly.Made:
        before = assembly.Before(self._old, self._bodies) if self._sure else None
        return assembly.make(wanted, self._driver.place.settings, before)

    def _all(self, made: assembly.Made) -> Parsed:
        """Every file as it is to be."""
        return Parsed(with_vacant(made.files(), self._files), made.fresh)

    def _validated(self, made: assembly.Made, watched: swap.Watched) -> Parsed:
        """The files, if Envoy finds nothing wrong with what changed in them.

        Raises:
            HrctlError: HR211, where it does.
        """
        configuration = inlined(made, self._old)
        if configuration is None:
            return self._all(made)
        found: list[str | Exception | None] = []

        def validate() -> None:
            try:
                found.append(process.validate(configuration))
            except Exception as error:  # noqa: BLE001 - raised below
                found.append(error)

        asking = Thread(target=validate, name="hrctl-envoy-validate")
        asking.start()
        try:  # while Envoy looks into it
            files = self._all(made)
            watched.count()
        finally:
            asking.join()
        (said,) = found
        if isinstance(said, Exception):
            raise said
        if said is not None:
            raise HrctlError.of(
                "HR211",
                f"Envoy refuses the configuration: {said}",
                hint="nothing was changed; mend the route that it names",
            )
        return files

    def _stored(self, writes: Sequence[Write], written: Sequence[Written]) -> None:
        """Note of which rows the files are made now, where each was written as it was meant."""
        for one in writes:
            self._rows.pop(one.previous or one.address, None)
        for one, row in zip(writes, written, strict=True):
            if row.version is not None:
                self._rows[one.address] = row.version
        self._sure = not self._altered and all(row.made for row in written)
        if self._sure:
            self._driver.place.note_made(self._token())
        traces.provide(self._driver.place, self._bodies.of("Route"))
