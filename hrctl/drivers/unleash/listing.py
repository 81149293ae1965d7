"""Where each flag is in Unleash: one request for each of its projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hrctl.diagnostics import HrctlError
from hrctl.drivers.unleash.client import Client, asked, part
from hrctl.drivers.unleash.marks import all_marks
from hrctl.drivers.unleash.places import Place, Places
from hrctl.model.address import Address


@dataclass(frozen=True, slots=True)
class Listed:
    """A feature in one environment: its spec by hrctl's mark, when made, and when last asked for.

    The spec is empty where there is no mark: people made it, or wrote over the description.
    """

    place: Place
    spec: dict[str, Any]
    made: datetime
    last: datetime | None


def listed(client: Client, places: Places, addresses: Sequence[Address]) -> dict[Address, Listed]:
    """Those of the flags that are there, whoever made them, but for what bears another's mark."""
    by_project: dict[str, dict[Address, Place]] = {}
    for address in addresses:
        try:
            place = places.of(address)
        except HrctlError:  # a registry without an environment: it was never applied
            continue
        by_project.setdefault(place.project, {})[address] = place
    found: dict[Address, Listed] = {}
    for project, placed in by_project.items():
        features = asked(client, "GET", f"/projects/{part(project)}/features")["features"]
        by_name = {one["name"]: one for one in features}
        for address, place in placed.items():
            one = by_name.get(address.name)
            if one is None:
                continue
            mark = all_marks(one.get("description") or "").get(place.environment)
            if mark is None or mark["address"] == address:
                found[address] = _one(one, place, mark["body"]["spec"] if mark else {})
    return {address: found[address] for address in addresses if address in found}


def _one(feature: dict[str, Any], place: Place, spec: dict[str, Any]) -> Listed:
    seen = {one["name"]: one.get("lastSeenAt") for one in feature.get("environments") or ()}
    last = seen.get(place.environment)
    return Listed(place, spec, moment(feature["createdAt"]), moment(last) if last else None)


def moment(text: str) -> datetime:
    """A moment as Unleash writes it, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
