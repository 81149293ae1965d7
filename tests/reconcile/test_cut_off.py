"""Runs that are cut off or interrupted, and those that wait for each other."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import LockedError
from hrctl.ledger.api import Intent
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.reconcile import applier
from hrctl.reconcile.events import ChangeFinished, ChangeStarted, Event, PendingSettled, RunStarted
from tests.reconcile.chains import APP, DB, FREE, WEB, chain, config, results

if TYPE_CHECKING:
    from tests.reconcile.conftest import World


def test_a_run_that_was_cut_off_is_settled_by_what_is_live(world: World, helpers: Any) -> None:
    done, undone = config(2), config(1)
    world.declare({APP: done, WEB: config(2)})
    world.record([helpers.entry_of(APP, undone), helpers.entry_of(WEB, undone)])
    world.put({APP: {**done, "version": "2"}, WEB: undone})
    meant = {at: helpers.entry_of(at, {**done, "version": None}) for at in (APP, WEB)}
    world.intend(*(Intent(at, Action.UPDATE, "local", "gone", meant[at]) for at in meant))

    plan = world.plan()
    assert {c.address: c.action for c in plan.changes} == {APP: Action.NOOP, WEB: Action.UPDATE}
    report = world.apply(plan)
    assert report.status == "done"
    assert report.counts == {"noted": 1, "done": 1}, "what no plan shows is no change"
    assert PendingSettled((APP, WEB)) in world.events
    assert [at for at, *_ in world.local.received] == [WEB]
    assert world.plan().changes == ()


def test_a_delete_that_was_cut_off(world: World, helpers: Any) -> None:
    world.record([helpers.entry_of(APP, config(1)), helpers.entry_of(WEB, config(1))])
    world.put({WEB: config(1)})
    world.intend(*(Intent(at, Action.DELETE, "local", "gone", None) for at in (APP, WEB)))
    assert [c.address for c in world.plan(FREE).changes] == [WEB]
    assert world.apply(world.plan(FREE)).status == "done"
    assert world.entries() == {}
    assert world.ledger.intents() == []


def test_what_a_cut_off_run_wrote_is_no_conflict_with_a_further_edit(
    world: World, helpers: Any
) -> None:
    """The run got as far as one of two fields, and then somebody edited both once more."""

    def of(level: str, size: int) -> Any:
        entries = {"LEVEL": {"type": "STRING", "value": level}}
        return {"metadata": {}, "spec": {"entries": {**entries, "SIZE": number(size)}}}

    def number(value: int) -> Any:
        return {"type": "INTEGER", "value": value}

    world.declare({APP: of("c", 3)})
    world.record([helpers.entry_of(APP, of("a", 1))])
    world.put({APP: {**of("b", 1), "version": "2"}})
    meant = helpers.entry_of(APP, {**of("b", 2), "version": None})
    world.intend(Intent(APP, Action.UPDATE, "local", "gone", meant))
    plan = world.plan()
    assert not plan.diagnostics
    (change,) = plan.changes
    assert {field.reason for field in change.fields} == {"edited"}
    assert world.apply(plan).status == "done"
    assert world.plan().changes == ()


def test_a_create_between_the_two_is_left_to_the_planner(world: World, helpers: Any) -> None:
    world.declare({APP: config(2)})
    world.put({APP: config(7, version="5")})
    entry = helpers.entry_of(APP, {**config(2), "version": None})
    world.intend(Intent(APP, Action.CREATE, "local", "gone", entry))
    (change,) = world.plan().changes
    assert (change.action, change.reason) == (Action.UPDATE, "drifted")
    assert world.apply().status == "done"


def test_stop_lets_what_runs_finish(world: World) -> None:
    stop = threading.Event()
    world.declare(chain())

    def wait(change: Change) -> None:
        if change.address == DB:
            stop.set()

    world.local.wait = wait
    report = world.apply(stop=stop)
    assert results(report)["db"] == "done"
    assert results(report)["app"] == results(report)["web"] == "not-tried"
    told = {one.change.address for one in world.events if isinstance(one, ChangeFinished)}
    assert told == {one.address for one in report.results}, "those that were not tried, too"
    assert (report.status, report.exit_code) == ("interrupted", 6)
    assert world.ledger.runs()[0].status == "interrupted"
    assert world.ledger.intents() == []


def test_a_second_interrupt_leaves_at_once_with_its_intents(world: World) -> None:
    world.declare({APP: config(1)})
    let_go, inside = threading.Event(), threading.Event()

    def wait(_: Change) -> None:
        inside.set()
        let_go.wait(5)

    def on_event(event: Event) -> None:
        if isinstance(event, ChangeStarted):
            raise KeyboardInterrupt

    world.local.wait = wait
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        world.apply(on_event=on_event)
    assert time.monotonic() - started < 2
    assert [intent.address for intent in world.ledger.intents()] == [APP]
    assert world.ledger.runs()[0].status == "interrupted"
    let_go.set()
    for lease in world.ledger.leases():
        world.ledger.break_lease(lease.subtree)
    world.local.wait = lambda _: None
    assert world.apply().status == "done"
    assert world.plan().changes == ()


def test_another_run_below_the_same_registry_waits(world: World) -> None:
    world.declare(chain())
    lease = world.ledger.acquire("acme/shop/prod", run="other", seconds=60)
    with pytest.raises(LockedError):
        world.apply()
    world.ledger.release(lease)
    assert world.local.received == []


def test_the_lease_is_on_the_nearest_common_registry() -> None:
    def at(*paths: str) -> list[Change]:
        return [
            Change(Address.of(path, "Config", "a"), Action.CREATE, "new", "local")  # type: ignore[arg-type]
            for path in paths
        ]

    assert applier.common_registry(at("acme/shop/prod", "acme/shop/prod")) == "acme/shop/prod"
    assert applier.common_registry(at("acme/shop/prod", "acme/shop/dev")) == "acme/shop"
    assert applier.common_registry(at("acme/shop", "acme/shop/dev")) == "acme/shop"
    assert applier.common_registry(at("acme/shopping", "acme/shop")) == "acme"
    assert applier.common_registry(at("acme", "other")) == ""


def test_a_lost_lease_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applier, "LEASE_SECONDS", 0.3)
    world.declare(chain())

    def wait(change: Change) -> None:
        if change.address == DB:
            time.sleep(0.5)

    def on_event(event: Event) -> None:
        if isinstance(event, RunStarted):
            world.ledger.break_lease("acme/shop")
            world.ledger.acquire("acme/shop", run="thief", seconds=60)

    world.local.wait = wait
    with pytest.raises(LockedError):
        world.apply(on_event=on_event)
    assert world.entries() == {}


def test_the_heartbeat_keeps_the_lease(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applier, "LEASE_SECONDS", 0.3)
    world.declare({APP: config(1)})
    world.local.wait = lambda _: time.sleep(0.8)
    assert world.apply().status == "done"
