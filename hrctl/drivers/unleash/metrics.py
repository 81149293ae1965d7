"""How often applications asked for a flag, from what their SDKs report to Unleash.

An SDK reports once a minute; Unleash keeps counts by the hour for 48 hours, and for longer when it
last heard of each flag in each environment.
https://docs.getunleash.io/reference/api/unleash/get-raw-feature-metrics
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from hrctl.drivers.api import Count
from hrctl.drivers.unleash.client import Client, asked, part
from hrctl.drivers.unleash.listing import Listed, listed, moment
from hrctl.drivers.unleash.places import Places
from hrctl.model.address import Address

HOURS: Final = 48  # the most that it takes; the present one is the last of them
_AT_ONCE: Final = 4  # as many connections as an Unleash has to its database, by default
_FEW: Final = 50  # idle features that are asked about all the same
_SLACK: Final = timedelta(hours=1)  # that its clock and ours may differ


def counts(client: Client, places: Places, addresses: Sequence[Address]) -> Iterator[Count]:
    """A count for each of these that is there.

    One request lists a project; one more is needed for each feature that was asked for within the
    hours that are kept. Unleash notes that only half a minute later, so a few that seem idle are
    looked at, too.
    """
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=HOURS - 1)
    found = listed(client, places, addresses)
    busy = {
        address.name
        for address, here in found.items()
        if here.last is not None and here.last >= since - _SLACK
    }
    idle = {address.name for address in found} - busy
    names = busy | idle if len(idle) <= _FEW else busy
    ordered = sorted(names)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        raw = dict(zip(ordered, pool.map(partial(_raw, client), ordered), strict=True))
    for address, here in found.items():
        begin = here.made.replace(minute=0, second=0, microsecond=0)
        rows = [  # one of the same name that was deleted left its counts behind
            one
            for one in raw.get(address.name, ())
            if one["environment"] == here.place.environment and moment(one["timestamp"]) >= begin
        ]
        yield _count(address, here, rows, since)


def _raw(client: Client, name: str) -> list[dict[str, Any]]:
    """Rows of an hour, an application and an environment each."""
    path = f"/client-metrics/features/{part(name)}/raw?hoursBack={HOURS}"
    rows: list[dict[str, Any]] = asked(client, "GET", path)["data"]
    return [one for one in rows if one["yes"] or one["no"]]


def _count(address: Address, here: Listed, rows: list[dict[str, Any]], since: datetime) -> Count:
    variants: Counter[str] = Counter()
    for one in rows:
        variants.update({name: int(n) for name, n in (one.get("variants") or {}).items()})
    moments = [moment(one["timestamp"]) for one in rows]
    last = max([*moments, *([here.last] if here.last else [])], default=None)
    return Count(
        address,
        sum(one["yes"] for one in rows),
        sum(one["no"] for one in rows),
        since=since,
        last=last,
        known=here.made,
        variants=dict(sorted(variants.items())),
        applications=tuple(sorted({one["appName"] for one in rows})),
    )
