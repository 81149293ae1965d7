"""The nine kinds: what they are called, and where their models are.

Importing this package is cheap: a kind's pydantic model is imported when `Kind.model` is read, so
that a command which validates Services never builds the models of the other eight.

    kind("Component").group            -> "component"
    kind("Component").model            -> the strict model of its spec
    kind("Component").outputs(address, body)["url"].value
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from hrctl.model.kinds.base import Spec
    from hrctl.model.kinds.outputs import Link, Output

__all__ = ["DEFAULT_HASH", "GROUPS", "KINDS", "OUTSIDE", "TEXT_HASH", "Kind", "desugar", "kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource.

    `group` is its command group. `immutable` are field paths that can only change by a replace.
    `closed` are field paths below which every key counts: one that only the live side has is a
    difference, because it decides something that nobody declared.
    `type_path` and `status_path` are what statistics count by (None: it has no such field).
    """

    name: str
    plural: str
    group: str
    module: str
    type_path: str | None
    status_path: str | None
    immutable: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @property
    def model(self) -> type[Spec]:
        """The strict model of its spec; imports pydantic."""
        found = import_module(f"hrctl.model.kinds.{self.module}")
        return cast("type[Spec]", getattr(found, f"{self.name}Spec"))

    def outputs(self, address: str, body: Body) -> dict[str, Output]:
        """What a resource offers to ``valueFrom``, from its body alone; see `kinds.outputs`."""
        from hrctl.model.kinds import outputs

        return outputs.outputs(self.name, address, body)

    def known_outputs(self, spec: Mapping[str, Json]) -> frozenset[str]:
        """The names of its outputs, from a spec that need not be complete."""
        from hrctl.model.kinds import outputs

        return outputs.known_outputs(self.name, spec)

    def links(self, spec: Mapping[str, Json]) -> list[Link]:
        """Every place in a spec that names another resource: references and plain fields."""
        from hrctl.model.kinds import outputs

        return outputs.links(self.name, spec)

    def is_sensitive(self, path: str, body: Body) -> bool:
        """Whether the field at a path of a body may hold a secret."""
        from hrctl.model.kinds import sensitive

        return sensitive.is_sensitive(self.name, path, body)


_ALL: Final = (
    Kind("Registry", "registries", "registry", "registry", "/spec/level", None),
    Kind("Service", "services", "service", "service", "/spec/type", "/spec/state"),
    Kind("Engine", "engines", "engine", "engine", "/spec/type", None),
    Kind(
        "Component",
        "components",
        "component",
        "component",
        "/spec/type",
        "/spec/enabled",
        immutable=frozenset({"/spec/type", "/spec/provider"}),
    ),
    Kind(
        "FeatureFlag",
        "flags",
        "flag",
        "flag",
        "/spec/type",
        "/spec/status",
        immutable=frozenset({"/spec/type"}),
        closed=frozenset({"/spec/rollout", "/spec/targeting", "/spec/variants"}),
    ),
    Kind("Node", "nodes", "grid", "node", "/spec/type", "/spec/state"),
    Kind("Config", "configs", "config", "config", "/spec/scope", None),
    Kind("Route", "routes", "mesh", "route", "/spec/type", None),
    Kind("Plugin", "plugins", "plugin", "plugin", None, "/spec/enabled"),
)
DEFAULT_HASH: Final = "fractional-v3"  # of a flag that pins none
TEXT_HASH: Final = "fractional-v2"  # of the bare text
_OLD_HASH: Final = "flagd-v2"  # the same hash: what flagd's own tests call v2 is another one
_BY_NAME: Final = {one.name: one for one in _ALL}

KINDS: Final[tuple[str, ...]] = tuple(_BY_NAME)
GROUPS: Final[Mapping[str, str]] = {one.group: one.name for one in _ALL}
# Kinds that stand for something outside of hrctl. A Registry, a Config and a FeatureFlag are
# hrctl's own: it hands their values on and evaluates them itself.
OUTSIDE: Final = frozenset({"Service", "Engine", "Component", "Node", "Route", "Plugin"})


def kind(name: str) -> Kind:
    """The kind of this name; KeyError where there is none."""
    return _BY_NAME[name]


def desugar(name: str, spec: dict[str, Json]) -> dict[str, Json]:
    """The one form of a spec that can be written in two; call it before merging.

    An entry of a Config may say ``valueFrom: X`` beside its type; the body form is
    ``value: {valueFrom: X}``, so that a patch of `value` replaces a reference and references
    are found in one place. The hash of a FeatureFlag that earlier versions called ``flagd-v2`` gets
    its name of today. Shares what it does not change; odd shapes pass unchanged.
    """
    if name == "FeatureFlag" and spec.get("hash") == _OLD_HASH:
        return {**spec, "hash": DEFAULT_HASH}
    entries = spec.get("entries") if name == "Config" else None
    if not isinstance(entries, dict):
        return spec
    changed = {}
    for key, entry in entries.items():
        if isinstance(entry, dict) and "valueFrom" in entry and "value" not in entry:
            rest = {field: item for field, item in entry.items() if field != "valueFrom"}
            source = entry["valueFrom"]
            changed[key] = {**rest, "value": None if source is None else {"valueFrom": source}}
    return {**spec, "entries": {**entries, **changed}} if changed else spec
