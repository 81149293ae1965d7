"""Config: named values with types and rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hrctl.model.kinds.base import Broken, Number, Ruled, Spec, choices, got, says
from hrctl.model.kinds.conditions import (
    Schema,
    given,
    is_or_left_out,
    one_of,
    refused,
    rules,
    when,
)
from hrctl.model.kinds.reference import Reference
from hrctl.model.values import Json, canonical, is_reference

Type = Annotated[
    Literal["STRING", "INTEGER", "FLOAT", "BOOLEAN", "JSON", "SECRET"],
    choices(
        "text",
        "a whole number",
        "a number",
        "true or false",
        "anything that JSON can hold",
        "text that only ever stands here encrypted",
    ),
]
_JSON_TYPES: Final = {
    "STRING": "string",
    "INTEGER": "integer",
    "FLOAT": "number",
    "BOOLEAN": "boolean",
}
_FITS: Final = {
    "min": ("INTEGER", "FLOAT", "STRING"),
    "max": ("INTEGER", "FLOAT", "STRING"),
    "allowed": ("STRING", "INTEGER", "FLOAT", "BOOLEAN", "JSON"),
    "pattern": ("STRING",),
    "schema": ("JSON",),
}
Key = Annotated[
    str, says(r"^[A-Za-z_][A-Za-z0-9_.-]*$", "letters, digits, _, . and -, a letter or _ first")
]


def _conditions() -> Iterator[Schema]:
    """In JSON Schema: the values and rules that go with each type."""
    reference: Schema = {"type": "object", "required": ["valueFrom"]}
    nothing: Schema = {"type": "null"}
    for name, value in _JSON_TYPES.items():
        held: Schema = {"anyOf": [{"type": value}, reference, nothing]}
        yield when(
            is_or_left_out("type", name) if name == "STRING" else one_of("type", name),
            {"properties": {"value": held, "default": held}},
        )
    yield when(
        one_of("type", "SECRET"),
        {
            "properties": {
                "value": {"anyOf": [reference, nothing]},
                "valueFrom": {"anyOf": [{"required": ["age"]}, nothing]},
                "default": nothing,
            }
        },
    )
    for field, types in _FITS.items():
        others = [name for name in (*_JSON_TYPES, "JSON", "SECRET") if name not in types]
        told = f"'{field}' goes with {', '.join(types)}"
        fits = is_or_left_out if "STRING" in others else one_of
        yield when(fits("type", *others), refused(told, field))
    yield when(given("value", "valueFrom"), refused("value or valueFrom, not both", "valueFrom"))


class Entry(Ruled):
    """One value, with its type and the rules that it obeys."""

    model_config = rules(*_conditions())

    type: Type = Field("STRING", description="What sort of value it is.")
    value: Any = Field(None, description="The value; a SECRET has valueFrom with age instead.")
    value_from: Reference | None = Field(None, description="Where the value comes from.")
    default: Any = Field(None, description="The value where none is set.")
    min: Number | None = Field(None, description="The smallest number, or the shortest text.")
    max: Number | None = Field(None, description="The largest number, or the longest text.")
    allowed: list[Any] | None = Field(None, description="The values that it may have.")
    pattern: str | None = Field(None, description="A regular expression for the whole text.")
    schema_: dict[str, Any] | bool | None = Field(
        None, alias="schema", description="A JSON Schema that a JSON value obeys."
    )
    description: str | None = Field(None, description="What it is for.")

    def rules(self) -> Iterator[Broken]:
        """One source, rules that fit the type, and a value that obeys them."""
        if self.value is not None and self.value_from is not None:
            yield Broken(
                "an entry has value or valueFrom, not both",
                ("valueFrom",),
                (("value",), ("valueFrom",)),
                at_key=True,
            )
        if self.type == "SECRET":
            yield from self._secret()
            return
        wrong = list(self._unfit())
        yield from wrong
        if wrong:
            return
        for field in ("value", "default"):
            value = getattr(self, field)
            if value is None or is_reference(value):
                continue
            broken = self._breaks(value)
            if broken:
                yield Broken(
                    broken[0], (field,), ((field,), *((one,) for one in broken[1])), "HR031"
                )

    def _secret(self) -> Iterator[Broken]:
        for field in ("value", "default"):
            held = getattr(self, field)
            if held is None or (field == "value" and is_reference(held)):
                continue
            yield Broken(
                f"plaintext in '{field}' of a SECRET entry",
                (field,),
                (("type",), (field,)),
                "HR030",
                hint="encrypt it: only valueFrom with age may stand here",
                at_key=True,
            )
        source = self.value_from
        given = set(source.model_fields_set) if source is not None else set()
        if source is None and is_reference(self.value):
            given = set(self.value["valueFrom"])
        if given and "age" not in given:
            yield Broken(
                "a SECRET entry takes its value from age only",
                ("valueFrom",) if source is not None else ("value",),
                (("type",),),
                "HR030",
                at_key=True,
            )
        for field in ("allowed", "min", "max", "pattern", "schema"):
            if getattr(self, "schema_" if field == "schema" else field) is not None:
                yield Broken(
                    f"'{field}' does not go with type SECRET",
                    (field,),
                    (("type",), (field,)),
                    at_key=True,
                )

    def _unfit(self) -> Iterator[Broken]:
        for field, types in _FITS.items():
            given = getattr(self, "schema_" if field == "schema" else field)
            if given is not None and self.type not in types:
                yield Broken(
                    f"'{field}' does not go with type {self.type}",
                    (field,),
                    ((field,), ("type",)),
                    note=f"it goes with {', '.join(types)}",
                    at_key=True,
                )
        if self.pattern is not None and _compiled(self.pattern) is None:
            yield Broken(
                "pattern is not a regular expression", ("pattern",), (("pattern",),), "HR024"
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            yield Broken(f"min is {self.min}, above max {self.max}", ("min",), (("min",), ("max",)))
        if self.schema_ is not None and isinstance(reason := _schema(canonical(self.schema_)), str):
            yield Broken(
                f"schema is not a JSON Schema: {reason}", ("schema",), (("schema",),), "HR024"
            )

    def _breaks(self, value: Json) -> tuple[str, tuple[str, ...]] | None:
        """What is wrong with a value, and which other fields that follows from."""
        wanted, fits = _VALUES[self.type]
        if not fits(value):
            return f"a value of type {self.type} wants {wanted}, got {got(value)}", ("type",)
        shown = f"'{value}'" if isinstance(value, str) else canonical(value)
        if self.allowed is not None and value not in self.allowed:
            listed = ", ".join(canonical(one) for one in self.allowed)
            return f"{shown} is not allowed; one of {listed}", ("allowed",)
        return self._out_of_bounds(value, shown) or self._malformed(value, shown)

    def _out_of_bounds(self, value: Json, shown: str) -> tuple[str, tuple[str, ...]] | None:
        amount = len(value) if isinstance(value, str) else value
        what = f"the length of {shown}" if isinstance(value, str) else shown
        if self.min is not None and amount < self.min:
            return f"{what} is below min {self.min}", ("min",)
        if self.max is not None and amount > self.max:
            return f"{what} is above max {self.max}", ("max",)
        return None

    def _malformed(self, value: Json, shown: str) -> tuple[str, tuple[str, ...]] | None:
        pattern = _compiled(self.pattern) if self.pattern is not None else None
        if pattern is not None and pattern.fullmatch(value) is None:
            return f"{shown} does not match pattern {self.pattern}", ("pattern",)
        if self.schema_ is not None:
            check = _schema(canonical(self.schema_))
            reason = None if isinstance(check, str) else check(canonical(value), value)
            if reason:
                return f"the value does not obey its schema: {reason}", ("schema",)
        return None


class ConfigSpec(Spec):
    """Named values with types and rules."""

    scope: Annotated[
        Literal["GLOBAL", "SERVICE", "ENVIRONMENT", "USER"],
        choices("for everything", "for one service", "for an environment", "for a user"),
    ] = Field("GLOBAL", description="Whom it is for; a key is looked up from USER to GLOBAL.")
    entries: dict[Key, Entry] = Field({}, description="The values, by key.")


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_VALUES: Final[dict[str, tuple[str, Callable[[Json], bool]]]] = {
    "STRING": ("a string", lambda value: isinstance(value, str)),
    "INTEGER": (
        "an integer",
        lambda value: isinstance(value, int) and not isinstance(value, bool),
    ),
    "FLOAT": ("a number", _is_number),
    "BOOLEAN": ("a boolean", lambda value: isinstance(value, bool)),
    "JSON": ("a JSON value", lambda _: True),
}


_ANSWERS: Final = 4096  # kept for each schema


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None


@lru_cache(maxsize=256)
def _schema(text: str) -> str | Callable[[str, Json], str | None]:
    """A check of values against the JSON Schema in `text`, or why it is not one.

    The check takes the canonical text of the value, by which it keeps its answers, and the value.
    """
    import json

    import jsonschema
    from jsonschema.validators import validator_for

    schema = json.loads(text)
    maker = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        maker.check_schema(schema)
    except jsonschema.SchemaError as error:
        return str(error.message)
    validator = maker(schema)
    known: dict[str, str | None] = {}

    def check(key: str, value: Json) -> str | None:
        if key not in known:
            if len(known) > _ANSWERS:
                known.clear()
            found = jsonschema.exceptions.best_match(validator.iter_errors(value))
            known[key] = None if found is None else _told(found)
        return known[key]

    return check


def _told(error: Any) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
    return f"{place.lstrip('.')}: {error.message}" if place else str(error.message)
