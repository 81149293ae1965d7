"""Generated JSON Schemas: their form. tests/editors holds them against `validate` and an editor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from hrctl.model.kinds import KINDS
from hrctl.model.samples import SAMPLES
from hrctl.model.schema import document_schema, generate, kind_schema, project_schema
from hrctl.model.validate import check_spec

ROOT = Path(__file__).parents[2]


@cache
def validator(name: str | None) -> Draft7Validator:
    schema = document_schema() if name is None else kind_schema(name)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


SPECS = [(name, told) for name, samples in SAMPLES.items() for told in samples]


@pytest.mark.parametrize(("name", "told"), SPECS)
def test_samples_are_valid(name: str, told: str) -> None:
    spec = SAMPLES[name][told]
    assert check_spec(name, spec) == []
    assert SAMPLES.keys() == set(KINDS)


def test_each_enumerated_value_has_a_line_of_help() -> None:
    def enumerations(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, list):
            for one in value:
                yield from enumerations(one)
        elif isinstance(value, dict):
            if isinstance(value.get("enum"), list) and value["enum"]:
                yield value
            for key, one in value.items():
                if key != "if":  # what a condition names is offered to no one
                    yield from enumerations(one)

    for name, text in generate().items():
        found = list(enumerations(json.loads(text)))
        assert found
        for one in found:
            assert len(one["enumDescriptions"]) == len(one["enum"]), (name, one["enum"])


def test_each_field_is_described_and_each_default_and_example_is_valid() -> None:
    schema = document_schema()
    for name, definition in schema["definitions"].items():
        for field, inside in definition.get("properties", {}).items():
            if name.endswith(".part"):
                continue  # made from the others
            told = inside.get("description") or any(
                one.get("$ref") for one in inside.get("allOf", [inside])
            )
            assert told, (name, field)
            alone = {**schema, "definitions": schema["definitions"], "allOf": [inside]}
            for word in ("properties", "required", "additionalProperties", "type"):
                alone.pop(word, None)
            for value in (*inside.get("examples", ()), *_default(inside)):
                assert Draft7Validator(alone).is_valid(value), (name, field, value)


def _default(inside: dict[str, Any]) -> list[Any]:
    return [inside["default"]] if "default" in inside else []


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
