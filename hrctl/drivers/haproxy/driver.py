"""The driver: Routes and Nodes as frontends, backends and servers of a real HAProxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, HealthReport, Live, Outcome, Secrets
from hrctl.drivers.haproxy.place import Place, digest_of, digests
from hrctl.drivers.haproxy.runtime import Runtime
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.driver import MeshDriver
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.haproxy.drift import Altered


class HaproxyDriver(MeshDriver["Altered"]):
    """See the package's docstring for how the parts hang together."""

    place: Place

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`mode`, and for an external HAProxy where it is."""
        from hrctl.drivers.haproxy.config import HaproxyConfig

        return HaproxyConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        place = Place.of(config, context)
        self.runtime: Final = Runtime(place.socket, fence=place.fence)
        super().__init__(context, place, self.runtime)

    def start(self) -> None:
        """Start the embedded HAProxy where it does not run, and wait until it works."""
        from hrctl.drivers.haproxy.process import start
        from hrctl.drivers.mesh import embedded

        self.place.make()
        # with such a listener it would not start; so its routes are drift, and who has it is told
        if taken := embedded.taken(self.place, self.place.listens()):
            self.place.leave(taken)
        start(self.place, self.runtime, self.context.instance)

    def require_known(self) -> None:
        """Refuse a HAProxy whose version is not known to do what is needed.

        Raises:
            HrctlError: HR232; HR080, where it does not answer.
        """
        from hrctl.drivers.haproxy.process import require_known

        require_known(self.runtime, self.context.instance)

    def altered(self) -> dict[str, list[Altered]]:
        """Address -> what of it somebody changed by hand, in a file or at the socket."""
        place, noted = self.place, self.place.applied()
        present = place.present()
        live = self.runtime.state(noted.get("backends", ()), place.settings.table)
        if digests(present) == noted.get("files") and digest_of(live) == noted.get("state"):
            return {}
        from hrctl.drivers.haproxy import drift

        return drift.altered(self.bodies(), present, live, place.settings)

    def holds(self, bodies: Mapping[Address, Body]) -> bool:
        """Return whether HAProxy's files are made of exactly these bodies, and record it.

        Files that a killed apply wrote and did not load are loaded first: read back they look
        applied, and nothing would ever load them.
        """
        from hrctl.drivers.haproxy import process
        from hrctl.drivers.haproxy.configuration import configuration

        made = configuration(bodies, self.place.settings)
        if made.files != self.place.present():
            return False
        if not self.place.applied().get("loaded"):
            process.reload(self.place, self.runtime)
        noted = following.note(self.place.given, following.still(self.behind(), bodies))
        self.place.note(made, noted)
        return True

    def active(self) -> dict[tuple[str, int], int]:
        """Host and port -> requests and streams that run there now."""
        from hrctl.drivers.haproxy.draining import active

        return active(self.place, self.runtime)

    def overlay(self, live: Live, found: Sequence[Altered]) -> Body:
        """The body with what was changed by hand written over it."""
        from hrctl.drivers.haproxy.drift import overlay

        return overlay(live.body, found)

    def require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what HAProxy has no way to do.

        Raises:
            HrctlError: HR212, which names each such field.
        """
        from hrctl.logic.mesh.impossible import refused

        found = refused("haproxy", address, body["spec"])
        if found is not None:
            raise HrctlError(found)

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry the batch out; see `mesh.batch.MeshBatch.run`."""
        from hrctl.drivers.haproxy.batch import Batch

        return Batch(self, secrets).run(batch)

    # -- verbs -----------------------------------------------------------------------------------

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """How the hosts behind each route are, and each node as a host."""
        from hrctl.drivers.haproxy import verbs

        return verbs.health_reports(self, addresses)

    def metrics(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, dict[str, Json]]]:
        """Requests, successes, failures and latencies of routes; connections of nodes."""
        from hrctl.drivers.haproxy import verbs

        return verbs.metric_rows(self, addresses)
