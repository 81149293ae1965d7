"""YAML 1.2 in: bytes to text, text to documents, documents to values and diagnostics.

A document goes the quick way first. Whatever is unusual about it (a tag, an alias, a key that is no
string, any error) sends it the careful way, `compose`, which finds every problem and its place.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from hrctl.diagnostics import Diagnostic, Span
from hrctl.model.values import Json
from hrctl.source.chunks import Chunk, split
from hrctl.source.compose import compose
from hrctl.source.quick import DoubtError, quick
from hrctl.source.spans import Spans

__all__ = ["Chunk", "decode", "parse_chunk", "parse_file", "split"]

_FIRST_LINE: Final = re.compile(r"^(?!---|%|\s*#|\s*$)[ \t]*(\S.*)", re.MULTILINE)
_ENCODINGS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def decode(data: bytes, path: str) -> tuple[str | None, list[Diagnostic]]:
    """The text of a file, a byte order mark dropped; None with HR001 where it is not UTF-8."""
    for mark, name in _ENCODINGS:
        if data.startswith(mark):
            return None, [_not_utf8(path, 1, 1, f"the file is {name}, not UTF-8")]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        summary = f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
        return None, [_not_utf8(path, line, column, summary)]
    if "\0" in text and (
        data[1::2].count(0) > len(data) // 4 or data[::2].count(0) > len(data) // 4
    ):
        return None, [_not_utf8(path, 1, 1, "the file is UTF-16, not UTF-8")]
    return text.removeprefix("\ufeff"), []


def _not_utf8(path: str, line: int, column: int, summary: str) -> Diagnostic:
    return Diagnostic("HR001", summary, Span(path, line, column), hint="save it as UTF-8")


def parse_file(data: bytes, path: str) -> tuple[list[tuple[int, Json]], list[Diagnostic]]:
    """Every document of a file that is in order, with its first line, and every problem."""
    text, problems = decode(data, path)
    documents: list[tuple[int, Json]] = []
    for chunk in split(text or ""):
        value, found = parse_chunk(chunk, path)
        problems += found
        if not found:
            documents.append((chunk.line, value))
    return documents, problems


def parse_chunk(chunk: Chunk, path: str) -> tuple[dict[str, Json] | None, list[Diagnostic]]:
    """The value of one document, or None and its problems; `path` is for their places.

    Aliases share the object that they stand for, so values must not be changed in place.
    """
    try:
        return quick(chunk.text), []
    except (DoubtError, yaml.YAMLError, ValueError):
        pass  # the careful way decides
    composed = compose(chunk.text, path, chunk.line)
    value, problems = composed.value, composed.problems
    if not problems and not isinstance(value, dict):
        problems = [_not_a_map(chunk, path, value)]
    if problems:
        return None, sorted(problems, key=lambda one: one.span or Span(path))
    return value, []


def _not_a_map(chunk: Chunk, path: str, value: Json) -> Diagnostic:
    names = {list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    spans = Spans(chunk.text, path, chunk.line)
    match = _FIRST_LINE.search(chunk.text)
    start, end = match.span(1) if match else (0, len(chunk.text))
    return Diagnostic(
        "HR009",
        f"the document is {names.get(type(value), 'a number')}, not a map",
        spans.span(start, end),
        hint="begin it with apiVersion, kind and metadata",
    )
