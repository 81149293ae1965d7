"""Envoy's ring hash: which node a key goes to.

Source: Envoy, ``source/extensions/load_balancing_policies/ring_hash/ring_hash_lb.cc``, with
``xxHash64`` (seed 0). A host stands on the ring as often as its share of the weight asks for, at
the hashes of ``<address>_<i>``; a key goes to the first host at or after its own hash.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xxhash import xxh64_intdigest

MINIMUM: Final = 1024
MAXIMUM: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ring:
    """Sorted hashes, and the host at each."""

    hashes: list[int]
    hosts: list[str]

    def choose(self, key: str) -> str:
        """The host of a key.

        Raises:
            ValueError: where there is no host.
        """
        if not self.hashes:
            raise ValueError("the ring is empty")
        place = bisect_left(self.hashes, xxh64_intdigest(key.encode()))
        return self.hosts[place % len(self.hosts)]

    def shares(self) -> dict[str, float]:
        """The part of all keys that each host gets: the length of its arcs."""
        found: dict[str, float] = {}
        before = self.hashes[-1] - 2**64 if self.hashes else 0
        for point, host in zip(self.hashes, self.hosts, strict=True):
            found[host] = found.get(host, 0.0) + (point - before) / 2**64
            before = point
        return found


def build(weights: Mapping[str, int], minimum: int = MINIMUM, maximum: int = MAXIMUM) -> Ring:
    """The ring of hosts.

    Args:
        weights: by address (``127.0.0.1:8080``), in the order in which Envoy was told of them.
        minimum: how many points there are at least.
        maximum: how many at most.
    """
    total = sum(weights.values())
    if not total:
        return Ring([], [])
    least = min(weight for weight in weights.values() if weight) / total
    scale = min(math.ceil(least * minimum) / least, float(maximum))
    points: list[tuple[int, str]] = []
    target = 0.0
    for host, weight in weights.items():
        target += scale * (weight / total)  # Envoy rounds so: the share first
        number = 0
        while len(points) < target:
            points.append((xxh64_intdigest(f"{host}_{number}".encode()), host))
            number += 1
    points.sort(key=lambda point: point[0])
    return Ring([point for point, _ in points], [host for _, host in points])
