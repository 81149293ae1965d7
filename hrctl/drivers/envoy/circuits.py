"""The state of circuits, from what Envoy says of hosts now, and of those that came back lately.

Envoy ejects a host after so many failures in a row, gives it nothing for `openFor`, and then its
full share again: as many failures in a row eject it anew. It has no bound for the requests of that
trial, and its admin interface does not tell how long ago a host came back. Its events do: the
embedded Envoy writes them among its log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hrctl.drivers.envoy.draining import place_of
from hrctl.drivers.mesh.names import split_address

Host = Mapping[str, Any]

_TAIL: Final = 2**20  # bytes of the log that are looked at: some 4,000 events
_LINE: Final = b'{"type":'

# what Envoy says of a host that gets nothing
_SICK: Final = (
    "failed_active_health_check",
    "failed_outlier_check",
    "failed_active_degraded_check",
    "pending_dynamic_removal",
    "pending_active_hc",
)


def is_well(host: Host) -> bool:
    """Whether a host gets requests."""
    health = host.get("health_status", {})
    return health.get("eds_health_status", "HEALTHY") in {"HEALTHY", "UNKNOWN"} and not any(
        health.get(one) for one in _SICK
    )


def is_ejected(host: Host) -> bool:
    """Whether the circuit breaker keeps requests from a host."""
    return bool(host.get("health_status", {}).get("failed_outlier_check"))


def state(found: Sequence[Host], on_trial: Collection[tuple[str, int]]) -> str:
    """The state of a destination's circuit breaker.

    OPEN where hosts are left alone and no other takes requests; HALF_OPEN where some are left
    alone, or on trial; else CLOSED.

    Args:
        found: the hosts of the destination.
        on_trial: hosts and ports that came back lately, see `trials`.
    """
    if any(map(is_ejected, found)):
        return "HALF_OPEN" if any(map(is_well, found)) else "OPEN"
    return "HALF_OPEN" if any(place_of(host) in on_trial for host in found) else "CLOSED"


def trials(log: Path, cluster: str, open_for: float) -> set[tuple[str, int]]:
    """Hosts and ports of a cluster that came back less than `open_for` seconds ago.

    An ejection counts until the end of that time too: that its host came back is written later
    than it happens.
    """
    last: dict[tuple[str, int], tuple[bool, float]] = {}
    for event in _events(log):
        if event.get("cluster_name") == cluster:
            at = datetime.fromisoformat(event["timestamp"]).timestamp()
            last[split_address(event["upstream_url"])] = event["action"] == "EJECT", at
    now = time.time()
    return {place for place, (ejected, at) in last.items() if now - at < open_for * (1 + ejected)}


def _events(log: Path) -> list[dict[str, Any]]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines[:-1] if line.startswith(_LINE)]
