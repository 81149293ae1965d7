"""From the destinations of a route to backends and their servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from hrctl.drivers.haproxy.text import FOREVER, OWNER, duration, quoted, times
from hrctl.drivers.mesh.names import cluster_name, numeric
from hrctl.logic.grid import chash
from hrctl.logic.grid.selection import Nodes as Choice
from hrctl.logic.grid.selection import is_open
from hrctl.logic.mesh.haproxy import RETRIES
from hrctl.logic.mesh.listening import is_ip
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

Spec = Mapping[str, Json]
Nodes = Choice[Address]

RESOLVERS: Final = "hrctl"
_SELDOM: Final = "1h"  # checks that are there for the breaker alone
_BALANCE: Final = {
    "ROUND_ROBIN": "roundrobin",
    "WEIGHTED": "roundrobin",
    "LEAST_CONN": "leastconn",
    "LEAST_CONNECTIONS": "leastconn",
    "RANDOM": "random(1)",
    "IP_HASH": "source",
    "CONSISTENT_HASH": "source",
}
_HASHED: Final = {"IP_HASH", "CONSISTENT_HASH"}


@dataclass(frozen=True, slots=True)
class Server:
    """One host of a destination. `node` is whom it was made for, of a grid."""

    name: str
    host: str
    port: int
    weight: int
    maxconn: int | None
    options: str
    node: Address | None = None

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def settings(self) -> str:
        """All that follows the address."""
        limit = f" maxconn {self.maxconn}" if self.maxconn else ""
        return f"weight {self.weight}{limit}{self.options}"

    def line(self) -> str:
        """As it stands in its backend."""
        return f"    server {self.name} {self.address} {self.settings()}"


@dataclass(frozen=True, slots=True)
class Backend:
    """One destination of a route."""

    name: str
    owner: Address
    lines: tuple[str, ...]
    servers: tuple[Server, ...]
    weighted: bool

    def text(self) -> list[str]:
        """Its section."""
        inner = [f"    {line}" for line in self.lines[1:]]
        return [
            self.lines[0],
            f"{OWNER}{self.owner}",
            *inner,
            *(one.line() for one in self.servers),
        ]


def balancer(route: Spec, destination: Mapping[str, Any]) -> str:
    """The strategy for the hosts of a destination: the grid's own one, else the route's."""
    grid = destination.get("grid")
    found = grid.get("balance", "ROUND_ROBIN") if grid else route.get("loadBalancer", "ROUND_ROBIN")
    return str(found)


def names(address: Address, spec: Spec) -> list[str]:
    """The backend of each destination, in their order."""
    found: dict[str, None] = {}
    for destination in spec["destinations"]:
        found[cluster_name(address, destination, found, ".")] = None
    return list(found)


def backends(address: Address, spec: Spec, nodes: Nodes) -> list[Backend]:
    """A backend for each destination of a route.

    Args:
        address: of the Route.
        spec: complete, with the `endpoints` of services.
        nodes: the specs of the grid's nodes by address.
    """
    return [
        _backend(name, address, spec, one, nodes)
        for name, one in zip(names(address, spec), spec["destinations"], strict=True)
    ]


def _backend(
    name: str, address: Address, spec: Spec, destination: Mapping[str, Any], nodes: Nodes
) -> Backend:
    strategy = balancer(spec, destination)
    weighted = strategy in {"WEIGHTED", *_HASHED}
    hosts = _hosts(destination, nodes, weighted=weighted)
    check = spec.get("healthCheck") or nodes.health_check(destination.get("grid"))
    stream = spec["type"] == "TCP"
    lines = [
        f"backend {name} from hrctl-{'tcp' if stream else 'http'}",
        *_balance(strategy, destination, stream=stream),
        *_times(spec),
        *_upgrades(spec),
        *_limits(name, spec),
        *_health_check(check),
    ]
    options = _options(spec, check)
    limit = (spec.get("circuitBreaker") or {}).get("maxConnections")
    each = max(1, int(limit) // max(1, len(hosts))) if limit else None
    ids = chash.ids(hosts) if strategy in _HASHED else {}
    servers = tuple(
        Server(
            label,
            host,
            port,
            weight,
            each,
            "".join(
                (
                    options,
                    f" id {ids[label]}" if ids else "",
                    "" if is_ip(host) else f" resolvers {RESOLVERS} init-addr libc,none",
                )
            ),
            node,
        )
        for label, (host, port, weight, node) in hosts.items()
    )
    return Backend(name, address, tuple(lines), servers, weighted)


Host = tuple[str, int, int, Address | None]  # host, port, weight, node


def _hosts(destination: Mapping[str, Any], nodes: Nodes, *, weighted: bool) -> dict[str, Host]:
    """Name of the server -> its host; a node that gets nothing new has the weight 0."""
    found: list[Host] = []
    if destination.get("grid") is not None:
        for one in nodes.select(destination["grid"]):
            spec = nodes[one]
            weight = max(1, int(spec.get("weight", 1))) if weighted else 1
            found.append((*numeric(spec["address"]), weight if is_open(spec) else 0, one))
    else:
        own = destination["endpoints"] if "service" in destination else [destination["address"]]
        found = [(*numeric(one), 1, None) for one in own]
    named: dict[str, Host] = {}
    for host, port, weight, node in found:
        label = name = f"{host}:{port}"
        number = 2
        while label in named:  # two nodes at one address
            label = f"{name}.{number}"
            number += 1
        named[label] = (host, port, weight, node)
    weights = chash.scaled({label: weight for label, (_, _, weight, _) in named.items()})
    return {
        label: (host, port, weights[label], node) for label, (host, port, _, node) in named.items()
    }


def _balance(strategy: str, destination: Mapping[str, Any], *, stream: bool) -> list[str]:
    how = _BALANCE[strategy]
    header = (destination.get("grid") or {}).get("hashHeader")
    if strategy == "CONSISTENT_HASH" and header is not None and not stream:
        how = f"hdr({header})"
    made = [f"balance {quoted(how) if 'hdr' in how else how}"]
    if strategy in _HASHED:
        made.append("hash-type consistent")
    return made


def _times(spec: Spec) -> list[str]:
    """How long it may take, and what is tried again."""
    if spec["type"] == "TCP":
        limit = _limit(spec.get("timeout"))
        return [f"timeout tunnel {limit}"] if limit else []
    retry: Mapping[str, Any] = spec.get("retry") or {}
    each = _limit(retry.get("perTryTimeout"))
    limit = each or _limit(spec.get("timeout"))
    made = [f"timeout server {limit}", f"timeout queue {limit}"] if limit else []
    attempts = retry.get("attempts", 2) if retry else 0
    made.append(f"retries {attempts}")
    if attempts:
        on = list(retry.get("on") or ())
        some = [word for one in on for word in RETRIES[one]]
        some += [str(status) for status in retry.get("statusCodes") or ()]
        if each and {"5xx", "gateway-error", "reset"} & set(on):
            some.append("response-timeout")
        made.append(f"retry-on {' '.join(dict.fromkeys(some)) or 'none'}")
        made.append("option redispatch 1")  # a retry goes to another host, where there is one
    return made


def _limit(written: str | None) -> str | None:
    """A time limit; 0 is none, as under Envoy."""
    return duration(written) if written and seconds(written) else None


def _upgrades(spec: Spec) -> list[str]:
    """Only a WEBSOCKET route becomes one."""
    if spec["type"] not in {"HTTP", "GRPC"}:
        return []
    return ["http-request deny deny_status 403 if { req.fhdr(upgrade) -i -m str -- websocket }"]


def _limits(name: str, spec: Spec) -> list[str]:
    breaker = spec.get("circuitBreaker") or {}
    made = []
    if spec["type"] == "TCP":
        deny = "tcp-request content reject"
    else:
        deny = "http-request deny deny_status 503"
    if breaker.get("maxRequests") is not None:
        made.append(f"{deny} if {{ be_conn({name}) gt {breaker['maxRequests']} }}")
    if breaker.get("maxPending") is not None:
        made.append(f"{deny} if {{ queue({name}) ge {breaker['maxPending']} }}")
    return made


def _health_check(check: Mapping[str, Any] | None) -> list[str]:
    if not check:
        return []
    made = [f"timeout check {duration(check.get('timeout', '2s'))}"]
    if check.get("http") is not None:
        made += [
            "option httpchk",
            f"http-check send meth GET uri {quoted(check['http'])} ver HTTP/1.1 hdr host hrctl",
            "http-check expect status 200-299",
        ]
    return made


def _options(spec: Spec, check: Mapping[str, Any] | None) -> str:
    """What each server of a destination has; dynamic ones have no `default-server`."""
    made = []
    breaker: Mapping[str, Any] | None = spec.get("circuitBreaker")
    if spec["type"] == "GRPC":
        made.append("proto h2")
    open_for = breaker.get("openFor", "30s") if breaker else 0
    if check:
        if str(check.get("tcp", "")).isdigit():
            made.append(f"port {check['tcp']}")
        interval = check.get("interval", "10s")
        rise = int(check.get("healthyThreshold", 1))
        if breaker:  # checks alone bring a host back, so they have to take `openFor` for it
            rise = max(rise, ceil(seconds(open_for) / seconds(interval)) + 1)
        fall = times(check.get("unhealthyThreshold", 3))
        made.append(f"check inter {duration(interval)} fall {fall} rise {times(rise)}")
    elif breaker:
        seldom = f"inter {_SELDOM} fastinter {duration(open_for)} downinter {duration(open_for)}"
        made.append(f"check {seldom} fall 3 rise 1")
    if breaker:
        layer = "layer4" if spec["type"] == "TCP" else "layer7"
        limit = times(breaker.get("failureThreshold", 5))
        made.append(f"observe {layer} error-limit {limit} on-error mark-down")
    return "".join(f" {one}" for one in made)


def defaults() -> list[str]:
    """The sections that frontends and backends of ours take after, and nobody else's."""
    both = [
        "    timeout connect 1s",
        "    timeout client 1h",
        f"    timeout server {FOREVER}",
        f"    timeout tunnel {FOREVER}",
        f"    timeout queue {FOREVER}",
    ]
    return [
        "defaults hrctl-http",
        "    mode http",
        *both,
        "    retries 0",
        "    option idle-close-on-response",  # a reload closes no connection under a request
        "",
        "defaults hrctl-tcp",
        "    mode tcp",
        *both,
        "    retries 0",
    ]


def any_named(found: Sequence[Backend]) -> bool:
    """Whether hosts are to be looked up."""
    return any(not is_ip(one.host) for backend in found for one in backend.servers)
