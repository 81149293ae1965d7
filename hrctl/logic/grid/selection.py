"""Which nodes a `grid` destination means: by affinity rules and by their wanted state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from hrctl.model.values import Json, canonical

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


class Nodes(dict[Named, Spec]):
    """Nodes that many destinations choose from; what they are asked for is looked up."""

    def __init__(self, nodes: Mapping[Named, Spec]) -> None:
        super().__init__(sorted(nodes.items()))
        self._by_value: dict[str, dict[str | None, list[Named]]] = {}
        self._known: dict[str, list[Named]] = {}

    def select(self, grid: Mapping[str, Any]) -> list[Named]:
        """As `select`, without looking at each node for each destination."""
        rules = grid.get("affinity") or ()
        text = canonical(list(rules))
        if text not in self._known:
            exact = next((one for one in rules if one.get("operator", "eq") in {"eq", "in"}), None)
            some: Iterable[Named] = self
            if exact is not None:
                having = self._having(str(exact["key"]))
                some = sorted(
                    name for value in set(exact["values"]) for name in having.get(value, ())
                )
            self._known[text] = select({name: self[name] for name in some}, grid)
        return self._known[text]

    def health_check(self, grid: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The check of the first node that has one: a proxy has one for all hosts together."""
        some = [] if grid is None else self.select(grid)
        checks = (self[one].get("healthCheck") for one in some)
        return next((check for check in checks if check), None)

    def _having(self, key: str) -> dict[str | None, list[Named]]:
        if key not in self._by_value:
            found = self._by_value[key] = {}
            for name, spec in self.items():
                found.setdefault(attribute(spec, key), []).append(name)
        return self._by_value[key]


def is_open(spec: Spec) -> bool:
    """Whether a node gets new requests."""
    return bool(spec.get("state", "ACTIVE") == "ACTIVE")
