"""Where an apply fails half way, what it changed goes back to what was applied before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import Diagnostic
from hrctl.drivers.api import Outcome, Result
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Plan
from hrctl.reconcile.events import Report, RunStarted
from hrctl.reconcile.options import PlanOptions, PlanSource
from hrctl.reconcile.restore import Before, before, plan_back

if TYPE_CHECKING:
    from tests.reconcile.conftest import World

A, B, C = (Address(f"acme/shop:Config/{name}") for name in "abc")
FREE = PlanOptions(allow_deletes=10**6, allow_updates=10**6, cascade=True)


def config(value: Any, **fields: Any) -> dict[str, Any]:
    return {
        "spec": {"scope": "GLOBAL", "entries": {"A": {"type": "INTEGER", "value": value}}},
        **fields,
    }


def refuses(change: Change) -> Outcome:
    return Outcome(change.address, Result.FAILED, error=Diagnostic("HR083", "refused"))


def bodies(world: World) -> dict[Address, Any]:
    return {address: one.body for address, one in world.local.things.items()}


def run(world: World, options: PlanOptions = FREE) -> tuple[Plan, Report, Before]:
    """Apply what is declared, with a note of what was applied before."""
    noted: list[Before] = []
    planned = world.plan(options)

    def watch(event: Any) -> None:
        if isinstance(event, RunStarted):
            noted.append(before(planned, world.ledger))

    report = world.apply(planned, on_event=watch)
    return planned, report, noted[0]


def back(world: World, planned: Plan, report: Report, noted: Before) -> Plan | None:
    return plan_back(
        noted, planned, report, world.ledger, world.drivers, run="back", source=PlanSource("acme")
    )


def test_created_updated_and_deleted_go_back_in_the_order_of_dependencies(world: World) -> None:
    world.declare({A: config(1), B: config(1, dependsOn=[A]), C: config(1)})
    world.apply()
    was = bodies(world)
    new = Address("acme/shop:Config/new")
    last = Address("acme/shop:Config/z")
    world.declare({A: config(2), new: config(1, dependsOn=[A]), last: config(1, dependsOn=[new])})
    world.local.faults[last] = refuses
    planned, report, noted = run(world)
    assert report.status == "partial"
    assert {B, C}.isdisjoint(world.local.things)
    plan = back(world, planned, report, noted)
    assert plan is not None
    assert {one.address: one.action for one in plan.changes} == {
        A: Action.UPDATE,
        B: Action.CREATE,
        C: Action.CREATE,
        new: Action.DELETE,
    }
    order = [one.address for one in plan.changes]
    assert order.index(A) < order.index(B)
    assert world.apply(plan).status == "done"
    assert bodies(world) == was
    assert set(world.entries()) == {A, B, C}


def test_what_failed_half_way_is_read_again_and_goes_back(world: World) -> None:
    world.declare({A: config(1), B: config(1)})
    world.apply()
    was = bodies(world)
    world.declare({A: config(2), B: config(2)})

    def half(change: Change) -> Outcome:
        world.put({change.address: config(2, version="7")})
        return Outcome(change.address, Result.FAILED, "7", error=Diagnostic("HR083", "then died"))

    world.local.faults[B] = half
    planned, report, noted = run(world)
    del world.local.faults[B]
    plan = back(world, planned, report, noted)
    assert plan is not None
    assert world.apply(plan).status == "done"
    assert bodies(world) == was


def test_protected_and_new_goes_again(world: World) -> None:
    world.declare({A: config(1)})
    world.apply()
    world.declare({A: config(1), B: config(1, lifecycle={"protect": True}), C: config(1)})
    world.local.faults[C] = refuses
    planned, report, noted = run(world)
    plan = back(world, planned, report, noted)
    assert plan is not None
    assert world.apply(plan).status == "done"
    assert set(world.local.things) == {A}


def test_what_was_taken_over_stays(world: World) -> None:
    world.put({B: config(1, owner=None)})
    world.declare({B: config(2), C: config(1)})
    world.local.faults[C] = refuses
    planned, report, noted = run(world, PlanOptions(adopt=True, allow_updates=99))
    plan = back(world, planned, report, noted)
    assert plan is None
    assert B in world.local.things


def test_others_are_left_alone(world: World) -> None:
    """Neither drift elsewhere nor what was not tried is part of the way back."""
    world.declare({A: config(1), B: config(1), C: config(1)})
    world.apply()
    world.declare({A: config(1), B: config(2), C: config(2, dependsOn=[B])})
    world.local.faults[B] = refuses
    planned, report, noted = run(world)
    assert report.counts["not-tried"] == 1
    world.put({A: config(9, version="99")})
    assert back(world, planned, report, noted) is None


def test_secrets_come_back_as_their_references(world: World) -> None:
    def secret(name: str) -> dict[str, Any]:
        return config({"valueFrom": {"env": name}})

    environ = {"ONE": "canary-1", "TWO": "canary-2"}
    world.declare({A: secret("ONE"), B: config(1, dependsOn=[A])})
    world.apply(environ=environ)
    was = bodies(world)
    world.declare({A: secret("TWO"), B: config(2, dependsOn=[A])})
    world.local.faults[B] = refuses
    noted: list[Before] = []
    planned = world.plan(FREE)

    def watch(event: Any) -> None:
        if isinstance(event, RunStarted):
            noted.append(before(planned, world.ledger))

    report = world.apply(planned, on_event=watch, environ=environ)
    plan = back(world, planned, report, noted[0])
    assert plan is not None
    assert "canary" not in repr(plan)
    world.apply(plan, environ=environ)
    assert bodies(world) == was
    assert "canary-1" in repr(world.local.received[-1])


@pytest.mark.parametrize("renames", [True, False])
def test_what_moved_moves_back(world: World, memory_driver: Any, *, renames: bool) -> None:
    world.drivers["local"] = memory_driver({"renames": renames})
    world.declare({A: config(1)})
    world.apply()
    was = bodies(world)
    world.declare({B: config(2, movedFrom=A), C: config(1, dependsOn=[B])})
    world.local.faults[C] = refuses
    planned, report, noted = run(world)
    assert set(world.local.things) == {B}
    plan = back(world, planned, report, noted)
    assert plan is not None
    assert world.apply(plan).status == "done"
    assert bodies(world) == was
