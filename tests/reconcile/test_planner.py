from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import HrctlError, Span
from hrctl.drivers.api import Driver, Stamp
from hrctl.ledger.api import AppliedStamp, Intent, Ledger
from hrctl.model.address import Address, Selector
from hrctl.model.plan import Action, Change
from hrctl.model.resource import Row
from hrctl.reconcile.options import PlanOptions, PlanSource
from hrctl.reconcile.planner import plan

if TYPE_CHECKING:
    from tests.reconcile.conftest import MemoryDriver, World

FREE = PlanOptions(allow_deletes=10**6, allow_updates=10**6)


def config(value: Any, **fields: Any) -> dict[str, Any]:
    entries = {f"K{i}": {"type": "INTEGER", "value": value} for i in range(5)}
    return {"spec": {"scope": "GLOBAL", "entries": entries}, **fields}


def many(count: int, value: Any = 1) -> dict[str, dict[str, Any]]:
    return {f"acme/r{i % 20}:Config/c{i}": config(value) for i in range(count)}


def test_only_what_differs_is_read(world: World) -> None:
    world.declare(many(50))
    world.apply()
    world.local.reads.clear()
    world.desired.asked.clear()
    assert world.plan().changes == ()
    assert world.local.reads == []
    assert world.desired.asked == []
    world.declare({**many(50), "acme/r3:Config/c3": config(2)})
    (change,) = world.plan().changes
    assert world.local.reads == [(change.address,)]
    assert set(world.desired.asked) == {change.address}


def test_drivers_are_scanned_side_by_side(
    world: World, memory_driver: type[MemoryDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> Iterator[Stamp]:
        time.sleep(0.2)
        return iter(())

    for name in ("one", "two", "three"):
        world.drivers[name] = memory_driver({})
        monkeypatch.setattr(world.drivers[name], "scan", slow)
    started = time.monotonic()
    world.plan()
    assert time.monotonic() - started < 0.5


def test_a_driver_that_does_not_answer_leaves_the_rest(
    world: World, memory_driver: type[MemoryDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> Iterator[Stamp]:
        raise HrctlError.of("HR080", "cannot be reached")

    world.drivers["other"] = memory_driver({})
    monkeypatch.setattr(world.drivers["other"], "scan", down)
    world.declare({"acme:Config/a": config(1), "acme:Config/b": config(1, driver="other")})
    found = world.plan()
    assert [change.address for change in found.changes] == ["acme:Config/a"]
    assert [one.code for one in found.diagnostics] == ["HR080"]
    assert not found.complete


def test_a_ring_of_waiting_changes_is_named(world: World) -> None:
    a, b = Address("acme:Config/a"), Address("acme:Config/b")
    world.declare({a: config(1, dependsOn=[b]), b: config(1, dependsOn=[a])})
    with pytest.raises(HrctlError) as raised:
        world.plan()
    (found,) = raised.value.diagnostics
    assert found.code == "HR046"
    assert f"{a} -> {b} -> {a}" in found.summary or f"{b} -> {a} -> {b}" in found.summary


def test_a_pending_intent_is_settled_on_paper_only(world: World, helpers: Any) -> None:
    at = "acme:Config/a"
    world.declare({at: config(2)})
    world.record([helpers.entry_of(at, config(1))])
    world.put({at: config(2, version="2")})
    entry = helpers.entry_of(at, config(2, version=None))
    world.intend(Intent(Address(at), Action.UPDATE, "local", "gone", entry))
    serial = world.ledger.serial()
    (change,) = world.plan().changes
    assert change.action is Action.NOOP
    assert world.ledger.serial() == serial
    assert len(world.ledger.intents()) == 1


def test_a_secret_that_is_passed_on_reaches_the_last_one(world: World) -> None:
    """Config -> password of a Component -> its URL in a Service: one ciphertext moves all three."""

    def declared(cipher: str) -> dict[str, dict[str, Any]]:
        secret = {"type": "SECRET", "value": {"valueFrom": {"age": cipher}}}
        password = {"valueFrom": {"config": "acme:Config/app", "key": "P"}}
        url = {"valueFrom": {"component": "acme:Component/db", "output": "url"}}
        connection = {"endpoint": "db:5432", "username": "shop", "password": password}
        return {
            "acme:Config/app": {"spec": {"scope": "GLOBAL", "entries": {"P": secret}}},
            "acme:Component/db": {
                "spec": {"type": "DATABASE", "provider": "postgresql", "connection": connection},
                "sensitive": ["/spec/connection/password"],
                "digest": "same",
            },
            "acme:Service/api": {
                "spec": {"type": "API", "env": {"URL": url}},
                "sensitive": ["/spec/env/URL"],
                "digest": "same",
            },
        }

    world.declare(declared("one"))
    world.apply(decrypt=lambda source: source["age"])
    url = world.local.received[-1][2]
    assert url is not None
    assert url["spec"]["env"]["URL"] == "postgresql://shop:one@db:5432"
    world.declare(declared("two"))
    found = world.plan()
    assert [(one.address.kind, one.reason) for one in found.changes] == [
        ("Config", "edited"),
        ("Component", "referenced"),
        ("Service", "referenced"),
    ]
    assert all(one.sensitive for change in found.changes for one in change.fields)
    world.apply(found, decrypt=lambda source: source["age"])
    url = world.local.received[-1][2]
    assert url is not None
    assert "two" in url["spec"]["env"]["URL"]
    assert world.plan().changes == ()


def test_values_that_are_written_elsewhere_say_where(world: World) -> None:
    at = Address("acme:Config/a")
    world.declare({at: config(1)})
    world.apply()
    world.declare({at: config(2)})
    there, here = Span("registry.yaml", 12), Span("manifests.yaml", 4)
    world.desired.origins[at, "/spec/entries/K0/value"] = there
    world.desired.origins[at, "/spec/entries/K1/value"] = here
    (change,) = world.plan().changes
    assert [one.origin for one in change.fields] == [there, None, None, None, None]


class Rows:
    """The three narrow sources alone, as a tree, a ledger and a driver give them."""

    digest = "tree"
    moves: Mapping[Address, Address] = {}

    def __init__(self, count: int) -> None:
        self.addresses = [Address(f"acme/d{i % 40}/prod:Config/c{i}") for i in range(count)]
        self.rows = {a: Row("local", f"{i:032x}") for i, a in enumerate(self.addresses)}
        self.applied = [
            AppliedStamp(a, "local", f"{i:032x}", str(i)) for i, a in enumerate(self.addresses)
        ]
        self.live = [Stamp(a, "acme", str(i)) for i, a in enumerate(self.addresses)]

    def stamps(self) -> Iterable[AppliedStamp]:
        return self.applied

    def serial(self) -> int:
        return 1

    def intents(self) -> Sequence[Intent]:
        return []

    def scan(self) -> Iterator[Stamp]:
        return iter(self.live)


def test_nothing_to_do_at_a_hundred_thousand(memory_driver: type[MemoryDriver]) -> None:
    world: Any = Rows(100_000)
    driver: Any = memory_driver({})
    driver.scan = world.scan
    drivers: dict[str, Driver] = {"local": driver}
    ledger: Ledger = world
    ratios = []
    for _ in range(3):
        started = time.process_time()
        found = plan(world, ledger, drivers, PlanOptions(), PlanSource("acme"))
        planned = time.process_time()
        assert found.changes == ()
        assert found.complete
        # The least that anyone could do: one dictionary a side, and two comparisons.
        assert world.rows == {a: (driver, digest) for a, driver, digest, _ in world.applied}
        assert {a: v for a, _, _, v in world.applied} == {a: v for a, _, v in world.live}
        ratios.append((planned - started) / (time.process_time() - planned))
    assert min(ratios) < 3


def test_planning_and_applying_take_linear_time(
    world: World, memory_driver: type[MemoryDriver]
) -> None:
    world.drivers["local"] = memory_driver({"max_batch": 500})
    spent: dict[int, list[float]] = {1000: [], 3000: []}
    for turn in range(2):
        for count, seconds in spent.items():
            fresh = {f"acme/t{turn}/n{count}:Config/c{i}": config(1) for i in range(count)}
            world.declare(fresh)
            started = time.process_time()
            found = world.plan(PlanOptions(targets=(Selector(f"acme/t{turn}/n{count}"),)))
            assert world.apply(found).counts == {"done": count}
            seconds.append(time.process_time() - started)
    assert min(spent[3000]) < 3 * min(spent[1000]) * 1.8


def test_what_a_driver_cannot_do_is_told_with_the_plan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({"acme:Config/a": config(1), "acme:Config/b": config(2)})

    def last_word(change: Change) -> Change:
        if change.address.name == "b":
            raise HrctlError.of("HR212", "it cannot do that", hint="leave it out")
        return change

    monkeypatch.setattr(world.local, "plan", last_word)
    found = world.plan()
    assert not found.complete
    (one,) = found.diagnostics
    assert (one.code, one.address, one.hint) == ("HR212", "acme:Config/b", "leave it out")
    assert one.span is not None
    with pytest.raises(HrctlError):
        world.apply(found)
    assert world.local.things == {}
