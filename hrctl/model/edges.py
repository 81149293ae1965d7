"""What resources name: found upwards, joined into edges, checked.

Everything here works on a `Tree` in the making and is called by `hrctl.model.tree.build`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from hrctl.model.address import Address, ancestors
from hrctl.model.document import Finding, Place
from hrctl.model.kinds import kind
from hrctl.model.registry import Record
from hrctl.model.resource import Row

if TYPE_CHECKING:
    from hrctl.model.tree import Tree


class Link(NamedTuple):
    """A field that names another resource, resolved."""

    pointer: str
    target: Address
    output: str | None


def resolve(tree: Tree, record: Record) -> None:
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
        wanted=target.rpartition("/")[2],
    )


def pointer_place(tree: Tree, record: Record, index: int, pointer: str) -> Place:
    """The document that has the last word on a field of a resource (else its own document)."""
    from hrctl.model.assemble import last_word

    return last_word(tree, record, index, pointer)[0]


def refuse_cycles(tree: Tree) -> set[Address]:
    """Report every cycle of references; the addresses with links that lie on one."""
    done: set[Address] = set()
    cyclic: set[Address] = set()
    edges = _Edges(tree)
    for start in tree.links:
        if start in done:
            continue
        trail: list[Address] = [start]
        on_trail = {start}
        iterators = [edges.of(start)]
        while iterators:
            target = next(iterators[-1], None)
            if target is None:
                done.add(trail[-1])
                on_trail.discard(trail.pop())
                iterators.pop()
            elif target in on_trail:
                steps = trail[trail.index(target) :]
                cyclic.update(step for step in steps if step in tree.links)
                tree.findings.append(_cycle(tree, steps))
            elif target not in done and edges.has(target):
                trail.append(target)
                on_trail.add(target)
                iterators.append(edges.of(target))
            else:
                done.add(target)
    return cyclic


class _Edges:
    """What comes before a resource: what it names, and the registry that it lies in.

    The second sort can only close a cycle where a Registry itself names something, which is rare.
    """

    def __init__(self, tree: Tree) -> None:
        self._links = tree.links
        self._own: dict[str, Address] = {}
        if any(0 in record.links for record in tree.records):  # its own document is the first row
            self._own = {one.path: Address(one.addresses[0]) for one in tree.records}

    def has(self, address: Address) -> bool:
        """Whether anything comes before it that may lead back to it."""
        return bool(self._own) or address in self._links

    def of(self, address: Address) -> Iterator[Address]:
        """The addresses that come before it."""
        for link in self._links.get(address, ()):
            yield link.target
        if self._own:
            own = self._own[address.registry]
            if own == address:
                above = address.registry.rpartition("/")[0]
                if above:
                    yield self._own[above]
            else:
                yield own


def _cycle(tree: Tree, steps: Sequence[Address]) -> Finding:
    related = []
    first: tuple[Address, Place, str] | None = None
    for step, following in zip(steps, [*steps[1:], steps[0]], strict=True):
        record, index = tree.where(step)
        link = next((one for one in tree.links.get(step, ()) if one.target == following), None)
        if link is None:
            related.append(
                (f"{step} lies in {following}", record.places(index)[0], "/metadata/name")
            )
            continue
        where = pointer_place(tree, record, index, link.pointer)
        first = first or (step, where, link.pointer)
        related.append((f"{step} needs {following}", where, link.pointer))
    assert first is not None  # noqa: S101 - registries alone are a tree
    return Finding(
        first[1],
        first[2],
        "HR046",
        "a cycle: " + " -> ".join(one.local for one in [*steps, steps[0]]),
        hint="take one of these references away",
        address=first[0],
        related=tuple(related),
    )


def combine_digests(tree: Tree, cyclic: set[Address]) -> None:
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
            # with the address: of two with equal values, the nearer one is another
            parts = [row.digest]
            for link in links[address]:
                parts += (link.target, rows[link.target].digest)
            combined = blake2b("".join(parts).encode(), digest_size=16).hexdigest()
            rows[address] = Row(row.driver, combined)
            pending.discard(address)
            stack.pop()


def check_moves(tree: Tree, record: Record) -> Iterator[Finding]:
    """What is wrong with `movedFrom` in a registry."""
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
        elif old.kind != Address(address).kind:
            yield Finding(
                place,
                "/metadata/movedFrom",
                "HR048",
                f"a {Address(address).kind} cannot have moved from {old}",
                hint="only the registry and the name can change",
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


class Outputs:
    """References to an output, or a key of a Config, that the target does not have."""

    def __init__(self, tree: Tree, fresh: frozenset[str], shrunk: frozenset[str]) -> None:
        self._tree = tree
        self._fresh = fresh
        self._shrunk = shrunk
        self._known: dict[Address, frozenset[str]] = {}

    def check(self, record: Record) -> Iterator[Finding]:
        """Findings on the references of one registry, those left out that cannot have changed."""
        always = record.path in self._fresh or not self._shrunk.isdisjoint(ancestors(record.path))
        for index in record.links:
            for link in self._tree.links[Address(record.addresses[index])]:
                if link.output is None or not (always or link.target.registry in self._fresh):
                    continue
                known = self._known.get(link.target)
                if known is None:
                    known = self._known[link.target] = known_outputs(self._tree, link.target)
                if link.output not in known:
                    yield _unknown_output(self._tree, record, index, link, known)


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
        wanted=str(link.output),
    )
