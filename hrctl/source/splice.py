"""One change to the text of one document; everything else stays as it is, to the byte.

The functions return None where a change cannot be made by cutting text (explicit keys, a comment in
the way): `hrctl.source.edit` then has ruamel.yaml make it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hrctl.model.values import Json, pointer, pointer_parts
from hrctl.source import emit
from hrctl.source.order import place_of
from hrctl.source.outline import Entry, Outline

_PROPERTIES: Final = re.compile(r"(?:(?P<anchor>&[^\s,\[\]{}]+)|![^\s,\[\]{}]*)(?:[ \t]+|$)")
_COLON: Final = re.compile(r"[ \t]*:(?=\s|\Z)")
_COMMENT: Final = re.compile(r"[ \t]+#[^\r\n]*")
_FLOW: Final = frozenset({"{", "["})


class Splicer:
    """Changes to a document; each method returns the whole new text."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.text = outline.text
        self.newline = "\r\n" if "\r\n" in self.text else "\n"

    def _in_flow(self, where: str) -> bool:
        """Whether brackets are around a value."""
        while where:
            where = where.rpartition("/")[0]
            if self.outline.places[where].style in _FLOW:
                return True
        return False

    def _cut(self, start: int, end: int, new: str) -> str:
        return self.text[:start] + new + self.text[end:]

    def _replace_lines(self, first: int, stop: int, lines: list[str]) -> str:
        """Put other lines in the place of those from `first` to before `stop`."""
        start, end = self.outline.spans.start_of(first), self.outline.spans.start_of(stop)
        new = "".join(line + self.newline for line in lines)
        before, behind = self.text[:start], self.text[end:]
        if before and not before.endswith(("\n", "\r")):
            before += self.newline
        if not behind and not self.text.endswith(("\n", "\r")):
            new = new.removesuffix(self.newline)
            if not new:
                before = before.removesuffix(self.newline)
        return before + new + behind

    def replace(self, where: str, value: Json) -> str | None:
        """Another value at a pointer that exists."""
        flow = self._in_flow(where)
        place = self.outline.places[where]
        is_block = isinstance(value, dict | list) and bool(value)
        is_literal = isinstance(value, str) and emit.is_literal(value)
        if (
            not flow
            and where
            and (is_block or is_literal or place.style in {"map", "seq", "|", ">"})
        ):
            return self._replace_entry(where, value)
        if place.start == place.end:
            return self._fill(where, value)
        start = place.start
        kept = ""
        while match := _PROPERTIES.match(self.text, start, place.end):
            kept += f"{match['anchor']} " if match["anchor"] else ""
            start = match.end()
        return self._cut(place.start, place.end, kept + self._inline(value, place.style, flow=flow))

    def _inline(self, value: Json, style: str, *, flow: bool) -> str:
        """A value on one line, a string in the quotes that were there before."""
        if isinstance(value, str):
            if style == '"':
                return emit.quoted(value)
            if style == "'" and value.isprintable():
                return "'" + value.replace("'", "''") + "'"
        return emit.inline(value, flow=flow)

    def _fill(self, where: str, value: Json) -> str | None:
        """A value where none stands: `key:`, or a dash alone."""
        at = self._behind_key(where)
        return None if at is None else self._cut(at, at, " " + emit.inline(value, flow=True))

    def _behind_key(self, where: str) -> int | None:
        """The offset behind the colon of a key, or the dash of an item."""
        place = self.outline.places[where]
        if place.key is None:
            return place.start
        match = _COLON.match(self.text, place.key[1])
        return match.end() if match else None

    def _replace_entry(self, where: str, value: Json) -> str | None:
        """The lines of a key or item anew, up to and with its value."""
        entry = self._entry(where)
        place = self.outline.places[where]
        spans = self.outline.spans
        if place.key is None:
            head = spans.row(entry.line)[: entry.column] + "-"
            if not entry.alone or spans.row_of(place.start) != entry.line:
                return None
            at = spans.start_of(entry.line) + entry.column + 1
            lines = emit.item(value, entry.column)
        else:
            colon = self._behind_key(where)
            if colon is None or spans.row_of(colon) != entry.line:
                return None
            at = colon
            head = self.text[spans.start_of(entry.line) : colon]
            lines = emit.behind(head, value, entry.column)
        comment = self._comment_behind(where, at)
        return self._replace_lines(entry.line, entry.stop, [lines[0] + comment, *lines[1:]])

    def _comment_behind(self, where: str, at: int) -> str:
        """The comment on the first line of an entry, white space before it included."""
        place = self.outline.places[where]
        row = self.outline.spans.row_of(at)
        if place.style in {"map", "seq"}:
            start = at
        elif place.style in {"|", ">"}:
            start = place.start + 1
            while self.text[start : start + 1] in set("+-123456789"):
                start += 1
        else:
            start = place.end
        if self.outline.spans.row_of(start) != row:
            return ""
        match = _COMMENT.match(self.text, start)
        return match.group().rstrip() if match else ""

    def _entry(self, where: str) -> Entry:
        parent = where.rpartition("/")[0]
        return next(one for one in self.outline.entries(parent) if one.pointer == where)

    def remove(self, where: str) -> str | None:
        """Take a key or item away, its comments with it."""
        parent = where.rpartition("/")[0]
        style = self.outline.places[parent].style
        children = self.outline.children(parent)
        if len(children) == 1:
            if not parent:
                return self._empty_root()
            return self.replace(parent, [] if style in {"seq", "["} else {})
        at = children.index(where)
        if style in _FLOW:
            if at + 1 < len(children):
                start, end = self.outline.start(where), self.outline.start(children[at + 1])
            else:
                start, end = self.outline.end(children[at - 1]), self.outline.end(where)
            return self._cut(start, end, "")
        entries = self.outline.entries(parent)
        entry = entries[at]
        if entry.alone:
            return self._replace_lines(entry.lead, entry.stop, [])
        following = entries[1] if at == 0 else None
        if following is None or following.lead != entry.stop:
            return None
        start, end = self.outline.start(where), self.outline.start(following.pointer)
        return self._cut(start, end, "")

    def _empty_root(self) -> str | None:
        """The document as a map without keys; what stands above its only one stays."""
        if self.outline.places[""].style != "map":
            return self.replace("", {})
        entry = self.outline.entries("")[0]
        return self._replace_lines(entry.lead, entry.stop, ["{}"]) if entry.alone else None

    def insert(self, parent: str, key: str, value: Json, kind: Json) -> str | None:
        """A new key of a map, in its canonical place, or (whatever `key` is) a new last item."""
        style = self.outline.places[parent].style
        is_list = style in {"seq", "["}
        children = self.outline.children(parent)
        names = [pointer_parts(one)[-1] for one in children]
        at = len(names) if is_list else place_of(key, names, parent, kind)
        if not children:
            return self.replace(parent, [value] if is_list else {key: value})
        if style in _FLOW:
            text = emit.inline(value, flow=True)
            if not is_list:
                text = f"{emit.scalar(key, flow=True)}: {text}"
            if at == len(children):
                end = self.outline.end(children[-1])
                return self._cut(end, end, ", " + text)
            start = self.outline.start(children[at])
            return self._cut(start, start, text + ", ")
        entries = self.outline.entries(parent)
        if at == 0 and not entries[0].alone:
            at = 1
        line = entries[at - 1].stop if at else entries[0].lead
        column = entries[0].column
        lines = emit.item(value, column) if is_list else emit.entry(key, value, column)
        return self._replace_lines(line, line, lines)

    def expand_aliases(self) -> str:
        """The text with every alias replaced by the value that it stands for."""
        value: Any = self.outline.composed.value
        text = self.text
        aliases = [
            (place.start, place.end, where)
            for where, place in self.outline.places.items()
            if place.style == "*" and not where.startswith("\0")
        ]
        for start, end, where in sorted(aliases, reverse=True):
            target = value
            for part in pointer_parts(where):
                target = target[int(part)] if isinstance(target, list) else target[part]
            text = text[:start] + emit.inline(target, flow=True) + text[end:]
        return text


def nest(parts: list[str], value: Json) -> Json:
    """The value wrapped in a map for each part but the first."""
    for part in reversed(parts[1:]):
        value = {part: value}
    return value


def child(parent: str, key: str | int) -> str:
    """The pointer one step further."""
    return parent + pointer([key])
