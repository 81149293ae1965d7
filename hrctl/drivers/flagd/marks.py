"""The marks that hrctl leaves in the metadata of a flag's definition: all that a scan looks at."""

from __future__ import annotations

from typing import Any, Final

from hrctl.model.values import digest

Definition = dict[str, Any]

PROJECT: Final = "hrctl.project"
ADDRESS: Final = "hrctl.address"
SERIAL: Final = "hrctl.serial"
BODY: Final = "hrctl.body"
START: Final = "hrctl.start"


def marks(found: Definition) -> dict[str, Any] | None:
    """The metadata of a definition that bears hrctl's marks, whole."""
    metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        return None
    whole = all(isinstance(metadata.get(key), str) for key in (PROJECT, ADDRESS, SERIAL, BODY))
    return metadata if whole else None


def owner_of(found: Definition, document: dict[str, Any]) -> str:
    """Whose a definition is, in words, from its metadata or the file's."""
    metadata = {**_metadata(document), **_metadata(found)}
    if PROJECT in metadata:
        return f"project '{metadata[PROJECT]}' ({metadata.get(ADDRESS)})"
    for key in ("owner", "team", "managedBy", "flagSetId"):
        if key in metadata:
            return f"'{metadata[key]}'"
    return "somebody whom its metadata does not name"


def _metadata(held: dict[str, Any]) -> dict[str, Any]:
    found = held.get("metadata")
    return found if isinstance(found, dict) else {}


def version(found: Definition) -> str:
    """The serial number and what stands there: none comes twice, and every change is seen."""
    metadata = _metadata(found)
    return f"{metadata.get(SERIAL, '')}-{digest(found)}"
