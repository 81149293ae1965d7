"""What a blast radius counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.radius import Grade

if TYPE_CHECKING:
    from tests.reconcile.conftest import World

DB = {"spec": {"type": "DATABASE"}}


def measured(world: World) -> dict[str, int]:
    return {one.measure: one.count for one in world.plan().radius.measured}


def applied(world: World, helpers: Any, items: dict[str, Any]) -> None:
    world.declare(items)
    world.put(items)
    world.record([helpers.entry_of(address, item) for address, item in items.items()])


def test_nothing_to_do_looks_at_nothing(world: World, helpers: Any) -> None:
    applied(world, helpers, {"acme:Config/a": {"spec": {"a": 1}}})
    plan = world.plan()
    assert plan.radius.grade is Grade.NONE
    assert world.desired.asked == []


def test_registries_of_a_level_are_counted_with_those_above(world: World) -> None:
    world.declare(
        {
            "acme/shop/web/prod/t1:Config/a": {},
            "acme/shop/web/prod/t2:Config/a": {},
            "acme/shop/web/dev:Config/a": {},
            "acme/shop:Config/a": {},
        }
    )
    assert measured(world) == {"changes": 4, "environments": 2, "tenants": 2}


def test_dependents_are_counted_through_edges_and_once(world: World, helpers: Any) -> None:
    items: dict[str, Any] = {
        "acme:Component/db": {**DB, "digest": "1"},
        "acme/a/b/dev:Service/api": {"dependsOn": ["acme:Component/db"]},
        "acme/a/b/prod:Service/api": {"dependsOn": ["acme:Component/db"]},
        "acme/a/b/prod:Route/web": {
            "dependsOn": ["acme/a/b/prod:Service/api", "acme:Component/db"]
        },
        "acme:Config/alone": {},
    }
    applied(world, helpers, items)
    world.declare({**items, "acme:Component/db": {"spec": {"type": "DATABASE", "x": 1}}})
    assert measured(world) == {
        "changes": 1,
        "stateful": 1,
        "environments": 2,
        "dependents": 3,
    }
    assert world.plan().radius.text == "medium (1 keeps data, 2 environments)"


def test_what_the_ledger_protects_counts_though_the_declaration_no_longer_does(
    world: World, helpers: Any
) -> None:
    items: dict[str, Any] = {"acme:Config/a": {"spec": {"a": 1}, "lifecycle": {"protect": True}}}
    applied(world, helpers, items)
    world.declare({"acme:Config/a": {"spec": {"a": 2}}})
    assert measured(world) == {"changes": 1, "protected": 1}


def test_the_level_of_a_registry_that_goes_is_in_the_plan_itself(
    world: World, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    items: dict[str, Any] = {
        "gone:Registry/gone": {"spec": {"level": "TENANT"}},
        "gone:Component/db": DB,
    }
    applied(world, helpers, items)
    world.declare({})
    monkeypatch.setattr(world.desired, "level", lambda _: None)
    found = measured(world)
    assert found["tenants"] == 1
    assert (found["deletes"], found["dataLoss"], found["stateful"]) == (2, 1, 1)
    assert world.plan().radius.grade is Grade.CRITICAL


def test_changes_of_the_ledger_alone_touch_nothing(world: World, helpers: Any) -> None:
    items: dict[str, Any] = {"acme:Config/a": {"spec": {"a": 1}}}
    applied(world, helpers, items)
    world.declare({})
    world.local.things.clear()
    plan = world.plan()
    assert [change.action.value for change in plan.changes] == ["forget"]
    assert plan.radius.grade is Grade.NONE
