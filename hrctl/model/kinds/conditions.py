"""What JSON Schema says of rules between fields, for `json_schema_extra` of a model.

The models' own `rules` are what validates; these let an editor know as much as a schema can. A rule
fires on fields that are written: `model/schema.py` makes of it what holds for a part of a spec.
"""

from __future__ import annotations

from pydantic import ConfigDict, JsonValue

Schema = dict[str, JsonValue]


def rules(*conditions: Schema, **more: JsonValue) -> ConfigDict:
    """A model's configuration with these conditions."""
    return ConfigDict(json_schema_extra={"allOf": [*conditions], **more})


def when(condition: Schema, then: Schema) -> Schema:
    """What must hold where a condition does."""
    return {"if": condition, "then": then}


def one_of(field: str, *values: str | bool) -> Schema:
    """A field is written and has one of these values."""
    return {**is_or_left_out(field, *values), "required": [field]}


def is_or_left_out(field: str, *values: str | bool) -> Schema:
    """A field has one of these values, or its default is one of them."""
    return {"properties": {field: {"anyOf": [{"const": value} for value in values]}}}


def given(*fields: str) -> Schema:
    """All of these fields are written, and not as null."""
    written: Schema = {field: {"not": {"type": "null"}} for field in fields}
    return {"properties": written, "required": [*fields]}


def refused(told: str, *fields: str) -> Schema:
    """These fields must not be there; `told` is what an editor says."""
    return {"properties": {field: {"type": "null", "errorMessage": told} for field in fields}}


def needed(*fields: str) -> Schema:
    """These fields must be there."""
    return {"required": [*fields]}


def typed(field: str, schema: Schema) -> Schema:
    """What a field's value must be."""
    return {"properties": {field: schema}}
