"""Who listens where: what cannot share a listener, and ports that somebody else has."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Mapping

from hrctl.diagnostics import HrctlError
from hrctl.drivers.mesh.names import split_address
from hrctl.logic.mesh.listening import SPELLING, clash, place, spelled_twice
from hrctl.logic.mesh.order import Spec
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
        self._at: dict[Address, str] = {}
        self._routes: dict[str, dict[Address, Body]] = {}
        for address, body in bodies.items():
            self._put(address, body)

    def _put(self, address: Address, body: Body) -> None:
        if address.kind == "Route":
            listen = self._at[address] = self._listen(body)
            self._routes.setdefault(listen, {})[address] = body

    def _listen(self, body: Body) -> str:
        return str(body["spec"].get("listen") or self._default)

    def leave(self, address: Address) -> None:
        """Take a route from where it is: those that change together may change places."""
        listen = self._at.pop(address, None)
        if listen is not None:
            del self._routes[listen][address]

    def add(self, address: Address, body: Body | None) -> None:
        """Take in what a change makes of a route that left.

        Raises:
            HrctlError: HR213, where another route of the listener speaks something else, or writes
                it in another way; HR088, where another program has the port.
        """
        if body is None or address.kind != "Route":
            return
        listen = self._listen(body)
        others = self._routes.get(listen, {})
        self._require_spelling(listen, address)
        for other, theirs in others.items():
            require_apart(listen, address, body["spec"], other, theirs["spec"])
        # one that the proxy has itself, such as 127.0.0.1 of it in place of 0.0.0.0, is shared
        if self._local and _port(listen) not in map(_port, self._open) and not others:
            require_free(address, listen)
        self._put(address, body)

    def _require_spelling(self, listen: str, address: Address) -> None:
        """Two listeners of one place would take requests from each other, by chance."""
        where = place(listen)
        for written, routes in self._routes.items():
            if routes and written != listen and place(written) == where:
                said = spelled_twice(listen, address, written, min(routes))
                raise HrctlError.of("HR213", said, hint=SPELLING)


def _port(listen: str) -> int:
    return split_address(listen)[1]


def is_taken(listen: str) -> bool:
    """Whether some program listens at ``host:port``, or at all addresses of that port."""
    host, port = split_address(listen)
    six = ":" in host
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((host, port))
        except OSError as error:  # what else is wrong the proxy itself says
            return error.errno == errno.EADDRINUSE
    return False


def require_apart(listen: str, address: Address, spec: Spec, other: Address, theirs: Spec) -> None:
    """Refuse what cannot share a listener.

    Raises:
        HrctlError: HR213.
    """
    found = clash(spec, theirs)
    if found is not None:
        said = found.summary(listen, address, other)
        raise HrctlError.of("HR213", said, hint=found.hint)


def require_free(address: Address, listen: str) -> None:
    """Refuse where another program has the port.

    Raises:
        HrctlError: HR088, with who has it.
    """
    from hrctl.drivers.supervisor.command import PortUse
    from hrctl.drivers.supervisor.ports import require_free as require

    require(address, [PortUse("listen", 0, split_address(listen)[1], "tcp")], groups=dict)
