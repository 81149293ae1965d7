"""All registries together: rows, references, edges, and each resource in full when it is wanted.

`build` is what a plan with nothing to do goes through, so it touches columns and not resources; a
body is made by `Tree.resource` for the few that are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from hrctl.diagnostics import Severity, Span
from hrctl.model.address import Address, ancestors, is_within
from hrctl.model.document import Document, Finding, Place
from hrctl.model.kinds import kind
from hrctl.model.registry import Record
from hrctl.model.resource import Resource, Row
from hrctl.model.scope import Scope

if TYPE_CHECKING:
    from hrctl.model.assemble import ExplainedValue

ReadDocument = Callable[[Place], Document]
LocateField = Callable[[Place, str], Span]


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


class Link(NamedTuple):
    """A field that names another resource, resolved."""

    pointer: str
    target: Address
    output: str | None


class Tree:
    """The declared platform. Implements `hrctl.model.resource.Desired`.

    `findings` is what is wrong between registries; what is wrong within one stands in its record.
    """

    def __init__(
        self,
        records: Sequence[Record],
        scopes: Mapping[str, Scope],
        read: ReadDocument,
        locate: LocateField,
    ) -> None:
        self.records = records
        self.scopes = scopes
        self._read = read
        self._locate = locate
        self.findings: list[Finding] = []
        self.rows: dict[Address, Row] = {}
        self.links: dict[Address, list[Link]] = {}
        self._index: dict[str, Record] = {}
        self._resources: dict[Address, Resource] = {}

    @cached_property
    def digest(self) -> str:
        """Stands for everything that is declared."""
        state = blake2b(digest_size=16)
        for record in self.records:
            for address in record.addresses:
                state.update(f"{address}\0{self.rows[Address(address)].digest}\n".encode())
        return state.hexdigest()

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

    def where(self, address: Address) -> Where:
        """Where the row of a resource is; KeyError where it is not declared."""
        record = self._index[address.registry]
        try:
            return Where(record, record.addresses.index(address))
        except ValueError:
            raise KeyError(address) from None

    def document(self, place: Place) -> Document:
        """The document at a place."""
        return self._read(place)

    def locate(self, place: Place, pointer: str) -> Span:
        """Where a field of a document is written."""
        return self._locate(place, pointer)

    def resource(self, address: Address) -> Resource:
        """The resource in full; KeyError where it is not declared."""
        from hrctl.model.assemble import assemble

        found = self._resources.get(address)
        if found is None:
            found = self._resources[address] = assemble(self, address)
        return found

    def explain(self, address: Address) -> list[ExplainedValue]:
        """Every final value of a resource with its origin, in document order."""
        from hrctl.model.assemble import explain

        return explain(self, address)

    def origin(self, address: Address, path: str) -> Span | None:
        """Where the final value at a field path of the body is written (None: built in)."""
        from hrctl.model.assemble import origin

        return origin(self, address, path)

    def within(self, subtree: str) -> Iterator[Address]:
        """The addresses in a registry and below it."""
        for record in self.records:
            if is_within(record.path, subtree):
                yield from map(Address, record.addresses)


def build(
    records: Sequence[Record],
    scopes: Mapping[str, Scope],
    read: ReadDocument,
    locate: LocateField,
    fresh: frozenset[str],
) -> Tree:
    """Join the records of all registries, parents first, into one tree.

    1. Columns become rows; a second registry of the same path is refused.
    2. What a resource names is looked for from its registry upwards; that makes the edges.
    3. Cycles are named step by step.
    4. The digest of what a resource refers to becomes part of its own, so that a changed
       value is seen in everybody who uses it.
    5. `movedFrom`, and outputs that do not exist, are checked where a registry is `fresh`, that
       is, was not taken from the cache.
    """
    tree = Tree(records, scopes, read, locate)
    for record in records:
        first = tree._index.setdefault(record.path, record)  # noqa: SLF001 - built here
        if first is not record:
            tree.findings.append(_same_path(record, first))
        tree.rows.update(
            zip(
                map(Address, record.addresses),
                map(Row, record.drivers, record.digests),
                strict=True,
            )
        )
    for record in records:
        if record.links:
            _resolve(tree, record)
    cyclic = _refuse_cycles(tree)
    _combine_digests(tree, cyclic)
    for record in records:
        tree.findings.extend(_check_moves(tree, record))
        if record.links:
            tree.findings.extend(_check_outputs(tree, record, fresh))
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


def _resolve(tree: Tree, record: Record) -> None:
    """Turn the names in a record's links into addresses, looking upwards."""
    rows = tree.rows
    paths = ancestors(record.path)
    for index, links in record.links.items():
        found = []
        for pointer, named, target, output in links:
            if ":" in target:
                candidates: Iterable[str] = (target,)
            else:
                candidates = [f"{path}:{named}/{target}" for path in paths]
            for candidate in candidates:
                if candidate in rows:
                    found.append(Link(pointer, Address(candidate), output))
                    break
            else:
                tree.findings.append(_dangling(tree, record, index, (pointer, named, target)))
        tree.links[Address(record.addresses[index])] = found


def _dangling(tree: Tree, record: Record, index: int, link: tuple[str, str, str]) -> Finding:
    from difflib import get_close_matches

    pointer, named, target = link
    shown = target if ":" in target else f"{named}/{target}"
    paths = ancestors(record.path)
    known = [
        address
        for address in tree.rows
        if address.kind == named and (":" in target or address.registry in paths)
    ]
    names = known if ":" in target else [address.name for address in known]
    near = get_close_matches(target, names, n=1)
    return Finding(
        pointer_place(tree, record, index, pointer),
        pointer,
        "HR045",
        f"{shown} is not declared",
        hint=f"did you mean {near[0]}?" if near else None,
        note=None if ":" in target else "looked for in " + ", ".join(paths),
        address=record.addresses[index],
    )


def pointer_place(tree: Tree, record: Record, index: int, pointer: str) -> Place:
    """The document that has the last word on a field of a resource (else its own document)."""
    from hrctl.model.assemble import last_word

    return last_word(tree, record, index, pointer)[0]


def _refuse_cycles(tree: Tree) -> set[Address]:
    """Report every cycle of references; the addresses that lie on one."""
    done: set[Address] = set()
    cyclic: set[Address] = set()
    for start in tree.links:
        if start in done:
            continue
        trail: list[Address] = [start]
        on_trail = {start}
        iterators = [iter(tree.links[start])]
        while iterators:
            link = next(iterators[-1], None)
            if link is None:
                done.add(trail[-1])
                on_trail.discard(trail.pop())
                iterators.pop()
            elif link.target in on_trail:
                steps = trail[trail.index(link.target) :]
                cyclic.update(steps)
                tree.findings.append(_cycle(tree, steps))
            elif link.target not in done and link.target in tree.links:
                trail.append(link.target)
                on_trail.add(link.target)
                iterators.append(iter(tree.links[link.target]))
            else:
                done.add(link.target)
    return cyclic


def _cycle(tree: Tree, steps: Sequence[Address]) -> Finding:
    related = []
    place, pointer = None, ""
    for step, following in zip(steps, [*steps[1:], steps[0]], strict=True):
        link = next(one for one in tree.links[step] if one.target == following)
        record, index = tree.where(step)
        where = pointer_place(tree, record, index, link.pointer)
        if place is None:
            place, pointer = where, link.pointer
        related.append((f"{step} needs {following}", where, link.pointer))
    assert place is not None  # noqa: S101 - a cycle has at least one step
    return Finding(
        place,
        pointer,
        "HR046",
        "a cycle: " + " -> ".join(one.local for one in [*steps, steps[0]]),
        hint="take one of these references away",
        address=steps[0],
        related=tuple(related),
    )


def _combine_digests(tree: Tree, cyclic: set[Address]) -> None:
    """Fold the digests of what is referred to into each resource that has references."""
    rows, links = tree.rows, tree.links
    pending = {address for address in links if address not in cyclic}
    for start in list(pending):
        stack = [start]
        while stack:
            address = stack[-1]
            if address not in pending:
                stack.pop()
                continue
            waiting = [link.target for link in links[address] if link.target in pending]
            if waiting:
                stack.extend(waiting)
                continue
            row = rows[address]
            parts = [row.digest, *(rows[link.target].digest for link in links[address])]
            combined = blake2b("".join(parts).encode(), digest_size=16).hexdigest()
            rows[address] = Row(row.driver, combined)
            pending.discard(address)
            stack.pop()


def _check_moves(tree: Tree, record: Record) -> Iterator[Finding]:
    for index in record.moves:
        old = tree.moved_from(record, index)
        place = record.places(index)[0]
        address = record.addresses[index]
        if old in tree.rows:
            yield Finding(
                place,
                "/metadata/movedFrom",
                "HR048",
                f"{old} is still declared, so nothing can have moved from there",
                hint="remove the old document, or movedFrom",
                address=address,
            )
        elif tree.moves[old] != address:
            yield Finding(
                place,
                "/metadata/movedFrom",
                "HR048",
                f"{old} is said to have moved to {tree.moves[old]} too",
                hint="a resource moves to one place",
                address=address,
            )


def _check_outputs(tree: Tree, record: Record, fresh: frozenset[str]) -> Iterator[Finding]:
    """References to an output, or a key of a Config, that the target does not have."""
    for index in record.links:
        address = Address(record.addresses[index])
        for link in tree.links[address]:
            if link.output is None or (
                record.path not in fresh and link.target.registry not in fresh
            ):
                continue
            known = known_outputs(tree, link.target)
            if link.output not in known:
                yield _unknown_output(tree, record, index, link, known)


def known_outputs(tree: Tree, address: Address) -> frozenset[str]:
    """The names of the outputs of a declared resource."""
    from hrctl.model.assemble import merged_spec

    return kind(address.kind).known_outputs(merged_spec(tree, address))


def _unknown_output(
    tree: Tree, record: Record, index: int, link: Link, known: frozenset[str]
) -> Finding:
    from difflib import get_close_matches

    near = get_close_matches(str(link.output), known, n=1)
    what = "key" if link.target.kind == "Config" else "output"
    return Finding(
        pointer_place(tree, record, index, link.pointer),
        link.pointer,
        "HR047",
        f"{link.target} has no {what} '{link.output}'",
        hint=f"did you mean {near[0]}?" if near else None,
        note="it has " + (", ".join(sorted(known)) or "none"),
        address=record.addresses[index],
        severity=Severity.ERROR,
    )
