"""HAProxy's consistent hash: which node a key goes to.

Source: HAProxy 2.6, ``src/lb_chash.c``, ``include/haproxy/tools.h`` (`full_hash`), and
``src/hash.c`` (`hash_sdbm`), as ``hash-type consistent`` without arguments uses them. A server
stands on the ring 16 times for each point of its weight, at places that follow from its id; a key
goes to the server that is nearest, before it or behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

HEAVIEST: Final = 256  # a server's weight
_PLACES: Final = 16  # on the ring, for each point of weight
_RANGE: Final = HEAVIEST * _PLACES  # of an id's places
_IDS: Final = (1 << 20) - 1  # ids beyond would stand at the places of others
_WORD: Final = 0xFFFFFFFF


def ids(names: Iterable[str]) -> dict[str, int]:
    """An id for each server, which stays when others come and go, and with it its places."""
    taken: dict[int, str] = {}
    for name in sorted(names):
        number = int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) % _IDS
        while number + 1 in taken:
            number = (number + 1) % _IDS
        taken[number + 1] = name
    return {name: number for number, name in taken.items()}


def scaled(weights: Mapping[str, int]) -> dict[str, int]:
    """Weights in the same proportion, as near as can be, of which none is above `HEAVIEST`."""
    most = max(weights.values(), default=0)
    if most <= HEAVIEST:
        return dict(weights)
    return {
        name: max(1, round(weight * HEAVIEST / most)) if weight else 0
        for name, weight in weights.items()
    }


@dataclass(frozen=True, slots=True)
class Ring:
    """Sorted places, and the server at each."""

    places: list[int]
    servers: list[str]

    def choose(self, key: str) -> str:
        """The server of a key.

        Raises:
            ValueError: where there is no server.
        """
        if not self.places:
            raise ValueError("the ring is empty")
        wanted = full_hash(sdbm(key.encode()))
        after = bisect_left(self.places, wanted) % len(self.places)
        before = after - 1
        behind = (wanted - self.places[before]) & _WORD
        ahead = (self.places[after] - wanted) & _WORD
        return self.servers[before if behind <= ahead else after]

    def shares(self) -> dict[str, float]:
        """The part of all keys that each server gets: half of the arcs at both of its sides."""
        found: dict[str, float] = {}
        for index, server in enumerate(self.servers):
            before = (self.places[index] - self.places[index - 1]) & _WORD
            after = (self.places[(index + 1) % len(self.places)] - self.places[index]) & _WORD
            # alone on the ring it has all of it, which is no distance
            part = (before + after) / 2**33 if len(self.places) > 1 else 1.0
            found[server] = found.get(server, 0.0) + part
        return found


def build(weights: Mapping[str, int]) -> Ring:
    """The ring of servers.

    Args:
        weights: by name (``127.0.0.1:8080``); 0 is nowhere on the ring.
    """
    numbers = ids(weights)
    points = sorted(
        (full_hash(numbers[name] * _RANGE + place), name)
        for name, weight in scaled(weights).items()
        for place in range(weight * _PLACES)
    )
    return Ring([point for point, _ in points], [name for _, name in points])


def sdbm(key: bytes) -> int:
    """The hash of a text."""
    found = 0
    for sign in key:
        found = (sign + (found << 6) + (found << 16) - found) & _WORD
    return found


def full_hash(number: int) -> int:
    """Bob Jenkins' avalanche of an integer, spread over the ring."""
    a = number & _WORD
    a = (a + 0x7ED55D16 + (a << 12)) & _WORD
    a = (a ^ 0xC761C23C) ^ (a >> 19)
    a = (a + 0x165667B1 + (a << 5)) & _WORD
    a = ((a + 0xD3A2646C) ^ (a << 9)) & _WORD
    a = (a + 0xFD7046C5 + (a << 3)) & _WORD
    a = (a ^ 0xB55A4F09) ^ (a >> 16)
    return (a * 3221225473) & _WORD
