"""Where values are written."""

from __future__ import annotations

import pytest

from hrctl.source.chunks import Chunk
from hrctl.source.locate import locate, locate_all

TEXT = """---
kind: Service
metadata: {name: api, labels: {team: "a b"}}
spec:
  env:
    A/B: x   # y
    EMPTY:
  script: |
    one
  ports:
    - name: http
    - 8080
  shared: &s {a: 1}
  again: *s
"""
CHUNK = Chunk(TEXT, 11)


def underlined(pointer: str, *, key: bool = False) -> tuple[int, str]:
    span = locate(CHUNK, "f.yaml", pointer, key=key)
    row = TEXT.split("\n")[span.line - 11]
    return span.line, row[span.column - 1 : span.column - 1 + span.length]


@pytest.mark.parametrize(
    ("pointer", "line", "text"),
    [
        ("", 12, "kind: Service"),
        ("/kind", 12, "Service"),
        ("/metadata", 13, '{name: api, labels: {team: "a b"}}'),
        ("/metadata/labels/team", 13, '"a b"'),
        ("/spec", 14, "spec"),
        ("/spec/env/A~1B", 16, "x"),
        ("/spec/env/EMPTY", 17, "EMPTY"),
        ("/spec/script", 18, "script"),
        ("/spec/ports/0", 21, "name: http"),
        ("/spec/ports/0/name", 21, "http"),
        ("/spec/ports/1", 22, "8080"),
        ("/spec/again", 24, "*s"),
        ("/spec/again/a", 24, "*s"),
        ("/spec/env/NONE/x", 15, "env"),
        ("/nothing", 12, "kind: Service"),
    ],
)
def test_locate(pointer: str, line: int, text: str) -> None:
    assert underlined(pointer) == (line, text)


def test_locate_a_key() -> None:
    assert underlined("/kind", key=True) == (12, "kind")
    assert underlined("/spec/env/A~1B", key=True) == (16, "A/B")
    assert underlined("/spec/ports/1", key=True) == (22, "8080")
    assert underlined("/nothing", key=True) == (12, "kind: Service")


def test_locate_all() -> None:
    found = locate_all(CHUNK, "f.yaml")
    assert found["/spec/ports/0/name"].line == 21
    assert found["/metadata/name"] == locate(CHUNK, "f.yaml", "/metadata/name")
    assert "/spec/again/a" not in found


def test_a_document_that_cannot_be_read_is_its_first_line() -> None:
    assert str(locate(Chunk("a: 'b", 3), "f.yaml", "/x/y")) == "f.yaml:3:1"
