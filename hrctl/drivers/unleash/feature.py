"""A feature of Unleash with hrctl's marks, and as a body.

The marks stand in its description, one line of JSON below a sentence for people, as every list has
the description: one entry for each environment that hrctl writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from secrets import token_hex
from time import time_ns
from typing import Any, Final

from hrctl.drivers.unleash.strategies import NotExpressible, Strategy, normal, strategies
from hrctl.model.values import Body, digest

PROJECT: Final = "project"
ADDRESS: Final = "address"
SERIAL: Final = "serial"
BODY: Final = "body"

_SENTENCE: Final = "hrctl writes this flag; change it there."
_START: Final = "hrctl:"
Marks = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Feature:
    """A feature in one environment. `found` are its strategies as they came, in order."""

    name: str
    project: str
    environment: str
    description: str = ""
    enabled: bool = False
    found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def marks(self) -> dict[str, Any] | None:
        """The marks of hrctl for this environment."""
        return all_marks(self.description).get(self.environment)

    @property
    def strategies(self) -> list[Strategy]:
        """Its strategies without what Unleash adds."""
        return [normal(one) for one in self.found]

    @property
    def version(self) -> str:
        """The serial number and what stands there: none comes twice, and every change is seen."""
        serial = (self.marks or {}).get(SERIAL, "")
        return f"{serial}-{digest([self.enabled, self.strategies, self.marks])}"


def all_marks(description: str) -> Marks:
    """The marks of hrctl by environment; those that people broke are none."""
    line = description.rpartition("\n")[2]
    if not line.startswith(_START):
        return {}
    try:
        held = json.loads(line[len(_START) :])
    except ValueError:
        return {}
    whole = isinstance(held, dict) and all(isinstance(one, dict) for one in held.values())
    wanted = (PROJECT, ADDRESS, SERIAL)
    if not whole or not all(isinstance(one.get(k), str) for one in held.values() for k in wanted):
        return {}
    bodies = [one.get(BODY) for one in held.values()]
    specs = [one.get("spec") if isinstance(one, dict) else None for one in bodies]
    good = all(isinstance(one, dict) and isinstance(one.get("status"), str) for one in specs)
    return held if good else {}


def described(description: str, environment: str, mark: dict[str, Any] | None) -> str:
    """The description with the mark of one environment; without a mark that one is taken out."""
    marks = all_marks(description)
    above = description.rpartition("\n")[0] if marks else description
    marks.pop(environment, None)
    if mark is not None:
        marks[environment] = mark
    if not marks:
        return "" if above == _SENTENCE else above
    line = json.dumps(marks, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return f"{above or _SENTENCE}\n{_START}{line}"


def marked(project: str, address: str, body: Body) -> dict[str, Any]:
    """A mark, with a serial number that none had before."""
    serial = f"{time_ns():x}-{token_hex(4)}"
    return {PROJECT: project, ADDRESS: address, SERIAL: serial, BODY: body}


def is_on(body: Body) -> bool:
    """Whether the environment of a flag is on."""
    return bool(body["spec"]["status"] != "DISABLED")


def live_body(feature: Feature) -> Body:
    """The body of a feature as it is: what was applied, and over it what was changed since."""
    marks = feature.marks
    found = feature.strategies
    if marks is None:
        status = "ENABLED" if feature.enabled else "DISABLED"
        return {"metadata": {}, "spec": {"status": status, "targeting": _shown(found)}}
    body: Body = marks[BODY]
    spec = dict(body["spec"])
    if feature.enabled != is_on(body):
        spec["status"] = "ENABLED" if feature.enabled else "DISABLED"
    try:
        expected = [normal(one) for one in strategies(feature.name, body)]
    except (NotExpressible, LookupError, TypeError, ValueError):  # people changed the mark
        expected = None
    if found != expected:
        spec = {**_guessed(feature.name, body, found), "status": spec["status"]}
    return {**body, "spec": spec}


def _shown(found: list[Strategy]) -> list[dict[str, Any]]:
    return [{"strategy": one} for one in found]


def _guessed(name: str, body: Body, found: list[Strategy]) -> dict[str, Any]:
    """The spec with the one field that was changed; else with the strategies as they stand."""
    spec: dict[str, Any] = body["spec"]
    for guess in _guesses(spec, found):
        try:
            made = [normal(one) for one in strategies(name, {**body, "spec": guess})]
        except (NotExpressible, LookupError, TypeError, ValueError):
            continue
        if made == found:
            return guess
    return {**spec, "targeting": _shown(found)}


def _guesses(spec: dict[str, Any], found: list[Strategy]) -> list[dict[str, Any]]:
    rollout = spec.get("rollout") or {}
    guesses = []
    for one in found:
        parameters = one["parameters"]
        if "percentage" in rollout and str(parameters.get("rollout", "")).isdecimal():
            share = int(parameters["rollout"])
            guesses.append({**spec, "rollout": {**rollout, "percentage": share}})
        if rollout and parameters.get("stickiness"):
            sticky = {**rollout, "stickiness": parameters["stickiness"]}
            guesses.append({**spec, "rollout": sticky})
    held = {one["name"]: one for strategy in found for one in strategy.get("variants", ())}
    if rollout.get("weights"):
        weights = {key: one["weight"] / 10 for key, one in held.items()}
        guesses.append({**spec, "rollout": {**rollout, "weights": weights}})
    values = {key: _value(one.get("payload") or {}) for key, one in held.items()}
    if values:
        guesses.append({**spec, "variants": {**(spec.get("variants") or {}), **values}})
    return guesses


def _value(payload: dict[str, Any]) -> Any:
    text = payload.get("value")
    if payload.get("type") == "string" or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
