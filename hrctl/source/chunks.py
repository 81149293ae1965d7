"""Cutting a file into its documents, by nothing but its text.

A line that begins with `---` and white space, or is nothing else, always begins a document, and one
with `...` ends it: YAML gives them that meaning even inside of a scalar. So a file can be cut
without being parsed, and a document that did not change is known by the digest of its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_MARKER: Final = re.compile(r"(?:\A|(?<=[\r\n]))(?:---|\.\.\.)(?=[ \t\r\n]|\Z)")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]++|#[^\r\n]*+)*+")
_PREFIX: Final = re.compile(r"(?:[ \t\r\n]++|[#%][^\r\n]*+)*+")
_BREAK: Final = re.compile(r"\r\n?|\n")
_AFTER: Final = frozenset(" \t\r\n")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of one document; `line` is the line of the file, from 1, that it begins on."""

    text: str
    line: int


def split(text: str) -> list[Chunk]:
    """Cut a file into its documents; those of white space and comments alone are left out."""
    lone = "\r" in text and text.count("\r") != text.count("\r\n")
    chunks = []
    line, seen = 1, 0
    for start, end in regions(text):
        if is_empty(text, start, end):
            continue
        line += len(_BREAK.findall(text, seen, start)) if lone else text.count("\n", seen, start)
        seen = start
        chunks.append(Chunk(text[start:end], line))
    return chunks


def regions(text: str) -> list[tuple[int, int]]:
    """Offsets where each document begins and ends, empty ones included; they cover the text."""
    cuts = _simple_cuts(text)
    if cuts is None:
        cuts = _cuts(text)
    cuts.append(len(text))
    return [(start, end) for start, end in pairwise(cuts) if start < end]


def _simple_cuts(text: str) -> list[int] | None:
    """Where documents begin in the usual file: no directives, no `...`, no lone CR. Else None."""
    if (
        text.startswith(("%", "..."))
        or "\n..." in text
        or "\n%" in text
        or ("\r" in text and text.count("\r") != text.count("\r\n"))
    ):
        return None
    cuts = [0]
    size = len(text)
    at = text.find("\n---")
    while at >= 0:
        if at + 4 == size or text[at + 4] in _AFTER:
            cuts.append(at + 1)
        at = text.find("\n---", at + 4)
    return cuts


def _cuts(text: str) -> list[int]:
    """Where documents begin, in any file: directives belong to the document that they precede."""
    cuts = [0]
    open_since: int | None = 0  # where text that no marker has claimed yet begins
    for match in _MARKER.finditer(text):
        at = match.start()
        if match.group() == "---":
            if open_since is None or not _is_prefix(text, open_since, at):
                cuts.append(at)
            open_since = None
        else:
            after = _line_end(text, match.end())
            cuts.append(after)
            open_since = after
    return sorted(set(cuts))


def _is_prefix(text: str, start: int, end: int) -> bool:
    """Whether a directive, and beside it only blank lines and comments, stands there."""
    found = _PREFIX.match(text, start, end)
    blank = _BLANK.match(text, start, end)
    return found is not None and found.end() == end and blank is not None and blank.end() < end


def _line_end(text: str, at: int) -> int:
    match = _BREAK.search(text, at)
    return len(text) if match is None else match.end()


def is_empty(text: str, start: int, end: int) -> bool:
    """Whether only markers, blank lines and comments stand between two offsets."""
    if text.startswith("---\n", start, end) and text[start + 4 : min(start + 5, end)].isalnum():
        return False  # the usual document, seen without a regular expression
    for marker in ("---", "..."):
        if text.startswith(marker, start, end) and (start + 3 == end or text[start + 3] in _AFTER):
            start += 3
        match = _BLANK.match(text, start, end)
        start = start if match is None else match.end()
    return start == end
