"""What the proxy that a Route or a Node is bound to has no way to do.

`validate` tells it with its places, and the driver refuses it before anything is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from hrctl.diagnostics import Diagnostic
from hrctl.logic.mesh import envoy, haproxy
from hrctl.logic.mesh.refusal import Refusal, Spec
from hrctl.model.address import Address


class Proxy(NamedTuple):
    """What a type of driver is called, what it refuses, and the way out."""

    name: str
    refusals: Callable[[str, Spec], list[Refusal]]
    hint: str


PROXIES: Final = {
    "envoy": Proxy("Envoy", envoy.refusals, "leave it out, or write it in a way that Envoy knows"),
    "haproxy": Proxy(
        "HAProxy",
        haproxy.refusals,
        "leave it out, or bind the kind to a driver that can, such as envoy",
    ),
}


def refused(driver: str, address: Address, spec: Spec) -> Diagnostic | None:
    """HR212 that names every such field of a resource; None where there is none."""
    proxy = PROXIES[driver]
    found = proxy.refusals(address.kind, spec)
    if not found:
        return None
    said = summary(proxy, address, found)
    return Diagnostic("HR212", said, address=address, hint=proxy.hint, note=reasons(found))


def summary(proxy: Proxy, address: str, found: Sequence[Refusal]) -> str:
    """What is asked for and cannot be had, by name."""
    return f"{address}: {proxy.name} cannot do {', '.join(one.name for one in found)}"


def reasons(found: Sequence[Refusal]) -> str:
    """Why, each by name."""
    return "; ".join(map(str, found))
