"""A flag as a function of the context: compiled once, made of closures, asked many times.

In this order: the rules of `targeting`, the groups of a canary, then what the strategy gives.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from random import randrange
from typing import Final

import mmh3

from hrctl.logic.flags import conditions, hashing, shares
from hrctl.logic.flags.conditions import Getter, Test, getter
from hrctl.logic.flags.evaluation import Context, ErrorCode, Evaluation, Evaluator, Reason
from hrctl.model.kinds import TEXT_HASH
from hrctl.model.kinds.compared import FINEST
from hrctl.model.values import Json

Spec = dict[str, Json]
Rule = tuple[Test, Evaluation]


DEFAULT: Final = "default"  # Unleash's stickiness: userId, then sessionId, then chance


class FlagError(ValueError):
    """A spec that is no flag: PARSE_ERROR."""


def compile_flag(
    name: str, spec: Spec, *, start: datetime | None = None, now: datetime | None = None
) -> Evaluator:
    """The flag `name` as a function.

    `spec` is that of a complete body. `start` is when a schedule began (the commit) and `now` the
    clock; a flag without `steps` needs neither. Compile anew to let time pass.

    Raises:
        FlagError: where the spec is not valid.
    """
    try:
        return _compile(name, spec, start, now)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FlagError(f"flag '{name}' cannot be evaluated: {error}") from error


def evaluate(
    flags: Mapping[str, Evaluator],
    name: str,
    context: Json,
    *,
    wanted: str | None = None,
) -> Evaluation:
    """The answer of one of `flags`, or the error that there is instead.

    `wanted` is the type that the asker expects (``BOOLEAN``, ``STRING``, ``NUMBER``, ``OBJECT``).
    """
    ask = flags.get(name)
    if ask is None:
        return Evaluation(None, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    if not isinstance(context, Mapping):
        return Evaluation(None, None, Reason.ERROR, ErrorCode.INVALID_CONTEXT)
    answer = ask(context)
    if wanted is not None and not _is(answer.value, wanted):
        return Evaluation(None, answer.variant, Reason.ERROR, ErrorCode.TYPE_MISMATCH)
    return answer


def _is(value: Json, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "BOOLEAN"
    return isinstance(value, _TYPES[wanted])


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "BOOLEAN": (bool,),
    "STRING": (str,),
    "NUMBER": (int, float),
    "OBJECT": (dict,),
}


def _compile(name: str, spec: Spec, start: datetime | None, now: datetime | None) -> Evaluator:
    variants, default = spec["variants"], spec["default"]

    def answer(variant: str, reason: Reason, error: ErrorCode | None = None) -> Evaluation:
        return Evaluation(variants[variant], variant, reason, error)

    if spec["status"] == "DISABLED":
        return _always(answer(default, Reason.DISABLED))
    rules: list[Rule] = [
        (
            conditions.compile_all(conditions.conditions(rule)),
            answer(rule["variant"], Reason.TARGETING_MATCH),
        )
        for rule in spec.get("targeting") or ()
    ]
    rollout = spec.get("rollout") if spec["status"] != "TESTING" else None
    if rollout and rollout["strategy"] == "CANARY":
        match = answer(shares.served(spec), Reason.TARGETING_MATCH)
        rules += [
            (conditions.compile_all(group), match) for _, group in sorted(rollout["groups"].items())
        ]
    rest = Reason.DEFAULT if rules else Reason.STATIC
    plan = split(spec, start, now)
    if isinstance(plan, str):
        return _ruled(rules, _always(answer(plan, rest)))
    found = _Split(
        prefix=shares.salt(name, rollout or {}),
        get=sticky(spec),
        weights=[weight for _, weight in plan],
        arms=[answer(variant, Reason.SPLIT) for variant, _ in plan],
        missing=answer(default, Reason.ERROR, ErrorCode.TARGETING_KEY_MISSING),
        invalid=answer(default, Reason.ERROR, ErrorCode.INVALID_CONTEXT),
        is_test=rollout is not None and rollout["strategy"] == "AB_TEST",
    )
    if spec.get("hash") == "unleash":
        return _ruled(rules, _unleash(found, chance=is_default(spec)))
    return _ruled(rules, _fractional(found, bare=spec.get("hash") == TEXT_HASH))


@dataclass(frozen=True, slots=True)
class _Split:
    """What the hash decides between, and for whom it cannot."""

    prefix: str
    get: Getter
    weights: list[int]
    arms: list[Evaluation]
    missing: Evaluation
    invalid: Evaluation
    is_test: bool

    def refuse(self, error: ErrorCode) -> Evaluation:
        return self.missing if error is ErrorCode.TARGETING_KEY_MISSING else self.invalid


def split(
    spec: Spec, start: datetime | None = None, now: datetime | None = None
) -> str | list[tuple[str, int]]:
    """What whoever no rule matched gets: one variant, or variants with whole weights.

    A share of 0 or of 100 % is one variant: nobody needs a key for it.
    """
    rollout = spec.get("rollout") if spec["status"] != "TESTING" else None
    default = str(spec["default"])
    if not rollout:
        return default
    strategy = rollout["strategy"]
    if strategy == "AB_TEST":
        held = [
            (variant, weight)
            for variant, weight in shares.arms(rollout, spec.get("hash"))
            if weight
        ]
        return held if len(held) > 1 else held[0][0]
    if strategy in {"INSTANT", "BLUE_GREEN"}:
        return shares.served(spec)
    share = shares.percentage(rollout, start, now)
    if share <= 0:
        return default
    if share >= shares.WHOLE:
        return shares.served(spec)
    rest = round(shares.WHOLE - share, FINEST)  # 100 - 99.9 is not 0.1
    inside, outside = shares.weights_of([share, rest])
    return [(shares.served(spec), inside), (default, outside)]


def is_default(spec: Spec) -> bool:
    """Return whether users are spread by Unleash's stickiness `default`."""
    return (
        spec.get("hash") == "unleash" and (spec.get("rollout") or {}).get("stickiness") == DEFAULT
    )


def sticky(spec: Spec) -> Getter:
    """Return how to get what is hashed for a context; stickiness `default`: user, then session."""
    if not is_default(spec):
        rollout = spec.get("rollout")
        return getter(rollout["stickiness"] if rollout else conditions.KEY)
    return lambda context: context.get(conditions.KEY) or context.get("sessionId")


def _always(answer: Evaluation) -> Evaluator:
    return lambda _: answer


def _ruled(rules: list[Rule], rest: Evaluator) -> Evaluator:
    if not rules:
        return rest

    def ask(context: Context) -> Evaluation:
        for test, found in rules:
            if test(context):
                return found
        return rest(context)

    return ask


def identifier(held: Json) -> str | ErrorCode:
    """The text that is hashed for an attribute: text, or a whole number in digits."""
    if isinstance(held, str):
        return held or ErrorCode.TARGETING_KEY_MISSING
    if held is None:
        return ErrorCode.TARGETING_KEY_MISSING
    if isinstance(held, bool) or not isinstance(held, int | float):
        return ErrorCode.INVALID_CONTEXT
    if isinstance(held, float):
        return str(int(held)) if held.is_integer() else ErrorCode.INVALID_CONTEXT
    return str(held)


def limits(weights: list[int]) -> list[int]:
    """The first hash above each arm: ``hash * total >> 32 < end`` is ``hash < limit``."""
    total = sum(weights)
    return [-(-end * hashing.SPAN // total) for end in accumulate(weights)]


def _no_head(_: int) -> bytes:
    return b""


_NO_HEADS: Final = (b"",) * len(hashing.HEADS)


def _fractional(split: _Split, *, bare: bool) -> Evaluator:
    prefix, get, arms, invalid = split.prefix, split.get, split.arms, split.invalid
    digest, ends = mmh3.mmh3_32_uintdigest, limits(split.weights)
    heads, head = (_NO_HEADS, _no_head) if bare else (hashing.HEADS, hashing.text_head)
    longest, first, (yes, no) = len(heads), ends[0], arms[:2]
    pair = len(arms) == 2  # noqa: PLR2004 - in or out: no search is needed

    def ask(context: Context) -> Evaluation:
        key = get(context)
        if not isinstance(key, str) or not key:
            key = identifier(key)
            if isinstance(key, ErrorCode):
                return split.refuse(key)
        try:
            raw = (prefix + key).encode()
        except UnicodeEncodeError:
            return invalid
        size = len(raw)
        number = digest((heads[size] if size < longest else head(size)) + raw)
        if pair:
            return yes if number < first else no
        return arms[bisect_right(ends, number)]

    return ask


def _unleash(split: _Split, *, chance: bool) -> Evaluator:
    """Answer as Unleash does; with `chance` at random, each time, for a context without a key."""
    get, arms = split.get, split.arms
    modulus = shares.UNLEASH_TOTAL if split.is_test else shares.WHOLE
    seed = hashing.UNLEASH_VARIANT_SEED if split.is_test else 0
    total = sum(split.weights)
    ends = [end * modulus // total for end in accumulate(split.weights)]

    def ask(context: Context) -> Evaluation:
        key = identifier(get(context))
        if isinstance(key, ErrorCode):
            if not chance:
                return split.refuse(key)
            return arms[bisect_left(ends, randrange(modulus) + 1)]  # noqa: S311 - no secret
        try:
            number = hashing.unleash(split.prefix, key, modulus, seed)
        except UnicodeEncodeError:
            return split.invalid
        return arms[bisect_left(ends, number)]

    return ask
