"""Names that Envoy's resources and their files have, and small pieces that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from ipaddress import ip_address
from typing import Any

from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json, canonical

Resource = dict[str, Any]

OWN = "hrctl"  # the key of our metadata


def ident(address: Address) -> str:
    """A short name of a resource, fit for statistics: ``storefront-3f2a91c04d``."""
    digest = blake2b(address.encode(), digest_size=5).hexdigest()
    return f"{address.name[:40]}-{digest}"


def cluster_name(route: Address, destination: Mapping[str, Json], taken: Mapping[str, Any]) -> str:
    """The name of a destination's cluster; a change of weight leaves it as it is."""
    kept = {key: item for key, item in destination.items() if key not in {"weight", "endpoints"}}
    digest = blake2b(canonical(kept).encode(), digest_size=3).hexdigest()
    label = destination.get("subset") or str(destination.get("service", "")).rpartition("/")[2]
    name = f"{ident(route)}-{str(label or 'to')[:20]}-{digest}"
    number = 2
    while name in taken:  # the same destination twice
        name = f"{name.partition('~')[0]}~{number}"
        number += 1
    return name


def duration(written: str | float) -> str:
    """As protobuf's JSON has it: ``0.025s``."""
    return f"{seconds(written):.9f}".rstrip("0").rstrip(".") + "s"


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[::1]:port``."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_ip(host: str) -> bool:
    """Whether a host is a number, which needs no name server."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def socket_address(address: str) -> Resource:
    """Envoy's form of ``host:port``."""
    host, port = split_address(address)
    numeric = "127.0.0.1" if host == "localhost" else host
    return {"socket_address": {"address": numeric, "port_value": port}}


def marked(address: str) -> Resource:
    """Metadata that tells whose a part of the configuration is."""
    return {"filter_metadata": {OWN: {"address": address}}}


def owner_of(part: Mapping[str, Any]) -> str | None:
    """The address in a part's metadata."""
    metadata = (part.get("metadata") or {}).get("filter_metadata") or {}
    found = (metadata.get(OWN) or {}).get("address")
    return found if isinstance(found, str) else None


def source(path: str, folder: str) -> Resource:
    """A subscription to a file; the folder is of its own, so that no other file wakes it."""
    return {
        "path_config_source": {"path": path, "watched_directory": {"path": folder}},
        "resource_api_version": "V3",
    }
