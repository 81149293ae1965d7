"""What is wrong between routes: one that gets nothing, two that tie, or nobody who serves one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hrctl.diagnostics import Severity
from hrctl.logic.grid.selection import Nodes
from hrctl.logic.mesh.impossible import PROXIES, Proxy, reasons, summary
from hrctl.logic.mesh.listening import SPELLING, Clash, clashes, place, spelled_twice
from hrctl.logic.mesh.overlap import Overlap, overlaps
from hrctl.model.address import Address
from hrctl.model.assemble import merged_spec
from hrctl.model.document import Finding
from hrctl.model.registry import Record
from hrctl.model.tree import Tree

_SHOWN: Final = 3  # host names in a message
_UNSERVED: Final = "local"  # the embedded registry, where a route takes no requests


def check(
    tree: Tree,
    fresh: frozenset[str],
    listens: Mapping[str, str | None],
    types: Mapping[str, str],
) -> Iterator[Finding]:
    """Findings over all routes of a tree.

    Args:
        tree: joined.
        fresh: paths of registries that were not taken from the cache: services are looked at where
            they, or the routes that lead to them, may have changed.
        listens: driver instance -> where routes listen that do not say so.
        types: driver instance -> its type.
    """
    routes: list[tuple[Record, int, dict[str, Any]]] = []
    nodes: dict[str, dict[Address, Mapping[str, Any]]] = {}
    for record in tree.records:
        for index, held in record.mesh.items():
            address = Address(record.addresses[index])
            if record.path in fresh and (address.kind == "Route" or "healthCheck" in held):
                proxy = PROXIES.get(types.get(record.drivers[index], ""))
                spec = held if address.kind == "Node" else merged_spec(tree, address)
                yield from () if proxy is None else _impossible(record, index, spec, proxy)
            if address.kind == "Node":
                nodes.setdefault(record.drivers[index], {})[address] = held
            elif record.drivers[index] != _UNSERVED:
                routes.append((record, index, held))
    yield from _overlaps(routes, listens)
    indexed = {driver: Nodes(some) for driver, some in nodes.items()}
    none = Nodes[Address]({})
    for record, index, held in routes:
        yield from _empty_grids(record, index, held, indexed.get(record.drivers[index], none))
        yield from _portless(tree, record, index, fresh)


def _overlaps(
    routes: list[tuple[Record, int, dict[str, Any]]], listens: Mapping[str, str | None]
) -> Iterator[Finding]:
    groups: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = {}
    places: dict[str, tuple[Record, int]] = {}
    for record, index, held in routes:
        driver, address = record.drivers[index], record.addresses[index]
        listen = held.get("listen") or listens.get(driver)
        groups.setdefault((driver, listen), {})[address] = held
        places[address] = record, index
    yield from _spellings(groups, places)
    for (_, listen), some in groups.items():
        for address, other, why in clashes(some):
            yield _clash(why, listen, places[address], places[other])
        for found in overlaps(some):
            yield _overlap(found, places)


def _spellings(
    groups: Mapping[tuple[str, str | None], Mapping[str, Any]],
    places: Mapping[str, tuple[Record, int]],
) -> Iterator[Finding]:
    """Listeners that are one and the same for the proxy, written in two ways."""
    first: dict[tuple[str, tuple[str, str]], str] = {}
    for driver, listen in sorted((one, at) for one, at in groups if at is not None):
        written = first.setdefault((driver, place(listen)), listen)
        if written == listen:
            continue
        other = min(groups[driver, written])
        theirs, at = places[other]
        for address in sorted(groups[driver, listen]):
            record, index = places[address]
            yield Finding(
                record.places(index)[0],
                "/spec/listen",
                "HR213",
                spelled_twice(listen, address, written, other),
                hint=SPELLING,
                address=address,
                related=(("the other one", theirs.places(at)[0], "/spec/listen"),),
            )


def _clash(
    why: Clash, listen: str | None, one: tuple[Record, int], other: tuple[Record, int]
) -> Finding:
    (record, index), (theirs, at) = one, other
    address = record.addresses[index]
    place, field = theirs.places(at)[0], "/spec/listen" if listen else "/spec"
    return Finding(
        record.places(index)[0],
        "/spec/listen",
        "HR213",
        why.summary(listen or "the driver's own address", address, theirs.addresses[at]),
        hint=why.hint,
        address=address,
        related=(("the other one", place, field),),
    )


def _overlap(found: Overlap, places: Mapping[str, tuple[Record, int]]) -> Finding:
    entry, first = found.entry, found.first
    record, index = places[entry.address]
    other, at = places[first.address]
    where = _hosts(found.hosts)
    if found.tie:
        return Finding(
            record.places(index)[0],
            f"/spec/match/{entry.number}",
            "HR216",
            f"requests for {where} that fit {entry.address} and {first.address} alike go to the"
            " latter, because its address comes first",
            hint="add a condition to the one that they are meant for",
            severity=Severity.WARNING,
            address=entry.address,
            related=(("the other one", other.places(at)[0], f"/spec/match/{first.number}"),),
        )
    return Finding(
        record.places(index)[0],
        f"/spec/match/{entry.number}",
        "HR214",
        f"{entry.address} would never get a request for {where}: {first.address} takes all that"
        " it wants",
        hint="let them differ in listen, hosts, path, method or headers",
        address=entry.address,
        related=(("the one that takes them", other.places(at)[0], f"/spec/match/{first.number}"),),
    )


def _hosts(names: Sequence[str]) -> str:
    shown = ["any other host" if name == "*" else name for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return "any host" if list(names) == ["*"] else ", ".join(shown)


def _empty_grids(
    record: Record, index: int, held: dict[str, Any], nodes: Nodes[Address]
) -> Iterator[Finding]:
    for number, grid in held.get("grids", ()):
        if not nodes.select(grid):
            yield Finding(
                record.places(index)[0],
                f"/spec/destinations/{number}/grid",
                "HR215",
                f"no declared node serves a destination of {record.addresses[index]}",
                hint="`hrctl grid balance` shows which nodes fit; bind them to the same driver",
                severity=Severity.WARNING,
                address=record.addresses[index],
            )


def _impossible(
    record: Record, index: int, spec: Mapping[str, Any], proxy: Proxy
) -> Iterator[Finding]:
    address = Address(record.addresses[index])
    found = proxy.refusals(address.kind, spec)
    if found:
        place = record.places(index)[0]
        yield Finding(
            place,
            f"/spec{found[0].pointer}",
            "HR212",
            summary(proxy, address, found),
            hint=proxy.hint,
            note=reasons(found),
            at_key=True,
            address=address,
            related=tuple((one.name, place, f"/spec{one.pointer}") for one in found[1:]),
        )


def _portless(tree: Tree, record: Record, index: int, fresh: frozenset[str]) -> Iterator[Finding]:
    address = Address(record.addresses[index])
    for link in tree.links.get(address, ()):
        if link.target.kind != "Service" or not link.pointer.startswith("/spec/destinations/"):
            continue
        if record.path not in fresh and link.target.registry not in fresh:
            continue
        if not merged_spec(tree, link.target).get("ports"):
            target, at = tree.where(link.target)
            yield Finding(
                record.places(index)[0],
                link.pointer,
                "HR215",
                f"{link.target} has no port, and cannot be a destination",
                hint="declare its ports",
                address=address,
                related=(("the service", target.places(at)[0], "/spec"),),
            )
