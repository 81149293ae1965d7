"""The weights of splits, apart from the routes that they belong to.

A route configuration takes Envoy longer to read the more routes stand in it (1,000 routes: about a
tenth of a second), and a change of one weight would have all of it read again. So in the embedded
Envoy each route with several destinations names a prefix of runtime keys, and a file of its own
holds a number for each key, ``<prefix>.<cluster>``. The weights that stand with the routes are 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from hrctl.drivers.envoy import clusters
from hrctl.drivers.envoy.names import Resource
from hrctl.drivers.mesh.names import ident
from hrctl.logic.mesh.order import apportion, led, shares
from hrctl.model.address import Address
from hrctl.model.values import Json

RUNTIME: Final = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
LAYER: Final = "weights"  # of the runtime, and what its subscription is called
WHOLE: Final = 10_000  # what weights add up to: a hundredth of a percent

Spec = Mapping[str, Json]
Keys = dict[str, int]


class Variant(NamedTuple):
    """One way in which requests of a route are led: by a rule of its split, or (None) the rest."""

    prefix: str  # of its runtime keys
    rule: Mapping[str, Any] | None


def variants(address: Address, spec: Spec) -> list[Variant]:
    """Those that a header or a cookie leads away, in order, then the rest."""
    split = spec.get("trafficSplit") or {}
    rules = split["rules"] if split.get("mode") in {"HEADER", "COOKIE"} else ()
    found = [Variant(f"{ident(address)}.{number}", rule) for number, rule in enumerate(rules)]
    return [*found, Variant(ident(address), None)]


def of(variant: Variant, spec: Spec) -> list[int]:
    """The weight of each destination, in their order."""
    rule = variant.rule
    return whole(shares(spec) if rule is None else led(spec, rule["subset"]))


def whole(weights: list[float]) -> list[int]:
    """Whole numbers in the same proportion; those that are whole already stay as they are."""
    if all(weight == int(weight) for weight in weights):
        return [int(weight) for weight in weights]
    return apportion(weights, WHOLE)


def keys(address: Address, spec: Spec) -> Keys:
    """The runtime keys of a route; none where there is nothing to share."""
    if spec["type"] == "TCP" or len(spec["destinations"]) == 1:
        return {}
    names = clusters.names(address, spec)
    return {
        f"{variant.prefix}.{name}": weight
        for variant in variants(address, spec)
        for name, weight in zip(names, of(variant, spec), strict=True)
    }


def without(spec: Spec) -> Spec:
    """A spec that tells nothing of weights: what is made of it cannot depend on them."""
    made = {key: value for key, value in spec.items() if key != "trafficSplit"}
    made["destinations"] = [_without(one, "weight") for one in spec["destinations"]]
    split = spec.get("trafficSplit")
    if split:
        made["trafficSplit"] = {
            **split,
            "rules": [_without(one, "percentage") for one in split["rules"]],
        }
    return made


def _without(held: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key != name}


def layer(held: Keys) -> Resource:
    """The runtime layer that holds them."""
    return {"@type": RUNTIME, "name": LAYER, "layer": held}


def by_variant(held: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """Identity of the route, variant (empty: the rest), cluster and weight of each key."""
    for key, weight in held.items():
        prefix, _, cluster = str(key).rpartition(".")
        route, _, number = prefix.partition(".")
        yield route, number, cluster, weight
