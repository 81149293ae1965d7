"""One flag as a flagd definition, and back.

https://flagd.dev/reference/flag-definitions/ has the format. What the definition cannot say of a
flag (its owner, its date) stands in its metadata, as text, so that nothing else has to be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from time import time_ns
from typing import Any, Final

from hrctl.drivers.flagd import expressions
from hrctl.drivers.flagd.marks import ADDRESS, BODY, PROJECT, SERIAL, START, Definition, marks
from hrctl.logic.flags import shares
from hrctl.logic.flags.compiled import split
from hrctl.model.kinds import DEFAULT_HASH, TEXT_HASH, desugar
from hrctl.model.values import Body


def define(
    name: str, body: Body, start: datetime | None = None, *, bare_text: bool = True
) -> Definition:
    """The definition of a flag, without metadata.

    `start` is when its schedule began. With `bare_text` it holds for evaluators that hash the
    bare text, too.
    """
    spec = body["spec"]
    made: Definition = {
        "state": "DISABLED" if spec["status"] == "DISABLED" else "ENABLED",
        "variants": spec["variants"],
        "defaultVariant": spec["default"],
    }
    if made["state"] == "DISABLED":
        return made
    rest, default = _rest(_Shares(name=name, spec=spec, start=start, bare_text=bare_text))
    made["defaultVariant"] = default
    targeting = rest
    for condition, variant in reversed(_rules(spec)):
        targeting = {"if": [condition, variant, targeting]}
    if targeting is not None:
        made["targeting"] = targeting
    return made


def _rules(spec: dict[str, Any]) -> list[tuple[Any, str]]:
    found = [(expressions.rule(one), one["variant"]) for one in spec.get("targeting") or ()]
    rollout = spec.get("rollout")
    if rollout and rollout["strategy"] == "CANARY" and spec["status"] != "TESTING":
        variant = shares.served(spec)
        found += [
            (expressions.every([expressions.condition(one) for one in group]), variant)
            for _, group in sorted(rollout["groups"].items())
        ]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """What the expressions of shares are made from."""

    name: str
    spec: dict[str, Any]
    start: datetime | None
    bare_text: bool

    def part(self, found: str | list[tuple[str, int]]) -> Any:
        """The expression of a split; a variant alone is its name."""
        if isinstance(found, str):
            return found
        rollout = self.spec["rollout"]
        return expressions.fractional(
            shares.salt(self.name, rollout),
            rollout["stickiness"],
            found,
            bare_text=self.bare_text and self.spec.get("hash") != TEXT_HASH,
        )


def _rest(wanted: _Shares) -> tuple[Any, str]:
    """What whoever no rule matches gets: an expression (None: nothing), and the default."""
    spec = wanted.spec
    rollout = spec.get("rollout")
    if rollout and rollout.get("steps") and spec["status"] != "TESTING":
        return _scheduled(wanted), spec["default"]
    found = split(spec)
    return (None, found) if isinstance(found, str) else (wanted.part(found), spec["default"])


def _scheduled(wanted: _Shares) -> Any:
    """Each step from its second on; the clock is the evaluator's."""
    made: Any = None
    spec = wanted.spec
    for since, _ in shares.boundaries(spec["rollout"], wanted.start):
        at = since or datetime.fromtimestamp(0, UTC)
        found = split(spec, wanted.start, at)
        part = None if found == spec["default"] else wanted.part(found)
        if since is None:
            made = part
        else:
            clock = {"var": "$flagd.timestamp"}
            made = {"if": [{">=": [clock, round(since.timestamp())]}, part, made]}
    return made


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def kept(body: Body) -> str:
    """A body as text, from which `live_body` makes it again."""
    return _COMPACT.encode(_lean(body))


def marked(  # noqa: PLR0913, PLR0917 - what the marks say
    made: Definition, project: str, address: str, body: Body, text: str, start: datetime | None
) -> Definition:
    """A definition with the marks of hrctl, and a serial number that none had before.

    `text` is the body as `kept` gives it.
    """
    spec = body["spec"]
    metadata: dict[str, Any] = {
        PROJECT: project,
        ADDRESS: address,
        SERIAL: f"{time_ns():x}-{token_hex(4)}",
        BODY: text,
    }
    if start is not None:
        metadata[START] = start.isoformat()
    if spec.get("owner"):
        metadata["owner"] = spec["owner"]
    return {**made, "metadata": metadata}


_DEFAULTS: Final[dict[str, Any]] = {
    "variants": {"on": True, "off": False},
    "default": "off",
    "hash": DEFAULT_HASH,
    "targeting": [],
}
_ROLLOUT: Final[dict[str, Any]] = {
    "steps": [],
    "groups": {},
    "weights": {},
    "stickiness": "userId",
}


def _lean(body: Body) -> Body:
    """A body without the defaults that most have: applications read the whole file."""
    spec = {
        key: held
        for key, held in body["spec"].items()
        if key not in _DEFAULTS or held != _DEFAULTS[key]
    }
    rollout = spec.get("rollout")
    if rollout:
        spec["rollout"] = {
            key: held
            for key, held in rollout.items()
            if key not in _ROLLOUT or held != _ROLLOUT[key]
        }
    lean = {**body, "spec": spec}
    return lean if _full(lean) == body else body


def _full(lean: Body) -> Body:
    spec = {**_DEFAULTS, **desugar("FeatureFlag", lean["spec"])}
    if spec.get("rollout"):
        spec["rollout"] = {**_ROLLOUT, **spec["rollout"]}
    return {**lean, "spec": spec}


def live_body(name: str, found: Definition) -> Body:
    """The body of a definition as it is: what was applied, and over it what was changed since."""
    metadata = marks(found)
    if metadata is None:
        return _inferred(found)
    bare = {key: item for key, item in found.items() if key != "metadata"}
    try:
        body = _full(json.loads(metadata[BODY]))
        start = metadata.get(START)
        began = datetime.fromisoformat(start) if start else None
        short = define(name, body, began, bare_text=False)
        expected = define(name, body, began)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _inferred(found)  # people wrote into the marks: what stands there is drift
    # an instance whose `evaluators` were changed has written the other form
    return body if bare in (short, expected) else _overlaid(name, body, expected, bare)


def _overlaid(name: str, body: Body, expected: Definition, found: Definition) -> Body:
    spec = dict(body["spec"])
    if found.get("state") != expected["state"]:
        spec["status"] = found.get("state")
    if found.get("variants") != expected["variants"]:
        spec["variants"] = found.get("variants")
    if found.get("defaultVariant") != expected["defaultVariant"]:
        spec["default"] = found.get("defaultVariant")
    held = found.get("targeting")
    if held != expected.get("targeting") and found.get("state") == expected["state"]:
        share = _share(held)
        rollout = {**(spec.get("rollout") or {}), "percentage": share}
        guess = {**body, "spec": {**spec, "rollout": rollout}}
        forms = [define(name, guess, bare_text=one) for one in (True, False)] if share else []
        if any(one.get("targeting") == held for one in forms):
            spec["rollout"] = rollout
        else:  # what no rule of ours is: shown as it stands
            spec["targeting"] = [{"expression": held}]
    return {**body, "spec": spec}


def _share(targeting: Any) -> float | None:
    """The percentage that somebody may have written into the last `fractional`."""
    while isinstance(targeting, dict) and "if" in targeting:
        parts = targeting["if"]
        targeting = parts[1] if parts[-1] is None else parts[-1]
    arms = targeting.get("fractional", [])[1:] if isinstance(targeting, dict) else []
    try:
        inside, total = arms[0][1], sum(weight for _, weight in arms)
        share = inside * shares.WHOLE / total
    except (LookupError, TypeError, ValueError, ZeroDivisionError):
        return None
    return int(share) if share == int(share) else float(share)


def _inferred(found: Definition) -> Body:
    """What can be told of a definition that hrctl did not write."""
    variants = found.get("variants") or {}
    value = next(iter(variants.values()), None) if isinstance(variants, dict) else None
    kinds = {bool: "BOOLEAN", str: "STRING", int: "NUMBER", float: "NUMBER"}
    spec: dict[str, Any] = {
        "type": kinds.get(type(value), "OBJECT"),
        "status": found.get("state"),
        "variants": variants,
        "default": found.get("defaultVariant"),
    }
    if found.get("targeting"):
        spec["targeting"] = [{"expression": found["targeting"]}]
    return {"metadata": {}, "spec": spec}
