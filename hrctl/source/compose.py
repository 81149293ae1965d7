"""The careful way through a document: every problem, and the place of every value.

`parse` takes the quick way and comes here only where it has a doubt. This way walks the parser's
events, so that nesting is counted before it can exhaust a stack, and goes on after a problem
wherever that makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from hrctl.diagnostics import Diagnostic, Related
from hrctl.model.values import Json, pointer
from hrctl.source.breaks import hide_breaks, show_breaks
from hrctl.source.spans import Spans
from hrctl.source.syntax import explain
from hrctl.source.yaml12 import (
    MERGE,
    MISSING,
    OutOfRangeError,
    apply_tag,
    is_string,
    printable,
    resolve,
    short_tag,
)

MAX_DEPTH: Final = 64
# Values that the aliases of a document may stand for: so many, more for each character of its
# text, and never more than the last. Many small documents must not fill the memory either.
_EXPANDED: Final = 10_000
_EXPANDED_BY_A_CHARACTER: Final = 10
MAX_EXPANDED: Final = 100_000

_FORBIDDEN: Final = re.compile(
    r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: offsets of its key (None in a list or at the root) and of itself.

    `style` is ``plain``, ``'``, ``"``, ``|``, ``>``, ``map``, ``seq``, ``{``, ``[`` or ``*``.
    """

    start: int
    end: int
    style: str
    key: tuple[int, int] | None = None


@dataclass(slots=True)
class Composed:
    """A document: its value (not to be used where there are problems), problems, places."""

    value: Json = None
    problems: list[Diagnostic] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)


class _StopError(Exception):
    """Nothing more can be said about this document; the problem has been recorded."""


@dataclass(slots=True)
class _Anchored:
    value: Json = None
    weight: int = 0
    open: bool = True  # an alias now would contain itself


def compose(text: str, path: str = "", line: int = 1) -> Composed:
    """Read one document, its first line being `line` of the file at `path`."""
    return _Composer(text, Spans(text, path, line)).run()


def _is(event: Any, kind: type) -> bool:
    """`isinstance`, without the type checker's narrowing: its stubs call every mark optional."""
    return isinstance(event, kind)


class _Composer:
    """One use: reads one document and records what it meets."""

    def __init__(self, text: str, spans: Spans) -> None:
        self.spans = spans
        self.out = Composed()
        self.anchors: dict[str, _Anchored] = {}
        self.expanded = 0
        self.text = text

    def run(self) -> Composed:
        text, back = hide_breaks(self._without_forbidden())
        parser = EventParser(text)
        self.next: Callable[[], Any] = parser.get_event
        try:
            self.next()  # the stream's start
            if not isinstance(self.next(), StreamEndEvent):
                self.out.value, _ = self._node(self.next(), "", 0, None)
                self.next()  # the document's end
                self._expect_end(self.next())
        except _StopError:
            pass
        except yaml.YAMLError as error:
            self.out.problems.append(explain(error, self.text, self.spans))
        if back:
            self.out.value = show_breaks(self.out.value, back)
            self.out.places = {
                where.translate(back): place for where, place in self.out.places.items()
            }
        return self.out

    def _without_forbidden(self) -> str:
        """The text with a placeholder for each character that YAML forbids; each is a problem."""
        for match in _FORBIDDEN.finditer(self.text):
            self.report(
                "HR002",
                f"character U+{ord(match.group()):04X} is not allowed in YAML",
                *match.span(),
                hint='delete it, or write it as an escape in double quotes, as "\\x1b"',
            )
        return _FORBIDDEN.sub("?", self.text)

    def report(  # noqa: PLR0913 (the parts of a diagnostic)
        self,
        code: str,
        summary: str,
        start: int,
        end: int,
        *,
        hint: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        """Record a problem that covers the characters from `start` to before `end`."""
        span = self.spans.span(start, end)
        self.out.problems.append(Diagnostic(code, summary, span, hint=hint, related=related))

    def _expect_end(self, event: Any) -> None:
        if not isinstance(event, StreamEndEvent):
            at = event.start_mark.index
            self.report("HR002", "a second document begins here", at, at + 1, hint="put --- before")

    def _node(
        self, event: Any, where: str, depth: int, key: tuple[int, int] | None
    ) -> tuple[Json, int]:
        """The value that begins with this event, and of how many nodes it consists."""
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, AliasEvent):
            self.out.places.setdefault(where, Place(start, end, "*", key))
            return self._alias(event, start, end)
        anchored = _Anchored()
        if event.anchor is not None:
            self.anchors[event.anchor] = anchored
        if isinstance(event, ScalarEvent):
            style = event.style or "plain"
            self.out.places.setdefault(where, Place(start, end, style, key))
            anchored.value, anchored.weight = self._scalar(event, start, end), 1
        else:
            if depth == MAX_DEPTH:
                self.report(
                    "HR007",
                    f"nesting deeper than {MAX_DEPTH} levels",
                    start,
                    start + 1,
                    hint="split the document, or flatten it",
                )
                raise _StopError
            if isinstance(event, MappingStartEvent):
                self._mapping(event, where, depth, key, anchored)
            else:
                self._sequence(event, where, depth, key, anchored)
        anchored.open = False
        return anchored.value, anchored.weight

    def _alias(self, event: Any, start: int, end: int) -> tuple[Json, int]:
        name = printable(event.anchor)
        target = self.anchors.get(event.anchor)
        if target is None:
            self.report(
                "HR008",
                f"alias '*{name}' refers to no anchor",
                start,
                end,
                hint=f"write &{name} before the value that it means, in the same document:"
                " anchors do not reach across documents",
            )
            return None, 1
        if target.open:
            self.report(
                "HR008",
                f"alias '*{name}' stands inside of what it refers to",
                start,
                end,
                hint="a value cannot contain itself",
            )
            return None, 1
        self.expanded += target.weight
        most = min(MAX_EXPANDED, _EXPANDED + _EXPANDED_BY_A_CHARACTER * len(self.text))
        if self.expanded > most:
            self.report(
                "HR008",
                f"aliases expand to more than {most:,} values",
                start,
                end,
                hint="write less with aliases that refer to one another",
            )
            raise _StopError
        return target.value, target.weight

    def _scalar(self, event: ScalarEvent, start: int, end: int) -> Json:
        text: str = event.value
        try:
            if event.tag is not None:
                value = self._tagged(event.tag, text, start)
                if value is not MISSING:
                    return value
            if event.style:
                return text
            return resolve(text)
        except OutOfRangeError:
            self.report(
                "HR010",
                f"number {printable(text, 30)} does not fit into 64 bits",
                start,
                end,
                hint="write it as a string, in quotes",
            )
            return 0

    def _tagged(self, tag: str, text: str, start: int) -> Json:
        """The value under an explicit tag, `MISSING` after a problem."""
        name = printable(short_tag(tag))
        end = start + len(name)
        if tag == "!":
            return text  # it makes a string of any scalar
        try:
            value = apply_tag(tag, text)
        except OutOfRangeError:
            raise
        except ValueError:
            summary = f"'{printable(text, 30)}' does not fit the tag {name}"
            self.report("HR005", summary, start, end, hint="drop the tag or mend the value")
            return MISSING
        if value is MISSING:
            self._unknown_tag(name, start, end)
        return value

    def _unknown_tag(self, name: str, start: int, end: int) -> None:
        self.report(
            "HR005",
            f"unknown tag {name}",
            start,
            end,
            hint="drop it: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known",
        )

    def _check_tag(self, event: Any, wanted: str) -> None:
        if event.tag in {None, "!", f"tag:yaml.org,2002:{wanted}"}:
            return
        name = printable(short_tag(event.tag))
        start = event.start_mark.index
        if name in {"!!map", "!!seq", "!!str", "!!int", "!!float", "!!bool", "!!null"}:
            what = "a map" if wanted == "map" else "a list"
            self.report("HR005", f"{what} does not fit the tag {name}", start, start + len(name))
        else:
            self._unknown_tag(name, start, start + len(name))

    def _sequence(
        self,
        event: Any,
        where: str,
        depth: int,
        key: tuple[int, int] | None,
        anchored: _Anchored,
    ) -> None:
        self._check_tag(event, "seq")
        items: list[Json] = []
        anchored.value = items
        weight = 1
        while not _is(one := self.next(), SequenceEndEvent):
            value, more = self._node(one, f"{where}/{len(items)}", depth + 1, None)
            items.append(value)
            weight += more
        anchored.weight = weight
        style = "[" if event.flow_style else "seq"
        place = Place(event.start_mark.index, one.end_mark.index, style, key)
        self.out.places.setdefault(where, place)

    def _mapping(
        self,
        event: Any,
        where: str,
        depth: int,
        key: tuple[int, int] | None,
        anchored: _Anchored,
    ) -> None:
        self._check_tag(event, "map")
        items: dict[str, Json] = {}
        first: dict[str, tuple[int, int]] = {}
        anchored.value = items
        weight = 1
        while not _is(one := self.next(), MappingEndEvent):
            name, extent, more = self._key(one, depth)
            if name in first:
                self.report(
                    "HR004",
                    f"key '{printable(name)}' stands here a second time",
                    *extent,
                    hint="delete one of the two",
                    related=(Related("the first is here", self.spans.span(*first[name])),),
                )
            first.setdefault(name, extent)
            value, heavy = self._node(self.next(), where + pointer([name]), depth + 1, extent)
            items.setdefault(name, value)
            weight += more + heavy
        anchored.weight = weight
        style = "{" if event.flow_style else "map"
        place = Place(event.start_mark.index, one.end_mark.index, style, key)
        self.out.places.setdefault(where, place)

    def _key(self, event: Any, depth: int) -> tuple[str, tuple[int, int], int]:
        """A key: its text, where it stands, its weight."""
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, ScalarEvent) and event.tag is None and not event.style:
            text: str = event.value
            if event.anchor is not None:
                self.anchors[event.anchor] = _Anchored(text, 1, open=False)
            if not is_string(text):
                self._odd_key(text, start, end)
                return f"\0{start}", (start, end), 1  # it is no duplicate of a quoted one
            return text, (start, end), 1
        value, weight = self._node(event, f"\0{start}", depth + 1, None)  # no pointer leads to keys
        if isinstance(value, str):
            return value, (start, end), weight
        if not isinstance(event, AliasEvent) or value is not None:
            shown = (
                "a key must be a string"
                if isinstance(value, dict | list)
                else f"key '{printable(str(value))}' is not a string"
            )
            self.report("HR011", shown, start, end, hint="name it by a string in quotes")
        return f"\0{start}", (start, end), weight

    def _odd_key(self, text: str, start: int, end: int) -> None:
        if text == MERGE:
            self.report(
                "HR006",
                "merge key '<<' is not part of YAML 1.2",
                start,
                end,
                hint="write the keys out, or share them through a registry's defaults",
            )
        elif text:
            shown = printable(text)
            self.report(
                "HR011", f"key {shown} is not a string", start, end, hint=f'write "{shown}"'
            )
        else:
            self.report("HR011", "a key is missing before ':'", start, end + 1)


if yaml.__with_libyaml__:
    from yaml._yaml import CParser as EventParser
else:
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class EventParser(Reader, Scanner, Parser):  # type: ignore[no-redef]
        """The same events in pure Python, where PyYAML came without its C library."""

        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)
