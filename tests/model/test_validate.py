"""Cases of tests/model/cases/<kind>.yaml, and what holds for every enumerated value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hrctl.diagnostics import Severity
from hrctl.model.kinds import KINDS, desugar
from hrctl.model.schema import model_schema
from hrctl.model.validate import Problem, check_model, check_project, check_spec, complete
from hrctl.source.parse import parse_file

CASES = Path(__file__).parent / "cases"
TODAY = date(2026, 7, 1)


def cases(*, right: bool | None = None, whole: bool | None = None) -> list[Any]:
    """The cases of every kind; on request only right or wrong ones, whole specs or parts."""
    found = []
    for name in KINDS:
        data = b"cases:\n" + (CASES / f"{name.lower()}.yaml").read_bytes()
        (((_, document),), problems) = parse_file(data, name)
        assert problems == []
        for number, case in enumerate(document["cases"]):
            is_right = all("HR032" in one for one in case["problems"])
            if right in {None, is_right} and whole in {None, "partial" not in case}:
                found.append(pytest.param(name, case, id=f"{name}-{number}"))
    return found


def told(problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    note = f" ({problem.note})" if problem.note else ""
    return f"{problem.path} {problem.code} {problem.summary}{hint}{note}"


@pytest.mark.parametrize(("name", "case"), cases())
def test_case(name: str, case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["spec"])
    problems = check_spec(name, case["spec"], partial=case.get("partial", False), today=TODAY)
    assert [told(one) for one in problems] == case["problems"]
    assert case["spec"] == before
    assert all("hunter2" not in told(one) for one in problems)
    if "complete" in case:
        assert complete(name, case["spec"]) == case["complete"]


@pytest.mark.parametrize(("name", "case"), cases(right=True, whole=True))
def test_a_body_is_its_own_complete_form(name: str, case: dict[str, Any]) -> None:
    body = complete(name, case["spec"])
    assert check_spec(name, body, today=TODAY) == check_spec(name, case["spec"], today=TODAY)
    assert complete(name, body) == body


@pytest.mark.parametrize(("name", "case"), cases(whole=True))
def test_what_is_right_as_a_whole_is_right_as_a_part(name: str, case: dict[str, Any]) -> None:
    whole = {(one.path, one.code) for one in check_spec(name, case["spec"], today=TODAY)}
    part = check_spec(name, case["spec"], partial=True, today=TODAY)
    assert {(one.path, one.code) for one in part} <= whole


def test_a_wrong_spec_is_not_completed() -> None:
    with pytest.raises(ValidationError):
        complete("Service", {"type": "APIS"})


def test_null_counts_as_left_out_in_the_body_too() -> None:
    assert complete("Service", {"type": "API", "env": None, "restart": None}) == complete(
        "Service", {"type": "API"}
    )


def test_a_stale_flag_is_a_warning() -> None:
    spec = {"type": "BOOLEAN", "expires": "2026-06-30"}
    (problem,) = check_spec("FeatureFlag", spec, today=TODAY)
    assert problem.severity is Severity.WARNING
    assert check_spec("FeatureFlag", spec, today=date(2026, 6, 30)) == []


def test_sensitive_values_never_reach_a_message() -> None:
    secret = "correct-horse"  # noqa: S105  # not one
    specs: list[tuple[str, dict[str, Any]]] = [
        ("Config", {"entries": {"A": {"type": "SECRET", "value": secret, "default": secret}}}),
        ("Config", {"entries": {"A": {"type": "SECRET", "valueFrom": {"age": secret}}}}),
        ("Config", {"entries": {"A": {"type": "SECRET", "value": [secret], "allowed": [secret]}}}),
        ("Component", {"connection": {"password": secret, "endpoint": f"redis://a:{secret}@x"}}),
        ("Component", {"redis": {"users": [{"name": "a", "password": {"x": secret}}]}}),
        ("Service", {"env": {"A": [secret], "B": {"valueFrom": {"age": secret}}}}),
    ]
    for name, spec in specs:
        problems = check_spec(name, spec)
        assert problems
        assert secret not in repr(problems)


def test_references_beside_a_type_are_brought_into_the_value() -> None:
    spec = {"entries": {"A": {"type": "STRING", "valueFrom": {"env": "X"}}, "B": {"value": "b"}}}
    assert desugar("Config", spec) == {
        "entries": {
            "A": {"type": "STRING", "value": {"valueFrom": {"env": "X"}}},
            "B": {"value": "b"},
        }
    }
    assert desugar("Config", {"entries": [1]}) == {"entries": [1]}
    assert desugar("Service", {"entries": {}}) == {"entries": {}}


PROJECT: dict[str, Any] = {
    "apiVersion": "hrctl.dev/v1",
    "kind": "Project",
    "metadata": {"name": "acme"},
    "spec": {
        "root": ".",
        "ledger": "sqlite:.hrctl/ledger.db",
        "drivers": {
            "procs": {"type": "supervisor", "mode": "embedded"},
            "edge": {"type": "envoy", "mode": "embedded"},
        },
        "safety": {"maxDeletes": 10, "maxDeletePercent": 30, "maxUpdatePercent": 30},
        "secrets": {"recipients": [{"path": "**", "keys": ["age1qyqszqgpqyqszqgp"]}]},
        "parallelism": 10,
    },
}


def test_a_project_file_is_right() -> None:
    assert check_project(PROJECT) == []
    assert check_project({**PROJECT, "spec": {}}) == []


@pytest.mark.parametrize(
    ("spec", "path", "summary"),
    [
        ({"paralelism": 1}, "/spec/paralelism", "unknown field 'paralelism' in spec"),
        ({"parallelism": 0}, "/spec/parallelism", "spec.parallelism is 0, must be at least 1"),
        ({"ledger": "mysql:x"}, "/spec/ledger", "bad value 'mysql:x' for spec.ledger"),
        ({"drivers": {"p": {}}}, "/spec/drivers/p", "missing field 'type' in spec.drivers.p"),
        (
            {"drivers": {"local": {"type": "envoy"}}},
            "/spec/drivers/local/type",
            "the driver instance 'local' has type local always",
        ),
    ],
)
def test_a_project_file_is_wrong(spec: dict[str, Any], path: str, summary: str) -> None:
    (problem,) = check_project({**PROJECT, "spec": spec})
    assert (problem.code, problem.path, problem.summary) == ("HR061", path, summary)


def test_any_model_can_be_checked_at_its_place() -> None:
    from hrctl.model.kinds.service import Port

    (problem,) = check_model(Port, {"name": "a", "port": 0}, ("spec", "drivers", "x"))
    assert (problem.path, problem.code) == ("/spec/drivers/x/port", "HR024")


def test_a_rule_of_a_driver_is_told_in_its_own_words() -> None:
    from hrctl.drivers.supervisor.config import SupervisorConfig

    config = {"mode": "external"}
    (problem,) = check_model(SupervisorConfig, config, ("spec", "drivers", "x"))
    assert problem.summary.endswith(": mode external needs socket and configDir")


def enumerations(name: str) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    """Path within mappings, and values, of every enumerated field of a kind."""
    from hrctl.model.kinds import kind

    document = model_schema(kind(name).model)

    def walk(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[Any]:
        if "$ref" in schema:
            schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
        if "enum" in schema and path:
            yield path, [word for word in schema["enum"] if isinstance(word, str)]
        for one in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
            if "if" not in one:
                yield from walk(one, path)
        for field, one in schema.get("properties", {}).items():
            yield from walk(one, (*path, field))

    for path, words in walk(document, ()):
        yield path, name, words


ENUMERATED = [one for name in KINDS for one in enumerations(name)]


def nested(path: tuple[str, ...], value: str) -> dict[str, Any]:
    inner: Any = value
    for part in reversed(path):
        inner = {part: inner}
    assert isinstance(inner, dict)
    return inner


def test_every_enumerated_value_is_taken() -> None:
    assert len(ENUMERATED) >= 15
    for path, name, words in ENUMERATED:
        for word in words:
            codes = {one.code for one in check_spec(name, nested(path, word), partial=True)}
            assert "HR021" not in codes, (name, path, word)


@settings(deadline=None)
@given(st.data())
def test_a_typo_gets_the_nearest_word(data: st.DataObject) -> None:
    path, name, words = data.draw(st.sampled_from(ENUMERATED))
    word = data.draw(st.sampled_from([one for one in words if len(one) >= 4] or words))
    at = data.draw(st.integers(0, len(word) - 1))
    typo = data.draw(st.sampled_from([word[:at] + word[at + 1 :], word[: at + 1] + word[at:]]))
    if typo in words or not typo:
        return
    problems = check_spec(name, nested(path, typo), partial=True)
    found = [one for one in problems if one.code == "HR021"]
    assert [one.path for one in found] == ["/spec/" + "/".join(path)]
    assert found[0].summary == f"unknown value '{typo}' for {'.'.join(path)}"
    if len(word) >= 4:
        assert found[0].hint is not None
    assert found[0].note == f"one of {', '.join(words)}"


@pytest.mark.parametrize("spec", [float("nan"), [float("nan")], {"type": float("nan")}])
def test_what_is_not_equal_to_itself_is_judged_once(spec: Any) -> None:
    assert check_spec("Service", spec)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
)
def test_anything_at_all_is_judged(name: str, spec: Any) -> None:
    for partial in (False, True):
        for problem in check_spec(name, spec, partial=partial):
            assert problem.path.startswith("/spec")
            assert problem.code[:3] == "HR0"
            assert problem.summary
