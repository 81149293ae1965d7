import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.cli.render.values import (
    Secrets,
    columns,
    elide,
    elide_left,
    elide_pair,
    field_name,
    printable,
    show,
)


@given(st.text())
def test_printable_is_printable_and_keeps_what_is(text: str) -> None:
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=200), st.integers(8, 90))
def test_nothing_elided_is_too_wide(text: str, width: int) -> None:
    assert columns(elide(text, width)) <= width
    assert columns(elide_left(text, width)) <= width
    if columns(text) <= width:
        assert elide(text, width) == text


@given(st.text("ab", max_size=150), st.text("ab", max_size=150), st.integers(12, 60))
def test_a_pair_that_differs_still_differs(left: str, right: str, width: int) -> None:
    one, other = elide_pair(left, right, width)
    assert columns(one) <= width
    assert columns(other) <= width
    if left != right and left[:5] != right[:5]:
        assert one != other


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/spec/replicas", "replicas"),
        ("/spec", "spec"),
        ("/metadata/labels/team", "labels.team"),
        ("/spec/env/LOG.LEVEL", 'env["LOG.LEVEL"]'),
        ("/spec/env/a~1b", 'env["a/b"]'),
        ("/spec/ports/0/port", "ports[http].port"),
        ("/spec/ports/1/port", "ports[1].port"),
        ("/spec/ports/7", "ports[7]"),
    ],
)
def test_names_of_fields(path: str, name: str) -> None:
    body = {"spec": {"ports": [{"name": "http", "port": 80}, {"port": 81}]}}
    assert field_name(path, body) == name


def test_an_element_that_is_gone_is_named_by_what_it_was() -> None:
    assert field_name("/spec/ports/3", {"spec": {"ports": []}}, {"name": "old"}) == "ports[old]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("", '""'),
        ([1, "a"], '[1, "a"]'),
        ({"a": {"b c": None}}, '{a: {"b c": null}}'),
        ({"valueFrom": {"env": "TOKEN"}}, "(sensitive #1)"),
        ({"a": {"valueFrom": {"masked": True}}}, "{a: (sensitive #1)}"),
        ({"valueFrom": {"component": "x", "output": "y"}}, "(known after apply)"),
    ],
)
def test_values_on_one_line(value: object, text: str) -> None:
    assert show(value, Secrets()) == text
