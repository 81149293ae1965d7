"""Routes that cannot listen at the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from ipaddress import ip_address
from typing import Final

from hrctl.logic.mesh.order import Spec, by_host, hosts


class Clash(Enum):
    """Why two routes cannot share a listener; the value is the way out."""

    SORTS = "let one of them listen elsewhere"
    STREAMS = "let one of them listen elsewhere, or give both `hosts` (for TLS)"

    @property
    def hint(self) -> str:
        """The way out."""
        return self.value

    def summary(self, listen: str, address: str, other: str) -> str:
        """What is wrong, in words."""
        if self is Clash.SORTS:
            return (
                f"{listen} cannot be HTTP for one route and TCP for another: {address} and {other}"
            )
        return (
            f"two TCP routes listen at {listen} and nothing tells them apart: {address} and {other}"
        )


def clash(spec: Spec, other: Spec) -> Clash | None:
    """Why two routes that listen at the same place cannot; None where they can."""
    streams = (spec["type"] == "TCP") + (other["type"] == "TCP")
    if streams == 1:
        return Clash.SORTS
    if streams and not set(hosts(spec)).isdisjoint(hosts(other)):
        return Clash.STREAMS
    return None


SPELLING: Final = "write both in the same way, so that they share the listener"


def place(listen: str) -> tuple[str, str]:
    """Host and port that an address stands for, which may be written in several ways."""
    host, _, port = listen.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        return ip_address(host).compressed, port
    except ValueError:
        return host, port


def is_ip(host: str) -> bool:
    """Whether a host is a number, which needs no name server."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_at_a_number(listen: str) -> bool:
    """Whether a proxy can listen there: at a number, or localhost, which always stands for one."""
    host, _ = place(listen)
    return is_ip(host)


def spelled_twice(listen: str, address: str, their_listen: str, other: str) -> str:
    """What is wrong where two routes write one place in two ways, in words."""
    return f"{listen} of {address} is the same place as {their_listen} of {other}"


def clashes(routes: Mapping[str, Spec]) -> Iterator[tuple[str, str, Clash]]:
    """Each TCP route that cannot be where it is, and another one that is there.

    Args:
        routes: specs by address, all of one listener.
    """
    streams = {address: one for address, one in routes.items() if one.get("type") == "TCP"}
    other = next((address for address in sorted(routes) if address not in streams), None)
    if other is not None:
        yield from ((address, other, Clash.SORTS) for address in sorted(streams))
        return
    told: set[str] = set()
    for some in by_host(streams).values():
        first, *late = some
        yield from ((one, first, Clash.STREAMS) for one in late if one not in told)
        told.update(late)
