"""The driver: Routes and Nodes as frontends, backends and servers of a real HAProxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Self

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, HealthReport, Outcome, Secrets
from hrctl.drivers.haproxy.place import Place, digest_of, digests
from hrctl.drivers.haproxy.runtime import Runtime
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.following import Behind
from hrctl.drivers.mesh.stored import StoredMesh
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.haproxy.drift import Altered


class HaproxyDriver(StoredMesh["Altered"]):
    """See the package's docstring for how the parts hang together."""

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`mode`, and for an external HAProxy where it is."""
        from hrctl.drivers.haproxy.config import HaproxyConfig

        return HaproxyConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self.place: Final = Place.of(config, context)
        self.runtime: Final = Runtime(self.place.socket)
        super().__init__(context, self.place.store)

    def __enter__(self) -> Self:
        """An external HAProxy must answer, and be of a known version.

        Raises:
            HrctlError: HR080, where it does not answer; HR232, where its version is not known.
        """
        if not self.place.embedded:
            from hrctl.drivers.haproxy.process import require_known

            self.place.make()
            try:
                require_known(self.runtime, self.context.instance)
            except HrctlError:
                self.__exit__()
                raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Disconnect; an embedded HAProxy stays up."""
        self.store.__exit__(*exc)

    def is_up(self) -> bool:
        """Whether there is a HAProxy at all."""
        if not self.place.store.exists() and self.place.embedded:
            return False
        from hrctl.drivers.haproxy.process import is_up

        return is_up(self.place, self.runtime)

    def altered(self) -> dict[str, list[Altered]]:
        """Address -> what of it is not as it is wanted.

        Somebody changed it by hand, in a file or at the socket; or it was made with other settings.
        """
        found, behind = self._by_hand(), self.behind()
        if behind:
            from hrctl.drivers.haproxy.drift import Altered

            for address, was in behind.items():
                for name, before in was.items():
                    late = Altered(name, self.place.given[name], following.words(name, before))
                    found.setdefault(address, []).append(late)
        return found

    def behind(self) -> Behind:
        """Routes that were made with other settings than those of now."""
        noted = self.place.applied().get("settings") or {}
        return following.behind(noted, self.place.given, super().bodies)

    def bodies(self) -> dict[Address, Body]:
        """All bodies as they were applied, with where they listen if hrctl.yaml says otherwise."""
        found = super().bodies()
        return found | following.as_made(found, self.behind())

    def _by_hand(self) -> dict[str, list[Altered]]:
        place, noted = self.place, self.place.applied()
        present = place.present()
        live = self.runtime.state(noted.get("backends", ()), place.settings.table)
        if digests(present) == noted.get("files") and digest_of(live) == noted.get("state"):
            return {}
        from hrctl.drivers.haproxy import drift

        return drift.altered(self.bodies(), present, live, place.settings)

    def holds(self, bodies: Mapping[Address, Body]) -> bool:
        """Whether HAProxy's files are made of exactly these; then that is noted."""
        from hrctl.drivers.haproxy.configuration import configuration

        made = configuration(bodies, self.place.settings)
        if made.files != self.place.present() or not self.place.applied().get("loaded"):
            return False
        noted = following.note(self.place.given, following.still(self.behind(), bodies))
        self.place.note(made, noted)
        return True

    def lock(self, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Alone among threads and processes; whether it is."""
        return self.place.lock(wait=wait)

    def overlay(self, body: Body, found: Sequence[Altered]) -> Body:
        """The body with what was changed by hand written over it."""
        from hrctl.drivers.haproxy.drift import overlay

        return overlay(body, found)

    def require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what HAProxy has no way to do.

        Raises:
            HrctlError: HR212, which names each such field.
        """
        from hrctl.logic.mesh.haproxy import refused

        found = refused(address, body["spec"])
        if found is not None:
            raise HrctlError(found)

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry the batch out; see `mesh.batch.MeshBatch.run`."""
        from hrctl.drivers.haproxy.batch import Batch

        return Batch(self, secrets).run(batch)

    def down(self) -> bool:
        """Stop the embedded HAProxy; whether there was one. It comes back with all it held."""
        if self.place.folders is None:
            return False
        from hrctl.drivers.haproxy.process import stop

        return stop(self.place.folders)

    # -- verbs -----------------------------------------------------------------------------------

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """How the hosts behind each route are, and each node as a host."""
        from hrctl.drivers.haproxy import verbs

        return verbs.health_reports(self, addresses)

    def metrics(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, dict[str, Json]]]:
        """Requests, successes, failures and latencies of routes; connections of nodes."""
        from hrctl.drivers.haproxy import verbs

        return verbs.metric_rows(self, addresses)
