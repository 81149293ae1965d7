"""Who listens where: what cannot share a listener, and ports that somebody else has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hrctl.diagnostics import HrctlError
from hrctl.drivers.mesh.names import split_address
from hrctl.logic.mesh.order import hosts
from hrctl.model.address import Address
from hrctl.model.values import Body


class Listeners:
    """The listeners of some bodies, and of those that are added.

    `default` is where routes listen that do not say so; `present` are listeners that the proxy has
    open; a port that it has not is looked at where the proxy is `local`.
    """

    def __init__(
        self,
        bodies: Mapping[Address, Body],
        default: str,
        present: Collection[str],
        *,
        local: bool,
    ) -> None:
        self._default = default
        self._local = local
        self._open = present
        self._routes: dict[str, dict[Address, Any]] = {}
        for address, body in bodies.items():
            if address.kind == "Route":
                self._routes.setdefault(self._listen(body), {})[address] = body

    def _listen(self, body: Body) -> str:
        return str(body["spec"].get("listen") or self._default)

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
        listen = self._listen(body)
        others = self._routes.setdefault(listen, {})
        _require_same_sort(address, body, listen, others)
        # one that the proxy has itself, such as 127.0.0.1 of it in place of 0.0.0.0, is shared
        if self._local and _port(listen) not in map(_port, self._open) and not others:
            require_free(address, listen)
        others[address] = body


def _port(listen: str) -> int:
    return split_address(listen)[1]


def _require_same_sort(
    address: Address, body: Body, listen: str, others: Mapping[Address, Body]
) -> None:
    spec = body["spec"]
    for other, theirs in others.items():
        kinds = {spec["type"] == "TCP", theirs["spec"]["type"] == "TCP"}
        if len(kinds) > 1:
            raise HrctlError.of(
                "HR213",
                f"{listen} cannot be HTTP for one route and TCP for another: {address} and {other}",
                hint="let one of them listen elsewhere",
            )
        if kinds == {True} and set(hosts(spec)) & set(hosts(theirs["spec"])):
            raise HrctlError.of(
                "HR213",
                f"two TCP routes listen at {listen} and nothing tells them apart:"
                f" {address} and {other}",
                hint="let one of them listen elsewhere, or give both `hosts` (for TLS)",
            )


def require_free(address: Address, listen: str) -> None:
    """Refuse where another program has the port.

    Raises:
        HrctlError: HR088, with who has it.
    """
    from hrctl.drivers.supervisor.command import PortUse
    from hrctl.drivers.supervisor.ports import require_free as require

    require(address, [PortUse("listen", 0, split_address(listen)[1], "tcp")], groups=dict)
