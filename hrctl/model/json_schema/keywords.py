"""Keywords of JSON Schema with bounded work: each application of a keyword is counted.

The library's own implementations are used but for those that search with Python's regular
expressions or compare everything with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import attrs
from jsonschema import validators
from jsonschema.exceptions import ValidationError

from hrctl.model import regex
from hrctl.model.json_schema.evaluated import evaluated
from hrctl.model.values import canonical

# Steps that a check may take, each about 4 microseconds: those of a small value, and so many more
# for each character of value and schema.
_STEPS: Final = 20_000
_STEPS_OF_A_CHARACTER: Final = 20
_REFERENCE: Final = 10  # steps that following a reference takes
_EXPRESSION: Final = 2_000  # instructions of an expression times bytes of text, to a step

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]
_left: ContextVar[list[int]] = ContextVar("left")


@contextmanager
def budget(size: int) -> Iterator[None]:
    """Bound the work of the checks within, for `size` characters of value and schema.

    Raises:
        TooMuchWorkError: when it is used up.
    """
    token = _left.set([_STEPS + _STEPS_OF_A_CHARACTER * size])
    try:
        yield
    finally:
        _left.reset(token)


def spend(steps: int) -> None:
    """Take from the budget; see there."""
    left = _left.get()
    left[0] -= steps
    if left[0] < 0:
        raise regex.TooMuchWorkError


@lru_cache(maxsize=16)
def bounded(draft: Any) -> Any:
    """Return the validator of a draft, with all of its keywords counted."""
    own = {name: keyword for name, keyword in _OWN.items() if name in draft.VALIDATORS}
    counted = {name: _counted(name, one) for name, one in {**draft.VALIDATORS, **own}.items()}
    extend: Any = validators.extend
    kind: Any = extend(draft, counted)
    # the library's own goes over to the plain class of a draft at each `$schema`
    kind.evolve = attrs.evolve
    return kind


def _counted(name: str, keyword: Any) -> Keyword:
    reference = name in {"$ref", "$dynamicRef", "$recursiveRef"}
    compares = name in {"enum", "const"}

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        steps = _REFERENCE if reference else 1
        if compares:
            steps += min(_size(value), _size(instance) * len(value) if name == "enum" else 2**63)
        elif isinstance(value, dict | list):
            steps += len(value) // 8
        spend(steps)
        for error in keyword(validator, value, instance, schema) or ():
            spend(1 + len(error.message) // 64)  # it holds the whole value
            yield error

    return check


def _size(value: Any) -> int:
    """Return what comparing a value takes, in steps."""
    if isinstance(value, dict):
        return 1 + sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(item) for item in value)
    return 1 + len(value) // 1024 if isinstance(value, str) else 1


def contains(pattern: str, text: str) -> bool:
    """Return whether a pattern of a schema fits any part of a text, and count that."""
    expression = regex.portable(pattern)
    if isinstance(expression, regex.Refusal):  # one that no walk over the schema came upon
        raise regex.TooMuchWorkError
    spend(1 + expression.size * len(text) // _EXPRESSION)
    return expression.search(text)


def _pattern(validator: Any, value: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not contains(value, instance):
        expression = regex.portable(value)
        note = None if isinstance(expression, regex.Refusal) else expression.note(instance)
        yield ValidationError(
            f"{instance!r} does not match {value!r}" + (f" ({note})" if note else "")
        )


def _pattern_properties(
    validator: Any, value: Any, instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in value.items():
        for key, item in instance.items():
            if contains(pattern, key):
                yield from validator.descend(item, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), list(schema.get("patternProperties", {}))
    extras = [
        key
        for key in instance
        if key not in named and not any(contains(pattern, key) for pattern in patterns)
    ]
    if isinstance(value, dict):
        for extra in extras:
            yield from validator.descend(instance[extra], value, path=extra)
    elif not value and extras:
        listed, are = _listed(extras)
        if patterns:
            do = "does" if len(extras) == 1 else "do"
            regexes = ", ".join(repr(pattern) for pattern in sorted(patterns))
            yield ValidationError(f"{listed} {do} not match any of the regexes: {regexes}")
        else:
            yield ValidationError(
                f"Additional properties are not allowed ({listed} {are} unexpected)"
            )


def _unevaluated_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    known = evaluated(validator, instance, schema, top=True)
    wrong = [
        key
        for key, item in instance.items()
        if key not in known and next(validator.descend(item, value, path=key), None) is not None
    ]
    if wrong:
        listed, are = _listed(wrong)
        yield ValidationError(f"Unevaluated properties are not allowed ({listed} {are} unexpected)")


def _unevaluated_items(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "array"):
        return
    known = evaluated(validator, instance, schema, top=True)
    wrong = [
        item
        for index, item in enumerate(instance)
        if index not in known and next(validator.descend(item, value), None) is not None
    ]
    if wrong:
        listed, are = _listed(wrong)
        yield ValidationError(f"Unevaluated items are not allowed ({listed} {are} unexpected)")


def _multiple_of(validator: Any, value: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    """Divide exactly: the library overflows where one number is huge and the other has a point."""
    if validator.is_type(instance, "number") and _exact(instance) % _exact(value):
        yield ValidationError(f"{instance!r} is not a multiple of {value!r}")


def _exact(number: Any) -> Fraction:
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def _unique_items(validator: Any, value: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if not value or not validator.is_type(instance, "array"):
        return
    first: dict[str, int] = {}
    for index, item in enumerate(instance):
        spend(_size(item) // 8)
        text = canonical(_with_equal_numbers(item))
        if text in first:
            yield ValidationError(f"items {first[text]} and {index} are equal")
            return
        first[text] = index


def _with_equal_numbers(value: Any) -> Any:
    """1 and 1.0 are one number to JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_equal_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_equal_numbers(item) for key, item in value.items()}
    return value


def _listed(items: list[Any]) -> tuple[str, str]:
    return ", ".join(repr(item) for item in items), "was" if len(items) == 1 else "were"


_OWN: Final[dict[str, Keyword]] = {
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
    "uniqueItems": _unique_items,
}
