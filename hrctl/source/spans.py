"""From offsets in a text to places that a person can find."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from hrctl.diagnostics import Span

_BREAK: Final = re.compile(r"\r\n?|\n")


class Spans:
    """The places of one document: `text` begins on `line` (from 1) of the file at `path`."""

    __slots__ = ("_path", "_starts", "_text", "line")

    def __init__(self, text: str, path: str, line: int = 1) -> None:
        self._text = text
        self._path = path
        self.line = line
        self._starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def span(self, start: int, end: int) -> Span:
        """The place of the characters from `start` to before `end`, as far as one line goes."""
        start = min(max(start, 0), len(self._text))
        row = bisect_right(self._starts, start) - 1
        column = start - self._starts[row]
        line = self.row(row)
        length = min(end - start, len(line) - column)
        return Span(self._path, self.line + row, column + 1, max(length, 1))

    def row(self, number: int) -> str:
        """The text of a line, counted from 0 in this document, without white space at its end."""
        last = number + 1 >= len(self._starts)
        end = len(self._text) if last else self._starts[number + 1]
        return self._text[self._starts[number] : end].rstrip()

    def row_of(self, offset: int) -> int:
        """The line of an offset, counted from 0 in this document."""
        return bisect_right(self._starts, offset) - 1

    def start_of(self, number: int) -> int:
        """The offset where a line begins; the end of the text for one beyond it."""
        return self._starts[number] if number < len(self._starts) else len(self._text)
