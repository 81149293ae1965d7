"""A flag as the strategies that one of Unleash's environments has.

Unleash asks strategies in order. A feature is on for whom one of them matches, and the first that
does gives the variant. So a BOOLEAN flag is true for whom the feature is on, and any other flag is
on for everybody, and its value is the payload of the variant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hrctl.logic.flags import shares
from hrctl.logic.flags.compiled import split
from hrctl.logic.flags.conditions import conditions
from hrctl.model.kinds import DEFAULT_HASH
from hrctl.model.values import Body, pointer

Strategy = dict[str, Any]


class NotExpressible(ValueError):  # noqa: N818 - a property of the flag, no fault
    """What Unleash cannot say, in words that go on after "uses"; `field` is where it is said."""

    def __init__(self, words: str, field: str = "/spec") -> None:
        super().__init__(words)
        self.field = field


_OPERATORS: Final = {
    "eq": ("IN", False),
    "in": ("IN", False),
    "ne": ("NOT_IN", False),
    "notIn": ("NOT_IN", False),
    "contains": ("STR_CONTAINS", False),
    "notContains": ("STR_CONTAINS", True),
    "startsWith": ("STR_STARTS_WITH", False),
    "notStartsWith": ("STR_STARTS_WITH", True),
    "endsWith": ("STR_ENDS_WITH", False),
    "notEndsWith": ("STR_ENDS_WITH", True),
}
_NUMBERS: Final = {"gt": "NUM_GT", "ge": "NUM_GTE", "lt": "NUM_LT", "le": "NUM_LTE"}
_VERSIONS: Final = {
    "semverEq": "SEMVER_EQ",
    "semverGt": "SEMVER_GT",
    "semverGe": "SEMVER_GTE",
    "semverLt": "SEMVER_LT",
    "semverLe": "SEMVER_LTE",
}
_DATES: Final = {"after": "DATE_AFTER", "before": "DATE_BEFORE"}
_NUMBERS_IN_A_VERSION: Final = 3


def strategies(name: str, body: Body) -> list[Strategy]:
    """The strategies of a flag, in order; never none, as without one everybody would match.

    Raises:
        NotExpressible: for what Unleash does not have.
    """
    spec = body["spec"]
    rollout = spec.get("rollout") or {}
    if spec.get("hash") != "unleash":
        raise NotExpressible(f"hash {spec.get('hash') or DEFAULT_HASH}", "/spec/hash")
    if rollout.get("steps"):
        raise NotExpressible("rollout.steps", "/spec/rollout/steps")
    group = shares.salt(name, rollout)
    base = {"stickiness": rollout.get("stickiness", "userId"), "groupId": group}
    found = [({**_strategy(base, 100, []), **asked}, arms) for asked, arms in _rules(spec)]
    rest = split(spec)
    if isinstance(rest, str):
        found.append((_strategy(base, 100, []), [(rest, 100)]))
    elif rollout["strategy"] == "AB_TEST":
        test = _strategy(base, 100, [])
        test["parameters"] |= base  # its stickiness is also that of the arms
        found.append((test, rest))
    else:
        total = sum(weight for _, weight in rest)
        share = rest[0][1] * 100 // total
        found.append((_strategy(base, share, []), rest[:1]))
        found.append((_strategy(base, 100, []), rest[1:]))
    if spec["type"] == "BOOLEAN":
        return _boolean(found, spec, base)
    for strategy, arms in found:
        strategy["variants"] = _variants(arms, spec["variants"], base["stickiness"])
    return [one for one, _ in found]


_Arms = list[tuple[str, int]]
_Found = list[tuple[Strategy, _Arms]]


def _rules(spec: dict[str, Any]) -> list[tuple[dict[str, Any], _Arms]]:
    """Whom each rule asks for, as the constraints or the segment of a strategy, and who gets it."""
    found: list[tuple[dict[str, Any], _Arms]] = []
    for at, rule in enumerate(spec.get("targeting") or ()):
        parts = [_constraint(one, f"/spec/targeting/{at}") for one in conditions(rule)]
        asked: dict[str, Any] = {"constraints": parts}
        if rule.get("segment"):
            asked = {"segments": [{"name": rule["segment"], "constraints": parts}]}
        found.append((asked, [(rule["variant"], 100)]))
    rollout = spec.get("rollout")
    if rollout and rollout["strategy"] == "CANARY" and spec["status"] != "TESTING":
        for name, group in sorted(rollout["groups"].items()):
            parts = [
                _constraint(one, pointer(["spec", "rollout", "groups", name])) for one in group
            ]
            found.append(({"constraints": parts}, [(shares.served(spec), 100)]))
    return found


def _strategy(base: dict[str, str], share: int, constraints: list[Any]) -> Strategy:
    parameters = {"rollout": str(share), **base}
    if share == shares.WHOLE:  # everybody, and who lacks the attribute too
        parameters["stickiness"] = "default"
    return {
        "name": "flexibleRollout",
        "parameters": parameters,
        "constraints": constraints,
    }


def _boolean(found: _Found, spec: dict[str, Any], base: dict[str, str]) -> list[Strategy]:
    """Those that make it true; once one makes it false, none after it may make it true."""
    made: list[Strategy] = []
    false = ""
    for strategy, arms in found:
        if len(arms) > 1:
            raise NotExpressible("AB_TEST between true and false", "/spec/rollout/strategy")
        (variant, _) = arms[0]
        if not spec["variants"][variant]:
            false = false or variant
        elif false:
            raise NotExpressible(
                f"variant '{false}' (false) before '{variant}' (true), "
                "and what is on for somebody stays on",
                "/spec/targeting",
            )
        else:
            made.append(strategy)
    return made or [_strategy(base, 0, [])]


def _variants(
    arms: list[tuple[str, int]], variants: dict[str, Any], stickiness: str
) -> list[dict[str, Any]]:
    total = sum(weight for _, weight in arms)
    made = []
    for at, (name, weight) in enumerate(arms):
        made.append(
            {
                "name": name,
                "weight": weight * shares.UNLEASH_TOTAL // total,
                # Unleash wants one that takes what the others leave
                "weightType": "variable" if at == len(arms) - 1 else "fix",
                "stickiness": stickiness,
                "payload": payload(name, variants[name]),
            }
        )
    return made


def payload(name: str, value: Any) -> dict[str, str]:
    """The payload of a variant.

    Raises:
        NotExpressible: for an empty text, which Unleash does not take.
    """
    if isinstance(value, str):
        if not value:
            raise NotExpressible(
                f"an empty text as variant '{name}'", pointer(["spec", "variants", name])
            )
        return {"type": "string", "value": value}
    kind = "json" if isinstance(value, dict) else "number"
    return {"type": kind, "value": json.dumps(value, separators=(",", ":"), sort_keys=True)}


def _constraint(condition: Mapping[str, Any], field: str) -> dict[str, Any]:
    """One condition of a `field`; text, numbers and versions are text in Unleash's contexts."""
    word, values = condition.get("operator") or "eq", condition["values"]
    made: dict[str, Any] = {"contextName": condition["attribute"]}
    if word in _OPERATORS:
        for one in values:
            if not isinstance(one, str) or not one:
                said = json.dumps(one)
                words = f"operator {word} with {said}, where it has only text"
                raise NotExpressible(words, field)
        operator, inverted = _OPERATORS[word]
        made |= {"operator": operator, "values": sorted(set(values))}
        return made | ({"inverted": True} if inverted else {})
    if word in _NUMBERS:
        return made | {"operator": _NUMBERS[word], "value": json.dumps(values[0])}
    if word in _VERSIONS:
        return made | {"operator": _VERSIONS[word], "value": _version(values[0])}
    if word in _DATES:
        text = str(values[0])
        whole = text if "T" in text else f"{text}T00:00:00Z"
        return made | {"operator": _DATES[word], "value": whole}
    raise NotExpressible(f"operator {word}", field)


def _version(text: Any) -> str:
    """A version as Unleash wants it: no v, and all three numbers."""
    bare = str(text).lstrip("vV")
    numbers = bare.split("-")[0].split("+")[0]
    missing = _NUMBERS_IN_A_VERSION - 1 - numbers.count(".")
    return numbers + ".0" * missing + bare[len(numbers) :]


def normal(found: dict[str, Any]) -> Strategy:
    """A live strategy without what Unleash adds to it, and without its title: words for people.

    Nor has it the type of a weight, by which Unleash's interface makes weights add up.
    The variants of one that is switched off, or that only applications know how to ask, are not in
    every list that Unleash gives, and are left out.
    """
    made: Strategy = {
        "name": found["name"],
        "parameters": {key: str(one) for key, one in (found.get("parameters") or {}).items()},
        "constraints": [_bare(one) for one in found.get("constraints") or ()],
    }
    if found.get("disabled"):
        made["disabled"] = True
    if found.get("segments"):
        made["segments"] = sorted(
            (
                {"name": one["name"], "constraints": [_bare(held) for held in one["constraints"]]}
                for one in found["segments"]
            ),
            key=lambda one: str(one["name"]),
        )
    variants = [
        {key: one[key] for key in ("name", "weight", "stickiness", "payload") if key in one}
        for one in found.get("variants") or ()
    ]
    seen = found["name"] in _EVALUATED and not found.get("disabled")
    if seen and any(one["weight"] for one in variants):
        made["variants"] = sorted(variants, key=lambda one: str(one["name"]))
    return made


_EVALUATED: Final = frozenset(
    {
        "default",
        "flexibleRollout",
        "gradualRolloutRandom",
        "gradualRolloutSessionId",
        "gradualRolloutUserId",
        "remoteAddress",
        "userWithId",
    }
)


def _bare(constraint: dict[str, Any]) -> dict[str, Any]:
    made = {
        key: held
        for key, held in constraint.items()
        if key != "result" and held not in (None, False, [], "")
    }
    if "values" in made:
        made["values"] = sorted(made["values"])
    if "value" in made:
        made["value"] = str(made["value"])
    return made
