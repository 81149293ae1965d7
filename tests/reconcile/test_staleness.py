from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import SafetyError
from hrctl.model.address import Address
from hrctl.model.plan import Plan
from hrctl.model.planfile import from_json, to_json
from hrctl.reconcile import staleness

if TYPE_CHECKING:
    from tests.reconcile.conftest import World

APP, WEB = "acme/shop:Config/app", "acme/shop:Config/web"


def config(value: Any, **fields: Any) -> dict[str, Any]:
    entries = {"A": {"type": "INTEGER", "value": value}}
    return {"spec": {"scope": "GLOBAL", "entries": entries}, **fields}


@pytest.fixture
def saved(world: World) -> Plan:
    world.declare({APP: config(1), WEB: config(1)})
    world.apply()
    world.declare({APP: config(2), WEB: config(1)})
    return from_json(to_json(world.plan(commit="aaaa", driver_versions={"local": "memory 1"})))


def moved(world: World, plan: Plan, **now: Any) -> list[str]:
    now = {"commit": "aaaa", "tree_digest": world.desired.digest, **now}
    try:
        staleness.check(plan, world.ledger, world.drivers, **now)
    except SafetyError as error:
        found = [f"{one.code} {one.summary}" for one in error.diagnostics]
    else:
        found = []
    start, end = "HR122 ", " since the plan was made"
    return [one.removeprefix(start).removesuffix(end) for one in found]


def test_nothing_moved(world: World, saved: Plan) -> None:
    assert moved(world, saved, driver_versions={"local": "memory 1"}) == []
    assert world.apply(saved).status == "done"


def test_the_commit(world: World, saved: Plan) -> None:
    assert moved(world, saved, commit="bbbb") == ["the commit has moved on from aaaa to bbbb"]


def test_the_working_tree(world: World, saved: Plan) -> None:
    assert moved(world, saved, tree_digest="other") == [
        "what is declared in the working tree has moved on"
    ]


def test_the_ledgers_entry_and_what_is_live(world: World, saved: Plan) -> None:
    world.declare({APP: config(3), WEB: config(1)})
    world.apply()
    before, now = saved.changes[0].expect_version, world.local.things[Address(APP)].version
    assert moved(world, saved, tree_digest=saved.tree_digest) == [
        f"the ledger's entry of {APP} has moved on",
        f"the live version of {APP} has moved on from {before} to {now}",
    ]


def test_the_ledger_elsewhere(world: World, saved: Plan, helpers: Any) -> None:
    world.record([helpers.entry_of("acme/other:Config/x", config(1))])
    (found,) = moved(world, saved)
    assert found.startswith("the ledger's serial has moved on from ")


def test_a_live_version(world: World, saved: Plan) -> None:
    world.put({APP: config(9, version="hand")})
    (found,) = moved(world, saved)
    assert found.startswith(f"the live version of {APP} has moved on from")
    assert found.endswith("to hand")
    del world.local.things[Address(APP)]
    (found,) = moved(world, saved)
    assert found.endswith("to nothing")


def test_a_driver(world: World, saved: Plan) -> None:
    assert moved(world, saved, driver_versions={"local": "memory 2"}) == [
        "driver local has moved on from memory 1 to memory 2"
    ]


def test_a_move_by_rename_is_not_stale(world: World, memory_driver: Any) -> None:
    world.drivers["local"] = memory_driver({"renames": True})
    world.declare({APP: config(1)})
    world.apply()
    world.declare({WEB: config(1, movedFrom=APP)})
    assert moved(world, world.plan(commit="aaaa")) == []
