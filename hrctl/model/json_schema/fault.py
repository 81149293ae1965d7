"""Why a JSON Schema of a manifest cannot be used."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A problem of the schema itself, at a path of keys and indexes within it."""

    code: str
    summary: str
    at: tuple[str | int, ...] = ()
    hint: str | None = None
