"""Diagnostics as text with the source line and a caret below it, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hrctl.cli.render.style import Paint, plain
from hrctl.cli.render.text import count
from hrctl.cli.render.values import columns, elide, printable
from hrctl.diagnostics import Diagnostic, Severity, Span

ReadLine = Callable[[Span], str | None]

_COLORS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
_TAB = 4
_PLAINTEXT = {"HR030", "HR296"}  # the line holds what nobody must read in a log


def no_source(_span: Span) -> str | None:
    """For diagnostics of which no file is at hand."""
    return None


def diagnostic_lines(
    one: Diagnostic, read_line: ReadLine = no_source, *, width: int = 80, paint: Paint = plain
) -> Iterator[str]:
    """One diagnostic, as in docs/diagnostics.md."""
    place = f"{paint(printable(str(one.span)), 'bold')}: " if one.span else ""
    level = "" if one.severity is Severity.ERROR else f" {one.severity.value}:"
    code = paint(f"{one.code}{level}", _COLORS[one.severity])
    yield f"{place}{code} {printable(one.summary)}"
    source = read_line(one.span) if one.span and one.code not in _PLAINTEXT else None
    gutter = len(str(one.span.line)) + 1 if one.span and source is not None else 3
    notes = []
    if source is not None and one.span:
        yield from _excerpt(source, one.span, one.hint, gutter, width, paint)
    elif one.hint:
        notes.append(one.hint)
    for related in one.related:
        where = f": {related.span}" if related.span else ""
        notes.append(f"{related.message}{where}")
    if one.note:
        notes.append(one.note)
    for note in notes:
        yield from _note(printable(note), gutter, width, paint)


def _excerpt(  # noqa: PLR0913, PLR0917  # the parts of one picture
    source: str, span: Span, hint: str | None, gutter: int, width: int, paint: Paint
) -> Iterator[str]:
    """The source line between two gutter lines, the caret under the place."""
    before, at, after = (
        source[: span.column - 1],
        source[span.column - 1 : span.column - 1 + span.length],
        source[span.column - 1 + span.length :],
    )
    lead, shown, rest = (_visible(part) for part in (before, at, after))
    room = max(width - gutter - 2, 20)
    if columns(lead) + columns(shown) > room - 10:  # show the place, not the line's beginning
        lead = "..." + lead[-max(room // 3 - 3, 0) :] if columns(lead) > room // 3 else lead
    line = elide(lead + shown + rest, room)
    carets = "^" * max(min(columns(shown), room - columns(lead)), 1)
    bar = paint(f"{'':{gutter}}|", "blue")
    yield bar
    yield f"{paint(f'{span.line:<{gutter}}|', 'blue')} {line}".rstrip()
    under = f"{bar} {'':{columns(lead)}}{paint(carets, 'bold red')}"
    if not hint:
        yield under
    elif gutter + 2 + columns(lead) + len(carets) + 1 + columns(hint) <= max(width, 80):
        yield f"{under} {printable(hint)}"
    else:
        yield under
        yield from _note(printable(hint), gutter, width, paint)


def _visible(text: str) -> str:
    return printable(text.replace("\t", " " * _TAB))


def _note(text: str, gutter: int, width: int, paint: Paint) -> Iterator[str]:
    from textwrap import wrap

    lines = wrap(text, max(width - gutter - 2, 20), break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines):
        sign = "=" if number == 0 else " "
        yield f"{'':{gutter}}{paint(sign, 'blue')} {line}"


def summary(found: Sequence[Diagnostic], files: int | None = None) -> str:
    """``1 error in 1 of 214 files. `hrctl explain HR021` tells more.``."""
    parts = [
        count(number, severity.value)
        for severity in (Severity.ERROR, Severity.WARNING)
        if (number := sum(one.severity is severity for one in found))
    ]
    places = {one.span.path for one in found if one.span}
    where = ""
    if places and files is not None:
        where = f" in {len(places)} of {count(files, 'file')}"
    codes = sorted({one.code for one in found if one.severity is Severity.ERROR}) or sorted(
        {one.code for one in found}
    )
    more = f" `hrctl explain {codes[0]}` tells more." if codes else ""
    return f"{', '.join(parts)}{where}.{more}" if parts else ""


def as_json(one: Diagnostic) -> dict[str, Any]:
    """One diagnostic as JSON; docs/diagnostics.md describes the fields."""
    return {
        "code": one.code,
        "severity": one.severity.value,
        "summary": one.summary,
        "span": _span(one.span),
        "address": one.address,
        "related": [{"message": rel.message, "span": _span(rel.span)} for rel in one.related],
        "hint": one.hint,
        "note": one.note,
    }


def _span(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {"path": span.path, "line": span.line, "column": span.column, "length": span.length}


def text_lines(
    found: Sequence[Diagnostic],
    read_line: ReadLine,
    *,
    width: int,
    paint: Paint = plain,
) -> Iterator[str]:
    """All of them, an empty line after each."""
    for one in found:
        yield from diagnostic_lines(one, read_line, width=width, paint=paint)
        yield ""
