"""Markdown for comments: text that cannot act, and pages that fit a size.

What a user wrote stands in code, and nowhere else: in a code span, or in a fenced block whose fence
is longer than any in it. There nothing is markup, a link, a mention or a command. Both are made of
one line of printable text each, so that no value ends its line, its cell or its block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hrctl.cli.render.findings import Findings, clean, message_lines, most_severe_first
from hrctl.cli.render.text import count
from hrctl.cli.render.values import elide
from hrctl.diagnostics import Diagnostic, Severity, Span

SMALLEST: Final = 2_048  # bytes; below that not even the verdict is sure to fit
_CELL: Final = 160  # columns of one value in a table
_RESERVE: Final = 600  # bytes kept for the line that says what was left out
_MORE: Final = 40  # and for each "... 12 more"
_PUNCTUATION: Final = re.compile(r"[^\w ]", re.ASCII)


def code(text: str, width: int = _CELL) -> str:
    """Text as code, on one line, in any cell: ``"a|b"`` too.

    A vertical bar would end the cell even inside a code span, and the ways to escape it differ
    between parsers. Text with one, or with a backtick, is HTML code in which every mark is an
    entity, and in which an empty comment stands wherever a link or a mention could begin.
    """
    shown = elide(clean(text), width)
    if not shown:
        return ""
    if "|" not in shown and "`" not in shown and shown == shown.strip():
        return f"`{shown}`"
    coded = _PUNCTUATION.sub(lambda mark: f"&#{ord(mark.group())};", shown)
    coded = re.sub(r"(&#(?:58|46|64|35);)", r"<!-- -->\1<!-- -->", coded)
    return f"<code>{coded}</code>"


def fence(lines: Iterable[str]) -> str:
    """A fence that none of these lines can close."""
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    return "`" * max(longest + 1, 3)


def marker(command: str, project: str | None) -> str:
    """The hidden line by which a comment is found again, to be updated in place."""
    return f"<!-- {command.replace(' ', ':')}{f':{project}' if project else ''} -->"


@dataclass(slots=True)
class Block:
    """A part of a page that can be shortened, item by item, and never in the middle of one.

    Attributes:
        items: (weight, text) of each; the lightest are left out first, of equal ones those that
            stand furthest behind in their block, so that each block shows some.
        head: what stands before them; left out when no item is left.
        foot: what stands behind them; likewise.
        noun: what an item is called where it is counted: ``row of the table``.
        more: a line for some that are missing, with ``{}`` for their number.
    """

    items: Sequence[tuple[int, str]]
    head: str = ""
    foot: str = ""
    noun: str = "line"
    more: str = "... {} more\n"
    kept: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.kept = set(range(len(self.items)))

    def text(self) -> str:
        """The block with the items that are kept."""
        if not self.kept:
            return ""
        missing = len(self.items) - len(self.kept)
        more = self.more.format(f"{missing:,}") if missing else ""
        body = "".join(self.items[index][1] for index in sorted(self.kept))
        return f"{self.head}{body}{more}{self.foot}"


def page(parts: Sequence[str | Block], max_bytes: int, where: str) -> str:
    """The parts one after another, in at most `max_bytes` of UTF-8.

    Strings are never left out; blocks are shortened until all fits, the lightest items first.

    Args:
        parts: in the order of the page.
        max_bytes: at least `SMALLEST`.
        where: what shows all that was left out: ``hrctl plan``.
    """
    text = _joined(parts)
    if size(text) <= max_bytes:
        return text
    left_out = _shorten(parts, max_bytes - _RESERVE - size(text))
    missing = ", ".join(
        count(number, noun) if number == 1 else f"{number:,} {_plural(noun)}"
        for noun, number in left_out.items()
    )
    note = f"\nShortened to {max_bytes:,} bytes; left out: {missing}. `{where}` shows all.\n"
    return _joined(parts) + note


def _joined(parts: Sequence[str | Block]) -> str:
    return "".join(part if isinstance(part, str) else part.text() for part in parts)


def size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def _plural(noun: str) -> str:
    first, _, rest = noun.partition(" ")
    return f"{first}s {rest}".rstrip()


def _shorten(parts: Sequence[str | Block], room: int) -> Mapping[str, int]:
    """Leave items out until `room`, which is below zero, is used up; how many of which noun."""
    blocks = [part for part in parts if isinstance(part, Block)]
    order = sorted(
        (weight, -index, -number)
        for number, block in enumerate(blocks)
        for index, (weight, _) in enumerate(block.items)
    )
    left_out: Counter[str] = Counter()
    for _, index, number in order:
        if room >= 0:
            break
        block = blocks[-number]
        if len(block.kept) == len(block.items):
            room -= _MORE
        block.kept.remove(-index)
        room += size(block.items[-index][1])
        if not block.kept:
            room += size(block.head) + size(block.foot) + _MORE
        left_out[block.noun] += 1
    return left_out


def findings_page(findings: Findings, *, project: str | None, max_bytes: int) -> str:
    """Diagnostics as a comment: a verdict, and a table, the most severe first."""
    found = most_severe_first(findings.diagnostics)
    rows = [
        (
            len(found) - number,
            _row(one.severity.value, one.code, _place(findings, one.span), _message(one)),
        )
        for number, one in enumerate(found)
    ]
    table = Block(
        rows,
        head="\n| | code | place | |\n|---|---|---|---|\n",
        noun="finding",
        more="| | | | {} more |\n",
    )
    head = f"{marker(findings.command, project)}\n### {findings.command}: {verdict(findings)}\n"
    return page([head, table], max_bytes, findings.command)


def verdict(findings: Findings) -> str:
    """``2 errors and 1 warning in 2 files``, or that there are none."""
    parts = [
        count(number, "note" if severity is Severity.INFO else severity.value)
        for severity in Severity
        if (number := sum(one.severity is severity for one in findings.diagnostics))
    ]
    files = {one.span.path for one in findings.diagnostics if one.span is not None}
    where = f" in {count(len(files), 'file')}" if files else ""
    if not parts:
        checked = f" in {count(len(findings.files), 'file')}" if findings.files else ""
        return f"nothing wrong{checked}"
    return f"{' and '.join(parts)}{where}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _message(one: Diagnostic) -> str:
    return "<br>".join(map(code, message_lines(one)))


def _place(findings: Findings, span: Span | None) -> str:
    return code(f"{findings.path(span)}:{span.line}:{span.column}") if span else ""
