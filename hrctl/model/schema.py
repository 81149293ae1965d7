"""JSON Schemas (draft 7) of everything that users write, for editors and other programs.

    hrctl.schema.json      any manifest, keyed on its kind
    <kind>.schema.json     a manifest of one kind
    project.schema.json    hrctl.yaml

`schemas/` in the repository holds what `generate` returns; a test fails where they differ.

Beside the words of draft 7 they bear some that editors know and validators pass over:
`enumDescriptions` (a line on each value, shown by completion and hover), `patternErrorMessage` and
`errorMessage` (what to say instead of a regular expression), `defaultSnippets` (what to insert).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from hrctl.model.address import NAME
from hrctl.model.kinds import KINDS, kind
from hrctl.model.kinds.base import KINDS as _KINDS
from hrctl.model.kinds.base import NAME_WORDS
from hrctl.model.manifest import API_VERSION, DELETIONS, LABEL, LEVELS
from hrctl.model.samples import SAMPLES

Schema = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_ID: Final = "https://hrctl.dev/schemas/"
_TARGET: Final = rf"^({NAME}(/{NAME})*:)?({'|'.join(KINDS)})/{NAME}$"
_ADDRESS_WORDS: Final = "an address: acme/shop/prod:Service/api, or Service/api"
_NULL: Final[Schema] = {"type": "null"}


@lru_cache(maxsize=64)
def model_schema(model: type[BaseModel]) -> Schema:
    """The draft-7 schema of a pydantic model, its parts in `definitions`."""
    made = model.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    made["definitions"] = made.pop("$defs", {})
    names = {name: _short(name) for name in made["definitions"]}
    tidied: Schema = _tidy(made, names)
    tidied["definitions"] = {names[name]: one for name, one in tidied["definitions"].items()}
    return tidied


def kind_schema(name: str) -> Schema:
    """The schema of a manifest of one kind."""
    schema = _envelope(f"hrctl {name}", f"{name.lower()}.schema.json")
    schema["properties"]["kind"] = {"const": name, "description": "The kind: always this one."}
    schema["definitions"] |= _definitions(name)
    schema["allOf"].append(_spec(name))
    return _without_unused(schema)


def document_schema() -> Schema:
    """The schema of any manifest."""
    schema = _envelope("hrctl manifest", "hrctl.schema.json")
    schema["properties"]["kind"] = {
        **_words(KINDS, _KINDS.values()),
        "description": "What is declared.",
    }
    for name in KINDS:
        schema["definitions"] |= _definitions(name)
        schema["allOf"].append(
            {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}}
            | {"then": _spec(name)}
        )
    for name in ("Registry", "Registry.part"):
        _type_defaults(schema["definitions"][name])
    return _without_unused(schema)


def project_schema() -> Schema:
    """The schema of the project file."""
    from hrctl.model.kinds.project import Project

    return {"$schema": DRAFT, "$id": f"{_ID}project.schema.json"} | model_schema(Project)


def generate() -> dict[str, str]:
    """Every schema file: its name and its text."""
    schemas = {"hrctl.schema.json": document_schema(), "project.schema.json": project_schema()}
    schemas |= {f"{name.lower()}.schema.json": kind_schema(name) for name in KINDS}
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def _short(name: str) -> str:
    """``hrctl__model__kinds__providers__redis__User`` -> ``redis.User``."""
    return ".".join(name.split("__")[-2:]) if "__" in name else name


def _words(words: Iterable[str], told: Iterable[str]) -> Schema:
    """An enumeration with a line on each value."""
    return {"enum": list(words), "enumDescriptions": list(told)}


def _tidy(value: Any, names: dict[str, str]) -> Any:
    """Without titles and empty defaults, which tell an editor's user nothing; short names."""
    if isinstance(value, list):
        return [_tidy(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    tidied: Schema = {}
    for key, one in value.items():
        if key == "title" and isinstance(one, str):
            continue
        if key == "default" and one is None:
            continue
        if key in {"properties", "definitions"}:
            tidied[key] = {name: _tidy(inside, names) for name, inside in one.items()}
        elif key == "$ref":
            tidied[key] = f"#/definitions/{names[one.rpartition('/')[2]]}"
        elif key == "default":
            tidied[key] = _without_nulls(one)
        elif key in {"enum", "const"}:
            tidied[key] = one
        else:
            tidied[key] = _tidy(one, names)
    return _as_draft_7(tidied)


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(one) for key, one in value.items() if one is not None}


def _as_draft_7(schema: Schema) -> Schema:
    """Words beside a reference count only in later drafts; keys that fit no pattern are wrong."""
    if "$ref" in schema and len(schema) > 1:
        schema = {"allOf": [{"$ref": schema.pop("$ref")}], **schema}
    patterns = schema.get("patternProperties")
    if patterns and len(patterns) == 1 and "additionalProperties" not in schema:
        ((pattern, inside),) = schema.pop("patternProperties").items()
        names = {"pattern": pattern, **schema.get("propertyNames", {})}
        schema = {**schema, "propertyNames": names, "additionalProperties": inside}
    return schema


def _envelope(title: str, file: str) -> Schema:
    name = _text(f"^{NAME}$", NAME_WORDS)
    texts = {
        "type": "object",
        "propertyNames": _text(f"^{LABEL}$", "letters, digits, -, _, . and /"),
        "additionalProperties": {"type": ["string", "null"]},
    }
    boolean = {"type": "boolean", "default": False}
    target = _text(_TARGET, "such as Component/orders-db, or a whole address")
    metadata = {
        "name": {**name, "description": "Its name within registry and kind."},
        "labels": {**texts, "description": "For selecting: --target team=payments."},
        "annotations": {**texts, "description": "Notes for people and other programs."},
        "movedFrom": {
            **_text(rf"^({NAME}(/{NAME})*:)?[A-Z][A-Za-z]*/{NAME}$", _ADDRESS_WORDS),
            "examples": ["acme/shop/prod:Service/api"],
            "description": "Its address before a rename or a move, so that nothing is replaced.",
        },
        "instances": {
            **_words(LEVELS, _levels()),
            "description": "One instance in every registry of this level below here.",
        },
        "patch": {**boolean, "description": "This document changes an inherited one."},
    }
    lifecycle = {
        "protect": {**boolean, "description": "Refuse to delete or replace it."},
        "ignore": {
            "type": "array",
            "items": {
                **_text("^/(spec|metadata)(/([^/~]|~[01])+)+$", "a field path: /spec/replicas"),
                "examples": ["/spec/replicas"],
            },
            "description": "Field paths whose live value is left alone.",
        },
        "createFirst": {**boolean, "description": "In a replace, make the new one first."},
        "deletion": {
            **_words(
                DELETIONS, ("it is removed from the live system", "it stays, and is forgotten")
            ),
            "default": "delete",
            "description": "What happens when it is no longer declared.",
        },
    }
    return {
        "$schema": DRAFT,
        "$id": _ID + file,
        "title": title,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of this format."},
            "kind": {},
            "metadata": {
                **_object(_removable(metadata, "labels", "annotations")),
                "required": ["name"],
                "description": "What it is called, and what is said about it.",
            },
            "spec": {"type": "object", "description": "What is wanted, by kind."},
            "dependsOn": {
                "type": ["array", "null"],
                "items": target,
                "description": "What must be done first, beside what references say.",
            },
            "lifecycle": {
                **_object(_removable(lifecycle, *lifecycle)),
                "type": ["object", "null"],
                "description": "How it may be changed.",
            },
        },
        "allOf": [
            {"if": {"not": _PATCH}, "then": {"required": ["spec"]}},
            {"if": {"not": _PATCH}, "then": _NOTHING_REMOVED},
        ],
        "definitions": {},
    }


def _text(pattern: str, words: str) -> Schema:
    return {"type": "string", "pattern": pattern, "patternErrorMessage": words}


def _levels() -> list[str]:
    """What is said of each level in the model of registries."""
    found: list[str] = model_schema(kind("Registry").model)["properties"]["level"][
        "enumDescriptions"
    ]
    return found


_PATCH: Final[Schema] = {
    "properties": {"metadata": {"properties": {"patch": {"const": True}}, "required": ["patch"]}},
    "required": ["metadata"],
}


_WRITTEN: Final[Schema] = {"not": _NULL}
_ITEMS_WRITTEN: Final[Schema] = {**_WRITTEN, "additionalProperties": _WRITTEN}
# What holds in a document that is no patch: there is nothing that null could remove.
_NOTHING_REMOVED: Final[Schema] = {
    "properties": {
        "dependsOn": _WRITTEN,
        "lifecycle": _ITEMS_WRITTEN,
        "metadata": {"properties": {"labels": _ITEMS_WRITTEN, "annotations": _ITEMS_WRITTEN}},
    }
}


def _removable(properties: Schema, *names: str) -> Schema:
    """Return the fields, of which those named may be null: in a patch that removes them."""
    made = dict(properties)
    for name in names:
        field = dict(made[name])
        if "enum" in field:
            field["enum"] = [*field["enum"], None]
            field["enumDescriptions"] = [*field["enumDescriptions"], "in a patch: as if not there"]
        else:
            field["type"] = [field["type"], "null"]
        made[name] = field
    return made


def _object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _spec(name: str) -> Schema:
    """What `spec` is: the whole of it, or in a patch a part."""

    def spec(suffix: str) -> Schema:
        return {"properties": {"spec": {"$ref": f"#/definitions/{name}{suffix}"}}}

    return {"if": _PATCH, "then": spec(".part"), "else": spec("")}


def _definitions(name: str) -> Schema:
    """A kind's definitions, whole and as parts, each under a name of its own."""
    whole = dict(model_schema(kind(name).model))
    if name == "Component":
        _narrow_providers(whole)
    whole["defaultSnippets"] = [
        {"label": f"{name} example", "description": told, "body": body}
        for told, body in SAMPLES[name].items()
    ]
    inner = {f"{name}.{one}": schema for one, schema in whole.pop("definitions").items()}
    named: Schema = {key: _renamed(schema, name) for key, schema in ({name: whole} | inner).items()}
    return named | {f"{key}.part": _part(schema) for key, schema in named.items()}


def _narrow_providers(component: Schema) -> None:
    """Leave the words for `provider` to the conditions on `type`.

    An editor offers what the field itself lists beside what the conditions list.
    """
    fields = component["properties"]
    field = {word: one for word, one in fields["provider"].items() if word != "enum"}
    component["properties"] = {**fields, "provider": field}


def _renamed(value: Any, owner: str) -> Any:
    if isinstance(value, list):
        return [_renamed(one, owner) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"#/definitions/{owner}.{one.rpartition('/')[2]}"
        if key == "$ref"
        else _renamed(one, owner)
        for key, one in value.items()
    }


def _part(schema: Schema) -> Schema:
    """The schema of a part of a value: nothing is required, null removes, lists stay whole."""
    part = dict(schema)
    if "if" in part:
        return _part_rule(part)
    for word in ("required", "oneOf", "minProperties", "defaultSnippets"):
        part.pop(word, None)
    if "$ref" in part:
        part["$ref"] = f"{part['$ref']}.part"
    for word in ("anyOf", "allOf"):
        if word in part:
            part[word] = [_part(one) for one in part[word]]
    if "properties" in part:
        part["properties"] = {name: _or_null(one) for name, one in part["properties"].items()}
    if isinstance(part.get("additionalProperties"), dict):
        part["additionalProperties"] = _or_null(part["additionalProperties"])
    return part


def _part_rule(rule: Schema) -> Schema:
    """A rule between fields counts in a part where all that it speaks of is written."""
    condition = rule["if"]
    written = {*condition.get("required", ()), *condition.get("properties", ())}
    made = {**rule, "if": {**condition, "required": sorted(written)}}
    if "required" in rule["then"]:
        made["then"] = {word: one for word, one in rule["then"].items() if word != "required"}
    return made


def _or_null(schema: Schema) -> Schema:
    part = _part(schema)
    if _NULL in part.get("anyOf", ()) or not part.keys() - {"description", "default"}:
        return part
    told = {key: part.pop(key) for key in ("description", "default") if key in part}
    return told | {"anyOf": [part, _NULL]}


def _type_defaults(registry: Schema) -> None:
    """A registry's defaults are parts of the specs of the kinds."""
    defaults = registry["properties"]["defaults"]
    inside = next((one for one in defaults.get("anyOf", ()) if one != _NULL), defaults)
    inside["properties"] = {name: {"$ref": f"#/definitions/{name}.part"} for name in KINDS}


def _without_unused(schema: Schema) -> Schema:
    """Without the definitions that nothing refers to."""
    definitions: Schema = schema["definitions"]
    waiting = list(_references({**schema, "definitions": {}}))
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_references(definitions[name]))
    return {**schema, "definitions": {name: definitions[name] for name in sorted(used)}}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for one in value.values():
            yield from _references(one)
