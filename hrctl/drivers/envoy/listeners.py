"""From all routes to listeners: HTTP with a route configuration of its own, TCP passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hrctl.drivers.envoy import clusters
from hrctl.drivers.envoy.names import Resource, duration, marked, socket_address
from hrctl.drivers.envoy.weights import whole
from hrctl.drivers.mesh.names import ident
from hrctl.logic.mesh.order import hosts
from hrctl.model.address import Address
from hrctl.model.values import Json

LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
_EXT: Final = "type.googleapis.com/envoy.extensions"
_HCM: Final = f"{_EXT}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TCP: Final = f"{_EXT}.filters.network.tcp_proxy.v3.TcpProxy"
_ROUTER: Final = f"{_EXT}.filters.http.router.v3.Router"
_GRPC: Final = f"{_EXT}.filters.http.grpc_stats.v3.FilterConfig"
_INSPECTOR: Final = f"{_EXT}.filters.listener.tls_inspector.v3.TlsInspector"
TRACES: Final = "hrctl-traces"  # the cluster that spans are sent to

Spec = Mapping[str, Json]


def http(listen: str, way: Resource, routes: Sequence[Spec], *, traced: bool) -> Resource:
    """A listener for requests; `way` is its `rds` subscription or its `route_config` itself."""
    filters: list[Resource] = []
    if any(spec["type"] == "GRPC" for spec in routes):
        # a failed call is answered with 200: only its trailers tell, which nothing else counts
        counting = {"@type": _GRPC, "stats_for_all_methods": False}
        filters.append({"name": "envoy.filters.http.grpc_stats", "typed_config": counting})
    filters.append({"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}})
    manager: Resource = {
        "@type": _HCM,
        "stat_prefix": stat_prefix(listen),
        **way,
        "http_filters": filters,
    }
    if traced and any(spec.get("tracing") for spec in routes):
        manager["tracing"] = _tracing()
    return _listener(listen, [{"filters": [_filter("http_connection_manager", manager)]}])


def tcp(listen: str, routes: Mapping[Address, Spec]) -> Resource:
    """A listener that passes streams on; several routes are told apart by TLS server names."""
    chains = []
    for address, spec in sorted(routes.items()):
        chain: Resource = {
            "name": ident(address),
            "metadata": marked(address),
            "filters": [_filter("tcp_proxy", _proxy(address, spec))],
        }
        names = hosts(spec)
        if "*" not in names:
            chain["filter_chain_match"] = {"server_names": names}
        chains.append(chain)
    made = _listener(listen, chains)
    if any("filter_chain_match" in chain for chain in chains):
        inspector = {"name": "tls_inspector", "typed_config": {"@type": _INSPECTOR}}
        made["listener_filters"] = [inspector]
    return made


def stat_prefix(listen: str) -> str:
    """How the statistics of a listener are called: no signs that mean something there."""
    return "".join(sign if sign.isalnum() else "_" for sign in listen)


def _listener(listen: str, chains: list[Resource]) -> Resource:
    return {
        "@type": LISTENER,
        "name": listen,
        "address": socket_address(listen),
        "filter_chains": chains,
    }


def _filter(name: str, config: Resource) -> Resource:
    return {"name": f"envoy.filters.network.{name}", "typed_config": config}


def _proxy(address: Address, spec: Spec) -> Resource:
    names = clusters.names(address, spec)
    weights = whole([float(one.get("weight", 1)) for one in spec["destinations"]])
    made: Resource = {"@type": _TCP, "stat_prefix": ident(address)}
    if len(names) == 1:
        made["cluster"] = names[0]
    else:
        # a TCP proxy takes no weight of 0
        pairs = [pair for pair in zip(names, weights, strict=True) if pair[1]]
        made["weighted_clusters"] = {
            "clusters": [{"name": name, "weight": weight} for name, weight in pairs]
        }
    if spec.get("timeout"):
        made["idle_timeout"] = duration(spec["timeout"])
    if any(
        clusters.balancer(spec, one) in {"IP_HASH", "CONSISTENT_HASH"}
        for one in spec["destinations"]
    ):
        made["hash_policy"] = [{"source_ip": {}}]
    return made


def _tracing() -> Resource:
    config = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "http_service": {
            "http_uri": {
                "uri": f"http://{TRACES}/v1/traces",
                "cluster": TRACES,
                "timeout": "1s",
            }
        },
        "service_name": "envoy",
    }
    return {
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": config},
        # what a route does not say for itself is not traced, whatever others of the listener say
        "client_sampling": {"value": 0},
        "random_sampling": {"value": 0},
        "spawn_upstream_span": True,
    }
