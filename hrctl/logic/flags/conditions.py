"""What a rule asks of a context, as closures.

Types count: ``"18"`` is not ``18``, and true is no number. What is missing equals nothing and
contains nothing, so it matches the negations of `eq`, `in`, `contains`, `startsWith`, `endsWith`.
What cannot be compared (a number with a text, a version that is none, what is missing) matches
none of the operators that order.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from hrctl.logic.flags.evaluation import Context
from hrctl.model.kinds import compared
from hrctl.model.values import Json

Test = Callable[[Context], bool]
Getter = Callable[[Context], Json]

KEY: Final = "targetingKey"
_ALIASES: Final = {"userId": KEY}


def attribute_path(attribute: str) -> str:
    """The name under which a context has the attribute."""
    return _ALIASES.get(attribute, attribute)


def getter(attribute: str) -> Getter:
    """How to get an attribute from a context; dots lead into maps. None where there is none."""
    name = attribute_path(attribute)
    if "." not in name:
        return lambda context: context.get(name)
    first, *rest = name.split(".")

    def get(context: Context) -> Json:
        held = context.get(first)
        for part in rest:
            if not isinstance(held, Mapping):
                return None
            held = held.get(part)
        return held

    return get


def conditions(rule: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    """The conditions of a rule, whichever way it is written."""
    found: Sequence[Mapping[str, Json]] = rule.get("all") or (rule,)
    return found


def compile_all(parts: Iterable[Mapping[str, Json]]) -> Test:
    """Whether every condition holds.

    Raises:
        KeyError: for an operator that there is not, or a field that is missing.
    """
    tests = [compile_condition(one) for one in parts]
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - the common case, twice as fast as a loop
        first, second = tests
        return lambda context: first(context) and second(context)

    def every(context: Context) -> bool:
        for test in tests:  # noqa: SIM110 - a generator takes twice as long
            if not test(context):
                return False
        return True

    return every


def compile_condition(condition: Mapping[str, Json]) -> Test:
    """Whether one condition holds."""
    word = condition.get("operator") or "eq"
    positive = _NEGATIONS.get(word)
    make = _MAKERS[positive or word]
    test = make(positive or word, getter(condition["attribute"]), condition["values"])
    return (lambda context: not test(context)) if positive else test


def _equal(_: str, get: Getter, values: Sequence[Json]) -> Test:
    texts = frozenset(one for one in values if isinstance(one, str))
    flags = frozenset(one for one in values if isinstance(one, bool))
    numbers = frozenset(one for one in values if compared.is_number(one))

    def test(context: Context) -> bool:
        held = get(context)
        if isinstance(held, str):
            return held in texts
        if isinstance(held, bool):
            return held in flags
        return isinstance(held, int | float) and held in numbers

    return test


def _contains(_: str, get: Getter, values: Sequence[Json]) -> Test:
    def test(context: Context) -> bool:
        held = get(context)
        return isinstance(held, str | list | tuple) and any(one in held for one in values)

    return test


def _edge(word: str, get: Getter, values: Sequence[Json]) -> Test:
    edges = tuple(values)
    at: Callable[[str, Any], bool] = str.startswith if word == "startsWith" else str.endswith

    def test(context: Context) -> bool:
        held = get(context)
        return isinstance(held, str) and at(held, edges)

    return test


def _number(word: str, get: Getter, values: Sequence[Json]) -> Test:
    compare, (limit,) = _COMPARISONS[word], values

    def test(context: Context) -> bool:
        held = get(context)
        return (
            isinstance(held, int | float)
            and not isinstance(held, bool)
            and bool(compare(held, limit))
        )

    return test


def _version(word: str, get: Getter, values: Sequence[Json]) -> Test:
    compare, limit = _COMPARISONS[word.removeprefix("semver").lower()], compared.version(values[0])

    def test(context: Context) -> bool:
        held = get(context)
        if not isinstance(held, str) and not compared.is_number(held):
            return False
        found = compared.version(str(held))
        return found is not None and bool(compare(found, limit))

    return test


def _moment(word: str, get: Getter, values: Sequence[Json]) -> Test:
    compare, limit = _COMPARISONS[DATES[word]], compared.moment(values[0])

    def test(context: Context) -> bool:
        held = get(context)
        found = compared.moment(held) if isinstance(held, str) else None
        return found is not None and bool(compare(found, limit))

    return test


DATES: Final = {"after": "gt", "notAfter": "le", "before": "lt", "notBefore": "ge"}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "ge": operator.ge,
}
_NEGATIONS: Final = {
    "ne": "eq",
    "notIn": "in",
    "notContains": "contains",
    "notStartsWith": "startsWith",
    "notEndsWith": "endsWith",
}
_MAKERS: Final[dict[str, Callable[[str, Getter, Sequence[Json]], Test]]] = {
    **dict.fromkeys(("eq", "in"), _equal),
    "contains": _contains,
    **dict.fromkeys(("startsWith", "endsWith"), _edge),
    **dict.fromkeys(("gt", "le", "lt", "ge"), _number),
    **dict.fromkeys(
        ("semverEq", "semverNe", "semverGt", "semverLe", "semverLt", "semverGe"), _version
    ),
    **dict.fromkeys(DATES, _moment),
}
