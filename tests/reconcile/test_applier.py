"""What an apply does, in which order, and what becomes of it where a part fails."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import Diagnostic, HrctlError, SafetyError
from hrctl.drivers.api import Capabilities, Outcome, Ownership, Result
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.reconcile.events import ChangeFinished, Event
from hrctl.reconcile.options import PlanOptions
from tests.reconcile.chains import APP, DB, FREE, WEB, chain, config, fails, raises, results

if TYPE_CHECKING:
    from tests.reconcile.conftest import MemoryDriver, World


def test_what_was_applied_is_no_change_after_it(world: World) -> None:
    world.declare(chain())
    report = world.apply()
    assert (report.status, report.exit_code, report.counts) == ("done", 0, {"done": 4})
    assert [at for at, *_ in world.local.received].index(WEB) > 2
    assert world.plan().changes == ()
    entry = world.entries()[APP]
    assert (entry.version, entry.depends_on, entry.run) == (
        world.local.things[APP].version,
        (DB,),
        "run-1",
    )
    (run,) = world.ledger.runs()
    assert (run.status, run.counts, run.who) == ("done", {"done": 4}, "kim@desk")
    assert world.ledger.leases() == []
    assert world.ledger.intents() == []

    world.declare({})
    assert world.apply(world.plan(FREE)).status == "done"
    order = [at for at, action, _ in world.local.received if action is Action.DELETE]
    assert order.index(WEB) < order.index(APP) < order.index(DB)
    assert world.local.things == {}
    assert world.entries() == {}


def test_a_failure_stops_only_what_depends_on_it(world: World) -> None:
    world.declare(chain())
    world.local.faults[APP] = fails()
    report = world.apply()
    assert results(report) == {"db": "done", "apart": "done", "app": "failed", "web": "not-tried"}
    assert (report.status, report.exit_code) == ("partial", 6)
    (untried,) = report.of("not-tried")
    assert untried.because == APP
    ended = [one.result for one in world.events if isinstance(one, ChangeFinished)]
    assert ended.count(untried) == 1, "told as an event, too"
    assert len(ended) == len(report.results)
    records = {one.address: one for one in world.ledger.run_changes("run-1")}
    assert (records[APP].result, records[WEB].error) == ("failed", f"{APP} failed")
    assert world.entries().keys() == {DB, Address("acme/shop:Config/apart")}
    assert world.ledger.intents() == []
    world.local.faults.clear()
    assert world.apply().status == "done"
    assert world.plan().changes == ()


def test_nothing_done_is_a_failure(world: World) -> None:
    world.declare({APP: config(1)})
    world.local.faults[APP] = fails()
    report = world.apply()
    assert (report.status, report.exit_code) == ("failed", 1)


def test_a_create_that_failed_half_way_is_ours_and_is_tried_again(
    world: World, memory_driver: type[MemoryDriver]
) -> None:
    world.drivers["local"] = memory_driver({"ownership": Ownership.LEDGER})

    def half(change: Change) -> Outcome:
        world.put({APP: config(7, version="5", owner=None)})
        return fails("5")(change)  # type: ignore[no-any-return]

    world.declare({APP: config(1)})
    world.local.faults[APP] = half
    assert world.apply().status == "failed"
    assert world.entries()[APP].digest == ""
    world.local.faults.clear()
    (change,) = world.plan().changes
    assert change.action is Action.UPDATE
    assert world.apply().status == "done"


def test_a_stale_change_is_not_made(world: World) -> None:
    world.declare({APP: config(1)})
    plan = world.plan()
    world.put({APP: config(5)})
    report = world.apply(plan)
    assert results(report) == {"app": "stale"}
    assert world.entries() == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [(HrctlError.of("HR080", "gone away"), "HR080"), (KeyError("oops"), "HR087")],
)
def test_a_driver_that_breaks_leaves_intents(world: World, error: Exception, code: str) -> None:
    world.declare({APP: config(1), WEB: config(1), DB: config(1)})
    world.local.faults[DB] = raises(error)
    report = world.apply()
    failed = report.of("failed")
    assert {one.error.code for one in failed if one.error} == {code}
    assert {intent.address for intent in world.ledger.intents()} == {one.address for one in failed}
    world.local.faults.clear()
    report = world.apply()
    assert report.status == "done"
    assert world.ledger.intents() == []


def test_an_outcome_left_out_is_the_drivers_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({APP: config(1), WEB: config(1)})
    real = world.local.apply
    monkeypatch.setattr(world.local, "apply", lambda batch, secrets: real(batch[:1], secrets))
    report = world.apply()
    (failed,) = report.of("failed")
    assert failed.error is not None
    assert failed.error.code == "HR087"
    assert [intent.address for intent in world.ledger.intents()] == [failed.address]


def test_a_plan_with_errors_is_refused(world: World) -> None:
    world.put({APP: config(1, owner="other")})
    world.declare({APP: config(1), WEB: config(1)})
    with pytest.raises(SafetyError) as raised:
        world.apply()
    assert [one.code for one in raised.value.diagnostics] == ["HR127"]
    assert world.local.received == []
    assert world.ledger.runs() == []


def test_an_offline_plan_is_refused(world: World) -> None:
    world.declare({APP: config(1)})
    with pytest.raises(SafetyError) as raised:
        world.apply(world.plan(PlanOptions(offline=True)))
    assert raised.value.diagnostics[0].code == "HR132"


def test_a_plan_whose_entries_moved_is_refused(world: World) -> None:
    world.declare({APP: config(1)})
    world.apply()
    world.declare({APP: config(2)})
    plan = world.plan()
    world.declare({APP: config(3)})
    world.apply()
    with pytest.raises(SafetyError) as raised:
        world.apply(plan)
    assert [one.code for one in raised.value.diagnostics] == ["HR122"]
    assert APP in str(raised.value)


def test_a_missing_variable_is_told_before_anything_changes(world: World) -> None:
    secret = {"valueFrom": {"env": "TOKEN"}}
    world.declare({APP: config(secret), WEB: config(1), DB: config({"valueFrom": {"age": "x"}})})
    with pytest.raises(HrctlError) as raised:
        world.apply()
    assert [one.code for one in raised.value.diagnostics] == ["HR086", "HR086"]
    assert "TOKEN" in str(raised.value)
    assert world.local.received == []
    assert world.ledger.runs() == []

    report = world.apply(environ={"TOKEN": "s3cret-token"}, decrypt=lambda source: source["age"])
    assert report.status == "done"
    revealed = {at: body for at, _, body in world.local.received}
    assert revealed[APP] == {
        "metadata": {"labels": {}, "annotations": {}},
        "spec": {"scope": "GLOBAL", "entries": {"A": {"type": "INTEGER", "value": "s3cret-token"}}},
    }
    assert world.entries()[APP].body["spec"]["entries"]["A"]["value"] == secret
    assert "s3cret-token" not in repr(world.events)


def test_a_secret_in_a_drivers_error_is_taken_out(world: World) -> None:
    def leak(change: Change) -> Outcome:
        error = Diagnostic("HR083", "no login with s3cret-token", hint="s3cret-token is wrong")
        return Outcome(change.address, Result.FAILED, error=error)

    world.declare({APP: config({"valueFrom": {"env": "TOKEN"}})})
    world.local.faults[APP] = leak
    report = world.apply(environ={"TOKEN": "s3cret-token"})
    (failed,) = report.of("failed")
    assert failed.error is not None
    assert failed.error.summary == "no login with (sensitive)"
    assert failed.error.hint == "(sensitive) is wrong"


def test_an_output_of_this_run_reaches_what_refers_to_it(world: World) -> None:
    reference = {"valueFrom": {"component": "acme/shop:Component/db", "output": "socket"}}
    component = {"spec": {"type": "DATABASE", "provider": "postgresql", "enabled": True}}
    declared = {APP: config(reference), "acme/shop:Component/db": component}
    world.declare(declared)
    world.local.outputs = lambda change: (
        {"socket": "/run/1"} if change.address.kind == "Component" else {}
    )
    assert world.apply().status == "done"
    assert world.entries()[APP].body["spec"]["entries"]["A"]["value"] == "/run/1"
    assert world.plan().changes == ()

    # A replace may give another output: the user is taken up, and left alone where it did not.
    world.declare(
        {
            **declared,
            "acme/shop:Component/db": {
                "spec": {**component["spec"], "type": "CACHE", "provider": "redis"}
            },
        }
    )
    plan = world.plan(FREE)
    assert [(c.address, c.action, c.unknown) for c in plan.changes][1] == (
        APP,
        Action.UPDATE,
        ("/spec/entries/A/value",),
    )
    before = len(world.local.received)
    assert world.apply(plan).status == "done"
    assert [at for at, *_ in world.local.received[before:]] == ["acme/shop:Component/db"]
    assert world.plan().changes == ()


def test_an_output_that_never_comes_is_a_failure_of_who_refers_to_it(world: World) -> None:
    reference = {"valueFrom": {"component": "acme/shop:Component/db", "output": "socket"}}
    component = {"spec": {"type": "DATABASE", "provider": "postgresql", "enabled": True}}
    world.declare({APP: config(reference), "acme/shop:Component/db": component})
    report = world.apply()
    assert results(report) == {"db": "done", "app": "failed"}
    (failed,) = report.of("failed")
    assert failed.error is not None
    assert failed.error.code == "HR086"


def test_adopting_marks_the_thing(world: World) -> None:
    world.declare({APP: config(1)})
    world.put({APP: config(1, owner=None)})
    report = world.apply(world.plan(PlanOptions(adopt=True)))
    assert results(report) == {"app": "done"}
    assert world.local.things[APP].owner == "acme"
    assert world.plan().changes == ()


def test_adopting_without_marks_touches_only_the_ledger(
    world: World, memory_driver: type[MemoryDriver]
) -> None:
    world.drivers["local"] = memory_driver({"ownership": Ownership.LEDGER})
    world.declare({APP: config(1)})
    world.put({APP: config(1, owner=None)})
    world.apply(world.plan(PlanOptions(adopt=True)))
    assert world.local.received == []
    assert world.plan().changes == ()


def test_drift_that_is_kept_is_seen_again(world: World) -> None:
    world.declare({APP: config(1)})
    world.apply()
    there = world.local.things[APP]
    world.local.things[APP] = replace(
        there, version="7", body={**there.body, "metadata": {"labels": {"by": "hand"}}}
    )
    world.declare({APP: config(2, labels={"by": "us"})})
    world.apply(world.plan(FREE))
    thing = world.local.things[APP]
    body = {**thing.body, "metadata": {"labels": {"by": "hand again"}}}
    world.local.things[APP] = replace(thing, version="8", body=body)
    world.declare({APP: config(3, labels={"by": "us"})})
    plan = world.plan(PlanOptions(keep_drift=True, allow_updates=1))
    assert [one.path for one in plan.changes[0].fields] == ["/spec/entries/A/value"]
    assert [one.path for one in plan.kept[0].fields] == ["/metadata/labels/by"]
    world.apply(plan)
    assert world.local.things[APP].body["metadata"]["labels"] == {"by": "hand again"}
    (change,) = world.plan().changes
    assert [(one.path, one.reason) for one in change.fields] == [("/metadata/labels/by", "drifted")]


@pytest.mark.parametrize("renames", [True, False])
def test_a_move_loses_nothing(
    world: World, memory_driver: type[MemoryDriver], *, renames: bool
) -> None:
    world.drivers["local"] = memory_driver({"renames": renames})
    world.declare({APP: config(1), WEB: config(1, dependsOn=[APP])})
    world.apply()
    new = Address("acme/shop:Config/settings")
    world.declare({new: config(1, movedFrom=APP), WEB: config(1, dependsOn=[new], digest="x")})
    report = world.apply(world.plan(FREE))
    assert report.status == "done"
    assert world.entries().keys() == world.local.things.keys() == {new, WEB}
    assert world.plan().changes == ()
    assert world.ledger.intents() == []


@pytest.mark.parametrize("create_first", [True, False])
def test_a_resource_goes_from_one_driver_to_another(
    world: World, memory_driver: type[MemoryDriver], *, create_first: bool
) -> None:
    world.drivers["other"] = memory_driver({})
    life = {"lifecycle": {"createFirst": create_first}}
    world.declare({APP: config(1, **life), WEB: config(1, dependsOn=[APP])})
    world.apply()
    world.declare({APP: config(1, driver="other", **life), WEB: config(1, dependsOn=[APP])})
    seen: list[str] = []
    for name, driver in world.drivers.items():
        driver.wait = lambda change, name=name: seen.append(f"{change.action} {name}")  # type: ignore[misc]
    assert world.apply(world.plan(FREE)).status == "done"
    steps = ["delete local", "create other"]
    assert seen == (steps[::-1] if create_first else steps)
    assert APP not in world.local.things
    assert world.entries()[APP].driver == "other"
    assert world.plan().changes == ()


def test_batches_and_parallel_calls(world: World, memory_driver: type[MemoryDriver]) -> None:
    world.drivers["local"] = memory_driver({"max_batch": 5, "max_parallel": 4})
    world.declare({f"acme/shop:Config/c{i}": config(1) for i in range(20)})
    world.local.wait = lambda _: time.sleep(0.01)
    world.apply(parallelism=3)
    assert world.local.most_at_once == 3
    assert max(map(len, world.local.batches)) == 5

    world.drivers["local"] = memory_driver({"max_batch": 1, "max_parallel": 2})
    world.local.wait = lambda _: time.sleep(0.01)
    world.declare({f"acme/shop:Config/d{i}": config(1) for i in range(6)})
    world.apply(world.plan(FREE))
    assert world.local.most_at_once == 2


def test_an_outcome_is_settled_while_others_still_run(
    world: World, memory_driver: type[MemoryDriver]
) -> None:
    world.drivers["local"] = memory_driver({"max_batch": 2})
    world.declare({APP: config(1), DB: config(1)})
    seen: dict[str, float] = {}
    world.local.wait = lambda change: time.sleep(0.6 if change.address == DB else 0.0)

    def on_event(event: Event) -> None:
        if isinstance(event, ChangeFinished):
            seen[event.change.address] = time.monotonic()

    world.apply(on_event=on_event)
    assert seen[DB] - seen[APP] > 0.3


def test_a_thousand_creates_need_a_handful_of_transactions(
    world: World, memory_driver: type[MemoryDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.drivers["local"] = memory_driver({"max_batch": 1000})
    world.declare({f"acme/shop:Config/c{i}": config(1) for i in range(1000)})
    plan = world.plan()
    calls: list[str] = []
    for name in ("intend", "settle", "begin", "finish"):
        real = getattr(world.ledger, name)

        def counted(*args: Any, real: Any = real, name: str = name) -> None:
            calls.append(name)
            real(*args)

        monkeypatch.setattr(world.ledger, name, counted)
    assert world.apply(plan).status == "done"
    assert calls.count("intend") == 1
    assert len(calls) < 12


def test_capabilities_are_those_of_the_protocol(memory_driver: type[MemoryDriver]) -> None:
    assert isinstance(memory_driver({}).capabilities, Capabilities)
