"""A small world in memory: declared resources, a driver that is one dictionary, a real ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import pytest
from pydantic import BaseModel

from hrctl.diagnostics import Diagnostic, Span
from hrctl.drivers.api import (
    Capabilities,
    Context,
    Driver,
    Live,
    Outcome,
    Ownership,
    Result,
    Secrets,
    Stamp,
)
from hrctl.ledger.api import ChangeRecord, Entry, Intent, Settled
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address
from hrctl.model.kinds import KINDS
from hrctl.model.plan import Action, Change, Lifecycle, Plan
from hrctl.model.resource import Deferred, Resource, Row
from hrctl.model.scope import LEVELS
from hrctl.model.values import Body, Json, digest, is_sensitive_reference, references
from hrctl.reconcile import applier
from hrctl.reconcile.events import Event, Report, RunInfo
from hrctl.reconcile.options import PlanOptions, PlanSource
from hrctl.reconcile.planner import plan

PROJECT = "acme"


class MemoryDriver:
    """Keeps bodies in a dictionary: versions, compare-and-set, owner marks, renames.

    `faults` says what goes wrong: address -> a function that raises or gives an outcome.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)
    capabilities: ClassVar[Capabilities]

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        return BaseModel

    def __init__(self, config: Mapping[str, Json], context: Context | None = None) -> None:
        del context
        self.capabilities = Capabilities(  # type: ignore[misc]  # an instance of its own for tests
            **{
                "ownership": Ownership.MARK,
                "compare_and_set": True,
                "max_batch": 100,
                "max_parallel": 1,
                **config,
            }
        )
        self.things: dict[Address, Live] = {}
        self.faults: dict[Address, Callable[[Change], Outcome]] = {}
        self.batches: list[tuple[Address, ...]] = []
        self.reads: list[tuple[Address, ...]] = []
        self.received: list[tuple[Address, Action, Body | None]] = []
        self.wait: Callable[[Change], None] = lambda _: None
        self.outputs: Callable[[Change], dict[str, Json]] = lambda _: {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._clock = 1000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def scan(self) -> Iterator[Stamp]:
        for one in list(self.things.values()):
            yield Stamp(one.address, one.owner, one.version)

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        self.reads.append(tuple(addresses))
        return iter([self.things[one] for one in addresses if one in self.things])

    def plan(self, change: Change) -> Change:
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.batches.append(tuple(change.address for change in batch))
        try:
            for change in batch:
                self.wait(change)
                if change.address in self.faults:
                    yield self.faults[change.address](change)
                else:
                    yield self._one(change, secrets)
        finally:
            with self._lock:
                self._at_once -= 1

    def _one(self, change: Change, secrets: Secrets) -> Outcome:
        at = change.address
        old = at if change.action is not Action.UPDATE else change.previous_address or at
        there = self.things.get(old)
        if (there.version if there else None) != change.expect_version:
            moved = Diagnostic("HR084", f"{at} has moved on")
            return Outcome(at, Result.STALE, error=moved)
        with self._lock:
            self.things.pop(old, None)
            plain = None if change.after is None else secrets.reveal(change.after)
            self.received.append((at, change.action, plain))
            if change.action is Action.DELETE:
                return Outcome(at, Result.DONE)
            self._clock += 1
            body = secrets.resolve(change.after)
            self.things[at] = Live(at, body, str(self._clock), self._mark())
        return Outcome(at, Result.DONE, str(self._clock), self.outputs(change))

    def _mark(self) -> str | None:
        return None if self.capabilities.ownership is Ownership.LEDGER else PROJECT


class MemoryDesired:
    """Declared resources without a tree."""

    def __init__(self, resources: Sequence[Resource], digest: str = "tree") -> None:
        self.digest = digest
        self._resources = {one.address: one for one in resources}
        self.asked: list[Address] = []
        self.origins: dict[tuple[Address, str], Span] = {}
        self._users: dict[Address, list[Address]] = {}
        for one in resources:
            for target in one.depends_on:
                self._users.setdefault(target, []).append(one.address)

    @property
    def rows(self) -> dict[Address, Row]:
        return {a: Row(one.driver, one.digest) for a, one in self._resources.items()}

    @property
    def moves(self) -> dict[Address, Address]:
        found = self._resources.values()
        return {one.moved_from: one.address for one in found if one.moved_from is not None}

    def level(self, registry: str) -> str | None:
        depth = registry.count("/")
        return LEVELS[depth] if depth < len(LEVELS) else None

    def resource(self, address: Address) -> Resource:
        self.asked.append(address)
        return self._resources[address]

    def dependents(self, address: Address) -> tuple[Address, ...]:
        return tuple(self._users.get(address, ()))

    def origin(self, address: Address, path: str) -> Span | None:
        return self.origins.get((address, path))


def body_of(item: Mapping[str, Any]) -> Body:
    """A body from ``{spec, labels}``."""
    labels = dict(item.get("labels", {}))
    return {"metadata": {"labels": labels, "annotations": {}}, "spec": dict(item.get("spec", {}))}


def lifecycle_of(item: Mapping[str, Any]) -> Lifecycle:
    """A lifecycle from the fields of a manifest."""
    life = item.get("lifecycle", {})
    return Lifecycle(
        life.get("protect", False),
        tuple(life.get("ignore", ())),
        life.get("createFirst", False),
        life.get("deletion", "delete"),
    )


def resource_of(address: str, item: Mapping[str, Any], line: int = 1) -> Resource:
    """A declared resource from an entry of desired.yaml."""
    body = body_of(item)
    secret = set(item.get("sensitive", ()))
    deferred = []
    for path, source in references(body):
        name = source.get("output", source.get("key"))
        target = next(
            (v for k, v in source.items() if k in {"component", "service", "config"}), None
        )
        deferred.append(
            Deferred(
                path,
                path in secret or is_sensitive_reference({"valueFrom": source}),
                Address(target) if target else None,
                name if target else None,
            )
        )
    edges = [Address(one) for one in item.get("dependsOn", ())]
    edges += [one.address for one in deferred if one.address and one.address not in edges]
    driver = item.get("driver", "local")
    return Resource(
        Address(address),
        driver,
        item.get("digest", digest([body, driver])),
        body,
        Span("manifests.yaml", line),
        labels=body["metadata"]["labels"],
        depends_on=tuple(edges),
        lifecycle=lifecycle_of(item),
        moved_from=Address(item["movedFrom"]) if "movedFrom" in item else None,
        deferred=tuple(deferred),
    )


def entry_of(address: str, item: Mapping[str, Any]) -> Entry:
    """A ledger's entry from an entry of applied.yaml."""
    body = body_of(item)
    driver = item.get("driver", "local")
    return Entry(
        Address(address),
        driver,
        item.get("digest", digest([body, driver])),
        body,
        item.get("version", "1"),
        tuple(Address(one) for one in item.get("dependsOn", ())),
        lifecycle_of(item),
        item.get("outputs", {}),
    )


@dataclass
class World:
    """All three sides, and what can be done with them."""

    ledger: SqliteLedger
    drivers: dict[str, MemoryDriver] = field(default_factory=dict)
    desired: MemoryDesired = field(default_factory=lambda: MemoryDesired(()))
    events: list[Event] = field(default_factory=list)
    runs: int = 0

    @property
    def local(self) -> MemoryDriver:
        return self.drivers["local"]

    def declare(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        self.desired = MemoryDesired(
            [resource_of(*pair, line) for line, pair in enumerate(items.items(), start=1)],
            digest(items),
        )

    def put(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        """Set what is live."""
        for address, item in items.items():
            at = Address(address)
            self.drivers[item.get("driver", "local")].things[at] = Live(
                at, body_of(item), item.get("version", "1"), item.get("owner", PROJECT)
            )

    def record(self, entries: Sequence[Entry]) -> None:
        """Set what the ledger holds."""
        lease = self.ledger.acquire("", run="setup", seconds=60)
        settled = [
            Settled(one.address, one, ChangeRecord("setup", one.address, "create", "done"))
            for one in entries
        ]
        self.ledger.settle(lease, settled)
        self.ledger.release(lease)

    def intend(self, *intents: Intent) -> None:
        """Leave intents behind, as a run does that is cut off."""
        lease = self.ledger.acquire("", run="crashed", seconds=60)
        self.ledger.intend(lease, intents)
        self.ledger.release(lease)

    def plan(self, options: PlanOptions | None = None, **source: Any) -> Plan:
        instances: Mapping[str, Driver] = self.drivers
        return plan(
            self.desired,
            self.ledger,
            instances,
            options or PlanOptions(),
            PlanSource(PROJECT, **source),
        )

    def apply(self, planned: Plan | None = None, **options: Any) -> Report:
        self.runs += 1
        run = RunInfo(f"run-{self.runs}", "kim@desk", "hrctl apply", options.pop("environ", {}))
        options.setdefault("on_event", self.events.append)
        chosen = planned or self.plan()
        return applier.apply(chosen, self.ledger, self.drivers, run=run, **options)

    def entries(self) -> dict[Address, Entry]:
        return {one.address: one for one in self.ledger.entries()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world with the driver `local`."""
    with SqliteLedger(tmp_path / "ledger.db") as ledger:
        yield World(ledger, {"local": MemoryDriver({})})


@pytest.fixture
def memory_driver() -> type[MemoryDriver]:
    return MemoryDriver


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for another thread."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.002)


@pytest.fixture
def helpers() -> SimpleNamespace:
    """The functions of this file, as tests cannot import it."""
    return SimpleNamespace(
        entry_of=entry_of,
        resource_of=resource_of,
        body_of=body_of,
        renumbered=renumbered,
        wait_until=wait_until,
    )


def renumbered(plan: Plan) -> Plan:
    """The plan without what differs from run to run."""
    return replace(plan, id="plan", created="2026-01-01T00:00:00+00:00")
