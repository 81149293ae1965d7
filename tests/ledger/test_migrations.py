from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.ledger.migrations import SCHEMA
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.plan import Lifecycle

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of schema version 1."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / "version-1.sql").read_text())
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path


def layout(path: Path) -> set[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    result = {(name, " ".join(sql.split()).replace('"', "")) for name, sql in found}
    connection.close()
    return result


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return found


def require_content(ledger: SqliteLedger) -> None:
    (entry,) = ledger.entries()
    assert (entry.address, entry.version) == ("acme/prod:Service/api", "12")
    assert entry.body == {"spec": {"replicas": 2}}
    assert entry.depends_on == ("acme/prod:Component/db",)
    assert entry.lifecycle == Lifecycle(protect=True)
    assert entry.outputs == {"port": 8080}
    assert ledger.serial() == 7
    assert [intent.address for intent in ledger.intents()] == ["acme/prod:Service/web"]
    assert [run.status for run in ledger.runs()] == ["interrupted"]
    assert [change.seconds for change in ledger.run_changes("r1")] == [0.5]


def test_old_ledger_is_read_without_a_change(old: Path) -> None:
    before = old.read_bytes()
    with SqliteLedger(old) as ledger:
        require_content(ledger)
    assert old.read_bytes() == before


def test_first_write_brings_it_up_to_date(old: Path) -> None:
    with SqliteLedger(old) as ledger:
        require_content(ledger)
        lease = ledger.acquire("acme", run="r2", seconds=60)  # the old one has expired
        assert lease.fence == 4
        require_content(ledger)
    assert version(old) == SCHEMA.version
    with SqliteLedger(old) as ledger:
        require_content(ledger)


def test_every_way_leads_to_the_same_layout(old: Path, tmp_path: Path) -> None:
    with SqliteLedger(old) as ledger:
        ledger.acquire("acme", run="r2", seconds=60)
    new = tmp_path / "new" / "ledger.db"
    with SqliteLedger(new) as ledger:
        ledger.acquire("acme", run="r2", seconds=60)
    assert layout(old) == layout(new)


def test_newer_schema_is_left_alone(old: Path) -> None:
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with SqliteLedger(old) as ledger:
        with pytest.raises(HrctlError, match=r"HR104 .* has schema version 99, this hrctl knows"):
            ledger.stamps()
        with pytest.raises(HrctlError, match="HR104"):
            ledger.acquire("acme", run="r2", seconds=60)
    assert version(old) == 99
