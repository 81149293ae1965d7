"""Whether a flag decides anything: who gets the same as everybody, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from hrctl.logic.flags import shares
from hrctl.logic.flags.compiled import split
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json, canonical

Spec = dict[str, Json]

STALE_AFTER: Final = "30d"  # where a flag does not say


class Past(NamedTuple):
    """What a flag was from a commit on; no spec where it was not declared."""

    since: datetime
    spec: Spec | None


def sole(spec: Spec) -> str | None:
    """The variant that everybody gets, in the end; None where it depends on who asks.

    Everybody: it is disabled, at 0 or 100 % by the last step of its schedule, or INSTANT, and no
    rule gives another variant.
    """
    if spec["status"] == "DISABLED":
        return str(spec["default"])
    rest = split(_finished(spec))
    if not isinstance(rest, str):
        return None
    named = {str(one["variant"]) for one in spec.get("targeting") or ()}
    rollout = spec.get("rollout") if spec["status"] != "TESTING" else None
    if rollout and rollout["strategy"] == "CANARY":
        named.add(shares.served(spec))
    return rest if named <= {rest} else None


def is_switch(spec: Spec) -> bool:
    """Whether it waits for the next switch between two complete variants, for as long as it takes.

    One whose `staleAfter` is written is not meant to wait for longer.
    """
    rollout = spec.get("rollout") or {}
    waits = spec["status"] in {"ENABLED", "ROLLOUT"} and not spec.get("staleAfter")
    return bool(waits and rollout.get("strategy") == "BLUE_GREEN")


def patience(spec: Spec) -> timedelta:
    """How long a flag may give everybody the same."""
    return timedelta(seconds=seconds(spec.get("staleAfter") or STALE_AFTER))


def settled_since(spec: Spec, past: Sequence[Past], now: datetime) -> datetime | None:
    """Since when everybody gets the value that they get now; None where it is not so.

    `past` is what git knows, the latest first; with it ends what can be told. What is not committed
    holds since nobody knows when, so it is not so either.
    """
    value = _value(spec)
    if value is None:
        return None
    found, until = None, now
    for index, one in enumerate(past):
        if one.spec is None or _value(one.spec) != value:
            break
        reached = _reached(past, index)
        if reached > until:  # the schedule was changed before its end
            break
        found = max(one.since, reached)
        if found > one.since:
            break
        until = one.since
    return found


def _reached(past: Sequence[Past], index: int) -> datetime:
    """When a version's schedule came to its end; at once without one."""
    steps = _steps(past[index].spec)
    since = past[index].since
    if not steps:
        return since
    for earlier in past[index + 1 :]:  # the steps are counted from when they were written
        if _steps(earlier.spec) != steps:
            break
        since = earlier.since
    return since + timedelta(seconds=seconds(steps[-1]["after"]))


def _steps(spec: Spec | None) -> list[dict[str, Any]]:
    if spec is None or spec["status"] in {"DISABLED", "TESTING"}:
        return []
    return (spec.get("rollout") or {}).get("steps") or []


def _finished(spec: Spec) -> Spec:
    """The flag at the end of its schedule."""
    steps = _steps(spec)
    if not steps:
        return spec
    share = steps[-1]["percentage"]
    return {**spec, "rollout": {**spec["rollout"], "steps": [], "percentage": share}}


def _value(spec: Spec) -> str | None:
    variant = sole(spec)
    return None if variant is None else canonical(spec["variants"][variant])
