"""How the nodes of a grid destination share requests, under each of the five strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from hrctl.logic.grid import chash, ring
from hrctl.logic.grid.selection import Spec, is_open, select

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
) -> Balance:
    """What a grid destination does with requests.

    Args:
        nodes: specs of all nodes by the address of the resource.
        grid: the `grid` block of a destination.
        key: the value that CONSISTENT_HASH looks at.
        proxy: whose ring it is, ``envoy`` or ``haproxy``.
    """
    strategy = str(grid.get("balance") or "ROUND_ROBIN")
    open_ = [one for one in select(nodes, grid) if is_open(nodes[one])]
    weights = {one: max(1, int(nodes[one].get("weight", 1))) for one in open_}
    if strategy == "CONSISTENT_HASH":
        return _hashed(nodes, ordered(nodes, open_), weights, key, proxy)
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


def _hashed(
    nodes: Mapping[str, Spec],
    chosen: list[str],
    weights: Mapping[str, int],
    key: str | None,
    proxy: str,
) -> Balance:
    by_place = {place_of(nodes[one]): one for one in chosen}
    if proxy == "haproxy":
        by_place = {place.replace("[", "").replace("]", ""): one for place, one in by_place.items()}
        made: chash.Ring | ring.Ring = chash.build(
            {place: weights[one] for place, one in by_place.items()}
        )
    else:
        made = ring.build({place: weights[one] for place, one in by_place.items()})
    shares = {by_place[place]: share for place, share in made.shares().items()}
    found = by_place[made.choose(key)] if key is not None and by_place else None
    return Balance("CONSISTENT_HASH", shares, found)


def place_of(spec: Spec) -> str:
    """A node's address as Envoy has it."""
    host, _, port = str(spec["address"]).rpartition(":")
    return f"{'127.0.0.1' if host == 'localhost' else host}:{port}"
