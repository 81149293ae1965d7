"""The blocks of a document: which lines belong to which key, comments included.

# how many run          the comment directly above goes with its key
replicas: 3  # peak     and so does the one behind it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hrctl.source.compose import Composed, Place, compose
from hrctl.source.spans import Spans

MODELINE: Final = "# yaml-language-server"
_BLOCK_STYLES: Final = frozenset({"map", "seq"})
_COLLECTIONS: Final = frozenset({"map", "seq", "{", "["})
_TEXT_BLOCKS: Final = frozenset({"|", ">"})
_NO_BREAK: Final = re.compile(r"[^\r\n]")
_BEFORE_DASH: Final = re.compile(r"(?:[&!][^\s]*|#[^\r\n]*|\s)*+")
_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t\r\n]))#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a block map, or an item of a block list. Lines count from 0, `stop` is behind."""

    pointer: str
    lead: int  # first line of the comments directly above
    line: int  # where it begins
    stop: int
    column: int
    alone: bool  # nothing but white space stands before it on its line


class Outline:
    """A document that was composed, with its lines. `text` must be without problems."""

    def __init__(self, text: str, path: str = "", line: int = 1) -> None:
        self.text = text
        self.composed: Composed = compose(text, path, line)
        self.places: dict[str, Place] = self.composed.places
        self.spans = Spans(text, path, line)
        self.lines = _lines(text, self.spans)
        self._children: dict[str, list[str]] = {}
        self._ends: dict[str, int] = {}
        for pointer, place in self.places.items():
            if pointer and not pointer.startswith("\0"):
                self._children.setdefault(pointer.rpartition("/")[0], []).append(pointer)
            if place.style not in _BLOCK_STYLES:
                self._note_end(pointer, self._end_of(place))

    def _note_end(self, pointer: str, end: int) -> None:
        while True:
            self._ends[pointer] = max(self._ends.get(pointer, 0), end)
            if not pointer:
                return
            pointer = pointer.rpartition("/")[0]

    def _end_of(self, place: Place) -> int:
        """Behind the last character of a value; the lines that `|+` keeps are part of it."""
        if place.style in _TEXT_BLOCKS and "+" in self.text[place.start : place.start + 3]:
            return place.end
        end = place.end
        floor = place.key[1] if place.key else place.start
        while end > floor and self.text[end - 1].isspace():
            end -= 1
        return end

    def children(self, pointer: str) -> list[str]:
        """The pointers of what stands in a map or list, in the order of the text."""
        return sorted(self._children.get(pointer, ()), key=self.start)

    def start(self, pointer: str) -> int:
        """The offset where a key, or an item behind its dash, begins."""
        place = self.places[pointer]
        return place.key[0] if place.key else place.start

    def end(self, pointer: str) -> int:
        """The offset behind the last character of a value, nested ones included."""
        return self._ends.get(pointer, self.places[pointer].start)

    def entries(self, pointer: str) -> list[Entry]:
        """What stands in a block map or list, with its lines."""
        is_list = self.places[pointer].style == "seq"
        children = self.children(pointer)
        if is_list:  # an anchor or tag, and comments, may stand before the first dash
            match = _BEFORE_DASH.match(self.text, self.places[pointer].start)
            first = match.end() if match else self.places[pointer].start
        else:
            first = self.start(children[0])
        column = self.column(first)
        return [self._entry(one, column, is_list=is_list) for one in children]

    def _entry(self, pointer: str, column: int, *, is_list: bool) -> Entry:
        line = self.spans.row_of(self.start(pointer))
        while is_list and self.lines[line][column : column + 1] != "-":
            line -= 1  # the item begins on the line of its dash
        begin = self.spans.start_of(line)
        at = begin + column if is_list else self.start(pointer)
        alone = not self.text[begin:at].strip()
        lead = line
        while alone and lead and self._is_comment_at(lead - 1, column):
            lead -= 1
        last = max(self.end(pointer) - 1, self.start(pointer))
        stop = self._behind_deeper(self.spans.row_of(last) + 1, column)
        return Entry(pointer, lead, line, stop, column, alone)

    def _behind_deeper(self, stop: int, column: int) -> int:
        """Behind the comments that follow further right: they end what stands above them."""
        at = stop
        while at < len(self.lines):
            body = self.lines[at].lstrip(" ")
            if body.startswith("#") and len(self.lines[at]) - len(body) > column:
                stop = at + 1
            elif body.strip():
                break
            at += 1
        return stop

    def _is_comment_at(self, line: int, column: int) -> bool:
        text = self.lines[line]
        body = text.lstrip(" ")
        return (
            body.startswith("#")
            and len(text) - len(body) == column
            and not body.startswith(MODELINE)
        )

    def column(self, offset: int) -> int:
        """The column of an offset, from 0."""
        return offset - self.spans.start_of(self.spans.row_of(offset))

    def comments(self) -> list[str]:
        """Every comment, `#` included, in the order of the text."""
        text = list(self.text)
        for place in self.places.values():
            if place.style in _COLLECTIONS:
                continue
            start = place.start
            if place.style in _TEXT_BLOCKS:  # a comment may stand behind the header
                start = self.spans.start_of(self.spans.row_of(start) + 1)
            for begin, end in ((start, place.end), place.key or (0, 0)):
                text[begin:end] = _NO_BREAK.sub("x", self.text[begin:end])
        return [match.group().rstrip() for match in _COMMENT.finditer("".join(text))]


def _lines(text: str, spans: Spans) -> list[str]:
    """The lines as YAML counts them: `str.splitlines` knows more kinds of line breaks."""
    starts: list[int] = []
    while (start := spans.start_of(len(starts))) < len(text):
        starts.append(start)
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]
