"""What the running Envoy says of routes and nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hrctl.drivers.api import HealthReport
from hrctl.drivers.envoy import circuits, clusters
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.circuits import Host, is_well
from hrctl.drivers.envoy.draining import place_of, stat
from hrctl.drivers.mesh import reports
from hrctl.drivers.mesh.names import ident, numeric
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pathlib import Path

    from hrctl.drivers.envoy.driver import EnvoyDriver

_SERIES: Final = re.compile(r"(\w+)\{([^}]*)\} ([0-9.eE+-]+|NaN)$", re.MULTILINE)
_RESULTS: Final = {"success": "successes", "failure": "failures"}
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


def hosts(admin: Admin) -> dict[str, list[Host]]:
    """Cluster -> its hosts with health and numbers."""
    found = admin.json("/clusters?format=json").get("cluster_statuses", [])
    return {one["name"]: one.get("host_statuses", []) for one in found}


def health_reports(driver: EnvoyDriver, addresses: Sequence[Address]) -> Iterator[HealthReport]:
    """For a route one report for each destination; for a node one as a host."""
    bodies = {live.address: live.body for live in driver.store.read(addresses)}
    if not driver.is_up():
        bodies = {}
    known = hosts(driver.admin) if bodies else {}
    nodes = any(one.kind == "Node" for one in bodies)
    routes = reports.of_grids(driver.bodies().of("Route"), clusters.names) if nodes else {}
    for address in addresses:
        body = bodies.get(address)
        if body is None:
            yield HealthReport(address, "MISSING", detail="not in this Envoy")
        elif address.kind == "Node":
            yield _node_report(address, body, known, routes)
        else:
            yield from _route_reports(address, body, known, driver.place.log)


def _route_reports(
    address: Address, body: Body, known: Mapping[str, list[Host]], log: Path
) -> Iterator[HealthReport]:
    spec = body["spec"]
    names = clusters.names(address, spec)
    for name, one in zip(names, spec["destinations"], strict=True):
        found = known.get(name, [])
        circuit = None
        if breaker := spec.get("circuitBreaker"):
            on_trial = circuits.trials(log, name, seconds(breaker.get("openFor", "30s")))
            circuit = circuits.state(found, on_trial)
        yield reports.of_destination(address, one, list(map(is_well, found)), circuit)


def _node_report(
    address: Address,
    body: Body,
    known: Mapping[str, list[Host]],
    routes: Mapping[str, Address],
) -> HealthReport:
    well: dict[Address, bool] = {}
    for name, route in routes.items():
        for host in hosts_of(body, {name: known.get(name, [])}):
            well[route] = well.get(route, True) and is_well(host)
    return reports.of_node(address, body, lambda: _sum(hosts_of(body, known), "rq_active"), well)


def hosts_of(body: Body, known: Mapping[str, list[Host]]) -> list[Host]:
    """A node as a host of each cluster that it is in."""
    at = numeric(body["spec"]["address"])
    return [host for some in known.values() for host in some if place_of(host) == at]


def metric_rows(
    driver: EnvoyDriver, addresses: Sequence[Address]
) -> Iterator[tuple[Address, dict[str, Json]]]:
    """Routes: requests, successes, failures, mean_ms, p99_ms. Nodes: connections, requests."""
    bodies = {live.address: live.body for live in driver.store.read(addresses)}
    if not bodies or not driver.is_up():
        return
    counted = _route_numbers(driver.admin)
    calls = _grpc_numbers(driver.admin, bodies.values())
    known = hosts(driver.admin)
    for address, body in bodies.items():
        if address.kind == "Node":
            found = hosts_of(body, known)
            names = (("connections", "cx_active"), ("active", "rq_active"))
            row: dict[str, Json] = {ours: _sum(found, theirs) for ours, theirs in names}
            row |= {"requests": _sum(found, "rq_total"), "failures": _sum(found, "rq_error")}
            yield address, row
        elif body["spec"]["type"] == "TCP":
            some = [
                h for name in clusters.names(address, body["spec"]) for h in known.get(name, [])
            ]
            yield (
                address,
                {
                    "connections": _sum(some, "cx_active"),
                    "requests": _sum(some, "cx_total"),
                    "failures": _sum(some, "cx_connect_fail"),
                },
            )
        else:
            row = counted.get(ident(address), _nothing())
            if body["spec"]["type"] == "GRPC":
                names_of = clusters.names(address, body["spec"])
                for result in ("success", "failure"):
                    row[_RESULTS[result]] = sum(calls.get((name, result), 0) for name in names_of)
                row["requests"] = row["successes"] + row["failures"]
            yield address, row


def _grpc_numbers(admin: Admin, bodies: Iterable[Body]) -> dict[tuple[str, str], int]:
    """Cluster and result -> calls: their HTTP status is 200 whatever became of them."""
    if not any(body["spec"]["type"] == "GRPC" for body in bodies):
        return {}
    found = {}
    for name, value in admin.stats(r"^cluster\..*\.grpc\.(success|failure)$").items():
        _, cluster, _, result = name.split(".")
        found[cluster, result] = int(value or 0)
    return found


def _sum(found: Sequence[Host], name: str) -> int:
    return sum(stat(host, name) for host in found)


def _nothing() -> dict[str, Json]:
    return {"requests": 0, "successes": 0, "failures": 0, "mean_ms": None, "p99_ms": None}


def _route_numbers(admin: Admin) -> dict[str, dict[str, Json]]:
    """The name of a route's statistics -> its row, summed over virtual hosts."""
    text = admin.request("/stats/prometheus?filter=vhost.*upstream_rq_").decode()
    rows: dict[str, dict[str, Json]] = {}
    sums: dict[str, list[float]] = {}
    buckets: dict[str, dict[float, float]] = {}
    for name, labels, value in _SERIES.findall(text):
        found = dict(_LABEL.findall(labels))
        route = found.get("envoy_route")
        if route is None:
            continue
        row = rows.setdefault(route, _nothing())
        number = float(value)
        if name.endswith("_upstream_rq_completed"):
            row["requests"] += int(number)
        elif name.endswith("_upstream_rq_xx"):
            well = found.get("envoy_response_code_class") in {"1", "2", "3", "4"}
            row["successes" if well else "failures"] += int(number)
        elif name.endswith("_upstream_rq_time_sum"):
            sums.setdefault(route, [0.0, 0.0])[0] += number
        elif name.endswith("_upstream_rq_time_count"):
            sums.setdefault(route, [0.0, 0.0])[1] += number
        elif name.endswith("_upstream_rq_time_bucket"):
            bound = float(found["le"].replace("+Inf", "inf"))
            each = buckets.setdefault(route, {})
            each[bound] = each.get(bound, 0.0) + number
    for route, (total, count) in sums.items():
        if count:
            rows[route]["mean_ms"] = round(total / count, 3)
            rows[route]["p99_ms"] = quantile(buckets.get(route, {}), 0.99)
    return rows


def quantile(buckets: Mapping[float, float], part: float) -> float | None:
    """A quantile of a histogram of cumulative counts, within a bucket as if even.

    The same estimate as Prometheus' `histogram_quantile`.
    """
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    rank = part * buckets[bounds[-1]]
    below, lower = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return round(lower, 3)
            inside = buckets[bound] - below
            share = (rank - below) / inside if inside else 1.0
            return round(lower + (bound - lower) * share, 3)
        below, lower = buckets[bound], bound
    return None
