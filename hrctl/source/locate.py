"""Where a value of a document is written: for the caret of an error, and for `hrctl explain`.

The document is read again, the careful way; nothing is kept for the many that have no error.
"""

from __future__ import annotations

from typing import Final

from hrctl.diagnostics import Span
from hrctl.source.chunks import Chunk
from hrctl.source.compose import Place, compose
from hrctl.source.spans import Spans

# Their extent is no single stretch of a line: the key, or the first line, stands for them.
_BLOCKS: Final = frozenset({"map", "seq", "|", ">"})


def locate(chunk: Chunk, path: str, pointer: str, *, key: bool = False) -> Span:
    """The place of the value at a JSON Pointer (RFC 6901), or with `key` that of its key.

    Where the pointer leads nowhere, it is the place of the nearest ancestor that exists; a document
    that cannot be read is all in its first line.
    """
    places = compose(chunk.text, path, chunk.line).places
    spans = Spans(chunk.text, path, chunk.line)
    while pointer not in places:
        if not pointer:
            return spans.span(0, len(chunk.text))
        pointer = pointer.rpartition("/")[0]
        key = key and pointer != ""
    return _span(places[pointer], spans, key=key)


def locate_all(chunk: Chunk, path: str) -> dict[str, Span]:
    """The place of every value of a document by its pointer; the root's is the empty one.

    What stands behind an alias has no place of its own: look for its nearest ancestor.
    """
    places = compose(chunk.text, path, chunk.line).places
    spans = Spans(chunk.text, path, chunk.line)
    return {
        pointer: _span(place, spans, key=False)
        for pointer, place in places.items()
        if not pointer.startswith("\0")
    }


def _span(place: Place, spans: Spans, *, key: bool) -> Span:
    if place.key is not None and (key or place.style in _BLOCKS or place.start == place.end):
        return spans.span(*place.key)
    return spans.span(place.start, place.end)
