"""A schema from a manifest neither reaches out nor works without end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.model import json_schema
from hrctl.model.json_schema.fault import Fault
from hrctl.model.values import canonical

DRAFT7 = "http://json-schema.org/draft-07/schema#"
DRAFT2019 = "https://json-schema.org/draft/2019-09/schema"


def verdict(schema: Any, value: Any) -> str | Fault | None:
    check = json_schema.compiled(canonical(schema))
    return check if isinstance(check, Fault) else check(canonical(value), value)


def fault(schema: Any, value: Any = None) -> Fault:
    found = verdict(schema, value)
    assert isinstance(found, Fault)
    return found


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield listening


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_nothing_is_fetched(server: socket.socket, keyword: str) -> None:
    place = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
    found = fault({"properties": {"a": {keyword: place}}}, {"a": 1})
    assert (found.code, found.at) == ("HR341", ("properties", "a", keyword))
    with pytest.raises(TimeoutError):
        server.accept()


def test_no_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "integer"}', "utf-8")
    assert fault({"$ref": file.as_uri()}, "x").code == "HR341"


def test_an_address_of_its_own_makes_no_file_reachable(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}", "utf-8")
    schema = {"$id": f"{tmp_path.as_uri()}/", "$ref": "schema.json"}
    assert fault(schema).code == "HR341"


def test_the_drafts_are_at_hand() -> None:
    schema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert verdict(schema, {"type": "integer"}) is None
    assert verdict(schema, {"type": "nothing"}) is not None


@pytest.mark.parametrize(
    ("schema", "code", "at"),
    [
        ({"$ref": "#/$defs/none"}, "HR341", ("$ref",)),
        ({"items": {"$ref": "#none"}}, "HR341", ("items", "$ref")),
        ({"$ref": "http://[::1"}, "HR341", ("$ref",)),
        ({"$id": "http://[::1"}, "HR341", ()),
        ({"$ref": "#"}, "HR341", ()),
        ({"$recursiveRef": "#", "$schema": DRAFT2019}, "HR341", ()),
        ({"allOf": [{"anyOf": [{"$ref": "#/allOf/0"}]}]}, "HR341", ("allOf", 0)),
        ({"not": {"if": {"$ref": "#/not"}}}, "HR341", ("not",)),
        ({"$schema": "http://nowhere.example/"}, "HR341", ("$schema",)),
        ({"allOf": [{"$schema": DRAFT7}]}, "HR341", ("allOf", 0, "$schema")),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "HR340", ("properties", "a", "pattern")),
        ({"patternProperties": {"(a": {}}}, "HR340", ("patternProperties", "(a")),
        ({"x": {"pattern": "(?=a)"}, "$ref": "#/x"}, "HR340", ("$ref", "pattern")),
        ({"$defs": {"a": {"pattern": "a{5000}"}}}, "HR340", ("$defs", "a", "pattern")),
        ({"type": "nothing"}, "HR024", ("type",)),
        ({"pattern": 5}, "HR024", ("pattern",)),
    ],
)
def test_what_a_schema_must_not_have_is_told_at_the_field(
    schema: Any, code: str, at: tuple[str | int, ...]
) -> None:
    found = fault(schema)
    assert (found.code, found.at) == (code, at)


def test_a_chain_of_references_has_an_end() -> None:
    links = {f"a{at}": {"$ref": f"#/$defs/a{at + 1}"} for at in range(200)}
    assert fault({"$ref": "#/$defs/a0", "$defs": {**links, "a200": {}}}).code == "HR341"


def test_a_schema_may_contain_itself_where_the_value_gets_smaller() -> None:
    tree = {"properties": {"name": {"type": "string"}, "parts": {"items": {"$ref": "#"}}}}
    assert verdict(tree, {"name": "a", "parts": [{"name": "b", "parts": []}]}) is None
    assert verdict(tree, {"parts": [{"parts": [{"name": 5}]}]}) == (
        "parts[0].parts[0].name: 5 is not of type 'string'"
    )


def _doubled(levels: int) -> Any:
    links = {f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{levels}": {}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (_doubled(30), 1),
        ({"items": {"enum": list(range(4000))}}, [-1] * 4000),
        ({"allOf": [{"type": "string"}] * 2000}, ["x" * 100] * 1000),
        ({"pattern": "(?:.*a){300}b"}, "a" * 100_000),
    ],
)
def test_too_much_work_is_told(schema: Any, value: Any) -> None:
    started = time.process_time()
    assert fault(schema, value).code == "HR342"
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "draft", [None, DRAFT7, DRAFT2019, "http://json-schema.org/draft-04/schema#"]
)
@pytest.mark.parametrize(
    "keywords",
    [
        {"patternProperties": {"^(a+)+$": {"type": "integer"}}, "additionalProperties": False},
        {"properties": {"b": {"pattern": "^(a+)+$"}}},
        {"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}},
        {"definitions": {"x": {"patternProperties": {"^(a+)+$": {}}}}, "$ref": "#/definitions/x"},
    ],
)
def test_no_expression_backtracks_in_any_draft(draft: str | None, keywords: Any) -> None:
    schema = {**keywords, **({"$schema": draft} if draft else {})}
    started = time.process_time()
    verdict(schema, {"a" * 60 + "!": 1, "b": "a" * 60 + "!"})
    assert time.process_time() - started < 5


def test_large_lists_are_compared_in_linear_time() -> None:
    items: list[Any] = [{"a": at, "b": [None, str(at)]} for at in range(20_000)]
    started = time.process_time()
    assert verdict({"uniqueItems": True}, items) is None
    assert verdict({"uniqueItems": True}, [*items, items[7]]) == "items 7 and 20000 are equal"
    assert time.process_time() - started < 10


def test_many_references_to_anchors_are_followed_at_once() -> None:
    schema = {
        "properties": {f"k{at}": {"$ref": "#y"} for at in range(1000)},
        "$defs": {"y": {"$anchor": "y", "type": "integer"}},
    }
    started = time.process_time()
    assert verdict(schema, {f"k{at}": at for at in range(1000)}) is None
    assert time.process_time() - started < 10


def test_a_message_is_short() -> None:
    found = verdict({"type": "string"}, ["x" * 100] * 1000)
    assert isinstance(found, str)
    assert len(found) < 400


def test_a_huge_number_is_divided() -> None:
    assert verdict({"multipleOf": 0.1}, 10**400) is None
    assert verdict({"multipleOf": 0.5}, 10**400 + 1) is None
    assert verdict({"multipleOf": 3}, 10**400) is not None


_NAMES = st.sampled_from(["a", "b", "ab", "c"])
_LEAF = st.sampled_from(
    [
        True,
        {"type": "object"},
        {"properties": {"a": {"type": "integer"}}},
        {"patternProperties": {"^a": True}},
        {"required": ["a"]},
        {"additionalProperties": {"type": "integer"}, "properties": {"b": True}},
        {"prefixItems": [{"type": "integer"}]},
        {"items": {"type": "integer"}},
        {"contains": {"type": "string"}},
        {"uniqueItems": True},
    ]
)
_SCHEMAS = st.recursive(
    _LEAF,
    lambda part: st.one_of(
        st.fixed_dictionaries({"allOf": st.lists(part, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"anyOf": st.lists(part, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"if": part, "then": part, "else": part}),
    ),
    max_leaves=4,
)
_VALUES = st.one_of(
    st.dictionaries(_NAMES, st.one_of(st.integers(0, 2), st.just("x")), max_size=3),
    st.lists(st.one_of(st.integers(0, 2), st.just("x"), st.just(1.0), st.booleans()), max_size=4),
)


@given(
    _SCHEMAS,
    st.booleans(),
    st.sampled_from([{}, {"unevaluatedProperties": False}, {"unevaluatedItems": False}]),
    _VALUES,
)
def test_it_says_what_the_library_says(
    schema: Any,
    referred: bool,  # noqa: FBT001 - hypothesis draws it
    last: dict[str, Any],
    value: Any,
) -> None:
    whole = {"$defs": {"x": schema}, "$ref": "#/$defs/x"} if referred else {"allOf": [schema]}
    expected = jsonschema.Draft202012Validator({**whole, **last}).is_valid(value)
    assert (verdict({**whole, **last}, value) is None) == expected
