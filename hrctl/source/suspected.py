"""Values of a document that look like a secret, without those that its author calls harmless."""

from __future__ import annotations

from typing import Any

from hrctl.model.suspects import HARMLESS, Suspect, suspects
from hrctl.source.chunks import Chunk


def suspected(chunk: Chunk, path: str, document: dict[str, Any]) -> list[Suspect]:
    """Return the values that look like a secret and bear no comment that they are none.

    The comment stands on the line of the field's name, or of its value.
    """
    found = list(suspects(document)) if document.get("spec") else []
    if not found or HARMLESS not in chunk.text:
        return found
    from hrctl.source.locate import locate

    lines = chunk.text.splitlines()
    harmless = {number for number, line in enumerate(lines, chunk.line) if HARMLESS in line}
    return [
        one
        for one in found
        if not harmless & {locate(chunk, path, one.pointer, key=key).line for key in (True, False)}
    ]
