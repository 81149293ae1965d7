"""A driver that keeps bodies of Routes and Nodes in a store, and a proxy like them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from hrctl.drivers.api import Capabilities, Context, Live, Ownership, Stamp
from hrctl.drivers.local_store import LocalStore
from hrctl.drivers.mesh.journal import JOURNAL, Journal, settle
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body

Part = TypeVar("Part", bound=tuple[Any, ...])  # one thing that somebody changed by hand


class StoredMesh(ABC, Generic[Part]):
    """Looks at what is live: the bodies as they were applied, where the proxy runs.

    What somebody changed by hand is written over them.

    A plan never starts a proxy. Where the embedded one does not run nothing is live, so the plan
    shows all routes and nodes as lost, and an apply brings them back.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"Node", "Route"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=1000, max_parallel=1, renames=True
    )

    def __init__(self, context: Context, store: Path) -> None:
        self.context: Final = context
        self.store: Final = LocalStore(store)
        self.journal: Final = Journal(store.with_name(JOURNAL))
        self.revived: Final[dict[Address, str]] = {}  # what came back with a proxy started again

    @abstractmethod
    def is_up(self) -> bool:
        """Whether there is a proxy at all."""

    @abstractmethod
    def altered(self) -> Mapping[str, Sequence[Part]]:
        """Address -> what of it somebody changed by hand."""

    @abstractmethod
    def holds(self, bodies: Mapping[Address, Body]) -> bool:
        """Whether the proxy's files are made of exactly these; then that is noted."""

    @abstractmethod
    def lock(self, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Alone among threads and processes; whether it is."""

    @abstractmethod
    def overlay(self, body: Body, found: Sequence[Part]) -> Body:
        """The body with that written over it."""

    def scan(self) -> Iterator[Stamp]:
        """A stamp for each route and node; one that was changed by hand has another version."""
        if not self.is_up():
            return
        settle(self)
        altered = self.altered()
        for stamp in self.store.stamps():
            yield stamp._replace(version=_version(stamp.version, altered.get(stamp.address)))

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The bodies, with what was changed by hand written over them."""
        if not addresses or not self.is_up():
            return
        settle(self)
        altered = self.altered()
        for live in self.store.read(addresses):
            found = altered.get(live.address)
            if not found:
                yield live
                continue
            version = _version(live.version, found)
            yield Live(live.address, self.overlay(live.body, found), version, live.owner)

    def bodies(self) -> dict[Address, Body]:
        """All bodies as they were applied."""
        return {live.address: live.body for live in self.store.query()}

    @abstractmethod
    def require_possible(self, address: Address, body: Body) -> None:
        """Refuse by name what the proxy has no way to do.

        Raises:
            HrctlError: HR212.
        """

    def plan(self, change: Change) -> Change:
        """Every field can change in place.

        Raises:
            HrctlError: HR212, where the proxy has no way to do what is wanted.
        """
        if change.after is not None and change.action is not Action.DELETE:
            self.require_possible(change.address, change.after)
        return change


def _version(version: str, found: Sequence[tuple[Any, ...]] | None) -> str:
    """What was changed by hand adds its digest to a version."""
    if not found:
        return version
    text = json.dumps([list(one) for one in found], sort_keys=True)
    return f"{version}+{blake2b(text.encode(), digest_size=6).hexdigest()}"
