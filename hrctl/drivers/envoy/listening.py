"""Who listens where, and what Envoy cannot do: refused before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.names import is_ip, split_address
from hrctl.drivers.envoy.place import Place
from hrctl.drivers.envoy.snapshot import LDS, listen_of, resources_of
from hrctl.logic.mesh.order import shares
from hrctl.model.address import Address
from hrctl.model.values import Body


class Listeners:
    """The listeners of some bodies, and of those that are added."""

    def __init__(self, bodies: Mapping[Address, Body], place: Place) -> None:
        self._settings = place.settings
        self._local = place.embedded
        self._routes: dict[str, dict[Address, Any]] = {}
        for address, body in bodies.items():
            if address.kind == "Route":
                self._routes.setdefault(listen_of(body["spec"], self._settings), {})[address] = body
        lds = place.settings.folder / LDS
        present = resources_of(lds.read_bytes()) if lds.exists() else []
        self._open = {one.get("name") for one in present}

    def add(self, address: Address, body: Body | None) -> None:
        """Take in what a change makes of a route.

        Raises:
            HrctlError: HR213, where another route of the listener speaks something else; HR088,
                where another program has the port.
        """
        for routes in self._routes.values():
            routes.pop(address, None)
        if body is None or address.kind != "Route":
            return
        listen = listen_of(body["spec"], self._settings)
        others = self._routes.setdefault(listen, {})
        self._require_same_sort(address, body, listen, others)
        if self._local and listen not in self._open and not others:
            _require_free(address, listen)
        others[address] = body

    @staticmethod
    def _require_same_sort(
        address: Address, body: Body, listen: str, others: Mapping[Address, Body]
    ) -> None:
        spec = body["spec"]
        for other, theirs in others.items():
            kinds = {spec["type"] == "TCP", theirs["spec"]["type"] == "TCP"}
            if len(kinds) > 1:
                raise HrctlError.of(
                    "HR213",
                    f"{listen} cannot be HTTP for one route and TCP for another:"
                    f" {address} and {other}",
                    hint="let one of them listen elsewhere",
                )
            names = set(spec.get("hosts") or [None]) & set(theirs["spec"].get("hosts") or [None])
            if kinds == {True} and names:
                raise HrctlError.of(
                    "HR213",
                    f"two TCP routes listen at {listen} and nothing tells them apart:"
                    f" {address} and {other}",
                    hint="let one of them listen elsewhere, or give both `hosts` (for TLS)",
                )


def _require_free(address: Address, listen: str) -> None:
    from hrctl.drivers.supervisor.command import PortUse
    from hrctl.drivers.supervisor.ports import require_free

    port = split_address(listen)[1]
    require_free(address, [PortUse("listen", 0, port, "tcp")], groups=dict)


def require_possible(address: Address, body: Body) -> None:
    """Refuse by name what Envoy has no way to do.

    Raises:
        HrctlError: HR212.
    """
    spec = body["spec"]
    if (spec.get("healthCheck") or {}).get("command") is not None:
        raise HrctlError.of(
            "HR212",
            f"{address}: Envoy cannot run a command as a health check",
            hint="use healthCheck.http or healthCheck.tcp",
        )
    if (spec.get("circuitBreaker") or {}).get("halfOpenRequests") is not None:
        raise HrctlError.of(
            "HR212",
            f"{address}: Envoy knows no bound for the requests of a host that comes back"
            " (circuitBreaker.halfOpenRequests)",
            hint="leave it out: after `openFor` the host gets its share, and so many failures in a"
            " row as `failureThreshold` open the circuit again",
        )
    if address.kind == "Route" and spec.get("listen"):
        host = split_address(spec["listen"])[0]
        if host != "localhost" and not is_ip(host):
            raise HrctlError.of(
                "HR212",
                f"{address}: Envoy listens at numbers, not at the name '{host}'",
                hint="write the address, such as 127.0.0.1 or 0.0.0.0",
            )
    if address.kind == "Route" and not any(shares(spec)):
        raise HrctlError.of(
            "HR212",
            f"{address}: no destination has a share of the requests",
            hint="give a destination of a subset that has a percentage a weight above 0",
        )
    if spec.get("type") == "TCP" and spec.get("trafficSplit"):
        raise HrctlError.of("HR212", f"{address}: a TCP route cannot split requests")
