"""Changing manifests in place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrctl.diagnostics import HrctlError
from hrctl.model.values import pointer
from hrctl.source.chunks import split
from hrctl.source.edit import (
    REMOVE,
    Edit,
    append_document,
    apply_edits,
    dump,
    remove_document,
)
from hrctl.source.outline import Outline
from hrctl.source.parse import parse_chunk, parse_file

MANIFEST = """\
# yaml-language-server: $schema=x
apiVersion: hrctl.dev/v1
kind: Service   # the kind
metadata:
  name: api
  labels: {team: payments}
---
# second
apiVersion: hrctl.dev/v1
kind: Service
metadata:
  name: web   # name
  # labels here
  labels:
    team: 'a'
    tier: "b"  # tier
spec:
  type: API
  # how many
  replicas: 2   # peak
  env:
    # level
    LOG_LEVEL: info
    A: &x 1
    B: *x
    EMPTY:
  install: {}
  command: |  # body
    a
    b

  ports:
  - name: http   # main
    port: 80
  # other
  - {name: x, port: 90}
  list: [a, b]
# tail
"""


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as `-old` and `+new`."""
    import difflib

    lines = difflib.ndiff(before.split("\n"), after.split("\n"))
    return [line[0] + line[2:] for line in lines if line[0] in "+-"]


def edit(*changes: tuple[str, Any], text: str = MANIFEST, document: int = 1) -> list[str]:
    new = apply_edits(text, document, [Edit(*one) for one in changes])
    return changed(text, new)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (("/spec/replicas", 3), ["-  replicas: 2   # peak", "+  replicas: 3   # peak"]),
        (("/spec/replicas", None), ["-  replicas: 2   # peak", "+  replicas: null   # peak"]),
        (("/metadata/labels/team", "it's"), ["-    team: 'a'", "+    team: 'it''s'"]),
        (("/metadata/labels/tier", "c"), ['-    tier: "b"  # tier', '+    tier: "c"  # tier']),
        (("/spec/env/LOG_LEVEL", "on"), ["-    LOG_LEVEL: info", '+    LOG_LEVEL: "on"']),
        (("/spec/env/EMPTY", "x"), ["-    EMPTY:", "+    EMPTY: x"]),
        (("/spec/env/B", 5), ["-    B: *x", "+    B: 5"]),
        (("/spec/env/A", 5), ["-    A: &x 1", "-    B: *x", "+    A: &x 5", "+    B: 1"]),
        (("/spec/env/NEW", "a: b"), ['+    NEW: "a: b"']),
        (("/spec/state", "RUNNING"), ["+  state: RUNNING"]),
        (("/metadata/annotations/x", "1"), ["+  annotations:", '+    x: "1"']),
        (("/lifecycle/protect", True), ["+lifecycle:", "+  protect: true"]),
        (("/spec/ports/1/port", 91), ["-  - {name: x, port: 90}", "+  - {name: x, port: 91}"]),
        (("/spec/ports/-", {"name": "q"}), ["+  - name: q"]),
        (("/spec/ports/0/protocol", "TCP"), ["+    protocol: TCP"]),
        (("/spec/list/2", "c, d"), ["-  list: [a, b]", '+  list: [a, b, "c, d"]']),
        (("/spec/list/0", REMOVE), ["-  list: [a, b]", "+  list: [b]"]),
        (("/spec/list/1", REMOVE), ["-  list: [a, b]", "+  list: [a]"]),
        (("/spec/list", []), ["-  list: [a, b]", "+  list: []"]),
        (("/spec/install/creates", "x"), ["-  install: {}", "+  install:", "+    creates: x"]),
        (
            ("/spec/ports/0/name", REMOVE),
            ["-  - name: http   # main", "-    port: 80", "+  - port: 80"],
        ),
        (("/spec/ports/1", REMOVE), ["-  # other", "-  - {name: x, port: 90}"]),
        (("/spec/replicas", REMOVE), ["-  # how many", "-  replicas: 2   # peak"]),
        (("/spec/nothing/here", REMOVE), []),
        (("/spec/replicas", 2), []),
        (("/spec/command", "one\ntwo\n"), ["-    a", "-    b", "+    one", "+    two"]),
        (
            ("/spec/command", "one"),
            ["-  command: |  # body", "-    a", "-    b", "+  command: one  # body"],
        ),
        (
            ("/spec/replicas", {"a": [1]}),
            ["-  replicas: 2   # peak", "+  replicas:   # peak", "+    a:", "+      - 1"],
        ),
        (
            ("/spec/env", {"LOG_LEVEL": "info", "A": 1, "B": 1, "EMPTY": None, "C": True}),
            ["+    C: true"],
        ),
    ],
)
def test_one_change(change: tuple[str, Any], lines: list[str]) -> None:
    assert sorted(edit(change)) == sorted(lines)


def test_a_change_in_a_thousand_lines_is_one_line() -> None:
    entries = "".join(f"    KEY_{n}: 'v{n}'   # {n}\n" for n in range(1000))
    text = MANIFEST.replace("    LOG_LEVEL: info\n", entries)
    assert edit(("/spec/env/KEY_500", "new"), text=text) == [
        "-    KEY_500: 'v500'   # 500",
        "+    KEY_500: 'new'   # 500",
    ]


def test_new_keys_go_where_they_belong() -> None:
    text = "apiVersion: v\nspec:\n  replicas: 1\n"
    new = apply_edits(
        text, 0, [Edit("/kind", "Service"), Edit("/spec/type", "API"), Edit("/metadata/name", "x")]
    )
    assert new == (
        "apiVersion: v\nkind: Service\nmetadata:\n  name: x\nspec:\n  type: API\n  replicas: 1\n"
    )


def test_the_end_of_a_file_without_a_line_end_stays_so() -> None:
    assert apply_edits("a: 1\nb: 2", 0, [Edit("/c", 3)]) == "a: 1\nb: 2\nc: 3"
    assert apply_edits("a: 1\nb: 2", 0, [Edit("/b", REMOVE)]) == "a: 1"
    assert apply_edits("a: 1", 0, [Edit("/a", REMOVE)]) == "{}"


def test_crlf_stays() -> None:
    text = MANIFEST.replace("\n", "\r\n")
    new = apply_edits(text, 1, [Edit("/spec/replicas", 3), Edit("/spec/x", {"y": "a\nb"})])
    assert new.count("\n") == new.count("\r\n") == text.count("\n") + 4
    value, problems = parse_chunk(split(new)[1], "f.yaml")
    assert problems == []
    assert value
    assert value["spec"]["x"] == {"y": "a\nb"}


def test_brackets_over_lines() -> None:
    text = "a: {\n  b: 1,   # one\n  c: [1,\n    2],\n}\n"
    assert edit(("/a/b", 2), text=text, document=0) == ["-  b: 1,   # one", "+  b: 2,   # one"]
    new = apply_edits(text, 0, [Edit("/a/d", "x"), Edit("/a/c/-", 3)])
    assert parse_file(new.encode(), "f")[0] == [(1, {"a": {"b": 1, "c": [1, 2, 3], "d": "x"}})]
    assert "# one" in new


def test_what_cannot_be_cut_is_left_to_ruamel() -> None:
    text = "? a\n: b: 1   # x\n# c\nd: 2\n"
    new = apply_edits(text, 0, [Edit("/a", {"b": 1, "e": 5, "f": 6}), Edit("/a/b", REMOVE)])
    assert parse_file(new.encode(), "f")[0] == [(1, {"a": {"e": 5, "f": 6}, "d": 2})]
    assert "# c" in new


@pytest.mark.parametrize("where", ["/spec/replicas/x", "/spec/ports/7", "/spec/ports/x"])
def test_pointers_that_lead_nowhere_are_refused(where: str) -> None:
    with pytest.raises(HrctlError) as caught:
        edit((where, 1))
    assert [one.code for one in caught.value.diagnostics] == ["HR012"]


def test_a_document_with_problems_is_refused_with_them() -> None:
    with pytest.raises(HrctlError) as caught:
        edit(("/a", 1), text="a: 1\na: 2\n", document=0)
    assert [one.code for one in caught.value.diagnostics] == ["HR004"]


def test_append_document() -> None:
    doc = {"kind": "Config", "apiVersion": "v"}
    assert append_document("", doc) == "apiVersion: v\nkind: Config\n"
    assert append_document("# c\n", doc) == "# c\napiVersion: v\nkind: Config\n"
    assert append_document("a: 1", doc) == "a: 1\n---\napiVersion: v\nkind: Config\n"
    assert append_document("a: 1\n---\n", doc) == "a: 1\n---\napiVersion: v\nkind: Config\n"
    assert append_document("a: 1\r\n", doc) == "a: 1\r\n---\r\napiVersion: v\r\nkind: Config\r\n"


def test_each_document_has_its_own_line_for_editors() -> None:
    line = "# yaml-language-server: $schema=x\n"
    text = append_document(f"{line}a: 1\n", {"b": 2})
    assert text == f"{line}a: 1\n---\n{line}b: 2\n"
    assert remove_document(text, 1) == f"{line}a: 1\n"
    assert remove_document(text, 0) == f"{line}b: 2\n"
    third = append_document(text, {"c": 3})
    assert remove_document(third, 1) == f"{line}a: 1\n---\n{line}c: 3\n"


def test_remove_document() -> None:
    assert remove_document("a: 1\n---\nb: 2\n---\nc: 3\n", 1) == "a: 1\n---\nc: 3\n"
    assert remove_document("a: 1\n---\nb: 2\n", 0) == "b: 2\n"
    assert remove_document("---\na: 1\n---\nb: 2\n", 0) == "---\nb: 2\n"
    assert remove_document("a: 1\n---\nb: 2\n", 1) == "a: 1\n"
    assert remove_document("a: 1\n", 0) == ""
    first, _, second = MANIFEST.partition("---\n")
    assert remove_document(MANIFEST, 0) == first.split("\n")[0] + "\n" + second
    with pytest.raises(IndexError):
        remove_document("a: 1\n", 1)


def test_dump_is_canonical() -> None:
    doc = {
        "spec": {"replicas": 1, "type": "API", "own": ["1", {"a": "x\ny\n", "b": []}, ["z"]]},
        "kind": "Service",
        "metadata": {"labels": {"on": "no"}, "name": "api"},
        "apiVersion": "hrctl.dev/v1",
    }
    assert dump(doc) == (
        "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata:\n  name: api\n"
        '  labels:\n    "on": "no"\nspec:\n  type: API\n  replicas: 1\n  own:\n'
        '    - "1"\n    - a: |\n        x\n        y\n      b: []\n    - - z\n'
    )


KEYS = st.sampled_from(["a", "b", "kind", "spec", "on", "x/y", "a b"])
VALUES = st.recursive(
    st.sampled_from([None, True, 1, 2.5, "x", "on", "a: b", "x\ny\n", "x\ny", "", "[", "# x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
    st.lists(
        st.tuples(st.lists(KEYS, min_size=1, max_size=3), VALUES | st.just(REMOVE)), max_size=3
    ),
)
@settings(max_examples=150, deadline=None)
def test_edits_do_what_they_say_to_values(
    doc: dict[str, Any], changes: list[tuple[list[str], Any]]
) -> None:
    text = f"# top\n---\n{dump(doc)}---\n# next\nother: 1\n"
    want = copy.deepcopy(doc)
    for path, value in changes:
        target = want
        for part in path[:-1]:
            if value is REMOVE and target.get(part) is None:
                break
            if target.get(part) is None:
                target[part] = {}
            target = target[part]
            if not isinstance(target, dict):
                return
        else:
            if value is REMOVE:
                target.pop(path[-1], None)
            else:
                target[path[-1]] = copy.deepcopy(value)
    new = apply_edits(text, 0, [Edit(pointer(path), value) for path, value in changes])
    assert new.startswith("# top\n---\n")
    assert new.endswith("---\n# next\nother: 1\n")
    (_, found), _ = parse_file(new.encode(), "f")[0]
    assert json.dumps(found, sort_keys=True) == json.dumps(want, sort_keys=True)


@given(st.integers(0, 9), st.sampled_from(["x", "on", "it's", "a\nb\n", 7, {"q": [1]}]))
@settings(max_examples=60, deadline=None)
def test_comments_survive_where_values_change(at: int, value: Any) -> None:
    text = MANIFEST.partition("---\n")[2]
    leaves = [
        where
        for where, place in Outline(text).places.items()
        if place.style not in {"map", "seq", "{", "["}
    ]
    new = apply_edits(text, 0, [Edit(leaves[at], value)])
    assert Outline(new).comments() == Outline(text).comments()
