"""Names of what a proxy is told of, and addresses as proxies want them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from hrctl.model.address import Address
from hrctl.model.values import Json, canonical

DEFAULT_LISTEN: Final = "127.0.0.1:10000"  # where routes listen, if nothing says where


def ident(address: Address) -> str:
    """A short name of a resource, fit for statistics: ``storefront-3f2a91c04d``."""
    digest = blake2b(address.encode(), digest_size=5).hexdigest()
    return f"{address.name[:40]}-{digest}"


def cluster_name(
    route: Address, destination: Mapping[str, Json], taken: Mapping[str, Any], sign: str = "~"
) -> str:
    """The name of a destination's hosts; a change of weight leaves it as it is.

    `sign` comes before the number that tells the same destination apart from itself.
    """
    kept = {key: item for key, item in destination.items() if key not in {"weight", "endpoints"}}
    digest = blake2b(canonical(kept).encode(), digest_size=3).hexdigest()
    label = destination.get("subset") or str(destination.get("service", "")).rpartition("/")[2]
    name = f"{ident(route)}-{str(label or 'to')[:20]}-{digest}"
    number = 2
    while name in taken:  # the same destination twice
        name = f"{name.partition(sign)[0]}{sign}{number}"
        number += 1
    return name


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[::1]:port``."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def numeric(address: str) -> tuple[str, int]:
    """As `split_address`, ``localhost`` as a number."""
    host, port = split_address(address)
    return "127.0.0.1" if host == "localhost" else host, port


def called(destination: Mapping[str, Json]) -> str:
    """A destination for people: its subset, else what it is."""
    for key in ("subset", "service", "address"):
        if destination.get(key):
            return str(destination[key])
    return "grid"
