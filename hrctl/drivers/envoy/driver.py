"""The driver: Routes and Nodes as listeners, routes, clusters and endpoints of a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hrctl.drivers.api import Context, HealthReport, Live, Outcome, Secrets, Stamp
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import Place, digest
from hrctl.drivers.envoy.snapshot import LDS
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.driver import MeshDriver
from hrctl.drivers.mesh.following import Behind
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.envoy.drift import Altered
    from hrctl.drivers.envoy.snapshot import Files


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: files, their digests, rows, and what of them was edited by hand."""

    files: Files
    digests: dict[str, str]
    rows: list[Stamp]
    altered: dict[str, list[Altered]]
    behind: Behind  # routes that were made with other settings
    as_written: bool  # no file is another than we wrote, also where that changes no route


class EnvoyDriver(MeshDriver["Altered"]):
    """See the package's docstring for how the parts hang together."""

    place: Place

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`mode`, and for an external Envoy where it is."""
        from hrctl.drivers.envoy.config import EnvoyConfig

        return EnvoyConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        place = Place.of(config, context)
        self.admin: Final = Admin(place.admin)
        super().__init__(context, place, self.admin)

    def __exit__(self, *exc: object) -> None:
        """Disconnect; an embedded Envoy stays up."""
        self.admin.close()
        super().__exit__(*exc)

    def start(self) -> None:
        """Start the embedded Envoy where it does not run, and wait until it is ready."""
        from hrctl.drivers.envoy.process import leave_taken, start

        if not self.admin.answers():  # else one runs, with a bootstrap that may be older
            self.place.make()
            self.place = self.place.with_weights()
            try:
                leave_taken(self.place)
            except OSError as error:
                raise self.place.cannot_write(error) from error
        start(self.place, self.admin, self.context.instance)

    def require_known(self) -> None:
        """Refuse an Envoy whose version is not known to do what is needed.

        Raises:
            HrctlError: HR210; HR080, where it does not answer.
        """
        from hrctl.drivers.envoy.process import require_known

        require_known(self.admin, self.context.instance)

    def listens(self) -> set[str]:
        """Return where Envoy listens: by its files, or by itself where their list is gone.

        Envoy keeps its listeners where the file of them is deleted.
        """
        if (self.place.settings.folder / LDS).exists():
            return self.place.listens()
        statuses = self.admin.json("/listeners?format=json").get("listener_statuses", ())
        return {str(one.get("name")) for one in statuses}

    # -- looking ---------------------------------------------------------------------------------

    def holds(self, bodies: Mapping[Address, Body]) -> bool:
        """Whether the files are made of exactly these; then that is noted."""
        from hrctl.drivers.envoy.assembly import files
        from hrctl.drivers.envoy.snapshot import with_vacant

        present = self.place.present()
        if with_vacant(files(bodies, self.place.settings), present) != present:
            return False
        noted = following.note(self.place.given, following.still(self.behind(), bodies))
        self.place.note({path: digest(data) for path, data in present.items()}, noted)
        return True

    def active(self) -> dict[tuple[str, int], int]:
        """Host and port -> requests and streams that run there now."""
        from hrctl.drivers.envoy.draining import active

        return active(self.admin)

    def altered(self) -> dict[str, list[Altered]]:
        """Address -> the parts of its configuration that somebody edited by hand."""
        return self._files()[2]

    def look(self) -> Look:
        """The files and the rows as they are now."""
        rows = self.rows()
        present, digests, altered, changed = self._files()
        return Look(present, digests, rows, altered, self.behind(), as_written=not changed)

    def _files(self) -> tuple[Files, dict[str, str], dict[str, list[Altered]], set[str]]:
        """The files, their digests, the parts that were edited, and the files that were."""
        present = self.place.present()
        digests = {path: digest(data) for path, data in present.items()}
        changed = {path for path, _ in self.place.digests().items() ^ digests.items()}
        if not changed:
            return present, digests, {}, changed
        from hrctl.drivers.envoy import drift

        altered = drift.altered(self.bodies(), present, changed, self.place.settings)
        return present, digests, altered, changed

    def overlay(self, live: Live, found: Sequence[Altered]) -> Body:
        """The body with what was edited by hand written over it."""
        from hrctl.drivers.envoy.drift import overlay

        return overlay(live.address, live.body, found)

    # -- changing --------------------------------------------------------------------------------

    def require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what Envoy has no way to do.

        Raises:
            HrctlError: HR212.
        """
        from hrctl.drivers.envoy.listening import require_possible

        require_possible(address, body)

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry the batch out; see `batch.Batch.run`."""
        from hrctl.drivers.envoy.batch import Batch

        return Batch(self, secrets).run(batch)

    def down(self) -> bool:
        """As for every proxy, once requests that run have had a moment to end."""
        try:
            if self.place.embedded:
                from hrctl.drivers.envoy.process import wait_for_requests

                wait_for_requests(self.admin)
            return super().down()
        finally:
            self.admin.close()

    # -- verbs -----------------------------------------------------------------------------------

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """How the hosts behind each route are, and each node as a host."""
        from hrctl.drivers.envoy import verbs

        return verbs.health_reports(self, addresses)

    def metrics(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, dict[str, Json]]]:
        """Requests, successes, failures and latencies of routes; connections of nodes."""
        from hrctl.drivers.envoy import verbs

        return verbs.metric_rows(self, addresses)

    def traces(self, address: Address, *, tail: int, follow: bool) -> Iterator[dict[str, Json]]:
        """The spans of a route's requests; see `traces.read`."""
        from hrctl.drivers.envoy import traces

        return traces.read(self.place, address, tail=tail, follow=follow)
