"""JSON Schema of the plan format, for those who read plans with other programs."""

from __future__ import annotations

from typing import Any, Final

from hrctl.model.danger import Danger
from hrctl.model.plan import Action, Reason
from hrctl.model.planfile import FORMAT_VERSION
from hrctl.model.radius import MEASURES, Grade

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_ADDRESS: Final[Schema] = {"$ref": "#/$defs/address"}
_SPAN: Final[Schema] = {"anyOf": [{"$ref": "#/$defs/span"}, {"type": "null"}]}
_APPROVAL: Final[Schema] = {
    "description": "SHA-256 of what is changed, from which state to which",
    "type": "string",
    "pattern": "^sha256:[0-9a-f]{64}$",
}
_POINTERS: Final[Schema] = {"type": "array", "items": {"type": "string", "pattern": "^(/.*)?$"}}


def plan_schema() -> Schema:
    """The schema, JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hrctl plan",
        "description": "What an apply would do. See docs/plan-format.md.",
        **_object(
            {
                "format_version": {"const": FORMAT_VERSION},
                "id": _TEXT,
                "created": {"type": "string", "format": "date-time"},
                "commit": _or_null(_TEXT),
                "dirty": _FLAG,
                "tree_digest": _TEXT,
                "serial": _COUNT,
                "drivers": {"type": "object", "additionalProperties": _TEXT},
                "destroy": _FLAG,
                "complete": _FLAG,
                "resources": _COUNT,
                "options": {"type": "object"},
                "summary": _summary(),
                "blast_radius": _radius(),
                "approval": _APPROVAL,
                "changes": _list("change"),
                "drift": _list("drift"),
                "kept": _list("change"),
                "base": _or_null(
                    _object(
                        {
                            "revision": _TEXT,
                            "commit": _TEXT,
                            "fork": _TEXT,
                            "merged": _FLAG,
                            "declared": _FLAG,
                            "pending": _list("change"),
                            "drift": _list("change"),
                        }
                    )
                ),
                "settings": _list("setting"),
                "diagnostics": _list("diagnostic"),
                "digest": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            }
        ),
        "$defs": {
            "address": {
                "description": "<registry path>:<Kind>/<name>",
                "type": "string",
                "pattern": "^[a-z0-9][-a-z0-9/]*:[A-Z][A-Za-z]*/[a-z0-9][-a-z0-9]*$",
            },
            "span": _object(
                {
                    "path": _TEXT,
                    "line": {"type": "integer", "minimum": 1},
                    "column": {"type": "integer", "minimum": 1},
                    "length": _COUNT,
                }
            ),
            "change": _change(),
            "field": _field(),
            "drift": _object(
                {
                    "address": _ADDRESS,
                    "driver": _TEXT,
                    "lost": {**_FLAG, "description": "nothing is there any more"},
                    "kept": {**_FLAG, "description": "it is left as it is"},
                    "fields": _list("field"),
                }
            ),
            "setting": _setting(),
            "diagnostic": _diagnostic(),
        },
    }


def _change() -> Schema:
    body = _or_null({"type": "object"})
    return _object(
        {
            "address": _ADDRESS,
            "previous_address": _or_null(_ADDRESS),
            "actions": {
                "description": "a replace is delete and create, in the order they happen",
                "type": "array",
                "items": {"enum": [a.value for a in Action if a is not Action.REPLACE]},
                "minItems": 1,
                "maxItems": 2,
            },
            "reason": {"enum": [reason.value for reason in Reason]},
            "note": _or_null(_TEXT),
            "driver": _TEXT,
            "previous_driver": _or_null(_TEXT),
            "before": body,
            "after": body,
            "after_unknown": {**_POINTERS, "description": "paths of `after` known after apply"},
            "sensitive": {**_POINTERS, "description": "paths of `after` that no one may see"},
            "fields": _list("field"),
            "applied": body,
            "recorded": body,
            "expect_version": _or_null(_TEXT),
            "waits_for": {"type": "array", "items": _ADDRESS},
            "depends_on": {"type": "array", "items": _ADDRESS},
            "digest": _TEXT,
            "lifecycle": _object(
                {
                    "protect": _FLAG,
                    "ignore": {"type": "array", "items": _TEXT},
                    "create_first": _FLAG,
                    "deletion": {"enum": ["delete", "retain"]},
                }
            ),
            "protected": {**_FLAG, "description": "the ledger records it so"},
            "record_keepers": {
                "description": "those of its drivers that only record such a resource",
                "type": "array",
                "items": _TEXT,
                "maxItems": 2,
            },
            "settings": {**_TEXT, "description": "digest of the blocks of its driver instances"},
            "files": {**_TEXT, "description": "digest of the files in the tree that it runs"},
            "span": _SPAN,
            "dangers": {
                "type": "array",
                "items": _object({"danger": {"enum": list(Danger)}, "text": _TEXT}),
            },
            "approval": _APPROVAL,
        }
    )


def _radius() -> Schema:
    grade: Schema = {"enum": list(Grade)}
    measured = {"measure": {"enum": list(MEASURES)}, "count": _COUNT, "grade": grade}
    return _object(
        {
            "grade": grade,
            "reasons": {"type": "array", "items": _TEXT},
            "measured": {"type": "array", "items": _object(measured)},
        }
    )


def _field() -> Schema:
    return _object(
        {
            "path": {"type": "string", "pattern": "^(/.*)?$"},
            "desired": {"description": "left out where there is none"},
            "applied": {"description": "left out where there is none"},
            "live": {"description": "left out where there is none"},
            "reason": {"enum": [reason.value for reason in Reason]},
            "sensitive": _FLAG,
            "unknown": _FLAG,
            "origin": _SPAN,
        },
        optional=("desired", "applied", "live"),
    )


def _setting() -> Schema:
    return _object(
        {
            "path": {"type": "string", "pattern": "^/"},
            "before": {"description": "left out where there is none"},
            "after": {"description": "left out where there is none"},
            "span": _SPAN,
            "approval": _APPROVAL,
        },
        optional=("before", "after"),
    )


def _summary() -> Schema:
    names = ("add", "change", "destroy", "replace", "adopt", "forget", "moved", "drifted")
    return _object(dict.fromkeys(names, _COUNT))


def _diagnostic() -> Schema:
    return _object(
        {
            "code": {"type": "string", "pattern": "^HR[0-9]{3}$"},
            "severity": {"enum": ["error", "warning", "info"]},
            "summary": _TEXT,
            "span": _SPAN,
            "address": _or_null(_TEXT),
            "hint": _or_null(_TEXT),
            "note": _or_null(_TEXT),
            "related": {
                "type": "array",
                "items": _object({"message": _TEXT, "span": _SPAN}),
            },
        }
    )


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
