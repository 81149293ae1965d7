"""Refuse a plan file that hrctl cannot have written, though its digest fits.

Anybody can seal an altered file anew, since the digest is no signature. So the content is held
against the format, against itself, and against what follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from hrctl.model.plan import Action, Plan
from hrctl.model.values import Json

Schema = Mapping[str, Any]

_TYPES: Final[Mapping[str, Callable[[Json], bool]]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
}
_LEDGER_ONLY: Final = frozenset({Action.FORGET, Action.NOOP})


def misfit(content: Json) -> str | None:
    """Return where the content, without its digest, is not of the format; None where it is."""
    from hrctl.model.planschema import plan_schema

    schema = plan_schema()
    schema["required"].remove("digest")
    return next(_misfits(content, schema, schema["$defs"], ""), None)


def contradiction(plan: Plan, content: Mapping[str, Json]) -> str | None:
    """Return what does not follow from the rest of a plan, None where all does."""
    from hrctl.model.planfile import to_object

    for key, value in to_object(plan).items():
        if key != "digest" and value != content[key]:
            return f"has a '{key}' that does not follow from its changes"
    return None


def disorder(plan: Plan) -> str | None:
    """Return why the changes of a plan have no order to be carried out in, None where they have."""
    looked = not plan.options.get("offline")  # else no driver was asked, and no apply takes it
    waits = {change.address: change.waits_for for change in plan.changes}
    if len(waits) < len(plan.changes):
        return "has two changes of one address"
    for change in plan.changes:
        strange = [one for one in change.waits_for if one not in waits]
        if strange:
            return f"lets {change.address} wait for {strange[0]}, which it does not change"
        if looked and change.action not in _LEDGER_ONLY and change.driver not in plan.drivers:
            return f"names no driver instance '{change.driver}', which {change.address} needs"
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        return f"lets changes wait for each other: {', '.join(error.args[1])}"
    return None


def _misfits(value: Json, schema: Schema, defs: Mapping[str, Schema], path: str) -> Iterator[str]:
    """Yield the places that do not fit, for the part of JSON Schema that plans are described in."""
    if "$ref" in schema:
        yield from _misfits(value, defs[schema["$ref"].rpartition("/")[2]], defs, path)
    elif "anyOf" in schema:
        if all(any(_misfits(value, one, defs, path)) for one in schema["anyOf"]):
            yield path or "/"
    elif not _fits_alone(value, schema):
        yield path or "/"
    elif type(value) is dict:
        yield from _members(value, schema, defs, path)
    elif type(value) is list and "items" in schema:
        for index, item in enumerate(value):
            yield from _misfits(item, schema["items"], defs, f"{path}/{index}")


def _members(
    value: dict[str, Json], schema: Schema, defs: Mapping[str, Schema], path: str
) -> Iterator[str]:
    known = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}/{name}"
    for name, item in value.items():
        if name in known:
            yield from _misfits(item, known[name], defs, f"{path}/{name}")
        elif other is False:
            yield f"{path}/{name}"
        elif other is not True:
            yield from _misfits(item, other, defs, f"{path}/{name}")


def _fits_alone(value: Json, schema: Schema) -> bool:
    """Whether a value fits without a look at what is in it."""
    if "type" in schema and not _TYPES[schema["type"]](value):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "minimum" in schema and value < schema["minimum"]:
        return False
    if "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        return False
    size = len(value) if type(value) is list else 0
    return bool(schema.get("minItems", 0) <= size <= schema.get("maxItems", size))


@lru_cache(maxsize=16)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
