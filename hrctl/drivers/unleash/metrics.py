"""How often applications asked for a flag, from what their SDKs report to Unleash.

An SDK reports once a minute; Unleash keeps counts by the hour for 48 hours, and for longer when it
last heard of each flag in each environment.
https://docs.getunleash.io/reference/api/unleash/get-raw-feature-metrics
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Count
from hrctl.drivers.unleash.client import Client, asked, part
from hrctl.drivers.unleash.feature import all_marks
from hrctl.drivers.unleash.places import Place, Places
from hrctl.model.address import Address

HOURS: Final = 48  # the most that it takes; the present one is the last of them
_SLACK: Final = timedelta(hours=1)  # that its clock and ours may differ


@dataclass(frozen=True, slots=True)
class _Heard:
    """A feature in one environment: since when it is there, and when it was last asked for."""

    made: datetime
    last: datetime | None


def counts(client: Client, places: Places, addresses: Sequence[Address]) -> Iterator[Count]:
    """A count for each feature that bears the mark of one of these.

    One request lists a project; one more is needed for each feature that was asked for within the
    hours that are kept.
    """
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=HOURS - 1)
    placed = _placed(places, addresses)
    raw: dict[str, list[dict[str, Any]]] = {}
    for project in dict.fromkeys(place.project for place in placed.values()):
        here = {one: place for one, place in placed.items() if place.project == project}
        for address, heard in _listed(client, project, here).items():
            rows: list[dict[str, Any]] = []
            if heard.last is not None and heard.last >= since - _SLACK:
                if address.name not in raw:
                    raw[address.name] = _raw(client, address.name)
                environment = here[address].environment
                rows = [one for one in raw[address.name] if one["environment"] == environment]
            yield _count(address, heard, rows, since)


def _placed(places: Places, addresses: Sequence[Address]) -> dict[Address, Place]:
    found = {}
    for address in addresses:
        try:
            found[address] = places.of(address)
        except HrctlError:  # a registry without an environment: it was never applied
            continue
    return found


def _listed(client: Client, project: str, placed: dict[Address, Place]) -> dict[Address, _Heard]:
    by_name = {
        one["name"]: one
        for one in asked(client, "GET", f"/projects/{part(project)}/features")["features"]
    }
    found = {}
    for address, place in placed.items():
        one = by_name.get(address.name)
        mark = all_marks((one or {}).get("description") or "").get(place.environment)
        if one is None or mark is None or mark["address"] != address:
            continue
        said = {held["name"]: held.get("lastSeenAt") for held in one.get("environments") or ()}
        last = said.get(place.environment)
        made = _moment(one["createdAt"])
        found[address] = _Heard(made, _moment(last) if last else None)
    return found


def _raw(client: Client, name: str) -> list[dict[str, Any]]:
    """Rows of an hour, an application and an environment each."""
    path = f"/client-metrics/features/{part(name)}/raw?hoursBack={HOURS}"
    rows: list[dict[str, Any]] = asked(client, "GET", path)["data"]
    return [one for one in rows if one["yes"] or one["no"]]


def _count(address: Address, heard: _Heard, rows: list[dict[str, Any]], since: datetime) -> Count:
    variants: Counter[str] = Counter()
    for one in rows:
        variants.update({name: int(n) for name, n in (one.get("variants") or {}).items()})
    moments = [_moment(one["timestamp"]) for one in rows]
    last = max([*moments, *([heard.last] if heard.last else [])], default=None)
    return Count(
        address,
        sum(one["yes"] for one in rows),
        sum(one["no"] for one in rows),
        since=since,
        last=last,
        known=heard.made,
        variants=dict(sorted(variants.items())),
        applications=tuple(sorted({one["appName"] for one in rows})),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
