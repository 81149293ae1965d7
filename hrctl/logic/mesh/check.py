"""What is wrong between routes: two that want the same requests, or nobody who serves one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrctl.diagnostics import Severity
from hrctl.logic.grid.selection import Nodes
from hrctl.logic.mesh.order import hosts
from hrctl.model.address import Address
from hrctl.model.assemble import merged_spec
from hrctl.model.document import Finding
from hrctl.model.registry import Record
from hrctl.model.tree import Tree
from hrctl.model.values import canonical

_UNSERVED = "local"  # the embedded registry, where a route takes no requests


def check(
    tree: Tree, fresh: frozenset[str], listens: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Findings over all routes of a tree.

    Args:
        tree: joined.
        fresh: paths of registries that were not taken from the cache: services are looked at where
            they, or the routes that lead to them, may have changed.
        listens: driver instance -> where routes listen that do not say so.
    """
    routes: list[tuple[Record, int, dict[str, Any]]] = []
    nodes: dict[str, dict[Address, Mapping[str, Any]]] = {}
    for record in tree.records:
        for index, held in record.mesh.items():
            address = Address(record.addresses[index])
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
    first: dict[str, tuple[Record, int, int]] = {}
    for record, index, held in routes:
        if held.get("type") == "TCP":
            continue
        for number, match in enumerate(held.get("match") or ({},)):
            for host in hosts(held):
                driver = record.drivers[index]
                listen = held.get("listen") or listens.get(driver)
                key = canonical([driver, listen, host, _sorted(match)])
                other, at, before = first.setdefault(key, (record, index, number))
                if (other.path, at) != (record.path, index):
                    yield _overlap(record, index, number, (other, at, before), host)


def _sorted(match: Mapping[str, Any]) -> dict[str, Any]:
    """A match in the one form of all that mean the same."""
    path = match.get("path") or {"prefix": "/"}
    headers = {str(name).lower(): value for name, value in (match.get("headers") or {}).items()}
    return {"path": dict(path), "method": match.get("method"), "headers": headers}


def _overlap(
    record: Record, index: int, number: int, first: tuple[Record, int, int], host: str
) -> Finding:
    other, at, before = first
    pointer = f"/spec/match/{number}"
    where = "any host" if host == "*" else host
    return Finding(
        record.places(index)[0],
        pointer,
        "HR214",
        f"{record.addresses[index]} wants the same requests for {where} as"
        f" {other.addresses[at]}, and would never get one",
        hint="let them differ in listen, hosts, path, method or headers",
        address=record.addresses[index],
        related=(("the first one", other.places(at)[0], f"/spec/match/{before}"),),
    )


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
