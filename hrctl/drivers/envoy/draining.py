"""What hosts have to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hrctl.drivers.envoy.admin import Admin


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
