"""A driver that keeps bodies of Routes and Nodes in a store, and a proxy like them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Capabilities, Context, Live, Ownership, Stamp
from hrctl.drivers.local_store import LocalStore
from hrctl.drivers.mesh import embedded, following
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.drivers.mesh.embedded import AdminInterface
from hrctl.drivers.mesh.following import Behind
from hrctl.drivers.mesh.journal import JOURNAL, Journal, settle
from hrctl.drivers.mesh.place import MeshPlace
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

Part = TypeVar("Part", bound=tuple[Any, ...])  # one thing that somebody changed by hand


class MeshDriver(ABC, Generic[Part]):
    """Looks at what is live: the bodies as they were applied, where the proxy runs.

    What somebody changed by hand is written over them, and what was made with other settings.

    A plan never starts a proxy. Where the embedded one does not run nothing is live, so the plan
    shows all routes and nodes as lost, and an apply brings them back.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"Node", "Route"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK,
        compare_and_set=True,
        max_batch=1000,
        max_parallel=1,
        renames=True,
        records=True,
    )

    def __init__(self, context: Context, place: MeshPlace, interface: AdminInterface) -> None:
        self.context: Final = context
        self.place = place
        self.store: Final = LocalStore(place.store)
        self.journal: Final = Journal(place.store.with_name(JOURNAL))
        self.revived: Final[dict[Address, str]] = {}  # what came back with a proxy started again
        self._interface = interface
        self._rows: tuple[tuple[object, ...], list[Stamp]] | None = None

    def __enter__(self) -> Self:
        """An external proxy must answer, and be of a known version.

        Raises:
            HrctlError: HR080, where it does not answer; or that of `require_known`.
        """
        if not self.place.embedded:
            self.place.make()
            try:
                self.require_known()
            except HrctlError:
                self.__exit__()
                raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Disconnect; an embedded proxy stays up."""
        self.store.__exit__(*exc)

    # -- what each proxy does in its own way -----------------------------------------------------

    @abstractmethod
    def start(self) -> None:
        """Start the embedded proxy where it does not run, and wait until it is ready."""

    @abstractmethod
    def require_known(self) -> None:
        """Refuse a proxy whose version is not known to do what is needed."""

    @abstractmethod
    def require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what the proxy has no way to do.

        Raises:
            HrctlError: HR212.
        """

    @abstractmethod
    def altered(self) -> Mapping[str, Sequence[Part]]:
        """Address -> what of it somebody changed by hand."""

    @abstractmethod
    def overlay(self, live: Live, found: Sequence[Part]) -> Body:
        """The body with that written over it."""

    @abstractmethod
    def holds(self, bodies: Mapping[Address, Body]) -> bool:
        """Whether the proxy's files are made of exactly these; then that is noted."""

    @abstractmethod
    def active(self) -> Mapping[tuple[str, int], int]:
        """Host and port -> requests and streams that run there now."""

    def listens(self) -> Collection[str]:
        """Return where the proxy listens, ``host:port`` each: no other program has these."""
        return self.place.listens()

    # -- the same for all ------------------------------------------------------------------------

    def is_up(self) -> bool:
        """Whether there is a proxy at all; see `embedded.is_up`."""
        if self.place.embedded and not self.place.store.exists():
            return False
        return embedded.is_up(self.place, self._interface)

    def down(self) -> bool:
        """Stop the embedded proxy; whether it ran. It comes back with all that it held."""
        from hrctl.drivers.supervisor import daemon

        return self.place.folders is not None and daemon.down(self.place.folders)

    def lock(self, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Alone among threads and processes; whether it is."""
        return self.place.lock(wait=wait)

    def scan(self) -> Iterator[Stamp]:
        """A stamp for each route and node; one that is not as it was made has another version."""
        if not self.is_up():
            return
        settle(self)
        yield from stamps(self.rows(), self.altered(), self.behind())

    def rows(self) -> list[Stamp]:
        """Those of the store; a plan and its apply see the same ones."""
        state = self.store.state()
        if self._rows is None or self._rows[0] != state:
            self._rows = (state, self.store.stamps())
        return self._rows[1]

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The bodies, with what is not as it was made written over them."""
        if not addresses or not self.is_up():
            return
        settle(self)
        altered, behind = self.altered(), self.behind()
        for live in self.store.read(addresses):
            found, was = altered.get(live.address), behind.get(live.address)
            body = self.overlay(live, found) if found else live.body
            if was:
                body = following.overlay(body, was)
            yield Live(live.address, body, _version(live.version, found, was), live.owner)

    def bodies(self) -> Bodies:
        """All bodies as they were applied, with where they listen if hrctl.yaml says otherwise."""
        found = Bodies.stored(self.store)
        elsewhere = following.as_made(found, self._behind(found))
        return found.but(elsewhere) if elsewhere else found

    def behind(self) -> Behind:
        """Routes that were made with other settings than those of now."""
        return self._behind(Bodies.stored(self.store))

    def _behind(self, stored: Bodies) -> Behind:
        place = self.place
        return following.behind(place.followed(), place.given, lambda: stored.of("Route"))

    def plan(self, change: Change) -> Change:
        """Every field can change in place.

        Raises:
            HrctlError: HR212, where the proxy has no way to do what is wanted.
        """
        if change.after is not None and change.action is not Action.DELETE:
            self.require_possible(change.address, change.after)
        return change


def stamps(
    rows: Iterable[Stamp], altered: Mapping[str, Sequence[tuple[Any, ...]]], behind: Behind
) -> Iterator[Stamp]:
    """The rows; one that was altered, or is behind, has another version."""
    if not altered and not behind:
        yield from rows
        return
    for stamp in rows:
        at = stamp.address
        yield stamp._replace(version=_version(stamp.version, altered.get(at), behind.get(at)))


def _version(
    version: str, altered: Sequence[tuple[Any, ...]] | None, behind: Mapping[str, Json] | None
) -> str:
    """What is not as it was made adds its digest to a version."""
    if not altered and not behind:
        return version
    found = [list(one) for one in [*(altered or ()), *sorted((behind or {}).items())]]
    text = json.dumps(found, sort_keys=True)
    return f"{version}+{blake2b(text.encode(), digest_size=6).hexdigest()}"
