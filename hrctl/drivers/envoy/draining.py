"""Wait until nodes are idle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.names import socket_address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json


def active(admin: Admin) -> dict[tuple[str, int], int]:
    """Host and port -> requests and streams that run there, over all clusters."""
    found: dict[tuple[str, int], int] = {}
    for cluster in admin.json("/clusters?format=json").get("cluster_statuses", []):
        http = _sum(cluster.get("host_statuses", ()), "rq_total") > 0
        for host in cluster.get("host_statuses", ()):
            place = place_of(host)
            # idle connections are kept open for the next request; streams of TCP are not
            count = stat(host, "rq_active") if http else stat(host, "cx_active")
            found[place] = found.get(place, 0) + count
    return found


def _sum(hosts: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(stat(host, name) for host in hosts)


def place_of(host: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port of a host's status."""
    address = host.get("address", {}).get("socket_address", {})
    return str(address.get("address", "")), int(address.get("port_value", 0))


def stat(host: Mapping[str, Any], name: str) -> int:
    """One number of a host's status; Envoy leaves zeros out."""
    for one in host.get("stats", ()):
        if one.get("name") == name:
            return int(one.get("value", 0))
    return 0


def wait_until_idle(admin: Admin, nodes: Sequence[Mapping[str, Json]]) -> None:
    """Return when none of the nodes has anything to do, or its `drainTimeout` is over."""
    started = time.monotonic()
    waiting = {}
    for node in nodes:
        inner = socket_address(node["address"])["socket_address"]
        until = started + seconds(node.get("drainTimeout", "30s"))
        waiting[inner["address"], inner["port_value"]] = until
    while waiting:
        busy = active(admin)
        now = time.monotonic()
        waiting = {at: until for at, until in waiting.items() if busy.get(at) and now < until}
        if waiting:
            time.sleep(0.05)
