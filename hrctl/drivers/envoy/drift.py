"""Files that somebody edited by hand: which route each part belongs to, and which field it is.

Every part of the configuration bears the address that it was made for. What is expected is made
anew from the bodies; where the part that is there differs, its fields are translated back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Final, NamedTuple

from hrctl.drivers.envoy import clusters, listeners
from hrctl.drivers.envoy.assembly import files
from hrctl.drivers.envoy.names import Resource, owner_of
from hrctl.drivers.envoy.snapshot import CDS, RTDS, Files, Settings, listen_of, resources_of
from hrctl.drivers.envoy.weights import by_variant
from hrctl.drivers.mesh.overlay import tell, write_over
from hrctl.model.address import Address
from hrctl.model.kinds.units import duration
from hrctl.model.values import Body, Json, canonical

Parts = dict[str, dict[str, Json]]  # address -> what it is called -> the part

GONE: Final = "(not there)"
ORDER: Final = "/routes"  # the path of a virtual host's routes, by `order`
_HOST: Final = "virtual host "
_CONFIGURATION: Final = "route configuration"
REST: Final = "weights"  # of requests that no rule leads away


class Altered(NamedTuple):
    """One field of a part that is not as it was written."""

    part: str  # file, and where in it
    path: str  # within the part, ``/route/timeout``
    expected: Json
    live: Json


def parts(found: Files, bodies: Mapping[Address, Body], settings: Settings) -> Parts:
    """What stands in the files, by the address that it was made for."""
    return located({path: resources_of(data) for path, data in found.items()}, bodies, settings)


def located(
    found: Mapping[str, list[Resource]], bodies: Mapping[Address, Body], settings: Settings
) -> Parts:
    """The same of what files hold: the very objects, but for weights."""
    made: Parts = {}
    owners = {
        name: str(address)
        for address, body in bodies.items()
        if address.kind == "Route"
        for name in clusters.names(address, body["spec"])
    }
    sharing: dict[str, list[str]] = {}
    for address, body in sorted(bodies.items()):
        if address.kind == "Route":
            name = listeners.stat_prefix(listen_of(body["spec"], settings))
            sharing.setdefault(name, []).append(str(address))
    for path, held in found.items():
        if path == RTDS:
            for whose, name, some in _weights(held, owners):
                made.setdefault(whose, {})[f"{path} {name}"] = some
            continue
        folder = path.split("/")[1]
        for owner, name, part in _of_file(path, held):
            one = owner or owners.get(folder)
            # a listener, and what somebody added to its routes, concerns all routes of it
            for at in [one] if one else sharing.get(folder) or sharing.get(name) or ():
                made.setdefault(at, {})[f"{path} {name}"] = part
    return made


def _weights(
    resources: list[Resource], owners: Mapping[str, str]
) -> Iterator[tuple[str, str, Json]]:
    """The weights of each way that requests of a route are led, by cluster."""
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for one in resources:
        held = one.get("layer")
        for _, variant, cluster, weight in by_variant(held if isinstance(held, dict) else {}):
            if cluster in owners:
                found.setdefault((owners[cluster], variant), {})[cluster] = weight
    for (owner, variant), some in found.items():
        yield owner, f"rule {variant}" if variant else REST, some


def _of_file(path: str, resources: list[Resource]) -> Iterator[tuple[str | None, str, Json]]:
    for one in resources:
        if path.startswith("rds/"):
            yield None, _CONFIGURATION, one
            for host in one.get("virtual_hosts", ()):
                yield from _of_host(host)
        elif path == CDS:
            yield owner_of(one), str(one.get("name")), one
        elif path.startswith("eds/"):
            yield None, "endpoints", one
        else:
            chains = one.get("filter_chains", ())
            owner = next((each for each in map(owner_of, chains) if each), None)
            yield owner, listeners.stat_prefix(str(one.get("name"))), one


def _of_host(host: dict[str, Json]) -> Iterator[tuple[str | None, str, Json]]:
    """Yield each route of a virtual host, and for each owner of one the virtual host itself."""
    name, labelled = host.get("name"), _labelled(host)
    for owner in dict.fromkeys(owner for owner, _, _ in labelled) or (None,):
        yield owner, f"{_HOST}{name}", host
    for owner, number, route in labelled:
        yield owner, f"{name}/{number}", route


def _labelled(host: Mapping[str, Json]) -> list[tuple[str | None, int, Json]]:
    """Return the routes of a virtual host in order, with their owners and numbers."""
    found: list[tuple[str | None, int, Json]] = []
    counts: dict[str | None, int] = {}
    for route in host.get("routes", ()):
        owner = owner_of(route)
        number = counts[owner] = counts.get(owner, -1) + 1
        found.append((owner, number, route))
    return found


def order(host: Mapping[str, Json]) -> list[str]:
    """Return names for the routes of a virtual host, in the order in which Envoy tries them."""
    return [f"{owner or '(unmarked)'} {number}" for owner, number, _ in _labelled(host)]


def altered(
    bodies: Mapping[Address, Body], present: Files, changed: Collection[str], settings: Settings
) -> dict[str, list[Altered]]:
    """Address -> its parts in the changed files that are not as its body wants them."""
    expected = {path: data for path, data in files(bodies, settings).items() if path in changed}
    here = {path: data for path, data in present.items() if path in changed}
    wanted, live = parts(expected, bodies, settings), parts(here, bodies, settings)
    found: dict[str, list[Altered]] = {}
    for address in wanted.keys() | live.keys():
        mine, theirs = wanted.get(address, {}), live.get(address, {})
        differing = [
            one
            for name in sorted(mine.keys() | theirs.keys())
            for one in _compared(name, mine.get(name, GONE), theirs.get(name, GONE))
        ]
        if differing:
            found[address] = differing
    return found


def _compared(part: str, expected: Json, live: Json) -> Iterator[Altered]:
    """Yield what differs in a part; what it holds that is a part of its own is left out."""
    name = part.partition(" ")[2]
    inner = "virtual_hosts" if name == _CONFIGURATION else "routes"
    if name != _CONFIGURATION and not name.startswith(_HOST):
        yield from _differing(part, "", expected, live)
    elif not isinstance(expected, dict) or not isinstance(live, dict):
        sides = [side for side in (expected, live) if isinstance(side, dict)]
        if not any(side.get(inner) for side in sides):  # else these are told
            yield Altered(part, "", expected, live)
    else:
        outer = [{key: side[key] for key in side if key != inner} for side in (expected, live)]
        yield from _differing(part, "", *outer)
        if inner == "routes":
            wanted, there = order(expected), order(live)
            if [one for one in wanted if one in there] != [one for one in there if one in wanted]:
                yield Altered(part, ORDER, wanted, there)


def _differing(part: str, path: str, expected: Json, live: Json) -> Iterator[Altered]:
    if expected == live:
        return
    if isinstance(expected, dict) and isinstance(live, dict):
        for key in sorted(expected.keys() | live.keys()):
            yield from _differing(part, f"{path}/{key}", expected.get(key), live.get(key))
    elif isinstance(expected, list) and isinstance(live, list) and len(expected) == len(live):
        for number, (one, other) in enumerate(zip(expected, live, strict=True)):
            yield from _differing(part, f"{path}/{number}", one, other)
    else:
        yield Altered(part, path, expected, live)


# where a field of Envoy's comes from: its path in the part -> the field of the spec
_FIELDS: Final = (
    (r"/route/timeout", "timeout"),
    (r"/route/retry_policy/num_retries", "retry.attempts"),
    (r"/route/retry_policy/per_try_timeout", "retry.perTryTimeout"),
    (r"/route/retry_policy.*", "retry"),
    (r"/route/(weighted_clusters|cluster).*", "destinations"),
    (r"/match.*|/routes", "match"),
    (r"/domains.*", "hosts"),
    (r"/lb_policy", "loadBalancer"),
    (r"/outlier_detection/consecutive_5xx", "circuitBreaker.failureThreshold"),
    (r"/outlier_detection/base_ejection_time", "circuitBreaker.openFor"),
    (r"/outlier_detection/max_ejection_percent", "circuitBreaker.maxEjectionPercent"),
    (r"/circuit_breakers/thresholds/0/max_connections", "circuitBreaker.maxConnections"),
    (r"/circuit_breakers/thresholds/0/max_pending_requests", "circuitBreaker.maxPending"),
    (r"/circuit_breakers/thresholds/0/max_requests", "circuitBreaker.maxRequests"),
    (r"/circuit_breakers/thresholds/0/max_retries", "circuitBreaker.maxRetries"),
    (r"/(outlier_detection|circuit_breakers).*", "circuitBreaker"),
    (r"/health_checks.*", "healthCheck"),
    (r"/address/.*", "listen"),
    (r"/endpoints.*", "destinations"),
    (r".*", "destinations"),
)
_DURATIONS: Final = frozenset({"timeout", "retry.perTryTimeout", "circuitBreaker.openFor"})
_WEIGHT: Final = re.compile(r"/route/weighted_clusters/clusters/(\d+)/weight")


def overlay(address: Address, body: Body, found: Sequence[Altered]) -> Body:
    """The body as the live files have it: each field that differs written over.

    A number or a text that the spec has too is given as it is; for what has no such form, or what
    the spec does not say, a field that it has tells file, place and what stands there.
    """
    made: Body = deepcopy(body)
    for one in found:
        index = _destination(address, body, one)
        if index is not None and _set_weight(made, index, one):
            continue
        field = next(name for pattern, name in _FIELDS if re.fullmatch(pattern, one.path))
        value = _plain(field, one.live)
        if value is None or not write_over(made["spec"], field, value):
            head = field.partition(".")[0]
            shown = one.live if isinstance(one.live, str) else canonical(one.live)
            name = one.path.rpartition("/")[2] or "it"
            tell(made["spec"], head, f"{name} is {shown} at {one.part}{one.path}")
    return made


def _plain(field: str, live: Json) -> str | int | float | None:
    """Return a live value in the form that the spec has it in; None where it has no such form."""
    if field in _DURATIONS:  # Envoy writes 1500ms as 1.5s
        try:
            return duration(live)
        except (ValueError, TypeError):
            return None
    return live if isinstance(live, str | int | float) and "." in field else None


def _destination(address: Address, body: Body, one: Altered) -> int | None:
    """Which destination a weight is of."""
    if one.part == f"{RTDS} {REST}":
        names = clusters.names(address, body["spec"])
        name = one.path.removeprefix("/")
        return names.index(name) if name in names else None
    weight = _WEIGHT.fullmatch(one.path)
    return int(weight.group(1)) if weight is not None else None


def _set_weight(body: Body, index: int, one: Altered) -> bool:
    """Write a weight where it comes from: the destination's own, or the share of its subset."""
    spec = body["spec"]
    destinations = spec.get("destinations")
    if not isinstance(destinations, list) or index >= len(destinations):
        return False
    split = spec.get("trafficSplit")
    if not split:
        if destinations[index].get("weight", 1) != one.expected:  # in another proportion
            return False
        destinations[index] = {**destinations[index], "weight": one.live}
        return True
    subset = destinations[index].get("subset")
    rules = split["rules"]
    for number, rule in enumerate(rules):
        # a subset of several destinations, or with a part of a percent, has other weights
        if rule["subset"] == subset and rule.get("percentage") == one.expected:
            changed = [*rules[:number], {**rule, "percentage": one.live}, *rules[number + 1 :]]
            spec["trafficSplit"] = {**split, "rules": changed}
            return True
    return False
