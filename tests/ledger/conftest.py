from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hrctl.ledger.api import ChangeRecord, Entry, Intent, Lease, RunRecord, Settled
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address
from hrctl.model.plan import Action


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".hrctl" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(path) as opened:
        yield opened


@pytest.fixture
def lease(ledger: SqliteLedger) -> Lease:
    return ledger.acquire("acme", run="r1", seconds=60)


@pytest.fixture
def entry() -> Callable[..., Entry]:
    def make(address: str, **more: object) -> Entry:
        values: dict[str, object] = {
            "driver": "local",
            "digest": "d1",
            "body": {"spec": {"replicas": 2}},
            "version": "1",
            "run": "r1",
        }
        return Entry(Address(address), **(values | more))  # type: ignore[arg-type]

    return make


@pytest.fixture
def settled() -> Callable[..., Settled]:
    def make(entry: Entry | None, address: str = "", result: str = "done", **more: bool) -> Settled:
        where = entry.address if entry else Address(address)
        return Settled(where, entry, ChangeRecord("r1", where, "create", result), **more)

    return make


@pytest.fixture
def intent() -> Callable[..., Intent]:
    def make(entry: Entry, action: Action = Action.CREATE) -> Intent:
        return Intent(entry.address, action, entry.driver, "r1", entry)

    return make


@pytest.fixture
def run() -> RunRecord:
    started = "2026-03-02T09:14:00Z"
    return RunRecord("r1", "kim", started, None, "4f1c2ab", "p1", "apply", "running")
