"""The driver: Routes and Nodes as listeners, routes, clusters and endpoints of a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import (
    Capabilities,
    Context,
    HealthReport,
    Live,
    Outcome,
    Ownership,
    Secrets,
    Stamp,
)
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import Place, digest
from hrctl.drivers.local_store import LocalStore
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.following import Behind
from hrctl.drivers.mesh.journal import JOURNAL, Journal, settle
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.envoy.bodies import Bodies
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

    def stamps(self) -> Iterator[Stamp]:
        """The rows; one whose files are not as it wants them has another version."""
        if not self.altered and not self.behind:
            yield from self.rows
        else:
            for stamp in self.rows:
                at = stamp.address
                version = _version(stamp.version, self.altered.get(at), self.behind.get(at))
                yield stamp._replace(version=version)


class EnvoyDriver:
    """See the package's docstring for how the parts hang together.

    A plan never starts an Envoy. Where the embedded one does not run nothing is live, so the plan
    shows all routes and nodes as lost, and an apply brings them back.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"Node", "Route"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=1000, max_parallel=1, renames=True
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`mode`, and for an external Envoy where it is."""
        from hrctl.drivers.envoy.config import EnvoyConfig

        return EnvoyConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self.context: Final = context
        self.place = Place.of(config, context)
        self.admin: Final = Admin(self.place.admin)
        self.store: Final = LocalStore(self.place.store)
        self.journal: Final = Journal(self.place.store.with_name(JOURNAL))
        self._rows: tuple[tuple[object, ...], list[Stamp]] | None = None
        self.revived: Final[dict[Address, str]] = {}  # what came back when Envoy was started again

    def __enter__(self) -> Self:
        """An external Envoy must answer, and be of a known version.

        Raises:
            HrctlError: HR080, where it does not answer; HR210, where its version is not known.
        """
        if not self.place.embedded:
            from hrctl.drivers.envoy.process import require_known

            self.place.make()
            try:
                require_known(self.admin, self.context.instance)
            except HrctlError:
                self.__exit__()
                raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Disconnect; an embedded Envoy stays up."""
        self.admin.close()
        self.store.__exit__(*exc)

    def is_up(self) -> bool:
        """Whether there is an Envoy at all."""
        if not self.place.store.exists() and self.place.embedded:
            return False
        from hrctl.drivers.envoy.process import is_up

        return is_up(self.place, self.admin)

    # -- looking ---------------------------------------------------------------------------------

    def scan(self) -> Iterator[Stamp]:
        """A stamp for each route and node; one whose files were edited has another version."""
        if not self.is_up():
            return
        settle(self)
        yield from self.look().stamps()

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The bodies, with what was edited by hand written over them."""
        if not addresses or not self.is_up():
            return
        settle(self)
        altered, behind = self.altered(), self.behind()
        for live in self.store.read(addresses):
            found, was = altered.get(live.address), behind.get(live.address)
            body = live.body
            if found:
                from hrctl.drivers.envoy.drift import overlay

                body = overlay(live.address, body, found)
            if was:
                body = following.overlay(body, was)
            yield Live(live.address, body, _version(live.version, found, was), live.owner)

    def bodies(self) -> Bodies:
        """All bodies as they were applied, with where they listen if hrctl.yaml says otherwise."""
        found = self._stored()
        elsewhere = following.as_made(found, self._behind(found))
        return found.but(elsewhere) if elsewhere else found

    def _stored(self) -> Bodies:
        from hrctl.drivers.envoy.bodies import Bodies

        return Bodies.stored(self.store)

    def behind(self) -> Behind:
        """Routes that were made with other settings than those of now."""
        return self._behind(self._stored())

    def _behind(self, stored: Bodies) -> Behind:
        place = self.place
        return following.behind(place.followed(), place.given, lambda: stored.of("Route"))

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

    def lock(self, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Alone among threads and processes; whether it is."""
        return self.place.lock(wait=wait)

    def altered(self) -> dict[str, list[Altered]]:
        """Address -> the parts of its configuration that somebody edited by hand."""
        return self._files()[2]

    def look(self) -> Look:
        """The files and the rows as they are now."""
        state = self.store.state()
        if self._rows is None or self._rows[0] != state:  # a plan and its apply see the same ones
            self._rows = (state, self.store.stamps())
        rows = self._rows[1]
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

    # -- changing --------------------------------------------------------------------------------

    def plan(self, change: Change) -> Change:
        """Every field can change in place.

        Raises:
            HrctlError: HR212, where Envoy has no way to do what is wanted.
        """
        if change.after is not None and change.action is not Action.DELETE:
            from hrctl.drivers.envoy.listening import require_possible

            require_possible(change.address, change.after)
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry the batch out; see `batch.Batch.run`."""
        from hrctl.drivers.envoy.batch import Batch

        return Batch(self, secrets).run(batch)

    def down(self) -> bool:
        """Stop the embedded Envoy; whether there was one. It comes back with all that it held."""
        if not self.place.embedded:
            return False
        from hrctl.drivers.envoy.process import stop

        try:
            return stop(self.place, self.admin)
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


def _version(version: str, altered: list[Altered] | None, behind: Mapping[str, Json] | None) -> str:
    if not altered and not behind:
        return version
    from hrctl.drivers.envoy.drift import suffix

    return version + suffix([*(altered or ()), *sorted((behind or {}).items())])
