"""The driver: Routes and Nodes as listeners, routes, clusters and endpoints of a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from hrctl.drivers.envoy.place import Place
from hrctl.drivers.local_store import LocalStore
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.envoy.drift import Altered


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
        self.place: Final = Place.of(config, context)
        self.admin: Final = Admin(self.place.admin)
        self.store: Final = LocalStore(self.place.store)
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
        altered = self.altered()
        for stamp in self.store.stamps():
            yield stamp._replace(version=_version(stamp.version, altered.get(stamp.address)))

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The bodies, with what was edited by hand written over them."""
        if not addresses or not self.is_up():
            return
        altered = self.altered()
        for live in self.store.read(addresses):
            found = altered.get(live.address)
            if found is None:
                yield live
                continue
            from hrctl.drivers.envoy.drift import overlay

            version = _version(live.version, found)
            yield Live(live.address, overlay(live.body, found), version, live.owner)

    def bodies(self) -> dict[Address, Body]:
        """All bodies as they were applied."""
        return {live.address: live.body for live in self.store.query()}

    def altered(self) -> dict[str, list[Altered]]:
        """Address -> the parts of its configuration that somebody edited by hand."""
        changed = self.place.altered()
        if not changed:
            return {}
        from hrctl.drivers.envoy import drift

        return drift.altered(self.bodies(), self.place.present(), changed, self.place.settings)

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

        return stop(self.place)

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


def _version(version: str, altered: list[Altered] | None) -> str:
    if not altered:
        return version
    from hrctl.drivers.envoy.drift import suffix

    return version + suffix(altered)
