"""What Unleash itself answers for somebody, from its playground.

The Admin API's token is enough for it. It evaluates all flags of a project and an environment for
one context, so that one request serves any number of flags.
https://docs.getunleash.io/reference/api/unleash/get-advanced-playground
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from hrctl.drivers.unleash.client import Client, asked
from hrctl.drivers.unleash.listing import Listed, listed
from hrctl.drivers.unleash.places import Place, Places
from hrctl.logic.flags.conditions import KEY
from hrctl.logic.flags.evaluation import ErrorCode, Evaluation, Reason
from hrctl.model.address import Address
from hrctl.model.values import Json

_FIELDS: Final = frozenset({"appName", "environment", "remoteAddress", "sessionId"})
_AT_ONCE: Final = 4
_WHOLE: Final = 100.0
_NOT_FOUND: Final = Evaluation(None, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)


def answers(
    client: Client,
    places: Places,
    addresses: Sequence[Address],
    contexts: Sequence[Mapping[str, Json]],
) -> Iterator[tuple[Address, list[Evaluation]]]:
    """For each flag an answer for each context.

    A flag that nothing gives a value has none: applications get what their code passes. The name
    of a variant of true or false is that of hrctl's mark, where only one has the value.
    """
    found = listed(client, places, addresses)
    answered: dict[Address, list[Evaluation]] = {one: [] for one in addresses}
    sent = [sent_context(one) for one in contexts]
    for place in dict.fromkeys(one.place for one in found.values()):
        here = {address: one for address, one in found.items() if one.place == place}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for found_here in pool.map(partial(_answer, client, place, here), sent):
                for address, answer in zip(here, found_here, strict=True):
                    answered[address].append(answer)
    for address in addresses:
        yield address, answered[address] or [_NOT_FOUND] * len(contexts)


def _answer(
    client: Client, place: Place, flags: Mapping[Address, Listed], context: dict[str, Any]
) -> list[Evaluation]:
    """The answers of these flags for one context."""
    features = _ask(client, place, context)
    return [
        _evaluation(features[address.name], one, context)
        if address.name in features
        else _NOT_FOUND
        for address, one in flags.items()
    ]


def sent_context(context: Mapping[str, Json]) -> dict[str, Any]:
    """A context as Unleash has them: text, and dots for what lies in maps."""
    found: dict[str, Any] = {"appName": "hrctl"}
    properties: dict[str, str] = {}
    for name, value in _flat("", context):
        if name == KEY:
            found["userId"] = value
        elif name in _FIELDS:
            found[name] = value
        else:
            properties[name] = value
    return {**found, "properties": properties}


def _flat(prefix: str, held: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for key, value in held.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        elif value is not None:
            yield prefix + key, _text(value)


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _ask(client: Client, place: Place, context: dict[str, Any]) -> dict[str, Any]:
    """Every flag of a place by name, as evaluated.

    The newer endpoint takes a comma for the end of a value; the older one, which Unleash is going
    to take out, does not.
    """
    query: dict[str, Any] = {"projects": [place.project], "context": context}
    if any("," in one for one in (*context.values(), *context["properties"].values())):
        query["environment"] = place.environment
        found = asked(client, "POST", "/playground", query)["features"]
        return {one["name"]: one for one in found}
    query["environments"] = [place.environment]
    found = asked(client, "POST", "/playground/advanced", query)["features"]
    return {one["name"]: one["environments"][place.environment][0] for one in found}


def _evaluation(feature: dict[str, Any], here: Listed, context: dict[str, Any]) -> Evaluation:
    if not feature["isEnabledInCurrentEnvironment"]:
        return Evaluation(None, None, Reason.DISABLED)
    on, strategies = bool(feature["isEnabled"]), feature["strategies"]["data"]
    if feature["strategies"]["result"] == "unknown":  # a strategy of somebody's own
        return Evaluation(None, None, Reason.ERROR, ErrorCode.PARSE_ERROR)
    reason = _reason(strategies)
    if _is_boolean(here.spec, strategies):
        return Evaluation(on, _named(on, here.spec), reason)
    if on and feature["variant"]["enabled"]:
        variant = feature["variant"]
        return Evaluation(_value(variant.get("payload") or {}), variant["name"], reason)
    if not on and any(_lacks(one, context) for one in strategies):
        return Evaluation(None, None, Reason.ERROR, ErrorCode.TARGETING_KEY_MISSING)
    return Evaluation(None, None, reason)


def _is_boolean(spec: Mapping[str, Any], strategies: Sequence[dict[str, Any]]) -> bool:
    """Whether it is either on or off, as hrctl's mark says, else where it has no variants."""
    if "type" in spec:
        return bool(spec["type"] == "BOOLEAN")
    return not any(one["result"].get("variants") for one in strategies)


def _reason(strategies: Sequence[dict[str, Any]]) -> Reason:
    """Why, by the first strategy that matched, and those before it."""
    shares = False
    for one in strategies:
        matched = one["result"]["enabled"] is True
        ruled = bool(one["constraints"] or one["segments"])
        if matched and ruled:
            return Reason.TARGETING_MATCH
        if not ruled and not one["disabled"]:
            share = float(one["parameters"].get("rollout") or _WHOLE)
            several = matched and len(one["result"].get("variants") or ()) > 1
            shares = shares or 0 < share < _WHOLE or several
        if matched:
            break
    if shares:
        return Reason.SPLIT
    ruled = any(one["constraints"] or one["segments"] for one in strategies)
    return Reason.DEFAULT if ruled else Reason.STATIC


def _named(value: bool, spec: Mapping[str, Any]) -> str | None:  # noqa: FBT001 - it is the value
    names = [name for name, held in (spec.get("variants") or {}).items() if held is value]
    return names[0] if len(names) == 1 else None


def _value(payload: Mapping[str, Any]) -> Json:
    text = payload.get("value")
    if payload.get("type") not in {"json", "number"} or not isinstance(text, str):
        return text
    try:
        found: Json = json.loads(text)
    except ValueError:
        return text
    return found


def _lacks(strategy: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    """Whether it goes by an attribute that the context does not have."""
    name = strategy["parameters"].get("stickiness", "default")
    if name in {"default", "random"} or strategy["constraints"] or strategy["segments"]:
        return False
    return not (context.get(name) or context["properties"].get(name))
