from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hrctl.model.managed import names
from hrctl.model.plan import ABSENT, FieldChange, Reason
from hrctl.model.values import pointer, pointer_parts
from hrctl.reconcile.diff import covers, diff, same

KEYS = st.sampled_from(["a", "b", "c", "name", "x/y", "t~"])
SCALARS = st.one_of(
    st.text("pqr", min_size=1, max_size=3),
    st.integers(-3, 3),
    st.integers(-6, 6).map(lambda half: half / 2),
)
REFERENCES = st.sampled_from(["one", "two"]).map(lambda one: {"valueFrom": {"env": one}})
# Values that hold something, so that the oracle's notion of "nothing" does not come in.
FULL = st.recursive(
    SCALARS | REFERENCES,
    lambda inner: (
        st.dictionaries(KEYS, inner, min_size=1, max_size=3)
        | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
FULL_BODIES = st.dictionaries(KEYS, FULL, max_size=4)
VALUES = st.recursive(
    SCALARS | REFERENCES | st.booleans() | st.none(),
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.lists(
            st.builds(lambda name, item: {"name": name, "v": item}, st.sampled_from("klmn"), inner),
            max_size=3,
            unique_by=lambda item: item["name"],
        )
    ),
    max_leaves=10,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=4)


def test_reasons() -> None:
    desired = {"same": 1, "edited": 2, "drifted": 1, "conflict": 2, "adopted": 2, "new": 1}
    applied = {"same": 1, "edited": 1, "drifted": 1, "conflict": 1, "adopted": 1, "removed": 1}
    live = {"same": 1, "edited": 1, "drifted": 9, "conflict": 9, "adopted": 2, "removed": 1, "x": 0}
    assert diff(desired, applied, live) == (
        FieldChange("/edited", 2, 1, 1, Reason.EDITED),
        FieldChange("/drifted", 1, 1, 9, Reason.DRIFTED),
        FieldChange("/conflict", 2, 1, 9, Reason.CONFLICT),
        FieldChange("/new", 1, ABSENT, ABSENT, Reason.EDITED),
        FieldChange("/removed", ABSENT, 1, 1, Reason.EDITED),
    )


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (3, 3.0, True),
        (True, 1, False),
        (0, False, False),
        ("1", 1, False),
        (None, ABSENT, True),
        ({}, ABSENT, True),
        ([], None, True),
        ("", None, False),
        (0, None, False),
        ([1, [2]], [1.0, [2]], True),
        ({"a": None}, {}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_equality(left: Any, right: Any, equal: bool) -> None:  # noqa: FBT001 - a column of a table
    assert same(left, right) is equal
    assert same(right, left) is equal


@pytest.mark.parametrize("live", [{}, {"m": None}, {"m": {}}])
@pytest.mark.parametrize(
    ("desired", "applied", "reason"),
    [
        ({"y": 1}, {"x": 1}, Reason.EDITED),
        ({"x": 1, "y": 1}, {"x": 1}, Reason.EDITED),
        ({"in": {"y": 1}}, {"in": {"x": 1}}, Reason.EDITED),
        ({"x": 2}, {"x": 1}, Reason.CONFLICT),
        ({"in": {"x": 2}, "y": 1}, {"in": {"x": 1}}, Reason.CONFLICT),
        ({"x": 1}, {"x": 1}, Reason.DRIFTED),
    ],
)
def test_a_map_that_is_not_there_is_as_good_as_an_empty_one(
    desired: Any, applied: Any, live: Any, reason: Reason
) -> None:
    reasons = {one.reason for one in diff({"m": desired}, {"m": applied}, live)}
    assert reason in reasons
    assert (Reason.CONFLICT in reasons) is (reason is Reason.CONFLICT)


def test_an_element_that_only_live_has_is_a_difference() -> None:
    wanted = {"ports": [{"name": "http", "port": 80}]}
    live = {"ports": [{"name": "extra", "port": 1}, {"name": "http", "port": 80, "since": 5}]}
    assert diff(wanted, wanted, live) == (
        FieldChange("/ports/1", ABSENT, ABSENT, {"name": "extra", "port": 1}, Reason.DRIFTED),
    )


def test_order_of_named_elements_counts_only_where_it_was_edited() -> None:
    one, two = {"name": "one"}, {"name": "two"}
    forth, back = {"l": [one, two]}, {"l": [two, one]}
    assert diff(forth, forth, back) == ()
    assert diff(back, forth, forth) == (
        FieldChange("/l", [two, one], [one, two], [one, two], Reason.EDITED),
    )
    assert diff(back, forth, back) == ()


def test_lists_of_scalars_are_one_value_and_lists_of_maps_are_not() -> None:
    was = {"command": ["serve", "-v"], "match": [{"path": "/"}, {"path": "/x"}]}
    now = {"command": ["serve", "-q"], "match": [{"path": "/"}, {"path": "/y"}]}
    assert [one.path for one in diff(now, was, was)] == ["/command", "/match/1/path"]


def test_ignore() -> None:
    was = {"spec": {"replicas": 1, "ports": [{"name": "http", "port": 1}], "env": {"A": "1"}}}
    live = {"spec": {"replicas": 9, "ports": [{"name": "http", "port": 9}], "env": {"A": "9"}}}
    every = ["/spec/replicas", "/spec/ports/http/port", "/spec/*/A"]
    assert diff(was, was, live, ignore=every) == ()
    assert diff(was, was, live, ignore=["/spec"]) == ()
    assert [one.path for one in diff(was, was, live, ignore=["/spec/*"])] == []
    assert len(diff(was, was, live, ignore=["/spec/ports/0/other", "/other"])) == 3


def test_sensitive_and_unknown() -> None:
    secret = {"valueFrom": {"age": "one"}}
    other = {"valueFrom": {"component": "acme:Component/db", "output": "url"}}
    (found,) = diff({"p": secret}, {"p": {"valueFrom": {"age": "two"}}}, {"p": 1})
    assert found.sensitive
    (found,) = diff({"p": other}, {"p": "old"}, {"p": "old"}, unknown=["/p"])
    assert (found.unknown, found.sensitive, found.reason) == (True, False, Reason.EDITED)
    (found,) = diff({"p": other}, {"p": other}, {"p": other}, sensitive=["/p"], unknown=["/p"])
    assert (found.unknown, found.sensitive, found.reason) == (True, True, Reason.REFERENCED)


def pruned(live: Any, shape: Any) -> Any:
    """`live` without the keys that only it has."""
    if isinstance(live, dict) and isinstance(shape, dict) and "valueFrom" not in shape:
        return {key: pruned(live[key], shape[key]) for key in live if key in shape}
    if isinstance(live, list) and isinstance(shape, list) and len(live) == len(shape):
        return [pruned(*pair) for pair in zip(live, shape, strict=True)]
    return live


def oracle_paths(live: Any, desired: Any) -> list[str]:
    found = DeepDiff(live, desired, ignore_numeric_type_changes=True, view="tree")
    return [
        pointer(level.path(output_format="list")) for levels in found.values() for level in levels
    ]


def touches(path: str, others: list[str]) -> bool:
    return any(
        path == one or path.startswith(one + "/") or one.startswith(path + "/") for one in others
    )


@settings(max_examples=100, deadline=None)
@given(FULL_BODIES, FULL_BODIES)
def test_two_ways_agree_with_deepdiff(desired: Any, live: Any) -> None:
    if any(named_lists(one) for one in (desired, live)):
        return  # the oracle compares by position
    expected = oracle_paths(pruned(live, desired), desired)
    found = [one.path for one in diff(desired, None, live)]
    assert bool(found) == bool(expected)
    assert all(touches(path, expected) for path in found)
    assert all(touches(path, found) for path in expected)


def named_lists(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(named_lists, value.values()))
    if isinstance(value, list):
        return names(value) is not None or any(map(named_lists, value))
    return False


@settings(max_examples=100, deadline=None)
@given(FULL_BODIES, FULL_BODIES)
@example({"a": [{"valueFrom": {"env": "one"}}]}, {"a": ["p"]})
def test_changed_leaves_of_one_shape_are_those_of_deepdiff(body: Any, other: Any) -> None:
    """Where only leaves differ, the sets of paths are equal, lists of scalars being leaves."""
    changed = swapped(body, other)
    if named_lists(body):
        return
    paths = oracle_paths(body, changed)
    # a reference that gives way to a scalar makes a leaf of the list that it was in
    expected = {min(leaf(body, path), leaf(changed, path), key=len) for path in paths}
    assert {one.path for one in diff(changed, body, body)} == expected


def swapped(body: Any, other: Any) -> Any:
    """`body` with some leaves replaced, its shape kept."""
    if isinstance(body, dict) and "valueFrom" not in body:
        picks = other if isinstance(other, dict) else {}
        return {key: swapped(item, picks.get(key)) for key, item in body.items()}
    if isinstance(body, list):
        items = other if isinstance(other, list) else []
        return [swapped(item, items[i] if i < len(items) else None) for i, item in enumerate(body)]
    return other if isinstance(other, str | int | float) else body


def leaf(body: Any, path: str) -> str:
    """The path of the value that we report: a list with a scalar in it, a reference, or itself."""
    parts = pointer_parts(path)
    for depth, part in enumerate(parts):
        if isinstance(body, list):
            if not all(isinstance(item, dict | list) for item in body):
                return pointer(parts[:depth])
            body = body[int(part)]
        else:
            body = body[part]
            if isinstance(body, dict) and "valueFrom" in body:
                return pointer(parts[: depth + 1])
    return path


@settings(max_examples=100, deadline=None)
@given(BODIES, BODIES, BODIES)
@example({"c": [{"name": "p"}]}, {"c": ["p"]}, {"c": [{"name": "k", "v": "p"}]})
def test_applying_the_changes_to_live_leaves_nothing(desired: Any, applied: Any, live: Any) -> None:
    changed = copy.deepcopy(live)
    for one in diff(desired, applied, live):
        put(changed, desired, applied, pointer_parts(one.path), one)
    assert diff(desired, applied, changed) == ()
    assert covers(desired, changed)


def put(live: Any, desired: Any, applied: Any, parts: list[str], change: FieldChange) -> None:
    """Carry out one field change, list elements found as `diff` names them."""
    head, *rest = parts
    key: Any = head
    had: Any = applied.get(head) if isinstance(applied, dict) else None
    if isinstance(live, list):
        key = int(head)
        named = names(live) is not None and names(desired) is not None
        if named and isinstance(applied, list):
            named = names(applied) is not None
        if named:
            element: Any = desired[key] if key < len(desired) else change.live
            there = [i for i, item in enumerate(live) if item["name"] == element["name"]]
            key = there[0] if there else len(live)
            if isinstance(applied, list):
                had = next((item for item in applied if item["name"] == element["name"]), None)
        elif isinstance(applied, list):
            had = applied[key] if key < len(applied) else None
    if rest:
        wanted = desired[int(head) if isinstance(desired, list) else head]
        put(live[key], wanted, had, rest, change)
    elif change.desired is ABSENT:
        del live[key]
    elif isinstance(live, list) and key == len(live):
        live.append(copy.deepcopy(change.desired))
    else:
        live[key] = copy.deepcopy(change.desired)


@settings(max_examples=100, deadline=None)
@given(BODIES, BODIES)
@example({"a": [{}]}, {"a": [{"valueFrom": {"env": "A"}}]})  # a reference is no map
def test_laws(one: Any, other: Any) -> None:
    assert diff(one, other, one) == ()
    assert diff(one, None, one) == ()
    assert {change.reason for change in diff(one, one, other)} <= {Reason.DRIFTED}
    assert {change.reason for change in diff(one, other, other)} <= {Reason.EDITED}
    assert bool(diff(one, one, other)) is not covers(one, other)


def test_a_difference_costs_no_more_than_two_copies() -> None:
    """Some 30 µs for 12 fields; deepdiff needs more than a hundred times as much."""
    body: Any = {
        "metadata": {"labels": {"team": "shop"}, "annotations": {}},
        "spec": {f"field{i}": i for i in range(9)}
        | {"env": {"A": "1", "B": "2"}, "command": ["x"]},
    }
    live = copy.deepcopy(body)
    live["spec"]["field3"] = 9
    ratios = []
    for _ in range(3):
        started = time.process_time()
        for _ in range(2_000):
            assert diff(body, body, live)
        compared = time.process_time()
        for _ in range(2_000):
            copy.deepcopy(body)
        ratios.append((compared - started) / (time.process_time() - compared))
    assert min(ratios) < 2


CLOSED = frozenset({"/spec/rules"})


@pytest.mark.parametrize(
    ("desired", "live", "paths"),
    [
        ({"rules": [{"a": 1}]}, {"rules": [{"a": 1, "b": 2}]}, ["/spec/rules/0/b"]),
        ({}, {"rules": {"b": 2}}, ["/spec/rules"]),
        ({"rules": {"a": 1}}, {"rules": {"a": 1, "b": None, "c": []}}, []),
        ({"other": {"a": 1}}, {"other": {"a": 1, "b": 2}}, []),
        ({"rulesets": {"a": 1}}, {"rulesets": {"a": 1, "b": 2}}, []),
    ],
)
def test_a_key_that_only_live_has_counts_in_what_is_closed(
    desired: dict[str, Any], live: dict[str, Any], paths: list[str]
) -> None:
    found = diff({"spec": desired}, None, {"spec": live}, closed=CLOSED)
    assert [one.path for one in found] == paths
    assert not diff({"spec": desired}, None, {"spec": live}, closed=frozenset())


def test_what_is_left_to_the_live_system_is_left_in_what_is_closed_too() -> None:
    desired, live = {"spec": {"rules": [{"a": 1}]}}, {"spec": {"rules": [{"a": 1, "b": 2}]}}
    assert not diff(desired, None, live, closed=CLOSED, ignore=["/spec/rules/*/b"])
