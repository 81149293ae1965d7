"""How the nodes of a grid destination share requests, under each of the five strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from socket import AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple

from hrctl.logic.grid import chash, ring
from hrctl.logic.grid.selection import Spec, is_open, select

NOTHING: Final[Mapping[str, Sequence[str]]] = {}
STRATEGIES: Final = (
    "ROUND_ROBIN",
    "LEAST_CONNECTIONS",
    "WEIGHTED",
    "RANDOM",
    "CONSISTENT_HASH",
)


class Balance(NamedTuple):
    """Who may get a request, and in which part of all cases.

    `shares` are expected parts that add up to 1; under LEAST_CONNECTIONS those of nodes that are
    equally busy. `chosen` is the one node that a key leads to, under CONSISTENT_HASH.
    """

    strategy: str
    shares: dict[str, float]
    chosen: str | None = None


def balance(
    nodes: Mapping[str, Spec],
    grid: Mapping[str, object],
    key: str | None = None,
    proxy: str = "envoy",
    resolved: Mapping[str, Sequence[str]] = NOTHING,
) -> Balance:
    """What a grid destination does with requests.

    Args:
        nodes: specs of all nodes by the address of the resource.
        grid: the `grid` block of a destination.
        key: the value that CONSISTENT_HASH looks at.
        proxy: whose ring it is, ``envoy`` or ``haproxy``.
        resolved: the addresses of host names, which Envoy's ring hashes in place of the names.
    """
    strategy = str(grid.get("balance") or "ROUND_ROBIN")
    open_ = [one for one in select(nodes, grid) if is_open(nodes[one])]
    weights = {one: max(1, int(nodes[one].get("weight", 1))) for one in open_}
    if strategy == "CONSISTENT_HASH":
        chosen = ordered(nodes, open_)
        if proxy == "haproxy":
            places = {named(nodes[one]): one for one in chosen}
            ring_of = chash.build({place: weights[one] for place, one in places.items()})
            return _hashed(places, ring_of, key)
        places = {place: one for one in chosen for place in places_of(nodes[one], resolved)}
        return _hashed(places, ring.build({p: weights[one] for p, one in places.items()}), key)
    if strategy != "WEIGHTED":
        weights = dict.fromkeys(open_, 1)
    total = sum(weights.values())
    return Balance(strategy, {one: weight / total for one, weight in weights.items()})


def ordered(nodes: Mapping[str, Spec], chosen: list[str]) -> list[str]:
    """In the order of the endpoints: by region and zone, then by address."""
    return sorted(
        chosen,
        key=lambda one: (
            str(nodes[one].get("region") or ""),
            str(nodes[one].get("zone") or ""),
            one,
        ),
    )


def _hashed(places: Mapping[str, str], made: chash.Ring | ring.Ring, key: str | None) -> Balance:
    shares: dict[str, float] = {}
    for place, share in made.shares().items():
        shares[places[place]] = shares.get(places[place], 0.0) + share
    found = places[made.choose(key)] if key is not None and places else None
    return Balance("CONSISTENT_HASH", shares, found)


def host_of(spec: Spec) -> str:
    """Return the host of a node's address, ``localhost`` as a number."""
    host = str(spec["address"]).rpartition(":")[0].strip("[]")
    return "127.0.0.1" if host == "localhost" else host


def named(spec: Spec) -> str:
    """Return a node's address as its server is called in HAProxy."""
    return f"{host_of(spec)}:{str(spec['address']).rpartition(':')[2]}"


def places_of(spec: Spec, resolved: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a node's addresses as Envoy writes them, however they are spelled."""
    host, port = host_of(spec), str(spec["address"]).rpartition(":")[2]
    return [f"{_written(one)}:{port}" for one in resolved.get(host) or [host]]


def _written(host: str) -> str:
    with suppress(OSError):  # it is no address of IPv6
        return f"[{inet_ntop(AF_INET6, inet_pton(AF_INET6, host))}]"
    return host
