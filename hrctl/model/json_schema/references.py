"""What a JSON Schema refers to: all of it must stand in the schema itself, and end somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import jsonschema
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable
from referencing.jsonschema import lookup_recursive_ref, specification_with

from hrctl.model import regex
from hrctl.model.json_schema.fault import Fault

BUNDLED: Final = REGISTRY  # the drafts themselves; nothing else is ever looked for
MAX_CHAIN: Final = 64  # schemas that one and the same value is checked against, one from another

At = tuple[str | int, ...]
_IN_PLACE: Final = frozenset({"if", "then", "else", "not", "extends", "disallow"})
_VALUE: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "items",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "extends", "type", "disallow"})
_LIST: Final = frozenset({"items", "prefixItems"})
_MAP: Final = frozenset({"$defs", "definitions", "patternProperties", "properties"})
_MAP_IN_PLACE: Final = frozenset({"dependencies", "dependentSchemas"})
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


def draft_of(schema: Any) -> Any:
    """Return the library's validator for a schema, or a Fault where its draft is not known."""
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if named is None:
        return jsonschema.Draft202012Validator
    unknown: Any = None
    return validator_for({"$schema": str(named)}, default=unknown) or Fault(
        "HR341",
        f"schema is of a draft that is not known, {named!r}",
        ("$schema",),
        "name a draft of json-schema.org from 3 to 2020-12, or leave it out",
    )


def resolver_of(schema: Any, draft: Any) -> Any:
    """Return the library's resolver of a schema, or a Fault where an `$id` is no address.

    All anchors are known to it. The one that the library makes looks for them anew at each
    reference, which takes a minute for some thousand references.
    """
    resource = specification_with(str(draft.META_SCHEMA["$schema"])).create_resource(schema)
    try:
        address = resource.id() or ""
        return BUNDLED.with_resource(address, resource).crawl().resolver(address)
    except ValueError as error:  # from the parser of URLs
        return Fault("HR341", f"an $id of the schema is no address: {error}")


def problem(schema: Any, draft: Any, resolver: Any) -> Fault | None:
    """Return the first thing that a schema must not have: see HR340 and HR341."""
    return _Walk(schema, draft, resolver).run() if isinstance(schema, dict) else None


class _Walk:
    """One use: looks at each schema that a check may come to."""

    def __init__(self, schema: dict[str, Any], draft: Any, resolver: Any) -> None:
        self._dialect = str(draft.META_SCHEMA["$schema"])
        self._specification = specification_with(self._dialect)
        self._root = schema
        self._resolver = resolver
        self._seen: dict[int, At] = {}
        self._in_place: dict[int, list[int]] = {}  # which schemas look at the same value

    def run(self) -> Fault | None:
        """Return the first problem."""
        waiting: list[tuple[Any, At, Any]] = [(self._root, (), self._resolver)]
        while waiting:
            schema, at, resolver = waiting.pop()
            if id(schema) in self._seen:
                continue
            self._seen[id(schema)] = at
            fault = _unusable(schema, at, self._dialect)
            if fault is not None:
                return fault
            for step in (
                *self._inside(schema, at, resolver),
                *self._referred(schema, at, resolver),
            ):
                if isinstance(step, Fault):
                    return step
                waiting.append(step)
        return self._endless()

    def _inside(self, schema: dict[str, Any], at: At, resolver: Any) -> Iterator[Any]:
        for part, place, in_place in _parts(schema, at):
            if in_place:
                self._in_place.setdefault(id(schema), []).append(id(part))
            yield part, place, resolver.in_subresource(self._specification.create_resource(part))

    def _referred(self, schema: dict[str, Any], at: At, resolver: Any) -> Iterator[Any]:
        for keyword in _REFERENCES:
            if keyword not in schema:
                continue
            try:
                target = (
                    lookup_recursive_ref(resolver)
                    if keyword == "$recursiveRef"
                    else resolver.lookup(schema[keyword])
                )
            except (Unresolvable, ValueError):
                yield _unresolvable(keyword, schema[keyword], at)
                continue
            if isinstance(target.contents, dict):
                self._in_place.setdefault(id(schema), []).append(id(target.contents))
                if not _is_draft(target.contents):
                    yield target.contents, (*at, keyword), target.resolver

    def _endless(self) -> Fault | None:
        depth: dict[int, int] = {}
        graph = {
            key: [one for one in ends if one in self._seen] for key, ends in self._in_place.items()
        }
        try:
            for one in TopologicalSorter(graph).static_order():
                depth[one] = 1 + max((depth[end] for end in graph.get(one, ())), default=0)
                if depth[one] > MAX_CHAIN:
                    return Fault(
                        "HR341",
                        f"goes through more than {MAX_CHAIN} schemas for one value",
                        self._seen[one],
                        "write what they say in one schema",
                    )
        except CycleError as error:
            # the place that a reader comes to first
            at = min(
                (self._seen[one] for one in error.args[1]), key=lambda one: (len(one), str(one))
            )
            return Fault(
                "HR341",
                "the schema refers to itself for the same value, without end",
                at,
                "a schema may refer to itself below properties or items only",
            )
        return None


def _unusable(schema: dict[str, Any], at: At, dialect: str) -> Fault | None:
    """Return what is wrong with a schema itself, whatever it refers to."""
    named = schema.get("$schema")
    if at and isinstance(named, str) and named.rstrip("#") != dialect.rstrip("#"):
        return Fault("HR341", "a schema within a schema is of another draft", (*at, "$schema"))
    patterns = [((*at, "pattern"), schema.get("pattern"))]
    properties = schema.get("patternProperties")
    if isinstance(properties, dict):
        patterns += [((*at, "patternProperties", key), key) for key in properties]
    for place, pattern in patterns:
        expression = regex.portable(pattern) if isinstance(pattern, str) else None
        if isinstance(expression, regex.Refusal):
            why = f"pattern cannot be used: {expression.why}"
            return Fault("HR340", why, place, expression.hint)
    return None


def _parts(schema: dict[str, Any], at: At) -> Iterator[tuple[dict[str, Any], At, bool]]:
    """Schemas within a schema, where they stand, and whether they are for the same value."""
    for keyword, value in schema.items():
        place = (*at, keyword)
        if isinstance(value, dict):
            if keyword in _IN_PLACE or keyword in _VALUE:
                yield value, place, keyword in _IN_PLACE
            elif keyword in _MAP or keyword in _MAP_IN_PLACE:
                for name, part in value.items():
                    if isinstance(part, dict):
                        yield part, (*place, name), keyword in _MAP_IN_PLACE
        elif isinstance(value, list) and (keyword in _LIST or keyword in _LIST_IN_PLACE):
            for index, part in enumerate(value):
                if isinstance(part, dict):
                    yield part, (*place, index), keyword in _LIST_IN_PLACE


def _is_draft(contents: dict[str, Any]) -> bool:
    """Whether this is one of the library's, which need no look."""
    return any(contents is resource.contents for resource in BUNDLED.values())


def _unresolvable(keyword: str, value: Any, at: At) -> Fault:
    return Fault(
        "HR341",
        f"{keyword} {str(value)[:99]!r} leads nowhere within the schema",
        (*at, keyword),
        "put the schema under $defs and refer to it as '#/$defs/name'; nothing is fetched",
    )
