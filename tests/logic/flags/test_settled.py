"""Whether everybody gets the same, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hrctl.logic.flags.settled import Past, is_switch, patience, settled_since, sole

NOW = datetime(2026, 7, 1, tzinfo=UTC)
RULE = {"attribute": "plan", "operator": "in", "values": ["gold"], "variant": "on"}


def flag(status: str = "ENABLED", **more: Any) -> dict[str, Any]:
    variants = {"on": True, "off": False, "other": True}
    return {"status": status, "variants": variants, "default": "off", "targeting": [], **more}


def rollout(strategy: str, **more: Any) -> dict[str, Any]:
    return flag("ROLLOUT", rollout={"strategy": strategy, "variant": "on", **more})


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


SCHEDULE = [{"percentage": 5, "after": "0s"}, {"percentage": 100, "after": "7d"}]


@pytest.mark.parametrize(
    ("spec", "variant"),
    [
        (flag("DISABLED", targeting=[RULE]), "off"),
        (flag("DISABLED", rollout={"strategy": "GRADUAL", "percentage": 50}), "off"),
        (flag(), "off"),
        (flag(targeting=[RULE]), None),
        (flag(targeting=[{**RULE, "variant": "off"}]), "off"),
        (flag("TESTING", rollout={"strategy": "INSTANT", "variant": "on"}), "off"),
        (flag("TESTING", targeting=[RULE]), None),
        (rollout("INSTANT"), "on"),
        ({**rollout("INSTANT"), "targeting": [RULE]}, "on"),
        (rollout("GRADUAL", percentage=0), "off"),
        (rollout("GRADUAL", percentage=0.001), None),
        (rollout("GRADUAL", percentage=99.999), None),
        (rollout("GRADUAL", percentage=100), "on"),
        (rollout("GRADUAL", steps=SCHEDULE), "on"),
        (rollout("GRADUAL", steps=SCHEDULE[:1]), None),
        (rollout("CANARY", groups={"staff": [RULE]}, percentage=100), "on"),
        (rollout("CANARY", groups={"staff": [RULE]}, percentage=0), None),
        (rollout("BLUE_GREEN", live="other"), "other"),
        (rollout("AB_TEST", weights={"on": 50, "off": 50}), None),
        (rollout("AB_TEST", weights={"on": 0, "off": 100}), "off"),
    ],
)
def test_what_everybody_gets(spec: dict[str, Any], variant: str | None) -> None:
    assert sole(spec) == variant


def test_since_the_first_version_of_an_unbroken_row() -> None:
    half = rollout("GRADUAL", percentage=50)
    past = [
        Past(ago(10), flag("DISABLED")),
        Past(ago(20), rollout("GRADUAL", percentage=0)),
        Past(ago(30), half),
        Past(ago(40), flag("DISABLED")),
    ]
    assert settled_since(flag(), past, NOW) == ago(20)
    assert settled_since(half, past, NOW) is None


def test_it_is_the_value_that_counts() -> None:
    switched = Past(ago(9), rollout("BLUE_GREEN", live="other"))
    past = [switched, Past(ago(50), rollout("INSTANT"))]
    assert settled_since(rollout("BLUE_GREEN", live="other"), past, NOW) == ago(50)
    renamed = {**flag("DISABLED"), "default": "no", "variants": {"no": True}}
    assert settled_since(renamed, [Past(ago(9), flag("DISABLED"))], NOW) is None


def test_what_is_not_committed_holds_since_nobody_knows_when() -> None:
    past = [Past(ago(90), rollout("GRADUAL", percentage=50))]
    assert settled_since(rollout("GRADUAL", percentage=100), past, NOW) is None
    assert settled_since(flag(), [], NOW) is None


def test_a_flag_that_is_new_or_came_back() -> None:
    past = [Past(ago(5), flag()), Past(ago(6), None), Past(ago(90), flag())]
    assert settled_since(flag(), past, NOW) == ago(5)


def test_a_schedule_counts_from_its_end() -> None:
    spec = rollout("GRADUAL", steps=SCHEDULE)
    assert settled_since(spec, [Past(ago(40), spec)], NOW) == ago(33)
    assert settled_since(spec, [Past(ago(6), spec)], NOW) is None
    owned = {**spec, "owner": "shop"}  # another commit, the same steps
    assert settled_since(owned, [Past(ago(1), owned), Past(ago(40), spec)], NOW) == ago(33)


def test_a_schedule_that_was_cut_short_never_came_to_its_end() -> None:
    steps = rollout("GRADUAL", steps=SCHEDULE)
    full = rollout("GRADUAL", percentage=100)
    assert settled_since(full, [Past(ago(36), full), Past(ago(40), steps)], NOW) == ago(36)
    assert settled_since(full, [Past(ago(30), full), Past(ago(40), steps)], NOW) == ago(33)
    assert settled_since(steps, [Past(ago(20), steps), Past(ago(90), full)], NOW) == ago(13)


def test_a_switch_waits_unless_it_says_how_long() -> None:
    spec = rollout("BLUE_GREEN", live="on")
    assert is_switch(spec)
    assert not is_switch({**spec, "staleAfter": "90d"})
    assert not is_switch({**spec, "status": "DISABLED"})
    assert not is_switch(rollout("INSTANT"))


def test_how_long_it_may_stand() -> None:
    assert patience(flag()) == timedelta(days=30)
    assert patience(flag(staleAfter="36h")) == timedelta(hours=36)
