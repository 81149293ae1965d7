"""Services behind the destinations of Routes: whether they run, declared and live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hrctl.cli.session import Session
from hrctl.cli.verbs.live import statuses
from hrctl.drivers.api import HealthReport
from hrctl.drivers.mesh.names import called
from hrctl.logic.grid.selection import Nodes, is_open
from hrctl.model.address import Address
from hrctl.model.tree import Tree

_SERVES: Final = ("RUNNING", "HEALTHY", "STORED")  # STORED: nobody says whether it runs
_PARTLY: Final = ("DEGRADED", "STARTING")


def with_services(
    session: Session, tree: Tree, reports: Sequence[HealthReport]
) -> list[HealthReport]:
    """Return what a proxy reports of its routes, corrected by the Services that do not run.

    A proxy that has no health check takes every host for well until a request fails.
    """
    services = _services(tree, reports)
    live = statuses(session, tree, list(dict.fromkeys(services.values())))
    found = []
    for at, report in enumerate(reports):
        word = live.get(services[at]) if at in services else None
        found.append(report if word is None else _corrected(report, services[at], word))
    return found


def _services(tree: Tree, reports: Sequence[HealthReport]) -> dict[int, Address]:
    """Return the number of each report whose destination is a Service, and the Service."""
    found: dict[int, Address] = {}
    by_route: dict[Address, list[int]] = {}
    for at, report in enumerate(reports):
        by_route.setdefault(report.address, []).append(at)
    for route, numbers in by_route.items():
        destinations = tree.resource(route).body["spec"]["destinations"]
        for at, one in zip(numbers, destinations, strict=False):
            # an edit that is not applied yet may have others
            if "service" in one and called(one) == reports[at].destination:
                found[at] = Address(one["service"])
    return found


def _corrected(report: HealthReport, service: Address, word: str) -> HealthReport:
    if word.startswith(_SERVES):
        return report
    detail = f"{service.local} is {word}"
    status = "UNHEALTHY"
    if word.startswith(_PARTLY):
        status = "DEGRADED" if report.status == "HEALTHY" else report.status
    return replace(report, status=status, detail=detail)


class Serving:
    """Which destinations are declared so that nobody serves them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._nodes: dict[str, Nodes[Address]] = {}

    def why_not(self, destination: Mapping[str, Any], driver: str) -> str | None:
        """Return why nobody serves a destination of a route of this driver; None: somebody does."""
        if "service" in destination:
            service = Address(destination["service"])
            spec = self._tree.resource(service).body["spec"]
            return None if spec["state"] == "RUNNING" else f"which is declared {spec['state']}"
        if "grid" not in destination:
            return None
        nodes = self._of(driver)
        if any(is_open(nodes[one]) for one in nodes.select(destination["grid"])):
            return None
        return "where no node takes requests"

    def _of(self, driver: str) -> Nodes[Address]:
        if driver not in self._nodes:
            self._nodes[driver] = Nodes(dict(self._specs(driver)))
        return self._nodes[driver]

    def _specs(self, driver: str) -> Iterator[tuple[Address, Mapping[str, Any]]]:
        for address, row in self._tree.rows.items():
            if address.kind == "Node" and row.driver == driver:
                yield address, self._tree.resource(address).body["spec"]
