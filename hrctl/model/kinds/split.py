"""Traffic splits: who goes to which subset of a Route's destinations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isclose
from typing import Annotated, Final, Literal

from pydantic import Field

from hrctl.model.kinds import conditions
from hrctl.model.kinds.base import Broken, Name, Percent, Ruled, Spec, choices
from hrctl.model.kinds.conditions import is_or_left_out, needed, refused, typed, when
from hrctl.model.kinds.conditions import one_of as has_one_of
from hrctl.model.kinds.requests import HeaderOrCookie, Line

_COOKIE: Final = r"^[!#-+\--:<-\[\]-~]*$"  # RFC 6265, section 4.1.1


class SplitRule(Spec):
    """One rule of a traffic split."""

    subset: Name = Field(description="The destination's subset.")
    percentage: Percent | None = Field(None, description="Its share (PERCENTAGE).")
    name: HeaderOrCookie | None = Field(None, description="The header or cookie (HEADER, COOKIE).")
    value: Line | None = Field(None, description="The value that leads there (HEADER, COOKIE).")


def _split_by(*wanted: str) -> conditions.Schema:
    others = [name for name in ("percentage", "name", "value") if name not in wanted]
    told = f"only {' and '.join(wanted)} count in this mode"
    return typed("rules", {"items": {**refused(told, *others), **needed(*wanted)}})


_NO_DEFAULT: Final = "shares say who gets what"
_BAKED: Final[conditions.Schema] = {
    "pattern": _COOKIE,
    "patternErrorMessage": 'the value of a cookie has no spaces and none of " , ; \\',
}


class TrafficSplit(Ruled):
    """Who goes to which subset."""

    model_config = conditions.rules(
        when(
            is_or_left_out("mode", "PERCENTAGE"),
            {**_split_by("percentage"), **refused(_NO_DEFAULT, "default")},
        ),
        when(has_one_of("mode", "HEADER", "COOKIE"), _split_by("name", "value")),
        when(has_one_of("mode", "COOKIE"), typed("rules", {"items": typed("value", _BAKED)})),
    )

    mode: Annotated[
        Literal["PERCENTAGE", "HEADER", "COOKIE"],
        choices("by shares", "by the value of a header", "by the value of a cookie"),
    ] = Field("PERCENTAGE", description="What decides.")
    rules_: Annotated[list[SplitRule], Field(min_length=1)] = Field(
        alias="rules", description="In order; the first that fits wins."
    )
    default: Name | None = Field(
        None,
        description="HEADER, COOKIE: the subset of requests that no rule fits; left out: all"
        " destinations share them by weight.",
    )

    def rules(self) -> Iterator[Broken]:
        """Each rule has what the mode looks at, and shares make a whole."""
        wanted = ("percentage",) if self.mode == "PERCENTAGE" else ("name", "value")
        whole = True
        if self.default is not None and self.mode == "PERCENTAGE":
            yield Broken(
                "trafficSplit.default does nothing in mode PERCENTAGE",
                ("default",),
                (("mode",), ("default",)),
                note=_NO_DEFAULT,
                at_key=True,
            )
        for index, rule in enumerate(self.rules_):
            for field in ("percentage", "name", "value"):
                present = getattr(rule, field) is not None
                if present == (field in wanted):
                    continue
                whole = False
                verb = "does not go with" if present else "is needed for"
                yield Broken(
                    f"'{field}' {verb} mode {self.mode}",
                    ("rules", index, field) if present else ("rules", index),
                    (("mode",), ("rules",)),
                    at_key=present,
                )
        if whole and self.mode != "PERCENTAGE":
            yield from self._by_name()
        total = sum(rule.percentage or 0 for rule in self.rules_)
        if self.mode == "PERCENTAGE" and whole and not isclose(total, 100):
            yield Broken(
                f"the percentages of trafficSplit add up to {total:g}, not 100",
                ("rules",),
                (("rules",),),
                at_key=True,
            )

    def _by_name(self) -> Iterator[Broken]:
        """What a cookie holds; each header or cookie with its value once."""
        cookie = self.mode == "COOKIE"
        seen: dict[tuple[str, str], int] = {}
        for index, rule in enumerate(self.rules_):
            name, value = rule.name or "", rule.value or ""
            at, needs = ("rules", index), (("mode",), ("rules",))
            if cookie and not re.fullmatch(_COOKIE, value):
                yield Broken(
                    f"'{value}' is not the value of a cookie", (*at, "value"), needs, "HR024"
                )
            first = seen.setdefault((name if cookie else name.lower(), value), index)
            if first != index:
                yield Broken(
                    f"rule {index + 1} never counts: rule {first + 1} wants the same {name}",
                    at,
                    needs,
                )
