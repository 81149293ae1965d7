from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hrctl.cli import planfiles
from hrctl.diagnostics import Diagnostic, HrctlError, Related, Severity, Span
from hrctl.model.address import Address
from hrctl.model.plan import ABSENT, Action, Change, FieldChange, Lifecycle, Plan, Reason
from hrctl.model.planfile import FORMAT_VERSION, from_json, summary, to_json
from hrctl.model.planschema import plan_schema
from hrctl.model.values import digest

SCHEMA = Path(__file__).parents[2] / "schemas" / "plan.schema.json"

WORD = st.text("abcdé\n\"'", max_size=6)
POINTER = st.sampled_from(["/spec", "/spec/a~1b/0", "/metadata/labels/x"])
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=6,
)
BODY = st.none() | st.dictionaries(WORD, VALUE, max_size=3)
SIDE = st.just(ABSENT) | VALUE
SPAN = st.none() | st.builds(Span, WORD, *[st.integers(1, 99)] * 3)
ADDRESS = st.builds(
    Address.of,
    st.sampled_from(["acme", "acme/shop"]),
    st.sampled_from(["Config", "Service"]),
    st.sampled_from(["a", "b-1"]),
)
FIELD = st.builds(
    FieldChange,
    POINTER,
    SIDE,
    SIDE,
    SIDE,
    st.sampled_from(Reason),
    st.booleans(),
    st.booleans(),
    SPAN,
)
MAYBE = st.none() | WORD
CHANGE = st.builds(
    Change,
    address=ADDRESS,
    action=st.sampled_from(Action),
    reason=st.sampled_from(Reason),
    driver=WORD,
    before=BODY,
    after=BODY,
    applied=BODY,
    recorded=BODY,
    fields=st.lists(FIELD, max_size=2).map(tuple),
    expect_version=MAYBE,
    waits_for=st.lists(ADDRESS, max_size=2).map(tuple),
    depends_on=st.lists(ADDRESS, max_size=2).map(tuple),
    digest=WORD,
    lifecycle=st.builds(
        Lifecycle,
        st.booleans(),
        st.lists(POINTER, max_size=2).map(tuple),
        st.booleans(),
        st.sampled_from(["delete", "retain"]),
    ),
    previous_address=st.none() | ADDRESS,
    previous_driver=MAYBE,
    span=SPAN,
    note=MAYBE,
    sensitive=st.lists(POINTER, max_size=2).map(tuple),
    unknown=st.lists(POINTER, max_size=2).map(tuple),
)
DIAGNOSTIC = st.builds(
    Diagnostic,
    st.just("HR120"),
    WORD,
    SPAN,
    st.sampled_from(Severity),
    st.none() | ADDRESS,
    st.lists(st.builds(Related, WORD, SPAN), max_size=2).map(tuple),
    MAYBE,
    MAYBE,
)
PLAN = st.builds(
    Plan,
    id=WORD,
    created=st.just("2026-01-01T00:00:00+00:00"),
    commit=MAYBE,
    dirty=st.booleans(),
    tree_digest=WORD,
    serial=st.integers(0, 10**9),
    drivers=st.dictionaries(WORD, WORD, max_size=2),
    changes=st.lists(CHANGE, max_size=3).map(tuple),
    destroy=st.booleans(),
    complete=st.booleans(),
    diagnostics=st.lists(DIAGNOSTIC, max_size=2).map(tuple),
    resources=st.integers(0, 10**6),
    options=st.dictionaries(WORD, VALUE, max_size=2),
    kept=st.lists(CHANGE, max_size=1).map(tuple),
)


def small() -> Plan:
    change = Change(Address("acme:Config/a"), Action.CREATE, Reason.NEW, "local", after={"x": 1})
    return Plan("id", "2026-01-01T00:00:00+00:00", "c0ffee", False, "tree", 3, {}, (change,))


@settings(max_examples=100, deadline=None)
@given(PLAN)
def test_reading_gives_back_what_was_written(plan: Plan) -> None:
    text = to_json(plan)
    assert from_json(text) == plan
    assert from_json(text.encode()) == plan
    Draft202012Validator(plan_schema()).validate(json.loads(text))


def test_layout_and_order_do_not_count() -> None:
    content = json.loads(to_json(small()))
    assert from_json(json.dumps(content, indent=4, sort_keys=True)) == small()


def code_of(text: str | bytes) -> str:
    with pytest.raises(HrctlError) as raised:
        from_json(text)
    assert raised.value.exit_code == 1
    (found,) = raised.value.diagnostics
    return found.code


def test_every_cut_is_noticed() -> None:
    text = to_json(small())
    assert {code_of(text[:end]) for end in range(len(text) - 2)} == {"HR124"}


def without_digest(**changed: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(to_json(small()))
    del content["digest"]
    return {**content, **changed}


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        "[" * 100_000,
        "null",
        "{}",
        to_json(small()).replace("c0ffee", "c0ffe0"),
        json.dumps({"format_version": FORMAT_VERSION}),
        json.dumps({**without_digest(), "digest": "0" * 32}),
        json.dumps({**without_digest(serial=float("inf")), "digest": "0" * 32}),
        json.dumps(without_digest(serial=4) | {"digest": digest(without_digest())}),
        json.dumps(
            {"format_version": FORMAT_VERSION, "digest": digest({"format_version": FORMAT_VERSION})}
        ),
    ],
)
def test_what_was_altered_is_refused(text: str | bytes) -> None:
    assert code_of(text) == "HR124"


def test_another_version_is_refused() -> None:
    text = json.dumps(without_digest(format_version="2.0"))
    assert code_of(text) == "HR123"


def test_summary() -> None:
    at = Address("acme:Config/a")
    changes = tuple(
        Change(at, action, reason, "local")
        for action, reason in [
            (Action.CREATE, Reason.NEW),
            (Action.CREATE, Reason.LOST),
            (Action.UPDATE, Reason.EDITED),
            (Action.UPDATE, Reason.DRIFTED),
            (Action.REPLACE, Reason.IMMUTABLE),
            (Action.CREATE, Reason.MOVED),
            (Action.DELETE, Reason.MOVED),
            (Action.DELETE, Reason.UNDECLARED),
            (Action.NOOP, Reason.DRIFTED),
            (Action.ADOPT, Reason.NEW),
            (Action.FORGET, Reason.UNDECLARED),
        ]
    )
    plan = Plan("", "", None, False, "", 0, {}, changes, kept=changes[3:4])
    assert summary(plan) == {
        "add": 2,
        "change": 1,
        "destroy": 2,
        "replace": 1,
        "adopt": 1,
        "forget": 1,
        "moved": 1,
        "drifted": 3,
    }


def test_the_schema_on_disk_is_the_one_of_the_code() -> None:
    Draft202012Validator.check_schema(plan_schema())
    assert json.loads(SCHEMA.read_text("utf-8")) == plan_schema()


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a plan but those inside of bodies and values, which may be anything."""
    yield path
    if path and path[-1] in {"before", "after", "applied", "recorded", "desired", "live"}:
        return
    items = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else items:
        if (*path, key) != ("options",):
            yield from _places(item, (*path, key))


def _resealed(content: dict[str, Any], path: tuple[str | int, ...], value: Any) -> str:
    altered = json.loads(json.dumps(content))
    at = altered
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(altered | {"digest": digest(altered)})


WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {}, ["x"], {"x": 1}, [None])


def test_what_was_altered_and_sealed_anew_gives_a_diagnostic_or_a_plan() -> None:
    """Whatever stands at any place of a plan with everything in it."""
    case = Path(__file__).parents[1] / "plans/update-drifted/plan.json"
    content = json.loads(case.read_text("utf-8"))
    del content["digest"]
    codes = Counter[str]()
    for path in list(_places(content))[1:]:
        for value in WRONG:
            try:
                to_json(from_json(_resealed(content, path, value)))
                codes["plan"] += 1
            except HrctlError as error:
                codes[error.diagnostics[0].code] += 1
    assert set(codes) <= {"plan", "HR123", "HR124"}
    assert codes["HR124"] > 10 * codes["plan"]


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("changes", 0, "after"), "text", "/changes/0/after is not of the format"),
        (("changes", 0, "action"), "create", "/changes/0/action is not of the format"),
        (("serial",), True, "/serial is not of the format"),
        (("summary", "add"), 7, "a 'summary' that does not follow from its changes"),
        (("changes", 0, "actions"), ["delete"], "does not follow from its changes"),
        (("changes", 0, "digest"), "other", None),
    ],
)
def test_a_sealed_plan_follows_from_its_changes(
    path: tuple[str | int, ...], value: Any, why: str | None
) -> None:
    text = _resealed(without_digest(), path, value)
    if why is None:
        assert from_json(text).changes[0].digest == value
        return
    with pytest.raises(
        HrctlError, match="HR124 the plan file was altered and sealed anew"
    ) as error:
        from_json(text)
    assert why in error.value.diagnostics[0].summary


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([("a", ["b"]), ("b", ["a"])], "lets changes wait for each other"),
        ([("a", ["z"])], "lets acme:Config/a wait for acme:Config/z, which it does not change"),
        ([("a", []), ("a", [])], "has two changes of one address"),
    ],
)
def test_a_plan_whose_order_is_impossible_is_refused(
    changes: list[tuple[str, list[str]]], why: str, tmp_path: Path
) -> None:
    made = tuple(
        Change(
            Address(f"acme:Config/{name}"),
            Action.CREATE,
            Reason.NEW,
            "local",
            after={"x": 1},
            waits_for=tuple(Address(f"acme:Config/{one}") for one in needs),
        )
        for name, needs in changes
    )
    plan = replace(small(), changes=made, drivers={"local": "1"})
    (tmp_path / "a.plan").write_text(to_json(plan))
    with pytest.raises(HrctlError, match="HR124") as error:
        planfiles.read(tmp_path / "a.plan")
    assert why in error.value.diagnostics[0].summary
