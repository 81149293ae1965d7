"""`hrctl fmt`: canonical order of keys, two spaces, lists two columns right of their key.

Lines are moved, shifted and get quotes; none is written anew, so no comment can be lost. Each step
is read again and must say the same as before, else the document stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.model.values import Json, pointer_parts
from hrctl.source.chunks import is_empty, regions
from hrctl.source.edit import same
from hrctl.source.emit import INDENT, quoted
from hrctl.source.order import ordered
from hrctl.source.outline import Entry, Outline
from hrctl.source.yaml12 import needs_quotes

_ORDERED: Final = ("", "/metadata", "/spec", "/lifecycle")
_FLOW: Final = frozenset({"{", "["})
_TEXT_BLOCKS: Final = frozenset({"|", ">"})


def format_text(text: str, path: str) -> str:
    """The text of a file in canonical layout; the same once more changes nothing.

    Raises:
        HrctlError: the problems of documents that cannot be read.
    """
    parts = []
    problems = []
    line = 1
    for start, end in regions(text):
        body = text[start:end]
        outline = Outline(body, path, line)
        problems += outline.composed.problems
        line += len(outline.lines)
        parts.append(body if is_empty(text, start, end) or problems else _format(outline))
    if problems:
        raise HrctlError(*problems)
    return "".join(parts)


def _format(outline: Outline) -> str:
    for step in (_end, _reorder_all, _indent, _quote, _trim):
        outline = _taken(outline, step(outline))
    return outline.text


def _taken(outline: Outline, text: str) -> Outline:
    """The document with a new text, or as it was where that says something else."""
    if text == outline.text:
        return outline
    new = Outline(text)
    return new if _is_same(outline, new) else outline


def _end(outline: Outline) -> str:
    """The text with a line end at its end; a block of text there may not bear one."""
    text = outline.text
    return text if text.endswith(("\n", "\r")) else text + _newline(text)


def _is_same(old: Outline, new: Outline) -> bool:
    return (
        not new.composed.problems
        and same(old.composed.value, new.composed.value)
        and sorted(old.comments()) == sorted(new.comments())
    )


def _reorder_all(outline: Outline) -> str:
    for where in _ORDERED:
        outline = _taken(outline, _reorder(outline, where))
    return outline.text


def _reorder(outline: Outline, where: str) -> str:
    """The text with the keys of one map in canonical order, each with its comments."""
    place = outline.places.get(where)
    if place is None or place.style not in {"map", "{"}:
        return outline.text
    children = outline.children(where)
    names = {pointer_parts(one)[-1]: one for one in children}
    value = outline.composed.value
    kind = value.get("kind") if isinstance(value, dict) else None
    wanted = [names[name] for name in ordered(names, where, kind)]
    if wanted == children:
        return outline.text
    if place.style == "{":
        return _permute_flow(outline, children, wanted)
    entries = {one.pointer: one for one in outline.entries(where)}
    if not all(one.alone for one in entries.values()):
        return outline.text
    return _permute_lines(outline, entries, children, wanted)


def _permute_flow(outline: Outline, children: list[str], wanted: list[str]) -> str:
    """Put the keys of a map in braces into each other's places; commas and breaks stay."""
    text = outline.text
    pieces = []
    at = 0
    for old, new in zip(children, wanted, strict=True):
        pieces.append(text[at : outline.start(old)])
        pieces.append(text[outline.start(new) : outline.end(new)])
        at = outline.end(old)
    return "".join([*pieces, text[at:]])


def _permute_lines(
    outline: Outline, entries: dict[str, Entry], children: list[str], wanted: list[str]
) -> str:
    """Put the lines of keys into another order.

    What stands between two keys goes with the second; above the first only its own comment does.
    """
    lines = outline.lines
    first = entries[children[0]].lead
    last = entries[children[-1]].stop
    if not lines[last - 1].endswith(("\n", "\r")):
        lines = [*lines[: last - 1], lines[last - 1] + _newline(outline.text), *lines[last:]]
    blocks: dict[str, list[str]] = {}
    at = first
    for one in children:
        blocks[one] = lines[at : entries[one].stop]
        at = entries[one].stop
    while not blocks[wanted[0]][0].strip():  # a blank line separates, so it stays in between
        blocks[children[0]].insert(0, blocks[wanted[0]].pop(0))
    moved = [line for one in wanted for line in blocks[one]]
    return "".join([*lines[:first], *moved, *lines[last:]])


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent(outline: Outline) -> str:
    """The text with every key and dash in its canonical column; what belongs to it is shifted."""
    root = outline.places.get("")
    if root is None or root.style not in {"map", "seq"}:
        return outline.text
    plan = _Plan()
    _plan_indent(outline, "", 0, plan)
    comments = _comment_lines(outline)
    new = []
    shift = 0
    for number, line in enumerate(outline.lines):
        if number in comments:
            new.append(_shift(line, _comment_shift(outline, number, plan, comments)))
            continue
        shift = plan.before.get(number, shift)
        new.append(_shift(_close_gaps(line, plan.gaps.get(number, ())), shift))
        shift = plan.behind.get(number, shift)
    return "".join(new)


@dataclass(slots=True)
class _Plan:
    """What becomes of the lines of a document, by their numbers.

    A line that begins with a key or dash moves by `before`; `behind` is for the lines that carry
    on what begins last on it. `gaps` are white space behind dashes: column and surplus.
    """

    columns: dict[int, int] = field(default_factory=dict)  # of what begins a line, as it is
    before: dict[int, int] = field(default_factory=dict)
    behind: dict[int, int] = field(default_factory=dict)
    gaps: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def _plan_indent(outline: Outline, where: str, column: int, plan: _Plan) -> None:
    """Plan for each key or item of a block, and those in it, to begin in its column."""
    is_list = outline.places[where].style == "seq"
    for entry in outline.entries(where):
        plan.behind[entry.line] = column - entry.column
        if entry.alone:
            plan.columns[entry.line] = entry.column
            plan.before[entry.line] = column - entry.column
        place = outline.places[entry.pointer]
        if is_list and outline.spans.row_of(place.start) == entry.line:
            surplus = outline.column(place.start) - entry.column - INDENT
            if surplus > 0:
                plan.gaps.setdefault(entry.line, []).append((entry.column + 1, surplus))
        if place.style in {"map", "seq"}:
            _plan_indent(outline, entry.pointer, column + INDENT, plan)


def _close_gaps(line: str, gaps: Iterable[tuple[int, int]]) -> str:
    for column, surplus in sorted(gaps, reverse=True):
        line = line[:column] + line[column + surplus :]
    return line


def _comment_lines(outline: Outline) -> set[int]:
    """The lines that hold nothing but a comment, outside of text blocks and brackets."""
    taken: set[int] = set()
    for place in outline.places.values():
        if place.style not in {"map", "seq"}:
            first = outline.spans.row_of(place.start)
            taken.update(range(first, outline.spans.row_of(max(place.end - 1, place.start)) + 1))
    return {
        number
        for number, line in enumerate(outline.lines)
        if line.lstrip(" \t").startswith("#") and number not in taken
    }


def _comment_shift(outline: Outline, number: int, plan: _Plan, comments: set[int]) -> int:
    """How far a comment moves: with what follows where it stands above that, else with its owner.

    That is what begins above it in the same column, or further left.
    """
    line = outline.lines[number]
    column = len(line) - len(line.lstrip(" \t"))
    following = number + 1
    while following < len(outline.lines) and (
        following in comments or not outline.lines[following].strip()
    ):
        following += 1
    if plan.columns.get(following) == column:
        return plan.before[following]
    owner = next(
        (at for at in range(number, -1, -1) if plan.columns.get(at, column + 1) <= column), -1
    )
    return plan.before.get(owner, 0)


def _shift(line: str, columns: int) -> str:
    """A line further to the right or, as far as there are spaces, to the left."""
    if not line.strip("\r\n") or columns == 0:
        return line
    if columns > 0:
        return " " * columns + line
    spaces = len(line) - len(line.lstrip(" "))
    return line[min(-columns, spaces) :]


def _quote(outline: Outline) -> str:
    """The text with quotes around strings that readers of YAML 1.1 take for something else."""
    found: dict[int, int] = {}
    text = outline.text
    for where, place in outline.places.items():
        if place.style == "plain" and isinstance(_value_at(outline, where), str):
            found[place.start] = place.end
        if place.key is not None:
            found[place.key[0]] = place.key[1]
    for start in sorted(found, reverse=True):
        plain = text[start : found[start]]
        if needs_quotes(plain) and plain[:1] not in "&!*":
            text = text[:start] + quoted(plain) + text[found[start] :]
    return text


def _value_at(outline: Outline, where: str) -> Json:
    value = outline.composed.value
    if where.startswith("\0"):
        return None
    for part in pointer_parts(where):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _trim(outline: Outline) -> str:
    """The text without white space at the ends of lines, but for what is part of a value."""
    keep: set[int] = set()
    for place in outline.places.values():
        if place.style in {*_TEXT_BLOCKS, "plain", "'", '"'}:
            first = outline.spans.row_of(place.start)
            keep.update(range(first, outline.spans.row_of(max(place.end - 1, place.start)) + 1))
            if place.style not in _TEXT_BLOCKS:
                keep.discard(outline.spans.row_of(max(place.end - 1, place.start)))
    return "".join(
        line if number in keep else line.rstrip(" \t\r\n") + line[len(line.rstrip("\r\n")) :]
        for number, line in enumerate(outline.lines)
    )
