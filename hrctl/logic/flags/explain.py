"""An evaluation told step by step, by the same closures that make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hrctl.logic.flags import hashing, shares
from hrctl.logic.flags.compiled import identifier, is_default, split, sticky
from hrctl.logic.flags.conditions import compile_condition, conditions, getter
from hrctl.logic.flags.evaluation import Context, ErrorCode
from hrctl.model.kinds import DEFAULT_HASH
from hrctl.model.values import Json

Spec = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition, what the context has (None: nothing), and whether it holds."""

    attribute: str
    operator: str
    values: list[Json]
    actual: Json
    matched: bool


@dataclass(frozen=True, slots=True)
class RuleStep:
    """A rule of the targeting or a group of a canary: who it is for, and what they get."""

    name: str
    variant: str
    matched: bool
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """Which step a schedule has come to: each with its moment in UTC (None: since ever)."""

    present: float
    steps: tuple[tuple[str | None, float], ...]


@dataclass(frozen=True, slots=True)
class SplitStep:
    """Where somebody falls, in percent, and up to where each variant reaches.

    `bucket` is None where there is no key to hash; `error` then says why. Without an error chance
    decides, anew each time.
    """

    hash: str
    stickiness: str
    key: str
    bucket: float | None
    reaches: tuple[tuple[str, float], ...]
    error: ErrorCode | None = None


Step = RuleStep | ScheduleStep | SplitStep


def explain(
    name: str,
    spec: Spec,
    context: Context,
    *,
    start: datetime | None = None,
    now: datetime | None = None,
) -> list[Step]:
    """The steps up to the one that decides; none of a flag that is off or has no rules.

    `spec`, `start` and `now` are those of `compile_flag`, which must have taken them.
    """
    if spec["status"] == "DISABLED":
        return []
    found: list[Step] = []
    for title, parts, variant in _rules(spec):
        step = _rule(title, parts, variant, context)
        found.append(step)
        if step.matched:
            return found
    rollout = spec.get("rollout") or {}
    if rollout.get("steps") and spec["status"] != "TESTING":
        steps = shares.boundaries(rollout, start)
        moments = tuple(
            (since.isoformat(timespec="seconds") if since else None, one) for since, one in steps
        )
        found.append(ScheduleStep(shares.percentage(rollout, start, now), moments))
    weights = split(spec, start, now)
    if not isinstance(weights, str):
        found.append(_split(name, spec, weights, context))
    return found


def _rules(spec: Spec) -> list[tuple[str, list[Mapping[str, Json]], str]]:
    found = [
        (f"rule {at}", list(conditions(one)), str(one["variant"]))
        for at, one in enumerate(spec.get("targeting") or (), 1)
    ]
    rollout = spec.get("rollout")
    if rollout and rollout["strategy"] == "CANARY" and spec["status"] != "TESTING":
        variant = shares.served(spec)
        found += [
            (f"group {one}", parts, variant) for one, parts in sorted(rollout["groups"].items())
        ]
    return found


def _rule(title: str, parts: list[Mapping[str, Json]], variant: str, context: Context) -> RuleStep:
    asked = tuple(
        Asked(
            one["attribute"],
            one.get("operator") or "eq",
            list(one["values"]),
            getter(one["attribute"])(context),
            compile_condition(one)(context),
        )
        for one in parts
    )
    return RuleStep(title, variant, all(one.matched for one in asked), asked)


def _split(name: str, spec: Spec, weights: list[tuple[str, int]], context: Context) -> SplitStep:
    rollout: dict[str, Any] = spec["rollout"]
    total = sum(weight for _, weight in weights)
    reaches, end = [], 0
    for variant, weight in weights:
        end += weight
        reaches.append((variant, end * shares.WHOLE / total))
    pinned, stickiness = spec.get("hash") or DEFAULT_HASH, rollout["stickiness"]
    prefix = shares.salt(name, rollout)
    key = identifier(sticky(spec)(context))
    if isinstance(key, ErrorCode):
        if is_default(spec):  # the evaluator draws lots
            return SplitStep(pinned, stickiness, "", None, tuple(reaches))
        return SplitStep(pinned, stickiness, "", None, tuple(reaches), key)
    try:
        if pinned == "unleash":
            joined = f"{prefix}:{key}"
            test = rollout["strategy"] == "AB_TEST"
            modulus = shares.UNLEASH_TOTAL if test else shares.WHOLE
            seed = hashing.UNLEASH_VARIANT_SEED if test else 0
            bucket = hashing.unleash(prefix, key, modulus, seed) * shares.WHOLE / modulus
        else:
            joined = f"{prefix}{key}"
            bucket = hashing.fractional(joined, pinned) * shares.WHOLE / hashing.SPAN
    except UnicodeEncodeError:
        return SplitStep(pinned, stickiness, "", None, tuple(reaches), ErrorCode.INVALID_CONTEXT)
    return SplitStep(pinned, stickiness, joined, bucket, tuple(reaches))
