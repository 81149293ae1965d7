"""Names that Envoy's resources and their files have, and small pieces that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrctl.drivers.mesh.names import numeric
from hrctl.model.kinds.units import seconds

Resource = dict[str, Any]

OWN = "hrctl"  # the key of our metadata


def duration(written: str | float) -> str:
    """As protobuf's JSON has it: ``0.025s``."""
    return f"{seconds(written):.9f}".rstrip("0").rstrip(".") + "s"


def socket_address(address: str) -> Resource:
    """Envoy's form of ``host:port``."""
    host, port = numeric(address)
    return {"socket_address": {"address": host, "port_value": port}}


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
