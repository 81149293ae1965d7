"""What a FeatureFlag asks of a context: conditions, and rules made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hrctl.model.kinds import compared, conditions
from hrctl.model.kinds.base import Broken, Filled, Form, Ruled, choices, fault, got
from hrctl.model.kinds.conditions import given, is_or_left_out, one_of, refused, typed, when

Operator = Annotated[
    Literal[
        "eq",
        "ne",
        "in",
        "notIn",
        "contains",
        "notContains",
        "startsWith",
        "notStartsWith",
        "endsWith",
        "notEndsWith",
        "gt",
        "le",
        "lt",
        "ge",
        "semverEq",
        "semverNe",
        "semverGt",
        "semverLe",
        "semverLt",
        "semverGe",
        "after",
        "notAfter",
        "before",
        "notBefore",
    ],
    choices(
        "is one of the values",
        "is none of the values",
        "is one of the values",
        "is none of the values",
        "contains one of the values",
        "contains none of the values",
        "begins with one of the values",
        "begins with none of the values",
        "ends with one of the values",
        "ends with none of the values",
        "above the number",
        "at most the number",
        "below the number",
        "at least the number",
        "the same version",
        "another version",
        "a later version",
        "this or an earlier version",
        "an earlier version",
        "this or a later version",
        "after the date",
        "at the date or before",
        "before the date",
        "at the date or after",
    ),
]
# flagd's evaluators know other things by the rest
_NAMED: Final = re.compile(r"(?!\$flagd(\.|$))[^.\\]+(\.(?!([0-9]+|length)(\.|$))[^.\\]+)*")


def _attribute(value: Any) -> str:
    """An attribute's name that means the same wherever a flag is evaluated."""
    if _NAMED.fullmatch(value) and not value.isspace():
        return str(value)
    if not value.strip():
        raise fault("HR024", "{field} is empty")
    first, *rest = value.split(".")
    hint: str | None = "pass it in the context under another name"
    if first == "$flagd":
        note = "what flagd itself knows is not of the context, and other evaluators do not have it"
    elif "\\" in value:
        note = "evaluators of flagd do not agree on what a backslash is"
    elif not all([first, *rest]):
        note, hint = "dots lead into maps, so there is a name before and after each", None
    else:
        note = "behind a dot a number or `length` is a part of a text or list to flagd"
    raise fault("HR024", f"bad value '{value}' for {{field}}", note=note, hint=hint)


Attribute = Annotated[
    str,
    Form(
        _attribute,
        {
            "type": "string",
            "pattern": f"^{_NAMED.pattern}$",
            "patternErrorMessage": "a name, or names with dots between that lead into maps",
        },
        wanted="a string",
        types=(str,),
    ),
]
_ATTRIBUTE: Final = "The attribute to look at; dots lead into maps."
_VALUES: Final = "What it is compared with; one of them is enough."


def _comparisons() -> Iterator[conditions.Schema]:
    """In JSON Schema: the values that each operator takes."""
    moment = compared.MOMENT.pattern
    wanted: tuple[tuple[tuple[str, ...], conditions.Schema], ...] = (
        (_PLAIN, {"type": ["string", "number", "boolean"]}),
        (_TEXTS, {"type": "string", "minLength": 1}),
        (_NUMBERS, {"type": "number"}),
        (_VERSIONS, {"type": "string", "pattern": f"^{compared.VERSION.pattern}$"}),
        (_MOMENTS, {"type": "string", "pattern": f"^{moment}$"}),
    )
    for words, schema in wanted:
        alone: conditions.Schema = {"maxItems": 1} if words in _ALONE else {}
        chosen = (is_or_left_out if "eq" in words else one_of)("operator", *words)
        yield when(chosen, typed("values", {"items": schema, **alone}))


_PLAIN: Final = ("eq", "ne", "in", "notIn")
_TEXTS: Final = (
    "contains",
    "notContains",
    "startsWith",
    "notStartsWith",
    "endsWith",
    "notEndsWith",
)
_NUMBERS: Final = ("gt", "le", "lt", "ge")
_VERSIONS: Final = ("semverEq", "semverNe", "semverGt", "semverLe", "semverLt", "semverGe")
_MOMENTS: Final = ("after", "notAfter", "before", "notBefore")
_ALONE: Final = (_NUMBERS, _VERSIONS, _MOMENTS)


class Condition(Ruled):
    """Something that is asked of a context."""

    model_config = conditions.rules(*_comparisons())

    attribute: Attribute = Field(description=_ATTRIBUTE)
    operator: Operator = Field("eq", description="How it is compared.")
    values: Annotated[list[Any], Field(min_length=1)] = Field(description=_VALUES)

    def rules(self) -> Iterator[Broken]:
        """Every value can be compared by the operator."""
        yield from _comparable(self.operator, self.values)


class Target(Ruled):
    """A rule: whoever matches gets the variant; the first that matches wins."""

    model_config = conditions.rules(
        *_comparisons(),
        when(
            given("all"),
            refused("a rule with all has none of its own", "attribute", "operator", "values"),
        ),
        anyOf=[{"required": ["attribute", "values"]}, {"required": ["all"]}],
    )

    attribute: Attribute | None = Field(None, description=_ATTRIBUTE)
    operator: Operator | None = Field(None, description="How it is compared; left out: eq.")
    values: Annotated[list[Any], Field(min_length=1)] | None = Field(None, description=_VALUES)
    all: Annotated[list[Condition], Field(min_length=1)] | None = Field(
        None, description="Several conditions, all of which are needed."
    )
    segment: Filled | None = Field(
        None,
        description="The segment of Unleash that has just these conditions; elsewhere only they "
        "count.",
    )
    variant: Filled = Field(description="The variant that they get.")

    def rules(self) -> Iterator[Broken]:
        """One condition in the rule itself, or several in `all`."""
        if self.all is not None:
            for field in ("attribute", "operator", "values"):
                if self.__dict__[field] is not None:
                    yield Broken(
                        f"a rule with all has no {field} of its own", (field,), at_key=True
                    )
        elif self.attribute is None or self.values is None:
            missing = "attribute" if self.attribute is None else "values"
            yield Broken(f"missing field '{missing}' in a rule", (), code="HR023", at_key=True)
        else:
            yield from _comparable(self.operator or "eq", self.values)


def _comparable(operator: str, values: list[Any]) -> Iterator[Broken]:
    wanted, fits, alone = _OPERANDS[operator]
    for index, value in enumerate(values):
        if isinstance(value, int) and int(float(value)) != value:
            yield Broken(
                f"{value} is {int(float(value))} to many applications, so it cannot be compared",
                ("values", index),
                hint="above 2^53 use text",
                code="HR250",
            )
        if not fits(value):
            shown = f"'{value}'" if isinstance(value, str) else got(value)
            hint = "put it in quotes" if isinstance(value, int | float) else None
            yield Broken(
                f"{shown} cannot be compared by {operator}, which wants {wanted}",
                ("values", index),
                hint=hint if "number" not in wanted else None,
                code="HR250",
            )
    if alone and len(values) > 1:
        yield Broken(f"{operator} wants one value, got {len(values)}", ("values",), code="HR250")


def _plain(value: Any) -> bool:
    return isinstance(value, bool | str) or compared.is_number(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _version(value: Any) -> bool:
    return isinstance(value, str) and compared.version(value) is not None


def _moment(value: Any) -> bool:
    return isinstance(value, str) and compared.moment(value) is not None


_OPERANDS: Final[dict[str, tuple[str, Callable[[Any], bool], bool]]] = {
    **dict.fromkeys(_PLAIN, ("text, a number or a boolean", _plain, False)),
    **dict.fromkeys(_TEXTS, ("text", _text, False)),
    **dict.fromkeys(_NUMBERS, ("a number", compared.is_number, True)),
    **dict.fromkeys(_VERSIONS, ("a version such as 2.1.0", _version, True)),
    **dict.fromkeys(_MOMENTS, ("a date such as 2027-03-31 or 2027-03-31T10:00:00Z", _moment, True)),
}
