"""Which keys or items of a value a schema has a say in: what `unevaluated...` leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def evaluated(validator: Any, instance: Any, schema: Any, *, top: bool = False) -> set[Any]:
    """Return the evaluated keys of an object, or indexes of an array, that obeys the schema.

    Args:
        validator: the library's validator, which resolves references from where the schema is.
        instance: a mapping or a list.
        schema: what it obeys, but for the `unevaluated...` keyword of the `top`.
        top: leave out that keyword.
    """
    if isinstance(schema, bool):
        return set()
    own = _properties if isinstance(instance, dict) else _items
    known = own(validator, instance, schema, top=top)
    for part, of in _applied(validator, instance, schema):
        known |= evaluated(of, instance, part)
    return known


def _applied(validator: Any, instance: Any, schema: Any) -> Iterator[tuple[Any, Any]]:
    """Schemas for the same value that it obeys, each with the validator that looks at them."""
    yield from _referred(validator, schema)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            if _valid(validator, instance, part):
                yield part, validator
    if isinstance(instance, dict):
        for key, part in schema.get("dependentSchemas", {}).items():
            if key in instance:
                yield part, validator
    if "if" in schema:
        if _valid(validator, instance, schema["if"]):
            yield schema["if"], validator
            yield schema.get("then", True), validator
        else:
            yield schema.get("else", True), validator


def _referred(validator: Any, schema: Any) -> Iterator[tuple[Any, Any]]:
    for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
        if keyword in schema:
            target = _target(validator, keyword, schema[keyword])
            yield (
                target.contents,
                validator.evolve(schema=target.contents, _resolver=target.resolver),
            )


def _target(validator: Any, keyword: str, value: str) -> Any:
    from referencing.jsonschema import lookup_recursive_ref

    resolver = validator._resolver  # noqa: SLF001 - the library has no public way to it
    return lookup_recursive_ref(resolver) if keyword == "$recursiveRef" else resolver.lookup(value)


def _valid(validator: Any, instance: Any, schema: Any) -> bool:
    return next(validator.descend(instance, schema), None) is None


def _properties(validator: Any, instance: Any, schema: Any, *, top: bool) -> set[Any]:
    from hrctl.model.json_schema.keywords import contains

    del validator
    if "additionalProperties" in schema or ("unevaluatedProperties" in schema and not top):
        return set(instance)
    known: set[Any] = schema.get("properties", {}).keys() & instance.keys()
    patterns = schema.get("patternProperties", ())
    return known | {key for key in instance if any(contains(one, key) for one in patterns)}


def _items(validator: Any, instance: Any, schema: Any, *, top: bool) -> set[Any]:
    everything = set(range(len(instance)))
    items = schema.get("items")
    if "unevaluatedItems" in schema and not top:
        return everything
    if items is not None and not isinstance(items, list):
        return everything
    if isinstance(items, list):  # as drafts up to 2019-09 have it
        return everything if "additionalItems" in schema else set(range(len(items)))
    known = set(range(len(schema.get("prefixItems", ()))))
    if "contains" in schema and "prefixItems" in validator.VALIDATORS:
        known |= {
            index
            for index, item in enumerate(instance)
            if _valid(validator, item, schema["contains"])
        }
    return known
