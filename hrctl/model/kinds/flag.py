"""FeatureFlag: a value that depends on who asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hrctl.model.kinds import conditions, variants
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
    says,
    wrong_type,
)
from hrctl.model.kinds.compared import FINEST
from hrctl.model.kinds.conditions import given, is_or_left_out, needed, one_of, refused, typed, when
from hrctl.model.kinds.targeting import Attribute, Condition, Target

_DATE: Final = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")


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


Salt = Annotated[str, says(r"^[!-~]{1,128}$", "printable ASCII without spaces, at most 128")]


class Step(Spec):
    """A step of a gradual rollout."""

    percentage: Percent = Field(description="The share of users from this step on.")
    after: Duration = Field(description="How long after the change was committed.")


class Slice(Spec):
    """A part of all users, by the order of their hashes."""

    variant: Filled = Field(description="What they get.")
    weight: Weight = Field(description="Their share, 0 to 100.")


_WHOLE: Final = 100
_BELONGS: Final = {
    "variant": ("INSTANT", "GRADUAL", "CANARY"),
    "percentage": ("GRADUAL", "CANARY"),
    "steps": ("GRADUAL", "CANARY"),
    "groups": ("CANARY",),
    "live": ("BLUE_GREEN",),
    "weights": ("AB_TEST",),
    "slices": ("AB_TEST",),
}
STRATEGIES: Final = ("INSTANT", "GRADUAL", "CANARY", "BLUE_GREEN", "AB_TEST")
_REQUIRED: Final = frozenset({"groups", "live", "weights"})
_NOTHING: Final[dict[str, conditions.Schema]] = {
    "steps": {"maxItems": 0},
    "groups": {"maxProperties": 0},
    "weights": {"maxProperties": 0},
}


def _belongs(strategies: tuple[str, ...]) -> str:
    *others, last = strategies
    return f"it belongs to {' and '.join([', '.join(others), last] if others else [last])}"


def _by_strategy() -> Iterator[conditions.Schema]:
    """In JSON Schema: what each strategy needs, and what does nothing with it."""
    for field, strategies in _BELONGS.items():
        if field in _REQUIRED:
            filled = {} if field == "live" else typed(field, {"minProperties": 1})
            yield when(one_of("strategy", *strategies), {**needed(field), **filled})
        others = [one for one in STRATEGIES if one not in strategies]
        told = _belongs(strategies)
        nothing = (
            typed(field, {**_NOTHING[field], "errorMessage": told})
            if (field in _NOTHING)
            else refused(told, field)
        )
        yield when(is_or_left_out("strategy", *others), nothing)
    either: conditions.Schema = {"anyOf": [needed("percentage"), needed("steps")]}
    yield when(one_of("strategy", "GRADUAL"), either)


class Rollout(Ruled):
    """Who gets it already."""

    model_config = conditions.rules(
        *_by_strategy(),
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
            "named groups first, then a percentage of the rest",
            "two complete variants, one live, switched at once",
            "weights over variants, each user in one arm",
        ),
    ] = Field("INSTANT", description="How it spreads.")
    variant: Filled | None = Field(
        None,
        description="What they get; left out, of two variants the one that is not the default.",
    )
    percentage: Percent | None = Field(None, description="The share of users, 0 to 100.")
    steps: list[Step] = Field([], description="A schedule of percentages.")
    groups: dict[Filled, Annotated[list[Condition], Field(min_length=1)]] = Field(
        {}, description="CANARY: who is in each group; all conditions of it are needed."
    )
    live: Filled | None = Field(None, description="BLUE_GREEN: the variant that everybody gets.")
    stickiness: Attribute = Field(
        "userId", description="The attribute that decides; userId is OpenFeature's targeting key."
    )
    weights: dict[Filled, Weight] = Field(
        {}, description="AB_TEST: the share of each variant, 100 in all."
    )
    slices: Annotated[list[Slice], Field(min_length=1)] | None = Field(
        None,
        description="AB_TEST: where the users of each variant lie, so that other weights move few;"
        " left out, by name. `hrctl flag rollout` writes it.",
    )
    salt: Salt | None = Field(
        None, description="Keeps two tests independent; left out: the flag's name."
    )

    def rules(self) -> Iterator[Broken]:
        """Steps rise, weights add up, and each strategy has what it needs and nothing else."""
        yield from self._schedule()
        yield from self._shares()
        if self.strategy == "GRADUAL" and self.percentage is None and not self.steps:
            yield self._needs("percentage or rollout.steps", ("percentage",))
        for field, strategies in _BELONGS.items():
            held = self.__dict__[field]
            if held in (None, [], {}):
                if field in _REQUIRED and self.strategy in strategies:
                    yield self._needs(field, (field,))
            elif self.strategy not in strategies:
                yield Broken(
                    f"rollout.{field} does nothing with strategy {self.strategy}",
                    (field,),
                    (("strategy",), (field,)),
                    note=_belongs(strategies),
                    at_key=True,
                )

    def _needs(self, words: str, field: tuple[str, ...]) -> Broken:
        return Broken(
            f"rollout.strategy {self.strategy} needs rollout.{words}",
            ("strategy",),
            (("strategy",), field),
        )

    def _schedule(self) -> Iterator[Broken]:
        from hrctl.model.kinds.units import seconds

        seconds_before = share_before = -1.0
        for index, step in enumerate(self.steps):
            if step.percentage <= share_before or seconds(step.after) <= seconds_before:
                yield Broken(
                    "rollout.steps must rise in percentage and time",
                    ("steps", index),
                    (("steps",),),
                )
            seconds_before, share_before = seconds(step.after), step.percentage
        if self.steps and self.percentage is not None:
            yield Broken(
                "rollout.percentage does not go with rollout.steps",
                ("percentage",),
                (("percentage",), ("steps",)),
                at_key=True,
            )

    def _shares(self) -> Iterator[Broken]:
        shares: list[tuple[tuple[str | int, ...], float]] = [
            (("weights", name), weight) for name, weight in self.weights.items()
        ]
        shares += [(("steps", at, "percentage"), s.percentage) for at, s in enumerate(self.steps)]
        if self.percentage is not None:
            shares.append((("percentage",), self.percentage))
        for path, share in shares:
            if round(share, FINEST) != share:
                yield Broken(
                    f"{share} is too fine a share, at most {FINEST} decimals count", path, (path,)
                )
        yield from self._sliced()
        total = round(sum(self.weights.values()), 6)
        if self.weights and total != _WHOLE:
            yield Broken(
                f"rollout.weights add up to {total:.15g}, must be 100",
                ("weights",),
                (("strategy",), ("weights",)),
                at_key=True,
            )

    def _sliced(self) -> Iterator[Broken]:
        """Yield where the slices of a variant are not its weight."""
        sums: dict[str, float] = {}
        for one in self.slices or ():
            sums[one.variant] = sums.get(one.variant, 0) + one.weight
        for name in sorted(sums.keys() | self.weights.keys()) if sums else ():
            share, weight = round(sums.get(name, 0), FINEST), self.weights.get(name, 0)
            if share != weight:
                yield Broken(
                    f"rollout.slices give '{name}' {share:g} %, rollout.weights {weight:g} %",
                    ("slices",),
                    (("weights",), ("slices",)),
                    hint="`hrctl flag rollout NAME --weight` writes both; without slices users are"
                    " spread anew",
                    at_key=True,
                )


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
        *_typed_variants(),
        when(given("variants"), typed("variants", {"minProperties": 1})),
        when(one_of("status", "ROLLOUT"), needed("rollout")),
    )

    type: Annotated[
        Literal["BOOLEAN", "STRING", "NUMBER", "OBJECT"],
        choices("true or false", "text", "a number", "a mapping"),
    ] = Field(description="The type of its variants' values.")
    status: Annotated[
        Literal["ENABLED", "DISABLED", "ROLLOUT", "TESTING"],
        choices(
            "on: by targeting, then by the rollout where there is one",
            "off: everybody gets the default",
            "on: by targeting, then for the rollout's share",
            "on for targeting only; everybody else gets the default",
        ),
    ] = Field("DISABLED", description="Whether it is on.")
    variants: dict[Filled, Any] = Field(
        {"on": True, "off": False}, description="The values that it can have, by name."
    )
    default: Filled = Field("off", description="The variant of whoever gets no other.")
    hash: Annotated[
        Literal["fractional-v3", "fractional-v2", "unleash", "flagd-v2"],
        choices(
            "as flagd does since its hash takes CBOR",
            "as evaluators of flagd do that hash the bare text",
            "as Unleash's clients do",
            "the former name of fractional-v3",
        ),
    ] = Field("fractional-v3", description="How users are spread; another one reshuffles them.")
    rollout: Rollout | None = Field(None, description="Who gets it already.")
    targeting: list[Target] = Field([], description="Rules in order; the first match wins.")
    owner: Filled | None = Field(None, description="Who removes it one day.")
    expires: Date | None = Field(None, description="From the day after on, validate warns.")
    stale_after: Duration | None = Field(
        None, description="How long it may stand at 0 or 100 %; left out: 30 days."
    )

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
        yield from variants.broken(self.type, self.variants)
        for path, name in self._named():
            if name not in self.variants:
                yield Broken(
                    f"'{name}' is not one of the variants",
                    path,
                    (path, ("variants",)),
                    note=f"one of {', '.join(self.variants)}",
                    at_key=path[-1] == name,
                )
        yield from self._rolled()

    def _rolled(self) -> Iterator[Broken]:
        """What the rollout needs of the flag around it."""
        rollout = self.rollout
        if rollout is None:
            if self.status == "ROLLOUT":
                yield Broken(
                    "status ROLLOUT needs a rollout", ("status",), (("status",), ("rollout",))
                )
            return
        serves = rollout.strategy in {"INSTANT", "GRADUAL", "CANARY"}
        if serves and rollout.variant is None and len(self.variants) != _PAIR:
            yield Broken(
                f"rollout.variant is missing: the flag has {len(self.variants)} variants",
                ("rollout",),
                (("rollout", "strategy"), ("variants",)),
                note=f"one of {', '.join(self.variants)}",
                at_key=True,
            )
        if self.hash == "unleash":
            yield from _of_unleash(rollout)

    def _named(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        yield ("default",), self.default
        for index, rule in enumerate(self.targeting):
            yield ("targeting", index, "variant"), rule.variant
        if self.rollout:
            for name in self.rollout.weights:
                yield ("rollout", "weights", name), name
            for field in ("variant", "live"):
                named = self.rollout.__dict__[field]
                if named is not None:
                    yield ("rollout", field), named


def _of_unleash(rollout: Rollout) -> Iterator[Broken]:
    """Yield what Unleash's hash cannot tell apart."""
    if rollout.percentage is not None and rollout.percentage % 1:
        yield _too_fine(("rollout", "percentage"), "in whole percents")
    if rollout.slices:
        yield Broken(
            "rollout.slices does not go with hash unleash",
            ("rollout", "slices"),
            (("hash",), ("rollout", "slices")),
            note="Unleash has an order of its own",
            at_key=True,
        )
    for index, step in enumerate(rollout.steps):
        if step.percentage % 1:
            yield _too_fine(("rollout", "steps", index, "percentage"), "in whole percents")
    for name, weight in rollout.weights.items():
        if round(weight, 1) != weight:
            yield _too_fine(("rollout", "weights", name), "in tenths of a percent")


def _too_fine(path: tuple[str | int, ...], words: str) -> Broken:
    return Broken(f"hash unleash counts {words}", path, (("hash",), path))


_PAIR: Final = 2
