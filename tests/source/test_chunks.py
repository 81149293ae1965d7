"""Cutting files into documents."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hrctl.source.chunks import regions, split


def cut(text: str) -> list[tuple[str, int]]:
    return [(one.text, one.line) for one in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n# only\n---\n# this\n...\n", []),
        ("a", [("a", 1)]),
        ("---\na\n", [("---\na\n", 1)]),
        ("a\n---\nb\n", [("a\n", 1), ("---\nb\n", 2)]),
        ("# c\n---\na\n", [("---\na\n", 2)]),
        ("--- a\n---\tb\n---c\n", [("--- a\n", 1), ("---\tb\n---c\n", 2)]),
        ("a: |\n  ---\n---\nb", [("a: |\n  ---\n", 1), ("---\nb", 3)]),
        ("a\n---", [("a\n", 1)]),
        ("a\r\n---\r\nb\r\n", [("a\r\n", 1), ("---\r\nb\r\n", 2)]),
        ("a\r---\rb\r", [("a\r", 1), ("---\rb\r", 2)]),
        ("%YAML 1.2\n---\na\n", [("%YAML 1.2\n---\na\n", 1)]),
        ("# c\n%YAML 1.2\n---\na\n", [("# c\n%YAML 1.2\n---\na\n", 1)]),
        ("a\n...\nb\n---\nc\n", [("a\n...\n", 1), ("b\n", 3), ("---\nc\n", 4)]),
        (
            "a\n...\n# c\n%YAML 1.2\n---\nb\n",
            [("a\n...\n", 1), ("# c\n%YAML 1.2\n---\nb\n", 3)],
        ),
        ("a\n%b\n---\nc\n", [("a\n%b\n", 1), ("---\nc\n", 3)]),
        ("\xa0\n", [("\xa0\n", 1)]),
    ],
)
def test_split(text: str, expected: list[tuple[str, int]]) -> None:
    assert cut(text) == expected


LINES = st.lists(
    st.sampled_from(
        [
            "---",
            "--- a",
            "...",
            "%YAML 1.2",
            "# c",
            "",
            "a: 1",
            "  b: |",
            "   ---",
            "---x",
            "'q",
            "'",
        ]
    ),
    max_size=12,
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_regions_cover_the_text_and_splitting_again_changes_nothing(
    lines: list[str], newline: str
) -> None:
    text = newline.join(lines)
    assert "".join(text[start:end] for start, end in regions(text)) == text
    for chunk in split(text):
        assert cut(chunk.text) == [(chunk.text, 1)]
        rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        first = chunk.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[0]
        assert rows[chunk.line - 1] == first


@given(LINES, LINES)
def test_documents_of_one_file_behind_another(one: list[str], other: list[str]) -> None:
    # A directive belongs to what follows.
    first = "\n".join([*(line for line in one if not line.startswith("%")), ""])
    second = "\n".join(["---", *other, ""])
    assert [text for text, _ in cut(first + second)] == [
        text for text, _ in cut(first) + cut(second)
    ]


@given(LINES)
def test_the_parser_sees_the_same_documents(lines: list[str]) -> None:
    for at, line in enumerate(lines):  # 1.2 wants `...` before a directive, PyYAML does without
        if line.startswith("%") and set(lines[:at]) - {"...", "# c", ""}:
            return
    text = "\n".join([*lines, ""])
    try:
        whole = [one for one in yaml.load_all(text, yaml.BaseLoader) if one]
    except yaml.YAMLError:
        return
    parts = [yaml.load(chunk.text, yaml.BaseLoader) for chunk in split(text)]  # noqa: S506 (it makes strings alone)
    assert [one for one in parts if one] == whole
