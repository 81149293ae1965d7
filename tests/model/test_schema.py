"""Generated JSON Schemas, and that they agree with `check_spec` as far as a schema can know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from hrctl.model.kinds import KINDS
from hrctl.model.schema import document_schema, generate, kind_schema, project_schema, write
from hrctl.source.parse import parse_file

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"
# What a schema of draft 7 does not know: rules between fields, a value's own rules, the day.
BEYOND_A_SCHEMA = {"HR028", "HR031", "HR032"}
# And single values whose form is more than a pattern, or that are written in two places.
BEYOND_A_PATTERN = (
    "/spec/expires HR024",
    "/schema HR024",
    "/pattern HR024",
    "/connection/endpoint HR030",
    "/variants/",
    "/replicas HR022 wrong type for replicas: wanted an integer, got a number",
)


@cache
def validator(name: str | None) -> Draft7Validator:
    schema = document_schema() if name is None else kind_schema(name)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in KINDS:
        data = b"cases:\n" + (CASES / f"{name.lower()}.yaml").read_bytes()
        (((_, document),), _) = parse_file(data, name)
        for case in document["cases"]:
            yield name, case


def knowable(problem: str) -> bool:
    return problem.split(" HR")[1][:3] not in {code[2:] for code in BEYOND_A_SCHEMA} and not any(
        one in problem for one in BEYOND_A_PATTERN
    )


@pytest.mark.parametrize("keyed", [True, False], ids=["one-schema", "schema-of-the-kind"])
@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(*one, id=f"{one[0]}-{n}") for n, one in enumerate(cases())]
)
def test_verdicts_agree(name: str, case: dict[str, Any], *, keyed: bool) -> None:
    document = {
        "apiVersion": "hrctl.dev/v1",
        "kind": name,
        "metadata": {"name": "x", "patch": case.get("partial", False)},
        "spec": case["spec"],
    }
    errors = [one.message for one in validator(None if keyed else name).iter_errors(document)]
    if not case["problems"]:
        # null, which removes what is inherited, has no place in the schema of a whole document
        assert errors == [] or "null" in json.dumps(case["spec"])
    elif any(knowable(one) for one in case["problems"]):
        inherited = name == "Registry" and not keyed
        assert errors or (inherited and all("/spec/defaults/" in one for one in case["problems"]))


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"kind": "Servce"}, False),
        ({"apiVersion": "v1"}, False),
        ({"spec": {"type": "API", "replicas": "2"}}, False),
        ({"sepc": {}}, False),
        ({"metadata": {"name": "API"}}, False),
        ({"metadata": {"name": "api", "patch": True}, "spec": {"replicas": None}}, True),
        ({"metadata": {"name": "api", "instances": "TENNANT"}}, False),
        ({"dependsOn": ["Component/db", "acme/shop:Service/x"]}, True),
        ({"dependsOn": ["Componet/db"]}, False),
        ({"lifecycle": {"deletion": "retain", "ignore": ["/spec/replicas"]}}, True),
        ({"lifecycle": {"protect": "yes"}}, False),
    ],
)
def test_the_envelope(changes: dict[str, Any], *, right: bool) -> None:
    document = {
        "apiVersion": "hrctl.dev/v1",
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"type": "API"},
    }
    assert validator(None).is_valid({**document, **changes}) is right


def test_a_document_needs_a_spec_and_a_patch_does_not() -> None:
    document = {"apiVersion": "hrctl.dev/v1", "kind": "Config", "metadata": {"name": "a"}}
    assert not validator(None).is_valid(document)
    document["metadata"] = {"name": "a", "patch": True}
    assert validator(None).is_valid(document)


def test_the_project_file() -> None:
    schema = project_schema()
    Draft7Validator.check_schema(schema)
    document: dict[str, Any] = {
        "apiVersion": "hrctl.dev/v1",
        "kind": "Project",
        "metadata": {"name": "acme"},
        "spec": {"drivers": {"procs": {"type": "supervisor", "mode": "embedded"}}},
    }
    assert Draft7Validator(schema).is_valid(document)
    document["spec"] = {"drivers": {"procs": {"mode": "embedded"}}}
    assert not Draft7Validator(schema).is_valid(document)


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for one in value:
                yield from references(one)
        elif isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                assert len(value) == 1  # in draft 7 nothing beside a reference counts
                yield value["$ref"].removeprefix("#/definitions/")
            for one in value.values():
                yield from references(one)

    for name, text in generate().items():
        schema = json.loads(text)
        assert set(references(schema)) == set(schema["definitions"]), name


def test_schemas_in_the_repository_are_current() -> None:
    for name, text in generate().items():
        assert (ROOT / "schemas" / name).read_text("utf-8") == text, f"{name}: run make schemas"


def test_write_tells_what_changed(tmp_path: Path) -> None:
    assert {path.name for path in write(tmp_path / "new")} == set(generate())
    assert write(tmp_path / "new") == []
