"""Documents of other programs: told apart from manifests of ours, and from those that are misspelt.

A document that is passed over declares nothing, so that a plan destroys what it declared before.
Whatever may be meant for hrctl is therefore an error, and `spec.ignore` in hrctl.yaml is how a
person says that it is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, Span
from hrctl.model.kinds import KINDS
from hrctl.source.chunks import Chunk
from hrctl.source.reading import GROUP

_API_VERSION: Final = "hrctl.dev/v1"
_FIELDS: Final = frozenset({"apiversion", "kind"})
_SIMILAR: Final = 0.8
_LONGEST: Final = 40  # characters of an apiVersion that may be meant for ours
_FIELD: Final = r"""^["']?{}["']?[ \t]*:[ \t]+["']?([^\s"'#]+)"""
_VERSION_LINE: Final = re.compile(_FIELD.format("apiVersion"), re.MULTILINE)
_KIND_LINE: Final = re.compile(_FIELD.format("kind"), re.MULTILINE)


def is_foreign(document: Mapping[str, Any]) -> bool:
    """Return whether a document belongs to another program, by its apiVersion and kind.

    One without either is no manifest, unless a field is called almost like them.
    """
    version, kind = document.get("apiVersion"), document.get("kind")
    if isinstance(version, str):
        return not _resembles_ours(version, kind)
    if "apiVersion" in document or "kind" in document:
        return "apiVersion" not in document and kind == "Project"
    return not any(
        str(key).casefold() in _FIELDS or str(item).startswith(f"{GROUP}v")
        for key, item in document.items()
    )


def is_foreign_text(text: str) -> bool | None:
    """Return what `is_foreign` says of a text that is no YAML; None without an apiVersion."""
    version, kind = _VERSION_LINE.search(text), _KIND_LINE.search(text)
    if version is None:
        return None
    return not _resembles_ours(version[1], kind[1] if kind else None)


def misspelt(path: str, chunk: Chunk, version: str | None = None) -> Diagnostic | None:
    """Return HR027 where the apiVersion of a document resembles ours, and is not ours.

    Args:
        path: of the file.
        chunk: the document.
        version: its apiVersion; None to read it from the text, which need not be YAML.
    """
    match = _VERSION_LINE.search(chunk.text)
    version = version or (match[1] if match else None)
    if version is None or version.startswith(GROUP):
        return None
    line, column, length = chunk.line, 1, 1
    if match:
        line += chunk.text.count("\n", 0, match.start(1))
        column = match.start(1) - chunk.text.rfind("\n", 0, match.start(1))
        length = len(match[1])
    return Diagnostic(
        "HR027",
        f"unknown apiVersion '{version[:_LONGEST]}'",
        span=Span(path, line, column, length),
        hint=f"did you mean {_API_VERSION}?",
        note="where the file is for another program, name it in spec.ignore of hrctl.yaml",
    )


def _resembles_ours(version: str, kind: object) -> bool:
    if version.startswith(GROUP) or kind in {*KINDS, "Project"}:
        return True
    folded = version.casefold()
    if "hrctl" in folded:
        return True
    if len(folded) > _LONGEST:
        return False
    return SequenceMatcher(None, folded, _API_VERSION).ratio() >= _SIMILAR
