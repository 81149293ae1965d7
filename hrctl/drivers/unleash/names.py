"""Names that Unleash takes for something else than an attribute of the context.

Its clients would give other answers than hrctl, so nobody is to be moved by them in silence. They
are refused where a flag is written and not where one is read: people may use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hrctl.logic.flags.conditions import KEY, conditions
from hrctl.model.values import pointer

_TARGETING: Final = "which Unleash calls userId"
_STICKINESS: Final = {
    KEY: _TARGETING,
    "random": "which to Unleash is chance each time",
    "default": "which to Unleash is the user, the session or chance, whatever there is",
}
_ATTRIBUTES: Final = {
    KEY: _TARGETING,
    "currentTime": "which to Unleash is its own clock where a context has none",
}


def reserved(spec: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first such name of a flag in words, and the field that holds it."""
    rollout = spec.get("rollout") or {}
    name = rollout.get("stickiness")
    if name in _STICKINESS:
        return f"stickiness '{name}', {_STICKINESS[name]}", "/spec/rollout/stickiness"
    for field, condition in _asked(spec, rollout):
        name = condition["attribute"]
        if name in _ATTRIBUTES:
            return f"the attribute '{name}', {_ATTRIBUTES[name]}", field
    return None


def _asked(
    spec: Mapping[str, Any], rollout: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for at, rule in enumerate(spec.get("targeting") or ()):
        for one in conditions(rule):
            yield f"/spec/targeting/{at}", one
    for name, group in (rollout.get("groups") or {}).items():
        for one in group:
            yield pointer(["spec", "rollout", "groups", name]), one
