"""Which nodes a `grid` destination means: by affinity rules and by their wanted state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from hrctl.model.values import Json

Spec = Mapping[str, Json]
Named = TypeVar("Named", bound=str)

_FIELDS: Final = ("type", "region", "zone")


def attribute(spec: Spec, key: str) -> str | None:
    """What an affinity rule compares: a field of the node, else one of its labels."""
    value = spec.get(key) if key in _FIELDS else (spec.get("labels") or {}).get(key)
    return None if value is None else str(value)


def fits(spec: Spec, rules: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a node fits all rules. A node without the attribute fits `ne` alone."""
    return all(_fits_one(attribute(spec, rule["key"]), rule) for rule in rules)


def _fits_one(value: str | None, rule: Mapping[str, Any]) -> bool:
    operator = rule.get("operator", "eq")
    if operator == "exists":
        return value is not None
    if operator == "ne":
        return value not in rule["values"]
    return value is not None and value in rule["values"]


def select(nodes: Mapping[Named, Spec], grid: Mapping[str, Any]) -> list[Named]:
    """The addresses of the nodes that a grid destination means, in their order.

    Args:
        nodes: the specs by address.
        grid: the `grid` block of a destination.

    Returns:
        Those that fit and are wanted at all; a DRAINING one is among them, since it keeps what
        it has (`is_open` tells whether it gets anything new).
    """
    rules = grid.get("affinity") or ()
    return [
        address
        for address in sorted(nodes)
        if nodes[address].get("state", "ACTIVE") != "INACTIVE" and fits(nodes[address], rules)
    ]


def is_open(spec: Spec) -> bool:
    """Whether a node gets new requests."""
    return bool(spec.get("state", "ACTIVE") == "ACTIVE")
