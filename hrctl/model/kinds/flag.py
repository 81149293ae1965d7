"""FeatureFlag: a value that depends on who asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hrctl.model.kinds import conditions
from hrctl.model.kinds.base import (
    Broken,
    Duration,
    Filled,
    Form,
    Percent,
    Ruled,
    Spec,
    Weight,
    choices,
    fault,
    got,
    wrong_type,
)
from hrctl.model.kinds.conditions import given, needed, one_of, refused, typed, when

_DATE: Final = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
Operator = Literal["eq", "ne", "in", "notIn", "contains", "notContains", "gt", "le", "lt", "ge"]


def _date(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type("a date", value)
    wrong = fault(
        "HR024", f"bad value '{value}' for {{field}}", note="a date is written as 2027-03-31"
    )
    if _DATE.fullmatch(value) is None:  # `fromisoformat` also takes 20270331 and 2027-W13-3
        raise wrong
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise wrong from None


Date = Annotated[
    str,
    Form(
        _date,
        {
            "type": "string",
            "format": "date",
            "pattern": _DATE.pattern,
            "patternErrorMessage": "a date is written as 2027-03-31",
            "examples": ["2027-03-31"],
        },
    ),
]


class Step(Spec):
    """A step of a gradual rollout."""

    percentage: Percent = Field(description="The share of users from this step on.")
    after: Duration = Field(description="How long after the change was committed.")


class Rollout(Ruled):
    """Who gets it already."""

    model_config = conditions.rules(
        when(one_of("strategy", "AB_TEST"), needed("weights")),
        when(
            {**given("percentage"), **typed("steps", {"minItems": 1}), "required": ["steps"]},
            refused("percentage does not go with steps", "percentage"),
        ),
    )

    strategy: Annotated[
        Literal["INSTANT", "GRADUAL", "CANARY", "BLUE_GREEN", "AB_TEST"],
        choices(
            "everybody at once",
            "a percentage of users, sticky; raising it only adds",
            "a named group by targeting, then a percentage of the rest",
            "two complete variants, one live, switched at once",
            "weights over variants, each user in one arm",
        ),
    ] = Field("INSTANT", description="How it spreads.")
    percentage: Percent | None = Field(None, description="The share of users, 0 to 100.")
    steps: list[Step] = Field([], description="A schedule of percentages.")
    stickiness: Filled = Field("userId", description="The attribute that decides, such as userId.")
    weights: dict[Filled, Weight] = Field({}, description="The share of each variant.")
    salt: Filled | None = Field(
        None, description="Keeps two tests independent; left out: the flag's name."
    )

    def rules(self) -> Iterator[Broken]:
        """Steps rise, weights weigh something, a test has arms."""
        seconds_before = -1.0
        share_before = -1.0
        from hrctl.model.kinds.units import seconds

        for index, step in enumerate(self.steps):
            if step.percentage <= share_before or seconds(step.after) <= seconds_before:
                yield Broken(
                    "rollout.steps must rise in percentage and time",
                    ("steps", index),
                    (("steps",),),
                )
            seconds_before, share_before = seconds(step.after), step.percentage
        if self.weights and not sum(self.weights.values()):
            yield Broken("rollout.weights are all 0", ("weights",), (("weights",),), at_key=True)
        if self.strategy == "AB_TEST" and not self.weights:
            yield Broken(
                "rollout.strategy AB_TEST needs rollout.weights",
                ("strategy",),
                (("strategy",), ("weights",)),
            )
        if self.steps and self.percentage is not None:
            yield Broken(
                "rollout.percentage does not go with rollout.steps",
                ("percentage",),
                (("percentage",), ("steps",)),
                at_key=True,
            )


class Target(Spec):
    """A rule: whoever matches gets the variant; the first that matches wins."""

    attribute: Filled = Field(description="The attribute to look at; dots lead into maps.")
    operator: Annotated[
        Operator,
        choices(
            "is one of the values",
            "is none of the values",
            "is one of the values",
            "is none of the values",
            "contains one of the values",
            "contains none of the values",
            "above the value",
            "at most the value",
            "below the value",
            "at least the value",
        ),
    ] = Field("eq", description="How it is compared.")
    values: Annotated[list[Any], Field(min_length=1)] = Field(
        description="What it is compared with."
    )
    variant: Filled = Field(description="The variant that they get.")


def _typed_variants() -> Iterator[conditions.Schema]:
    """In JSON Schema: the variants that go with each type."""
    for name, word in (("BOOLEAN", "boolean"), ("STRING", "string"), ("NUMBER", "number")):
        yield when(
            one_of("type", name), typed("variants", {"additionalProperties": {"type": word}})
        )
    yield when(
        one_of("type", "OBJECT"), typed("variants", {"additionalProperties": {"type": "object"}})
    )
    yield when(one_of("type", "STRING", "NUMBER", "OBJECT"), needed("variants"))


class FeatureFlagSpec(Ruled):
    """A value that depends on who asks; the same user always gets the same answer."""

    model_config = conditions.rules(
        *_typed_variants(), when(given("variants"), typed("variants", {"minProperties": 1}))
    )

    type: Annotated[
        Literal["BOOLEAN", "STRING", "NUMBER", "OBJECT"],
        choices("true or false", "text", "a number", "a mapping"),
    ] = Field(description="The type of its variants' values.")
    status: Annotated[
        Literal["ENABLED", "DISABLED", "ROLLOUT", "TESTING"],
        choices(
            "on, by targeting and rollout",
            "off: everybody gets the default",
            "on for the rollout's share",
            "on for targeting only",
        ),
    ] = Field("DISABLED", description="Whether it is on.")
    variants: dict[Filled, Any] = Field(
        {"on": True, "off": False}, description="The values that it can have, by name."
    )
    default: Filled = Field("off", description="The variant of whoever gets no other.")
    rollout: Rollout | None = Field(None, description="Who gets it already.")
    targeting: list[Target] = Field([], description="Rules in order; the first match wins.")
    owner: Filled | None = Field(None, description="Who removes it one day.")
    expires: Date | None = Field(None, description="From the day after on, validate warns.")

    def rules(self) -> Iterator[Broken]:
        """Values have the flag's type, and every variant that is named exists."""
        if "variants" not in self.model_fields_set and self.type != "BOOLEAN":
            yield Broken(
                f"a flag of type {self.type} needs variants", ("type",), (("type",), ("variants",))
            )
            return
        if not self.variants:
            yield Broken(
                "variants is empty", ("variants",), (("type",), ("variants",)), at_key=True
            )
            return
        wanted, fits = _VALUES[self.type]
        for name, value in self.variants.items():
            if isinstance(value, bool) != (self.type == "BOOLEAN") or not isinstance(value, fits):
                yield Broken(
                    f"wrong type for variants.{name}: a {self.type} flag wants {wanted}, "
                    f"got {got(value)}",
                    ("variants", name),
                    (("type",), ("variants", name)),
                    code="HR022",
                )
        for path, name in self._named():
            if name not in self.variants:
                yield Broken(
                    f"'{name}' is not one of the variants",
                    path,
                    (path, ("variants",)),
                    note=f"one of {', '.join(self.variants)}",
                    at_key=path[-1] == name,
                )

    def _named(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        yield ("default",), self.default
        for index, rule in enumerate(self.targeting):
            yield ("targeting", index, "variant"), rule.variant
        for name in self.rollout.weights if self.rollout else ():
            yield ("rollout", "weights", name), name


_VALUES: dict[str, tuple[str, tuple[type, ...]]] = {
    "BOOLEAN": ("a boolean", (bool,)),
    "STRING": ("a string", (str,)),
    "NUMBER": ("a number", (int, float)),
    "OBJECT": ("a mapping", (dict,)),
}
