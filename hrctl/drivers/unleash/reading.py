"""Strategies of Unleash as the fields of a flag.

Whatever is read is written again, as a proof: a reading that does not give the very strategies that
are there is none. What no reading gives stands as it is, under `targeting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from hrctl.drivers.unleash.strategies import NotExpressible, Strategy, normal, strategies
from hrctl.logic.flags import shares

Spec = dict[str, Any]

_WORDS: Final = {
    "IN": "in",
    "NOT_IN": "notIn",
    "STR_CONTAINS": "contains",
    "STR_STARTS_WITH": "startsWith",
    "STR_ENDS_WITH": "endsWith",
    "NUM_GT": "gt",
    "NUM_GTE": "ge",
    "NUM_LT": "lt",
    "NUM_LTE": "le",
    "SEMVER_EQ": "semverEq",
    "SEMVER_GT": "semverGt",
    "SEMVER_GTE": "semverGe",
    "SEMVER_LT": "semverLt",
    "SEMVER_LTE": "semverLe",
    "DATE_AFTER": "after",
    "DATE_BEFORE": "before",
}
_INVERTED: Final = {
    "contains": "notContains",
    "startsWith": "notStartsWith",
    "endsWith": "notEndsWith",
}
_KNOWN: Final = {"contextName", "operator", "values", "value", "inverted"}
_TYPES: Final = {"string": "STRING", "number": "NUMBER", "json": "OBJECT"}
# a spec that is no flag is a ValueError of pydantic's
_IMPOSSIBLE: Final = (LookupError, TypeError, ValueError, AttributeError, StopIteration)


def changed(name: str, spec: Spec, found: list[Strategy]) -> Spec:
    """A spec of ours as people changed it; `found` are its strategies now."""
    for reading in (*_single(spec, found), lambda: _read(name, spec, found)):
        if (made := _proven(name, found, reading)) is not None:
            return made
    return {**spec, "targeting": _shown(found)}


def taken_over(name: str, found: list[Strategy], *, on: bool) -> Spec:
    """The spec of a flag that people made."""
    plain = _plain(name, found)
    made = _proven(name, plain, lambda: _complete(_read(name, _skeleton(plain), plain)))
    if made is None:
        made = {"targeting": _shown(found)}
    status = "ENABLED" if on else "DISABLED"
    return {**made, "status": "ROLLOUT" if on and made.get("rollout") else status}


def _complete(spec: Spec) -> Spec:
    """With what the kind has built in; imports pydantic, for what is taken over alone."""
    from hrctl.model.validate import complete

    return dict(complete("FeatureFlag", spec))


def _proven(name: str, found: list[Strategy], reading: Callable[[], Spec]) -> Spec | None:
    try:
        made = reading()
        again = [normal(one) for one in strategies(name, {"metadata": {}, "spec": made})]
    except _IMPOSSIBLE:
        return None
    return made if again == found else None


def _shown(found: list[Strategy]) -> list[dict[str, Any]]:
    """Strategies as they stand; what is rare comes first, as plans cut long values."""
    return [
        {"segments": [segment["name"] for segment in one["segments"]], "strategy": one}
        if one.get("segments")
        else {"strategy": one}
        for one in found
    ]


# -- one field ------------------------------------------------------------------------------------


def _single(spec: Spec, found: list[Strategy]) -> Iterator[Callable[[], Spec]]:
    """Readings in which a single field is not as we had it."""
    rollout = spec.get("rollout") or {}
    for one in found:
        parameters = one["parameters"]
        if "percentage" in rollout and str(parameters.get("rollout", "")).isdecimal():
            share = int(parameters["rollout"])
            yield _always({**spec, "rollout": {**rollout, "percentage": share}})
        if rollout and parameters.get("stickiness"):
            sticky = {**rollout, "stickiness": parameters["stickiness"]}
            yield _always({**spec, "rollout": sticky})
    held = {one["name"]: one for strategy in found for one in strategy.get("variants", ())}
    if rollout.get("weights"):
        weights = {key: one["weight"] / 10 for key, one in held.items()}
        yield _always({**spec, "rollout": {**rollout, "weights": weights}})
    values = {key: _value(one.get("payload") or {}) for key, one in held.items()}
    if values:
        yield _always({**spec, "variants": {**(spec.get("variants") or {}), **values}})


def _always(spec: Spec) -> Callable[[], Spec]:
    return lambda: spec


# -- the whole ------------------------------------------------------------------------------------


def _skeleton(found: list[Strategy]) -> Spec:
    """The type and the variants of a flag that people made, and what stands at its end."""
    arms = [one for strategy in found for one in strategy.get("variants", ())]
    spec: Spec = {"hash": "unleash", "status": "ENABLED", "targeting": []}
    last = found[-1]
    if not arms:
        spec |= {"type": "BOOLEAN", "variants": {"on": True, "off": False}, "default": "off"}
        share = last["parameters"].get("rollout")
        if not _asks(last) and share == "100":
            spec["rollout"] = {"strategy": "INSTANT"}
        elif not _asks(last) and share != "0":
            spec["rollout"] = {"strategy": "GRADUAL"}
        return spec
    (kind,) = {_TYPES[one["payload"]["type"]] for one in arms}
    spec |= {"type": kind, "variants": {one["name"]: _value(one["payload"]) for one in arms}}
    spec["default"] = last["variants"][0]["name"]
    if len(last["variants"]) > 1:
        spec["rollout"] = {"strategy": "AB_TEST"}
    elif len(found) > 1 and not _asks(found[-2]):
        spec["rollout"] = {"strategy": "GRADUAL", "variant": found[-2]["variants"][0]["name"]}
    return spec


def _asks(strategy: Strategy) -> bool:
    """Whether it is not for everybody."""
    return bool(strategy["constraints"] or strategy.get("segments"))


def _plain(name: str, found: list[Strategy]) -> list[Strategy]:
    """Ways to say the same, in the one that hrctl writes: nobody gets another answer."""
    everybody: Strategy = {"name": "flexibleRollout", "parameters": {"rollout": "100"}}
    made = []
    for one in found or [everybody]:  # without one, everybody matches
        copy: Strategy = {"constraints": [], **one, "parameters": dict(one["parameters"])}
        if copy["name"] == "default":
            copy |= {"name": "flexibleRollout", "parameters": {"rollout": "100"}}
        parameters = copy["parameters"]
        # by any other attribute, 100 % leaves out whoever lacks it
        everybody_has_it = parameters.get("stickiness", "default") in {"default", "random"}
        whole = parameters.get("rollout") == "100" and everybody_has_it
        if whole and len(copy.get("variants", ())) <= 1:
            parameters |= {"stickiness": "default", "groupId": name}
        made.append(copy)
    return made


def _read(name: str, base: Spec, found: list[Strategy]) -> Spec:
    """Rules, then the rollout; each rule of `base` that still stands in its place stays."""
    rollout = dict(base.get("rollout") or {})
    if rollout.get("groups"):
        raise NotExpressible("groups, which cannot be told from rules")
    boolean = base["type"] == "BOOLEAN"
    ends = _ends(rollout, found, boolean=boolean)
    rules, end = found[: len(found) - ends], found[len(found) - ends :]
    before = list(base.get("targeting") or ())
    spec = {**base, "targeting": []}
    for at, one in enumerate(rules):
        known = before[at] if at < len(before) else None
        variant = "on" if boolean else one["variants"][0]["name"]
        if boolean:
            variant = next(key for key, value in base["variants"].items() if value)
        rule = _rule(one, variant)
        spec["targeting"].append(known if known and _same(name, base, known, rule) else rule)
    if rollout:
        spec["rollout"] = _rolled(name, rollout, end)
    return spec


def _ends(rollout: Spec, found: list[Strategy], *, boolean: bool) -> int:
    """How many strategies stand after those of the rules."""
    if boolean:
        return 0 if not rollout and _asks(found[-1]) else 1
    return 2 if rollout.get("strategy") in {"GRADUAL", "CANARY"} else 1


def _rolled(name: str, rollout: Spec, end: list[Strategy]) -> Spec:
    parameters = end[0]["parameters"]
    made = dict(rollout)
    if parameters.get("groupId", name) != shares.salt(name, rollout):
        made["salt"] = parameters["groupId"]
    if rollout["strategy"] == "GRADUAL":
        made["percentage"] = int(parameters["rollout"])
    if rollout["strategy"] in {"GRADUAL", "AB_TEST"}:
        made["stickiness"] = parameters["stickiness"]
    if rollout["strategy"] == "AB_TEST":
        made["weights"] = {one["name"]: one["weight"] / 10 for one in end[0]["variants"]}
    return made


def _same(name: str, base: Spec, known: Spec, rule: Spec) -> bool:
    """Whether two rules are one strategy."""
    bare = {**base, "targeting": [], "status": "TESTING"}
    one, other = (
        strategies(name, {"spec": {**bare, "targeting": [held]}}) for held in (known, rule)
    )
    return [normal(held) for held in one] == [normal(held) for held in other]


def _rule(found: Strategy, variant: str) -> dict[str, Any]:
    constraints, end = found["constraints"], {"variant": variant}
    if found.get("segments"):
        if constraints or len(found["segments"]) > 1:
            raise NotExpressible("a segment beside other conditions")
        (segment,) = found["segments"]
        constraints, end = segment["constraints"], {"segment": segment["name"], **end}
    parts = [condition(one) for one in constraints]
    if len(parts) == 1:
        return {**parts[0], **end}
    return {"all": parts, **end}


def condition(constraint: dict[str, Any]) -> dict[str, Any]:
    """A constraint as a condition of a manifest.

    Raises:
        NotExpressible: where there is more to it; LookupError: for an operator that we have not.
    """
    if constraint.keys() - _KNOWN:
        raise NotExpressible("a constraint with more to it")
    word = _WORDS[constraint["operator"]]
    if constraint.get("inverted"):
        word = _INVERTED[word]
    values = constraint.get("values")
    if values is None:
        held = constraint["value"]
        values = [json.loads(held) if constraint["operator"].startswith("NUM_") else held]
    return {"attribute": constraint["contextName"], "operator": word, "values": values}


def _value(payload: dict[str, Any]) -> Any:
    text = payload.get("value")
    if payload.get("type") == "string" or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
