"""Records of registries as plain data for the cache, and back."""

from __future__ import annotations

from typing import Any, Final

from hrctl.diagnostics import Severity
from hrctl.model.document import Document, Finding, Place
from hrctl.model.registry import Record
from hrctl.model.sealed import SecretRow

_COLUMNS: Final = (
    "path",
    "parent",
    "folder",
    "addresses",
    "drivers",
    "digests",
    "lines",
    "sources",
    "written",
    "links",
    "moves",
    "expires",
    "mesh",
    "hashes",
    "inherited",
)


def to_plain(record: Record) -> list[Any]:
    """A record without errors as lists and dictionaries."""
    return [
        list(record.registry),
        [list(one) for one in record.handed],
        [_finding(one) for one in record.findings],
        [list(one) for one in record.secrets],
        *(getattr(record, name) for name in _COLUMNS),
    ]


def from_plain(plain: list[Any]) -> Record:
    """The inverse of `to_plain`."""
    registry, handed, findings, secrets, *columns = plain
    return Record(
        registry=Document(*registry),
        handed=[Document(*one) for one in handed],
        findings=[_warning(one) for one in findings],
        secrets=[SecretRow(*one) for one in secrets],
        **dict(zip(_COLUMNS, columns, strict=True)),
    )


def _finding(one: Finding) -> list[Any]:
    """Only warnings are kept: a registry with errors is built anew each time."""
    return [list(one.place), one.pointer, one.code, one.summary, one.hint, one.note, one.at_key]


def _warning(plain: list[Any]) -> Finding:
    place, pointer, code, summary, hint, note, at_key = plain
    return Finding(Place(*place), pointer, code, summary, hint, note, at_key, Severity.WARNING)
