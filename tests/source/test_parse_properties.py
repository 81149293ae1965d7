"""Laws of reading: whatever comes, both ways agree, and nothing but diagnostics comes back."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hrctl.diagnostics import Diagnostic
from hrctl.source.chunks import Chunk
from hrctl.source.compose import compose
from hrctl.source.emit import dump
from hrctl.source.locate import locate_all
from hrctl.source.parse import parse_chunk, parse_file
from hrctl.source.quick import DoubtError, quick
from hrctl.source.yaml12 import OutOfRangeError, needs_quotes, resolve

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["on", "no", "012", "1_000", "1:30", "~", "null", "a: b", "a #b", "- x", "---", "x\ny\n",
     "x\n\n", " x\ny", "x\n \ny", "x\n\ty", "\n", "#", "{a}", "[", "*x", "&x", "!x", "%x", "@x",
     "`", "a:", "?", "-", "<<", "=", "...", ". . .", "0x1F", "1e3", "\x85", "\u2028x", "\ufeff",
     "\x00", "\x1b[0m", "'", '"']
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
DOCUMENT = st.dictionaries(TEXT, JSON, max_size=5)

PIECES = st.lists(
    st.sampled_from(
        ["a", "b", "on", "1", "0x1", ":", ": ", "- ", "? ", "\n", "\n  ", "\n    ", "\t", "'", '"',
         "[", "]", "{", "}", ", ", "#", " # c", "&x ", "*x", "!!str ", "!y ", "! ", "|", ">", "|-",
         "---\n", "...\n", "%YAML 1.2\n", "\\", "\r\n", "\r", "\x85", "\u2028", "\ufeff", "é", "<<",
         "~", "-", " ", "\x00"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


@given(DOCUMENT)
@example({"x" * 2000: {"y": [[], {}, [[1]]]}})
@example({"a": "x\n"})
def test_what_is_dumped_is_read_back(doc: dict[str, Any]) -> None:
    value, problems = parse_chunk(Chunk(dump(doc), 1), "f.yaml")
    assert problems == []
    assert json.dumps(value, sort_keys=True) == json.dumps(doc, sort_keys=True)


@given(DOCUMENT)
def test_readers_of_yaml_1_1_read_the_same_strings(doc: dict[str, Any]) -> None:
    """PyYAML's own constructor is one of them."""
    texts = [one for one in doc.values() if isinstance(one, str) and one.isprintable()]
    assert yaml.load(dump({"a": texts}), yaml.CSafeLoader) == {"a": texts}


@given(PIECES)
@settings(max_examples=400)
def test_any_text_gives_a_value_or_diagnostics(text: str) -> None:
    documents, problems = parse_file(text.encode(), "f.yaml")
    rows = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for problem in problems:
        assert isinstance(problem, Diagnostic)
        assert problem.summary.isprintable()
        assert (problem.hint or "").isprintable()
        assert problem.span
        assert 1 <= problem.span.line <= rows
    for _, value in documents:
        assert isinstance(value, dict)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_diagnostics(data: bytes) -> None:
    _, problems = parse_file(data, "f.yaml")
    assert all(one.span and one.summary.isprintable() for one in problems)


@given(PIECES)
@settings(max_examples=400)
def test_the_quick_way_agrees_with_the_careful_one(text: str) -> None:
    try:
        value = quick(text)
    except (DoubtError, yaml.YAMLError, ValueError):
        return
    composed = compose(text)
    assert composed.problems == []
    assert same(composed.value, value)
    assert locate_all(Chunk(text, 1), "f.yaml")


@given(DOCUMENT)
def test_every_value_has_a_place(doc: dict[str, Any]) -> None:
    composed = compose(dump(doc))
    assert {where for where in composed.places if not where.startswith("\0")} == set(pointers(doc))


def pointers(value: Any, where: str = "") -> list[str]:
    found = [where]
    if isinstance(value, dict):
        for key, item in value.items():
            found += pointers(item, f"{where}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            found += pointers(item, f"{where}/{at}")
    return found


# A float in the core schema (YAML 1.2.2, 10.3.2), a string to ruamel.yaml: `.5E3`.
_POINT_FIRST = re.compile(r"[-+]?\.[0-9]+[eE][-+]?[0-9]+")


@pytest.mark.parametrize(
    ("text", "value"), [(".0E0", 0.0), (".5e3", 500.0), ("-.5E-1", -0.05), ("+.5E+1", 5.0)]
)
def test_a_float_may_begin_with_its_point(text: str, value: float) -> None:
    assert resolve(text) == value
    assert isinstance(resolve(text), float)
    assert needs_quotes(text)


@given(st.from_regex(r"[-+.0-9xoeEInfaNn_:]{1,8}|[ntfyoNTFYO][a-zA-Z]{0,4}", fullmatch=True))
@example(".0E0")
@settings(max_examples=400)
def test_ruamel_resolves_plain_scalars_alike(text: str) -> None:
    try:
        theirs = YAML(typ="safe", pure=True).load(io.StringIO(f"%YAML 1.2\n---\n[a, {text}]\n"))
        ours = resolve(text)
    except (YAMLError, ValueError, OutOfRangeError, OverflowError):
        return
    if (
        not isinstance(theirs, list)
        or len(theirs) != 2
        or "_" in text
        or text.lower()[:3].endswith("0b")
        or _POINT_FIRST.fullmatch(text)
    ):
        return  # not one scalar, or a form in which ruamel.yaml departs from the core schema
    if isinstance(theirs[1], (str, int, float, bool, type(None))):
        assert same(theirs[1], ours)


@given(TEXT)
def test_quotes_are_kept_away_from_names(text: str) -> None:
    if needs_quotes(text):
        assert dump({"a": text}).startswith('a: "')
