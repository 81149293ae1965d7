"""How hosts and nodes are, in words that do not depend on the proxy that was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hrctl.drivers.api import HealthReport
from hrctl.drivers.mesh.names import called
from hrctl.model.address import Address
from hrctl.model.values import Body


def of_grids(
    bodies: Mapping[Address, Body],
    names: Callable[[Address, Mapping[str, Any]], Sequence[str]],
) -> dict[str, Address]:
    """What a proxy calls the hosts of each grid destination -> the route that it belongs to.

    Args:
        bodies: of routes, and maybe others.
        names: gives what it calls those of each destination of a route.
    """
    return {
        name: address
        for address, body in bodies.items()
        if address.kind == "Route"
        for name, one in zip(
            names(address, body["spec"]), body["spec"]["destinations"], strict=True
        )
        if one.get("grid") is not None
    }


def of_destination(
    address: Address, destination: Mapping[str, Any], well: Sequence[bool], circuit: str | None
) -> HealthReport:
    """How a destination is.

    Args:
        address: of its route.
        destination: as the route has it.
        well: of each of its hosts, whether it gets requests.
        circuit: the state of its circuit breaker, where it has one.
    """
    count = sum(well)
    status = "DEGRADED" if count else "UNHEALTHY"
    if count and count == len(well):
        status = "HEALTHY"
    return HealthReport(
        address,
        status,
        detail=f"{count} of {len(well)} hosts well",
        destination=called(destination),
        circuit=circuit,
    )


def of_node(
    address: Address, body: Body, running: Callable[[], int], well: Mapping[Address, bool]
) -> HealthReport:
    """How a node is.

    Args:
        address: its own.
        body: what was applied.
        running: gives how many requests it answers just now.
        well: route that chooses it -> whether it is well there.
    """
    state = body["spec"].get("state", "ACTIVE")
    if state != "ACTIVE":
        number = running()
        detail = f"{number} request{'s' * (number != 1)} under way" if number else "idle"
        return HealthReport(address, state, detail=detail)
    if not well:
        return HealthReport(address, "IDLE", detail="no route chooses it")
    count = sum(well.values())
    status = "HEALTHY" if count == len(well) else "DEGRADED" if count else "UNHEALTHY"
    many = "s" * (len(well) != 1)
    return HealthReport(address, status, detail=f"well for {count} of {len(well)} route{many}")
