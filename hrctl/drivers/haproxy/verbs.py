"""What the running HAProxy says of routes and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hrctl.drivers.api import HealthReport
from hrctl.drivers.haproxy.backends import names
from hrctl.drivers.haproxy.draining import number, place_of, rows_of_all
from hrctl.drivers.haproxy.runtime import Row
from hrctl.drivers.mesh import reports
from hrctl.drivers.mesh.names import numeric
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from hrctl.drivers.haproxy.driver import HaproxyDriver

_WELL: Final = ("UP", "no check")
_EJECTED: Final = "HANA"  # a check that failed because of what requests met
_GOOD: Final = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx")
_BAD: Final = ("hrsp_5xx", "hrsp_other")


class Told:
    """The rows of `show stat`: of backends by name, and of the servers of each."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.backends = {row["pxname"]: row for row in rows if row["svname"] == "BACKEND"}
        self._servers: dict[str, list[Row]] = {}
        for row in rows:
            if row["svname"] not in {"BACKEND", "FRONTEND"}:
                self._servers.setdefault(row["pxname"], []).append(row)

    def servers(self, backend: str) -> list[Row]:
        """The servers of a backend."""
        return self._servers.get(backend, [])

    def node(self, body: Body) -> list[Row]:
        """A node as a server of each backend that it is in."""
        at = numeric(body["spec"]["address"])
        return [row for some in self._servers.values() for row in some if place_of(row) == at]


def is_well(row: Row) -> bool:
    """Whether a server gets requests."""
    return row["status"].startswith(_WELL)


def circuit(rows: Sequence[Row], open_for: float) -> str:
    """The state of a destination's circuit breaker.

    OPEN where hosts are left alone for what requests met there, and no other takes requests;
    HALF_OPEN where some are left alone, or came back less than `openFor` ago; else CLOSED.
    """
    if any(row["status"].startswith("DOWN") and row["check_status"] == _EJECTED for row in rows):
        return "HALF_OPEN" if any(map(is_well, rows)) else "OPEN"
    back = (row for row in rows if number(row, "hanafail") and is_well(row))
    return "HALF_OPEN" if any(number(row, "lastchg") < open_for for row in back) else "CLOSED"


def _told(driver: HaproxyDriver, addresses: Sequence[Address]) -> tuple[dict[Address, Body], Told]:
    bodies = {live.address: live.body for live in driver.store.read(addresses)}
    if not bodies or not driver.is_up():
        return {}, Told([])
    return bodies, Told(driver.runtime.stat())


def health_reports(driver: HaproxyDriver, addresses: Sequence[Address]) -> Iterator[HealthReport]:
    """For a route one report for each destination; for a node one as a host."""
    bodies, told = _told(driver, addresses)
    nodes = any(one.kind == "Node" for one in bodies)
    routes = reports.of_grids(driver.bodies(), names) if nodes else {}
    for address in addresses:
        body = bodies.get(address)
        if body is None:
            yield HealthReport(address, "MISSING", detail="not in this HAProxy")
        elif address.kind == "Node":
            yield _node_report(driver, address, body, told, routes)
        else:
            yield from _route_reports(address, body, told)


def _route_reports(address: Address, body: Body, told: Told) -> Iterator[HealthReport]:
    spec = body["spec"]
    backends = names(address, spec)
    for name, one in zip(backends, spec["destinations"], strict=True):
        rows = told.servers(name)
        breaker = spec.get("circuitBreaker")
        state = circuit(rows, seconds(breaker.get("openFor", "30s"))) if breaker else None
        yield reports.of_destination(address, one, list(map(is_well, rows)), state)


def _node_report(
    driver: HaproxyDriver,
    address: Address,
    body: Body,
    told: Told,
    routes: Mapping[str, Address],
) -> HealthReport:
    def running() -> int:  # also in workers that end their own
        every = rows_of_all(driver.place, driver.runtime)
        return _sum(Told(every).node(body), "scur")

    well: dict[Address, bool] = {}
    for row in told.node(body):
        route = routes.get(row["pxname"])
        if route is not None:
            well[route] = well.get(route, True) and is_well(row)
    return reports.of_node(address, body, running, well)


def metric_rows(
    driver: HaproxyDriver, addresses: Sequence[Address]
) -> Iterator[tuple[Address, dict[str, Json]]]:
    """Routes: requests, successes, failures, mean_ms. Nodes: connections, requests.

    HAProxy keeps the mean of the last 1,024 requests of a backend, and no quantiles.
    """
    bodies, told = _told(driver, addresses)
    for address, body in bodies.items():
        if address.kind == "Node":
            yield address, _node_row(told.node(body))
            continue
        backends = names(address, body["spec"])
        rows = [told.backends[name] for name in backends if name in told.backends]
        if body["spec"]["type"] == "TCP":
            yield (
                address,
                {
                    "connections": _sum(rows, "scur"),
                    "requests": _sum(rows, "stot"),
                    "failures": _sum(rows, "econ"),
                },
            )
        else:
            row = _route_row(rows)
            if body["spec"]["type"] == "GRPC":  # how a call ended stands behind what HAProxy reads
                row |= {"successes": None, "failures": None}
            yield address, row


def _route_row(rows: Sequence[Row]) -> dict[str, Json]:
    good = sum(_sum(rows, name) for name in _GOOD)
    bad = sum(_sum(rows, name) for name in _BAD)
    made: dict[str, Json] = {"requests": good + bad, "successes": good, "failures": bad}
    counted = {id(row): _answers(row) for row in rows}
    total = sum(counted.values())
    spent = sum(number(row, "ttime") * counted[id(row)] for row in rows)
    return {**made, "mean_ms": round(spent / total, 3) if total else None, "p99_ms": None}


def _answers(row: Row) -> int:
    return sum(number(row, name) for name in (*_GOOD, *_BAD))


def _node_row(rows: Sequence[Row]) -> dict[str, Json]:
    failed = _sum(rows, "hrsp_5xx") + _sum(rows, "econ") + _sum(rows, "eresp")
    return {
        "connections": _sum(rows, "used_conn_cur") + _sum(rows, "idle_conn_cur"),
        "active": _sum(rows, "scur"),
        "requests": _sum(rows, "stot"),
        "failures": failed,
    }


def _sum(rows: Sequence[Mapping[str, str]], name: str) -> int:
    return sum(number(row, name) for row in rows)
