"""What each operator matches: types count, and what cannot be compared matches nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.logic.flags.conditions import compile_all, compile_condition, conditions

GONE = object()

CASES: list[tuple[str, list[Any], Any, bool]] = [
    ("eq", ["a", "b"], "b", True),
    ("eq", ["a"], "A", False),
    ("eq", [18], 18, True),
    ("eq", [18], 18.0, True),
    ("eq", [18], "18", False),
    ("eq", ["18"], 18, False),
    ("eq", [1], True, False),
    ("eq", [True], 1, False),
    ("eq", [True], True, True),
    ("eq", [False], 0, False),
    ("eq", ["a"], ["a"], False),
    ("eq", ["a"], GONE, False),
    ("in", ["a"], "a", True),
    ("ne", ["a"], "b", True),
    ("ne", ["a"], "a", False),
    ("ne", ["a"], GONE, True),
    ("notIn", ["a"], GONE, True),
    ("contains", ["@acme."], "x@acme.example", True),
    ("contains", ["x", "y"], ["y"], True),
    ("contains", ["y"], "n", False),
    ("contains", ["5"], 5, False),
    ("contains", ["a"], {"a": 1}, False),
    ("notContains", ["a"], GONE, True),
    ("startsWith", ["de-", "fr-"], "fr-FR", True),
    ("startsWith", ["de-"], "en-de-", False),
    ("notStartsWith", ["de-"], GONE, True),
    ("endsWith", [".example"], "acme.example", True),
    ("notEndsWith", [".example"], "acme.example", False),
    ("gt", [18], 18, False),
    ("gt", [18], 18.5, True),
    ("gt", [0], True, False),
    ("gt", [18], "19", False),
    ("le", [18], 18, True),
    ("le", [18], GONE, False),
    ("lt", [18], 17, True),
    ("lt", [18], float("nan"), False),
    ("ge", [18], 18, True),
    ("semverEq", ["1.2.0"], "1.2", True),
    ("semverEq", ["1.2.0"], "v1.2.0+build.5", True),
    ("semverNe", ["1.2.0"], "1.2.1", True),
    ("semverNe", ["1.2.0"], "latest", False),
    ("semverNe", ["1.2.0"], GONE, False),
    ("semverGt", ["1.9.0"], "1.10.0", True),
    ("semverLt", ["1.0.0"], "1.0.0-rc.1", True),
    ("semverLt", ["1.0.0-rc.2"], "1.0.0-rc.10", False),
    ("semverLt", ["1.0.0-rc.1"], "1.0.0-rc", True),
    ("semverLt", ["1.0.0-beta"], "1.0.0-11", True),
    ("semverGe", ["2.0.0"], 2, True),
    ("semverGe", ["2.0.0"], "2.0.0.0", False),
    ("semverGe", ["2.0.0"], "02.0.0", False),
    ("semverLe", ["2.0.0"], "2.0.0", True),
    ("after", ["2027-03-31"], "2027-03-31", False),
    ("after", ["2027-03-31"], "2027-03-31T00:00:01Z", True),
    ("after", ["2027-03-31"], "2027-03-31T00:00:00.900Z", False),
    ("after", ["2027-03-31"], "soon", False),
    ("after", ["2027-03-31"], "2027-13-31", False),
    ("notAfter", ["2027-03-31"], "2027-03-31", True),
    ("before", ["2027-03-31T12:00:00Z"], "2027-03-31", True),
    ("before", ["2027-03-31"], GONE, False),
    ("notBefore", ["2027-03-31"], "2027-04-01", True),
    ("notBefore", ["2027-03-31"], 20270401, False),
]


@pytest.mark.parametrize(("operator", "values", "held", "matches"), CASES)
@pytest.mark.parametrize("path", ["plan", "user.account.plan"])
def test_operator(path: str, operator: str, values: list[Any], held: Any, *, matches: bool) -> None:
    test = compile_condition({"attribute": path, "operator": operator, "values": values})
    context: dict[str, Any] = {}
    inside = context
    *outer, last = path.split(".")
    for part in outer:
        inside = inside.setdefault(part, {})
    if held is not GONE:
        inside[last] = held
    assert test(context) is matches


def test_a_path_that_leads_nowhere_is_missing() -> None:
    test = compile_condition({"attribute": "user.plan", "operator": "ne", "values": ["gold"]})
    assert test({"user": "gold"})
    assert test({"user": {"plan": {"name": "gold"}}})


def test_the_operator_is_eq_where_none_is_given() -> None:
    assert compile_condition({"attribute": "plan", "values": ["gold"]})({"plan": "gold"})


def test_user_id_is_the_targeting_key() -> None:
    assert compile_condition({"attribute": "userId", "values": ["7"]})({"targetingKey": "7"})


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_conditions_of_a_rule_are_needed(count: int) -> None:
    rule = {"all": [{"attribute": f"a{n}", "values": [n]} for n in range(count)], "variant": "on"}
    test = compile_all(conditions(rule))
    right = {f"a{n}": n for n in range(count)}
    assert test(right)
    for n in range(count):
        assert not test({**right, f"a{n}": "other"})
