"""What resources give to those that refer to them: values that follow from a body, or live ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hrctl.model.address import Address
from hrctl.model.values import Body

if TYPE_CHECKING:
    from hrctl.model.kinds.outputs import Output


def static_outputs(address: Address, body: Body) -> dict[str, Output]:
    """The outputs that follow from a body; secrets in them are references still."""
    from hrctl.model.kinds import kind

    return kind(address.kind).outputs(address, body)


def immutable_fields(name: str) -> frozenset[str]:
    """The field paths that no driver can change in place for this kind."""
    from hrctl.model.kinds import kind

    return frozenset(kind(name).immutable)


def closed_fields(name: str) -> frozenset[str]:
    """Return the field paths of a kind below which every live key counts."""
    from hrctl.model.kinds import kind

    return kind(name).closed


def target(source: Mapping[str, Any]) -> tuple[Address, str] | None:
    """Resource and output that the inside of a ``valueFrom`` names (None: a secret of its own)."""
    name = source.get("output", source.get("key"))
    for key, value in source.items():
        if key in {"component", "service", "config"} and isinstance(name, str):
            return Address(value), name
    return None
