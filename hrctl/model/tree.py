"""All registries together: rows, references, edges, and each resource in full when it is wanted.

`build` is what a plan with nothing to do goes through, so it touches columns and not resources; a
body is made by `Tree.resource` for the few that are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hrctl.diagnostics import Span
from hrctl.model.address import Address, ancestors, is_within
from hrctl.model.document import Document, Finding, Place
from hrctl.model.edges import Link, Outputs, check_moves, combine_digests, refuse_cycles, resolve
from hrctl.model.registry import Record
from hrctl.model.resource import Resource, Row
from hrctl.model.scope import Scope
from hrctl.model.sealed import SecretRow
from hrctl.model.values import Json, digest_bytes

if TYPE_CHECKING:
    from hrctl.model.assemble import ExplainedValue

ReadDocument = Callable[[Place], Document]
LocateField = Callable[[Place, str], Span]
Complete = Callable[[str, dict[str, Json], str], dict[str, Json]]


def complete(kind: str, spec: dict[str, Json], digest: str) -> dict[str, Json]:
    """The spec with its built-in defaults; `digest`, which stands for both, is for caches."""
    from hrctl.model import validate

    del digest
    return validate.complete(kind, spec)


@dataclass(frozen=True, slots=True)
class RegistryNode:
    """A registry of the tree."""

    path: str
    name: str
    level: str
    parent: str | None
    span: Span


class Where(NamedTuple):
    """A resource's record, and its row in it."""

    record: Record
    number: int


class Reading(NamedTuple):
    """How a tree gets at what it does not hold: documents, places, built-in defaults."""

    document: ReadDocument
    locate: LocateField
    complete: Complete = complete


class Tree:
    """The declared platform. Implements `hrctl.model.resource.Desired`.

    `findings` is what is wrong between registries; what is wrong within one stands in its record.
    """

    def __init__(
        self,
        records: Sequence[Record],
        scopes: Mapping[str, Scope],
        reading: Reading,
    ) -> None:
        self.records = records
        self.scopes = scopes
        self._reading = reading
        self.findings: list[Finding] = []
        self.rows: dict[Address, Row] = {}
        self.links: dict[Address, list[Link]] = {}
        self._index = {one.path: one for one in records}
        self._resources: dict[Address, Resource] = {}
        self._numbers: dict[str, dict[str, int]] = {}  # by registry, as they are asked for

    @cached_property
    def digest(self) -> str:
        """Stands for everything that is declared."""
        rows = self.rows
        digests = "".join([row.digest for row in rows.values()])  # all of one length
        return digest_bytes(f"{chr(0).join(rows)}\0{digests}".encode())

    @cached_property
    def registries(self) -> Mapping[str, RegistryNode]:
        """Every registry by its path, parents first."""
        return {
            one.path: RegistryNode(
                one.path,
                one.registry.name,
                one.level,
                one.parent or None,
                Span(one.registry.path, one.registry.line),
            )
            for one in self.records
        }

    @cached_property
    def moves(self) -> Mapping[Address, Address]:
        """`movedFrom`: old address -> new address."""
        return {
            self.moved_from(record, index): Address(record.addresses[index])
            for record in self.records
            for index in record.moves
        }

    def moved_from(self, record: Record, index: int) -> Address:
        """The old address of a row with `movedFrom`; a path may leave out the root's name."""
        text = record.moves[index]
        if ":" not in text:
            return Address(f"{record.path}:{text}")
        root = self.records[0].path
        if text.partition(":")[0] == root or text.startswith(f"{root}/"):
            return Address(text)
        return Address(f"{root}/{text}")

    @cached_property
    def _dependents(self) -> Mapping[Address, tuple[Address, ...]]:
        found: dict[Address, list[Address]] = defaultdict(list)
        for address, links in self.links.items():
            for target in dict.fromkeys(link.target for link in links):
                found[target].append(address)
        return {address: tuple(users) for address, users in found.items()}

    def dependents(self, address: Address) -> tuple[Address, ...]:
        """Who refers to it or depends on it, directly."""
        return self._dependents.get(address, ())

    def level(self, registry: str) -> str | None:
        """The level of a registry, by its path; None where none is declared there."""
        record = self._index.get(registry)
        return record.level if record is not None else None

    def where(self, address: Address) -> Where:
        """Where the row of a resource is; KeyError where it is not declared."""
        path = address.registry
        record = self._index[path]
        numbers = self._numbers.get(path)
        if numbers is None:
            numbers = {one: index for index, one in enumerate(record.addresses)}
            self._numbers[path] = numbers
        return Where(record, numbers[address])

    def document(self, place: Place) -> Document:
        """The document at a place."""
        return self._reading.document(place)

    def locate(self, place: Place, pointer: str) -> Span:
        """Where a field of a document is written."""
        return self._reading.locate(place, pointer)

    def complete(self, kind: str, spec: dict[str, Json], digest: str) -> dict[str, Json]:
        """The spec with its built-in defaults; `digest`, which stands for both, is for caches."""
        return self._reading.complete(kind, spec, digest)

    def resource(self, address: Address) -> Resource:
        """The resource in full; KeyError where it is not declared."""
        from hrctl.model.assemble import assemble

        made = self._resources
        waiting = [address]
        while waiting:  # not by recursion: a chain of references may be long
            last = waiting[-1]
            first = [] if last in made else self._values_of(last)
            if first := [one for one in first if one not in made]:
                waiting += first
                continue
            if last not in made:
                made[last] = assemble(self, last)
            waiting.pop()
        return made[address]

    def _values_of(self, address: Address) -> list[Address]:
        return [link.target for link in self.links.get(address, ()) if link.output]

    def explain(self, address: Address) -> list[ExplainedValue]:
        """Every final value of a resource with its origin, in document order."""
        from hrctl.model.assemble import explain

        return explain(self, address)

    def origin(self, address: Address, path: str) -> Span | None:
        """Where the final value at a field path of the body is written (None: built in)."""
        from hrctl.model.assemble import origin

        return origin(self, address, path)

    def secrets(self) -> Iterator[SecretRow]:
        """Every encrypted value as it is written, registry by registry."""
        for record in self.records:
            yield from record.secrets

    def declared_in(self, record: Record, place: Place) -> str:
        """The path of the registry that a document of one of the record's resources lies in."""
        for path in ancestors(record.path):
            found = self._index[path]
            if place in {one.place for one in (found.registry, *found.handed)}:
                return path
        return record.path

    def within(self, subtree: str) -> Iterator[Address]:
        """The addresses in a registry and below it."""
        for record in self.records:
            if is_within(record.path, subtree):
                yield from map(Address, record.addresses)


def build(
    records: Sequence[Record],
    scopes: Mapping[str, Scope],
    reading: Reading,
    fresh: frozenset[str],
    shrunk: frozenset[str],
) -> Tree:
    """Join the records of all registries, parents first, into one tree.

    1. Columns become rows; a second registry of the same path is refused.
    2. What a resource names is looked for from its registry upwards; that makes the edges.
    3. Cycles are named step by step.
    4. The digest of what a resource refers to becomes part of its own, so that a changed
       value is seen in everybody who uses it.
    5. `movedFrom` is checked; so are outputs that do not exist, where a registry that takes part is
       `fresh`, that is, was not taken from the cache, or has `shrunk`, that is, may have lost a
       resource that was found there before.
    """
    first: dict[str, Record] = {}
    same = [one for one in records if first.setdefault(one.path, one) is not one]
    records = list(first.values())
    tree = Tree(records, scopes, reading)
    tree.findings.extend(
        _same_path(one, first[one.path]) for one in same if one.parent or one.level != "ROOT"
    )
    for record in records:
        tree.rows.update(
            zip(
                map(Address, record.addresses),
                map(Row, record.drivers, record.digests),
                strict=True,
            )
        )
    for record in records:
        if record.links:
            resolve(tree, record)
    cyclic = refuse_cycles(tree)
    for address in cyclic:  # told above; whoever follows the links from here on comes to an end
        tree.links[address] = [one for one in tree.links[address] if one.target not in cyclic]
    combine_digests(tree, cyclic)
    outputs = Outputs(tree, fresh, shrunk)
    for record in records:
        tree.findings.extend(check_moves(tree, record))
        if record.links:
            tree.findings.extend(outputs.check(record))
    return tree


def _same_path(record: Record, first: Record) -> Finding:
    return Finding(
        record.registry.place,
        "/metadata/name",
        "HR043",
        f"a second registry '{record.path}'",
        hint="rename one of them",
        related=(("the first one", first.registry.place, "/metadata/name"),),
    )
