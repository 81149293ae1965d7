"""`hrctl fmt`: one layout, nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrctl.diagnostics import HrctlError
from hrctl.model.kinds import KINDS, kind
from hrctl.source.emit import dump, scalar
from hrctl.source.layout import format_text
from hrctl.source.order import known_keys, ordered
from hrctl.source.outline import Outline
from hrctl.source.parse import parse_file

MESSY = """\
# yaml-language-server: $schema=x

# about kind
kind: Service   # the kind
metadata:
    labels: {team: payments, on: no}
    # name here
    name: api
    # trailing in metadata

# api
apiVersion: hrctl.dev/v1\x20\x20
spec:
    # how many
    replicas: 2
    type: API
    ports:
    -   name: http
        port: 80   # p
        # deep
        text: |
           one

             two\x20\x20
    # before x
    - name: x
      "q": "a
        b
      c"
    args: [1,
       2,   # two
       3]
    env:
          A: on
          B: 012
          C: 1_000
          D: long
           text
      # odd
    lst:
    - - a
      -   - b
          - c
# end"""

TIDY = """\
# yaml-language-server: $schema=x

# api
apiVersion: hrctl.dev/v1

# about kind
kind: Service   # the kind
metadata:
  # name here
  name: api
  labels: {team: payments, "on": "no"}
  # trailing in metadata
spec:
  type: API
  env:
    A: "on"
    B: 012
    C: "1_000"
    D: long
     text
    # odd
  # how many
  replicas: 2
  ports:
    - name: http
      port: 80   # p
      # deep
      text: |
         one

           two\x20\x20
    # before x
    - name: x
      "q": "a
        b
      c"
  args: [1,
     2,   # two
     3]
  lst:
    - - a
      - - b
        - c
# end
"""


def test_format() -> None:
    assert format_text(MESSY, "f.yaml") == TIDY
    assert format_text(TIDY, "f.yaml") == TIDY


def test_crlf_is_kept() -> None:
    assert format_text(MESSY.replace("\n", "\r\n"), "f.yaml") == TIDY.replace("\n", "\r\n")


def test_keys_in_braces_are_put_in_order() -> None:
    text = "{kind: Service, spec: {replicas: 1, type: API}, metadata: {labels: {}, name: x}}"
    assert format_text(text, "f.yaml") == (
        "{kind: Service, metadata: {name: x, labels: {}}, spec: {type: API, replicas: 1}}\n"
    )


def test_every_document_is_laid_out_and_markers_stay() -> None:
    text = "# head\n---\nkind: A\napiVersion: v\n---\n# only a comment\n---\nb:\n    c: 1\n...\n"
    assert format_text(text, "f.yaml") == (
        "# head\n---\napiVersion: v\nkind: A\n---\n# only a comment\n---\nb:\n  c: 1\n...\n"
    )


@pytest.mark.parametrize("text", ["", "# only\n", "---\n", "\n\n"])
def test_nothing_to_lay_out(text: str) -> None:
    assert format_text(text, "f.yaml") == text


def test_all_problems_are_told_with_their_lines() -> None:
    with pytest.raises(HrctlError) as caught:
        format_text("a: 1\n---\nb: 'x\n---\nc: 1\nc: 2\n", "f.yaml")
    assert [str(one.span) for one in caught.value.diagnostics] == ["f.yaml:3:4", "f.yaml:6:1"]


@pytest.mark.parametrize(
    "text",
    [
        "a: |+\n  x\n\nkind: Y\napiVersion: z\n",
        "a:\n    b: |2\n        x\n      y\n",
        "? a\n: b\n? c\n:   d: 1\n",
        "a: &x\n    b: on\nc: *x\n",
        "a:\n    - >-\n        x\n        y\n    -   - 1\n",
        "a: !!str on\nb: ! no\n",
        'kind: "a\n\n  b"\napiVersion: x\n',
    ],
)
def test_values_stay_what_they_are(text: str) -> None:
    new = format_text(text, "f.yaml")
    assert parse_file(new.encode(), "f")[0] == parse_file(text.encode(), "f")[0]
    assert format_text(new, "f.yaml") == new


def test_order() -> None:
    assert ordered(["z", "env", "a", "type"], "/spec", "Service") == ["type", "env", "z", "a"]
    assert ordered(["z", "a", "type"], "/spec", "Other") == ["type", "z", "a"]
    assert ordered(["z", "a"], "/spec/env", "Service") == ["z", "a"]


@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_a_kind_is_that_of_its_model(name: str) -> None:
    fields = kind(name).model.model_fields
    keys = [field.alias or one for one, field in fields.items()]
    assert list(known_keys("/spec", name)) == keys


def test_what_is_dumped_is_laid_out_already() -> None:
    doc = {"kind": "Service", "spec": {"on": ["no", {"a": {"b": "x\ny"}}, [1]]}, "apiVersion": "v"}
    assert format_text(dump(doc), "f.yaml") == dump(doc)


KEYS = st.sampled_from(
    ["a", "kind", "spec", "apiVersion", "metadata", "name", "type", "on", "labels"]
)
LEAVES = st.sampled_from([None, True, 1, "x", "on", "1:30", "a: b", "x\ny\n", "x\n\ny", "# x", ""])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


def messy(draw: Any, value: Any, column: int) -> list[str]:
    """Lines of a block value at a column, with odd steps, comments and blank lines."""
    lines: list[str] = []
    pad = " " * column
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        above = draw(st.integers(0, 9))
        if above == 0:
            lines.append("")
        elif above <= 3:
            lines.append(f"{' ' * draw(st.sampled_from([column, column, column + 2, 0]))}# {above}")
        item = value[key]
        head = f"{pad}{key}:" if isinstance(value, dict) else f"{pad}-"
        mark = draw(st.sampled_from(["", "", "  # c", " "]))
        if isinstance(item, dict | list) and item and draw(st.integers(0, 4)):
            flat = isinstance(item, list) and isinstance(value, dict) and draw(st.booleans())
            inner = messy(draw, item, column if flat else column + draw(st.integers(1, 5)))
            dash = isinstance(value, list) and inner[0].strip()[:1] != "#" and inner[0].strip()
            if dash and len(inner[0]) - len(inner[0].lstrip()) > column + 1:
                lines += [head + inner[0][column + 1 :], *inner[1:]]
            else:
                lines += [head + mark, *inner]
        elif isinstance(item, str) and item.endswith("\n"):
            step = " " * draw(st.integers(1, 4))
            lines += [f"{head} |", *(pad + step + row for row in item.split("\n")[:-1])]
        else:
            text = item if item == "on" else json.dumps(item) if item != "x" else scalar(item)
            lines.append(f"{head} {text}{mark}")
    return lines


@st.composite
def documents(draw: Any) -> str:
    value = draw(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
    top = draw(st.sampled_from(["", "# yaml-language-server: x\n", "---\n", "# a\n\n"]))
    lines = messy(draw, value, draw(st.sampled_from([0, 0, 2])))
    return str(top + "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# end\n"])))


@given(documents())
@settings(max_examples=250, deadline=None)
def test_nothing_is_lost_and_twice_is_once(text: str) -> None:
    before, problems = parse_file(text.encode(), "f")
    if problems:
        return
    new = format_text(text, "f.yaml")
    assert format_text(new, "f.yaml") == new
    after = parse_file(new.encode(), "f")[0]
    assert [value for _, value in after] == [value for _, value in before]
    assert sorted(Outline(new).comments()) == sorted(Outline(text).comments())
    top = [line for line in text.split("\n") if line.startswith("# yaml-language-server")]
    assert new.split("\n")[: len(top)] == top
    if "|" not in new:
        rows = [line for line in new.split("\n") if line.strip(" -") and "#" not in line]
        assert all((len(line) - len(line.lstrip("- "))) % 2 == 0 for line in rows)
