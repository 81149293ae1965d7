"""Bodies of routes and nodes, read from the store a kind at a time and only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from hrctl.drivers.local_store import LocalStore
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

KINDS: Final = ("Node", "Route")

Spec = Mapping[str, Json]
Some = dict[Address, Body]


class Bodies(Mapping[Address, Body]):
    """Bodies by address. One that did not change is the same object in what `but` makes of them.

    So the weight of a route changes without a look at the nodes, of which there may be thousands.
    `changed` are the addresses at which `but` made them differ from what they were made of.
    """

    def __init__(
        self,
        read: Callable[[str], Some],
        find: Callable[[Address], Body | None],
        changed: Iterable[Address] = (),
    ) -> None:
        self.changed = frozenset(changed)
        self._read = read
        self._find = find
        self._kinds: dict[str, Some] = {}

    @classmethod
    def stored(cls, store: LocalStore) -> Bodies:
        """Those of a store."""

        def find(address: Address) -> Body | None:
            live = store.get(address)
            return None if live is None else live.body

        return cls(lambda kind: {one.address: one.body for one in store.query(kind=kind)}, find)

    @classmethod
    def given(cls, bodies: Mapping[Address, Body]) -> Bodies:
        """These and no others."""
        return cls(
            lambda kind: {one: bodies[one] for one in sorted(bodies) if one.kind == kind},
            bodies.get,
        )

    def but(self, changes: Mapping[Address, Body | None]) -> Bodies:
        """The same with some set, or (None) taken away."""

        def read(kind: str) -> Some:
            before = self.of(kind)
            mine = {address: body for address, body in changes.items() if address.kind == kind}
            if not mine:
                return before
            after = {**before, **mine}
            return {one: body for one in sorted(after) if (body := after[one]) is not None}

        def find(address: Address) -> Body | None:
            return changes[address] if address in changes else self.get(address)

        return Bodies(read, find, changes)

    def of(self, kind: str) -> Some:
        """All of a kind, in the order of addresses."""
        if kind not in self._kinds:
            self._kinds[kind] = self._read(kind)
        return self._kinds[kind]

    def specs(self, kind: str) -> dict[Address, Spec]:
        """The specs of a kind."""
        return {address: body["spec"] for address, body in self.of(kind).items()}

    def __getitem__(self, address: Address) -> Body:
        known = self._kinds.get(address.kind)
        found = self._find(address) if known is None else known.get(address)
        if found is None:
            raise KeyError(address)
        return found

    def __iter__(self) -> Iterator[Address]:
        for kind in KINDS:
            yield from self.of(kind)

    def __len__(self) -> int:
        return sum(len(self.of(kind)) for kind in KINDS)
