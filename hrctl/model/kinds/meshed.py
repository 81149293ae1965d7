"""What routes and nodes are held against each other by; kept with the record of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hrctl.model.values import Json

COMPARED: Final = {
    "Route": ("type", "listen", "hosts", "match"),
    "Node": ("type", "region", "zone", "labels", "state", "healthCheck"),
}


def compared(kind: str, spec: Mapping[str, Json]) -> dict[str, Any]:
    """What a route or node is held against others by; of a route its grid destinations too."""
    found = {key: spec[key] for key in COMPARED[kind] if spec.get(key) is not None}
    destinations = spec.get("destinations")
    for number, one in enumerate(destinations if isinstance(destinations, list) else ()):
        if isinstance(one, dict) and isinstance(one.get("grid"), dict):
            found.setdefault("grids", []).append([number, one["grid"]])
    return found
