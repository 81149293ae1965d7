"""The order in which the matches of several routes are tried: the most specific one first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hrctl.model.values import Json

Spec = Mapping[str, Json]

_PORT: Final = re.compile(r":\d+\Z")
_KINDS: Final = {"exact": 0, "regex": 1, "prefix": 2}


class Entry(NamedTuple):
    """One match of one route: what is tried as a whole. `match` is empty where all fit."""

    address: str
    number: int
    match: Mapping[str, Any]


def entries(routes: Mapping[str, Spec]) -> list[Entry]:
    """Every match of the routes, in the order in which they are tried.

    Exact paths come before regular expressions, those before prefixes; the longer path before the
    shorter one; more conditions (a method, headers, to be a gRPC call) before fewer. What is equal
    in all that is tried in the order of addresses.

    Args:
        routes: specs by address, all of one listener and host.
    """
    found = [
        Entry(address, index, match)
        for address, spec in routes.items()
        for index, match in enumerate(spec.get("match") or ({},))
    ]
    return sorted(found, key=lambda entry: _key(entry, routes[entry.address]))


def _key(entry: Entry, spec: Spec) -> tuple[int, int, int, str, int]:
    path = entry.match.get("path") or {}
    kind = next((one for one in _KINDS if path.get(one) is not None), "prefix")
    headers = {name.lower() for name in entry.match.get("headers") or ()}
    conditions = len(headers) + bool(entry.match.get("method"))
    conditions += spec.get("type") == "GRPC"
    length = len(path.get(kind) or "/")  # without a path a match takes what begins with a slash
    return _KINDS[kind], -length, -conditions, entry.address, entry.number


def hosts(spec: Spec) -> list[str]:
    """The host names of a route in lower case, without ports; any is ``*``."""
    found = (_PORT.sub("", str(one).lower()) for one in spec.get("hosts") or ["*"])
    return list(dict.fromkeys(found))


def by_host(routes: Mapping[str, Spec]) -> dict[str, dict[str, Spec]]:
    """Host name -> the routes of one listener that ask for it."""
    found: dict[str, dict[str, Spec]] = {}
    for address, spec in sorted(routes.items()):
        for host in hosts(spec):
            found.setdefault(host, {})[address] = spec
    return found


def shares(spec: Spec) -> list[float]:
    """The weight of each destination for requests that no header or cookie rule leads away.

    A PERCENTAGE split gives each subset its part, which its destinations share by their weights.
    Other splits give them to the subset that `default` names, else to all destinations.
    """
    destinations = spec["destinations"]
    split = spec.get("trafficSplit") or {}
    if split.get("mode", "PERCENTAGE") != "PERCENTAGE" or not split:
        if split.get("default") is not None:
            return led(spec, split["default"])
        return [float(one.get("weight", 1)) for one in destinations]
    parts: dict[str, float] = {}
    for rule in split["rules"]:
        parts[rule["subset"]] = parts.get(rule["subset"], 0.0) + float(rule["percentage"])
    return [_share(one, destinations, parts) for one in destinations]


def _share(
    one: Mapping[str, Any], destinations: Iterable[Mapping[str, Any]], parts: Mapping[str, float]
) -> float:
    subset = str(one.get("subset"))
    together = [each for each in destinations if str(each.get("subset")) == subset]
    total = sum(each.get("weight", 1) for each in together)
    if subset not in parts or not total:
        return 0.0
    return float(parts[subset] * one.get("weight", 1) / total)


def led(spec: Spec, subset: str) -> list[float]:
    """Return the weights for requests that are led to one subset, which may be 0 for all others."""
    inside = [one.get("subset") == subset for one in spec["destinations"]]
    weights = [float(one.get("weight", 1)) for one in spec["destinations"]]
    found = [weight if own else 0.0 for own, weight in zip(inside, weights, strict=True)]
    return found if any(found) else [float(own) for own in inside]


def apportion(weights: Sequence[float], whole: int) -> list[int]:
    """Whole numbers in the same proportion that add up to `whole`; all 0 where the weights are.

    The largest remainders get what rounding leaves over, so that none is lost.
    """
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    exact = [weight * whole / total for weight in weights]
    floors = [int(one) for one in exact]
    order = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for index in order[: whole - sum(floors)]:
        floors[index] += 1
    return floors
