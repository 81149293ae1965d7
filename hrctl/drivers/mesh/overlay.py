"""What somebody changed by hand in a proxy, written over the body that it was made from."""

from __future__ import annotations

from typing import Any, Final

from hrctl.model.values import Json

_ALWAYS: Final = "destinations"  # which every route has


def write_over(spec: dict[str, Any], field: str, value: Json) -> bool:
    """Write a live value over a field that the spec has; whether it has it.

    What only the live body has is no difference to a plan: it would neither be seen nor mended.

    Args:
        spec: of a route, changed in place.
        field: its path, with dots; numbers are places in lists.
        value: as the spec would have it.
    """
    *parents, last = field.split(".")
    part: Any = spec
    for step in parents:
        part = _below(part, step)
    if not isinstance(part, dict) or part.get(last) is None:
        return False
    part[last] = value
    return True


def _below(part: Any, step: str) -> Any:
    if isinstance(part, dict):
        return part.get(step)
    if isinstance(part, list) and step.isdigit() and int(step) < len(part):
        return part[int(step)]
    return None


def tell(spec: dict[str, Any], field: str, text: str) -> None:
    """Put what stands there, in words, in place of a field, or of one that the spec has."""
    if spec.get(field) is None:
        field = _ALWAYS
    before = spec.get(field)
    told = isinstance(before, str) and field == _ALWAYS
    spec[field] = f"{before}; {text}" if told else text
