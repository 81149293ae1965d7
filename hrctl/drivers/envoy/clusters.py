"""From the destinations of a route to clusters and their endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hrctl.drivers.envoy.names import Resource, duration, marked, socket_address
from hrctl.drivers.mesh.names import cluster_name
from hrctl.logic.grid.selection import Nodes as Choice
from hrctl.logic.grid.selection import is_open
from hrctl.logic.mesh.listening import is_ip
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

RING_SIZE: Final = 1024

Spec = Mapping[str, Json]
Nodes = Choice[Address]
Eds = Callable[[str], Resource] | None

_POLICIES: Final = {
    "ROUND_ROBIN": "ROUND_ROBIN",
    "WEIGHTED": "ROUND_ROBIN",
    "LEAST_CONN": "LEAST_REQUEST",
    "LEAST_CONNECTIONS": "LEAST_REQUEST",
    "IP_HASH": "RING_HASH",
    "CONSISTENT_HASH": "RING_HASH",
    "RANDOM": "RANDOM",
}


def balancer(route: Spec, destination: Mapping[str, Any]) -> str:
    """The strategy for the hosts of a destination: the grid's own one, else the route's."""
    grid = destination.get("grid")
    found = grid.get("balance", "ROUND_ROBIN") if grid else route.get("loadBalancer", "ROUND_ROBIN")
    return str(found)


def relevant(spec: Spec) -> Spec:
    """What of a route its clusters are made of: the same, the same clusters."""
    kept = ("type", "loadBalancer", "circuitBreaker", "healthCheck")
    made = {key: spec[key] for key in kept if key in spec}
    made["destinations"] = [
        {key: value for key, value in one.items() if key != "weight"}
        for one in spec["destinations"]
    ]
    budget = (spec.get("retry") or {}).get("budget")
    return {**made, "retry": {"budget": budget}} if budget else made


def names(address: Address, spec: Spec) -> list[str]:
    """The cluster of each destination, in their order."""
    found: dict[str, None] = {}
    for destination in spec["destinations"]:
        found[cluster_name(address, destination, found)] = None
    return list(found)


def clusters(
    address: Address, spec: Spec, nodes: Nodes, eds: Eds
) -> list[tuple[Resource, Resource]]:
    """A cluster and its endpoints for each destination of a route.

    Args:
        address: of the Route.
        spec: what is `relevant` of it, with the `endpoints` of services.
        nodes: the specs of the grid's nodes by address.
        eds: gives the subscription of the endpoints of a grid's cluster; None: they stand in it,
            as all others do.
    """
    found = []
    for name, one in zip(names(address, spec), spec["destinations"], strict=True):
        assignment = _assignment(name, spec, one, nodes)
        found.append((_cluster(name, address, spec, one, nodes, assignment, eds), assignment))
    return found


def _cluster(  # noqa: PLR0913, PLR0917 - what a cluster is made of
    name: str,
    address: Address,
    spec: Spec,
    destination: Mapping[str, Any],
    nodes: Nodes,
    assignment: Resource,
    eds: Eds,
) -> Resource:
    made: Resource = {
        "@type": CLUSTER,
        "name": name,
        "metadata": marked(address),
        "connect_timeout": "1s",
        "lb_policy": _POLICIES[balancer(spec, destination)],
        "common_lb_config": {
            # 0: a sick host gets nothing, also where all are sick
            "healthy_panic_threshold": {"value": 0},
            # what becomes of hosts is told to the threads that serve, at once and not, as by
            # default, a second later where something else has just been told
            "update_merge_window": "0.01s",
        },
    }
    numeric = all(is_ip(_host(one)) for one in _hosts(assignment))
    if eds is not None and numeric and destination.get("grid") is not None:
        made |= {
            "type": "EDS",
            "eds_cluster_config": {"eds_config": eds(name), "service_name": name},
        }
    else:  # endpoints by name are looked up by Envoy
        inner = {key: item for key, item in assignment.items() if key != "@type"}
        made |= {"type": "STATIC" if numeric else "STRICT_DNS", "load_assignment": inner}
    if made["lb_policy"] == "RING_HASH":
        made["ring_hash_lb_config"] = {
            "minimum_ring_size": RING_SIZE,
            "hash_function": "XX_HASH",
        }
    made |= _circuit_breaker(spec)
    check = _check(spec, destination, nodes)
    if check:
        made["health_checks"] = [_health_check(check, http2=spec["type"] == "GRPC")]
    if spec["type"] == "GRPC":
        http2: Resource = {"explicit_http_config": {"http2_protocol_options": {}}}
        options = {"@type": f"type.googleapis.com/{_HTTP}", **http2}
        made["typed_extension_protocol_options"] = {_HTTP: options}
    return made


def _hosts(assignment: Resource) -> list[Resource]:
    return [host for group in assignment["endpoints"] for host in group["lb_endpoints"]]


def _host(endpoint: Resource) -> str:
    return str(endpoint["endpoint"]["address"]["socket_address"]["address"])


def _assignment(name: str, spec: Spec, destination: Mapping[str, Any], nodes: Nodes) -> Resource:
    weighted = balancer(spec, destination) in {"WEIGHTED", "CONSISTENT_HASH", "IP_HASH"}
    placed: list[Resource]
    if destination.get("grid") is not None:
        groups: dict[tuple[str, str], list[Resource]] = {}
        for one in nodes.select(destination["grid"]):
            node = nodes[one]
            where = (str(node.get("region") or ""), str(node.get("zone") or ""))
            groups.setdefault(where, []).append(_node_endpoint(one, node, weighted=weighted))
        placed = [
            {"locality": {"region": region, "zone": zone}, "lb_endpoints": hosts}
            for (region, zone), hosts in sorted(groups.items())
        ]
    else:
        addresses = (
            destination["endpoints"] if "service" in destination else [destination["address"]]
        )
        placed = [{"lb_endpoints": [_endpoint(one) for one in addresses]}]
    port = _checked_port(_check(spec, destination, nodes))
    if port is not None:
        for host in (one for group in placed for one in group["lb_endpoints"]):
            host["endpoint"]["health_check_config"] = {"port_value": port}
    return {"@type": ENDPOINTS, "cluster_name": name, "endpoints": placed}


def _endpoint(address: str) -> Resource:
    return {"endpoint": {"address": socket_address(address)}}


def _node_endpoint(address: str, node: Spec, *, weighted: bool) -> Resource:
    made = _endpoint(node["address"])
    made["metadata"] = marked(address)
    if weighted:
        made["load_balancing_weight"] = max(1, int(node.get("weight", 1)))
    if not is_open(node):
        made["health_status"] = "DRAINING"
    return made


def _circuit_breaker(spec: Spec) -> Resource:
    made: Resource = {}
    breaker = spec.get("circuitBreaker")
    thresholds: Resource = {}
    if breaker:
        open_for = breaker.get("openFor", "30s")
        made["outlier_detection"] = {
            "consecutive_5xx": breaker.get("failureThreshold", 5),
            "enforcing_consecutive_5xx": 100,
            "enforcing_success_rate": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "base_ejection_time": duration(open_for),
            "max_ejection_time": duration(open_for),
            "max_ejection_percent": int(breaker.get("maxEjectionPercent", 100)),
            # how often Envoy looks whether the time is up
            "interval": duration(min(0.5, max(0.05, seconds(open_for) / 10))),
            # what answers a health check may fail all others: by default it would be back at once
            "successful_active_health_check_uneject_host": False,
        }
        for ours, theirs in (
            ("maxConnections", "max_connections"),
            ("maxPending", "max_pending_requests"),
            ("maxRequests", "max_requests"),
            ("maxRetries", "max_retries"),
        ):
            if breaker.get(ours) is not None:
                thresholds[theirs] = breaker[ours]
    budget = (spec.get("retry") or {}).get("budget")
    if budget:
        thresholds["retry_budget"] = {
            "budget_percent": {"value": float(budget.get("percent", 20))},
            "min_retry_concurrency": budget.get("minConcurrency", 3),
        }
    if thresholds:
        thresholds["track_remaining"] = True
        made["circuit_breakers"] = {"thresholds": [thresholds]}
    return made


def _check(spec: Spec, destination: Mapping[str, Any], nodes: Nodes) -> Mapping[str, Any] | None:
    return spec.get("healthCheck") or nodes.health_check(destination.get("grid"))


def _checked_port(check: Mapping[str, Any] | None) -> int | None:
    """The port of a host that must accept a connection, which need not be that of requests."""
    tcp = str((check or {}).get("tcp"))
    return int(tcp) if tcp.isdecimal() else None


def _health_check(check: Mapping[str, Any], *, http2: bool) -> Resource:
    made: Resource = {
        "timeout": duration(check.get("timeout", "2s")),
        "interval": duration(check.get("interval", "10s")),
        "no_traffic_interval": duration(check.get("interval", "10s")),
        "unhealthy_threshold": check.get("unhealthyThreshold", 3),
        "healthy_threshold": check.get("healthyThreshold", 1),
        "reuse_connection": False,
    }
    if check.get("http") is not None:
        made["http_health_check"] = {"path": check["http"]}
        if http2:  # which a check does not take from its cluster
            made["http_health_check"]["codec_client_type"] = "HTTP2"
    else:
        made["tcp_health_check"] = {}
    return made


def hash_header(destination: Mapping[str, Any]) -> str | None:
    """The header whose value decides under CONSISTENT_HASH."""
    found = (destination.get("grid") or {}).get("hashHeader")
    return str(found) if found is not None else None
