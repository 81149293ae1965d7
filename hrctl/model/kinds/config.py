"""Config: named values with types and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hrctl.model import json_schema, regex
from hrctl.model.json_schema.fault import Fault
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
            broken = self._breaks(field, value)
            if broken is not None:
                yield broken

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
        if self.pattern is not None:
            expression = regex.portable(self.pattern)
            if isinstance(expression, regex.Refusal):
                yield Broken(
                    f"pattern cannot be used: {expression.why}",
                    ("pattern",),
                    (("pattern",),),
                    "HR340",
                    hint=expression.hint,
                )
        if self.min is not None and self.max is not None and self.min > self.max:
            yield Broken(f"min is {self.min}, above max {self.max}", ("min",), (("min",), ("max",)))
        if self.schema_ is not None:
            fault = json_schema.compiled(canonical(self.schema_))
            if isinstance(fault, Fault):
                yield _unusable(fault)

    def _breaks(self, field: str, value: Json) -> Broken | None:
        """Return what is wrong with a value."""
        wanted, fits = _VALUES[self.type]
        if not fits(value):
            return _breach(
                field, f"a value of type {self.type} wants {wanted}, got {got(value)}", "type"
            )
        shown = f"'{value}'" if isinstance(value, str) else canonical(value)
        if self.allowed is not None and value not in self.allowed:
            listed = ", ".join(canonical(one) for one in self.allowed)
            return _breach(field, f"{shown} is not allowed; one of {listed}", "allowed")
        return self._out_of_bounds(field, value, shown) or self._malformed(field, value, shown)

    def _out_of_bounds(self, field: str, value: Json, shown: str) -> Broken | None:
        amount = len(value) if isinstance(value, str) else value
        what = f"the length of {shown}" if isinstance(value, str) else shown
        if self.min is not None and amount < self.min:
            return _breach(field, f"{what} is below min {self.min}", "min")
        if self.max is not None and amount > self.max:
            return _breach(field, f"{what} is above max {self.max}", "max")
        return None

    def _malformed(self, field: str, value: Json, shown: str) -> Broken | None:
        if self.pattern is not None:
            return self._unlike_pattern(field, value, shown)
        if self.schema_ is None:
            return None
        check = json_schema.compiled(canonical(self.schema_))
        reason = None if isinstance(check, Fault) else check(canonical(value), value)
        if isinstance(reason, Fault):
            return _unusable(reason, field)
        if reason is not None:
            return _breach(field, f"the value does not obey its schema: {reason}", "schema")
        return None

    def _unlike_pattern(self, field: str, value: str, shown: str) -> Broken | None:
        expression = regex.portable(str(self.pattern))
        if isinstance(expression, regex.Refusal):
            return None
        try:
            if expression.fullmatch(value):
                return None
        except regex.TooMuchWorkError:
            return Broken(
                "matching the value with its pattern takes too much work",
                (field,),
                ((field,), ("pattern",)),
                "HR342",
                hint="use a simpler pattern, or a shorter value",
            )
        summary = f"{shown} does not match pattern {self.pattern}"
        return _breach(field, summary, "pattern", note=expression.note(value))


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


def _breach(field: str, summary: str, rule: str, note: str | None = None) -> Broken:
    """Return that a value breaks one of the rules beside it."""
    return Broken(summary, (field,), ((field,), (rule,)), "HR031", note=note)


def _unusable(fault: Fault, field: str = "schema") -> Broken:
    """Return that a schema asks for what it must not, or for too much of a value."""
    at = ("schema", *fault.at) if field == "schema" else (field,)
    return Broken(fault.summary, at, (("schema",),), fault.code, hint=fault.hint)
