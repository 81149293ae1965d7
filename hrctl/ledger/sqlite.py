"""The ledger that is always there: one SQLite file under `.hrctl/`.

Looking creates nothing: where the file is missing the ledger is empty, and the first write makes
it. Every write is one transaction that checks its lease first and is on the disk when the call
returns. One thread uses a ledger; `renew` alone may be called from another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, Self

from hrctl.database import Database, json_text
from hrctl.diagnostics import HrctlError
from hrctl.ledger import leases, rows
from hrctl.ledger.api import (
    AppliedStamp,
    ChangeRecord,
    Entry,
    Intent,
    Lease,
    RunRecord,
    Settled,
)
from hrctl.ledger.migrations import SCHEMA
from hrctl.model.address import Address

_STAMPS: Final = "SELECT address, driver, digest, version FROM entries"
_ENTRIES: Final = (
    "SELECT e.address, e.driver, e.digest, e.version, b.body, b.depends_on, b.lifecycle,"
    " b.outputs, b.revision, b.run, i.action FROM entries e JOIN bodies b USING (address)"
    " LEFT JOIN intents i USING (address)"
)
_THESE: Final = "address IN (SELECT value FROM json_each(?))"
_INSTANCES: Final = """
    WITH RECURSIVE step(driver) AS (
        SELECT min(driver) FROM entries
        UNION ALL SELECT (SELECT min(driver) FROM entries WHERE driver > step.driver) FROM step
        WHERE step.driver IS NOT NULL
    )
    SELECT driver FROM step WHERE driver IS NOT NULL UNION SELECT driver FROM intents
"""  # steps over all the entries of one instance at once
_RUNS: Final = (
    "SELECT id, who, started, finished, revision, plan, command, status, counts FROM runs"
)


class SqliteLedger:
    """Implements `hrctl.ledger.api.Ledger` on the file at `path`.

    Failures of the file are HR102 (cannot be written), HR103 (no space), HR104 (newer schema),
    HR105 (damaged) and HR106 (busy).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path, SCHEMA, one_thread=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    # -- looking -------------------------------------------------------------------------------

    def serial(self) -> int:
        """A number that grows with every write to entries; 0 where there is no ledger yet."""
        found = self._select("SELECT serial FROM counters")
        return found[0][0] if found else 0

    def stamps(self) -> list[AppliedStamp]:
        """One narrow row for each entry, in the order of their addresses."""
        new, stamp, address = tuple.__new__, AppliedStamp, Address  # 100,000 times in a plan
        return [new(stamp, (address(a), b, c, d)) for a, b, c, d in self._select(_STAMPS)]

    def instances(self) -> frozenset[str]:
        """The driver instances that entries and intents name."""
        return frozenset(row[0] for row in self._select(_INSTANCES))

    def entries(self, addresses: Sequence[Address] | None = None) -> Iterable[Entry]:
        """Whole entries, of these addresses or of all, in the order of their addresses."""
        if addresses is None:
            found = self._select(f"{_ENTRIES} ORDER BY e.address")
        else:
            found = self._select(
                f"{_ENTRIES} WHERE e.{_THESE} ORDER BY e.address", _list(addresses)
            )
        for row in found:
            with self._readable(row[0]):
                entry = rows.entry_of(row)
            yield entry

    def intents(self) -> list[Intent]:
        """What earlier runs left pending."""
        found = []
        for row in self._select("SELECT * FROM intents ORDER BY address"):
            with self._readable(row[0]):
                found.append(rows.intent_of(row))
        return found

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """Return the latest runs, newest first; one that was killed counts as interrupted."""
        return self._records(f"{_RUNS} ORDER BY number DESC LIMIT ?", (limit,))

    def run_changes(self, run: str) -> list[ChangeRecord]:
        """How each change of a run ended, in the order in which they did."""
        found = self._select("SELECT * FROM run_changes WHERE run = ? ORDER BY rowid", (run,))
        return [ChangeRecord(run, Address(address), *rest) for run, address, *rest in found]

    def run(self, run: str) -> RunRecord | None:
        """One run by its name."""
        records = self._records(f"{_RUNS} WHERE id = ?", (run,))
        return records[0] if records else None

    def applied(self, address: Address) -> list[tuple[RunRecord, ChangeRecord]]:
        """The runs that carried out a change of an address, oldest first."""
        query = "SELECT * FROM run_changes WHERE address = ? AND result = 'done' ORDER BY rowid"
        found = []
        for run, _, *rest in self._select(query, (address,)):
            record = self.run(run)
            if record is not None:
                found.append((record, ChangeRecord(run, address, *rest)))
        return found

    # -- leases --------------------------------------------------------------------------------

    def acquire(self, subtree: str, *, run: str, seconds: float) -> Lease:
        """Take the lease; one that is expired, or whose holder on this host is dead, gives way.

        Raises:
            LockedError: HR100, naming holder, subtree and since when.
        """
        with self._file.transaction() as connection:
            return leases.acquire(connection, subtree, run, seconds)

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """The heartbeat, through a connection of its own, so that any thread may call it.

        Raises:
            LockedError: HR101, where the lease has been lost.
        """
        with Database(self.path, SCHEMA) as file, file.transaction() as connection:
            return leases.renew(connection, lease, seconds)

    def check(self, lease: Lease) -> None:
        """Return while the lease stands. It may be called from any thread.

        Raises:
            LeaseLostError: HR101, where it has been lost.
        """
        with Database(self.path, SCHEMA) as file:
            connection = file.reader()
            if connection is not None:
                with file.faults():
                    leases.check(connection, lease)

    def release(self, lease: Lease) -> None:
        """Give it back; no error where it has been lost."""
        if self._file.reader() is not None:
            with self._file.transaction() as connection:
                leases.release(connection, lease)

    def leases(self) -> list[Lease]:
        """All that are held now, expired ones included."""
        connection = self._file.reader()
        if connection is None:
            return []
        with self._file.faults():
            return leases.read(connection)

    def break_lease(self, subtree: str) -> Lease | None:
        """Take the lease of another away; None where there is none."""
        if not any(lease.subtree == subtree for lease in self.leases()):
            return None
        with self._file.transaction() as connection:
            return leases.take_away(connection, subtree)

    # -- runs ----------------------------------------------------------------------------------

    def begin(self, lease: Lease, run: RunRecord) -> None:
        """Record that a run starts."""
        with self._write(lease) as connection:
            connection.execute(
                "INSERT INTO runs (id, who, started, finished, revision, plan, command, status,"
                " counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.id,
                    run.who,
                    run.started,
                    run.finished,
                    run.commit,
                    run.plan,
                    run.command,
                    run.status,
                    json_text(dict(run.counts)),
                ),
            )

    def finish(self, lease: Lease, run: RunRecord) -> None:
        """Record how a run ended."""
        with self._write(lease) as connection:
            connection.execute(
                "UPDATE runs SET finished = ?, status = ?, counts = ? WHERE id = ?",
                (run.finished, run.status, json_text(dict(run.counts)), run.id),
            )

    def intend(self, lease: Lease, intents: Sequence[Intent]) -> None:
        """Record durably what is about to be done, in one transaction."""
        with self._write(lease, [intent.address for intent in intents]) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO intents VALUES (?, ?, ?, ?, ?)",
                map(rows.intent_row, intents),
            )

    def settle(self, lease: Lease, outcomes: Sequence[Settled]) -> None:
        """Record durably what became of it, in one transaction.

        Of several outcomes of one address the last one holds.
        """
        last = {one.address: one for one in outcomes}
        held = [one.entry for one in last.values() if one.entry and not one.keep_entry]
        gone = [(one.address,) for one in last.values() if not one.entry and not one.keep_entry]
        known = [(one.address,) for one in last.values() if not one.keep_intent]
        with self._write(lease, list(last)) as connection:
            connection.executemany("DELETE FROM entries WHERE address = ?", gone)
            _hold(connection, held)
            connection.executemany("DELETE FROM intents WHERE address = ?", known)
            connection.executemany(
                "INSERT INTO run_changes VALUES (?, ?, ?, ?, ?, ?)",
                (rows.record_row(one.record) for one in outcomes),
            )
            if held or gone:
                _bump(connection)

    def forget(self, lease: Lease, addresses: Sequence[Address]) -> int:
        """Drop entries and intents without touching anything live; how many addresses had any."""
        with self._write(lease, addresses) as connection:
            known = connection.execute(
                f"SELECT address FROM entries WHERE {_THESE}"  # noqa: S608 - constants
                f" UNION SELECT address FROM intents WHERE {_THESE}",
                (*_list(addresses), *_list(addresses)),
            ).fetchall()
            connection.executemany("DELETE FROM entries WHERE address = ?", known)
            connection.executemany("DELETE FROM intents WHERE address = ?", known)
            if known:
                _bump(connection)
        return len(known)

    def move(self, lease: Lease, moves: Sequence[tuple[Address, Address]]) -> None:
        """Entries keep everything but their address; those that depend on them follow.

        Raises:
            HrctlError: HR107, where an entry that does not move away stands at a new address.
        """
        with self._write(lease, [address for pair in moves for address in pair]) as connection:
            old = [before for before, _ in moves]
            stay = connection.execute(
                f"SELECT address FROM entries WHERE {_THESE}",  # noqa: S608 - a constant
                _list([after for _, after in moves]),
            ).fetchall()
            for (address,) in stay:
                if address not in old:
                    raise HrctlError.of(
                        "HR107",
                        f"nothing can be moved to {address}: the ledger holds another one there",
                        hint=f"apply its deletion first, or `hrctl state forget {address}`",
                    )
            _rename(connection, moves)
            _bump(connection)

    # -- beneath -------------------------------------------------------------------------------

    def _records(self, query: str, values: tuple[Any, ...]) -> list[RunRecord]:
        """Read runs. A killed run could not record its end, but it holds no lease that stands."""
        records = []
        for row in self._select(query, values):
            with self._readable(row[0]):
                records.append(rows.run_of(row))
        connection = self._file.reader()
        if connection is None or all(one.status != "running" for one in records):
            return records
        with self._file.faults():
            alive = leases.running(connection)
        return [
            replace(one, status="interrupted")
            if one.status == "running" and one.id not in alive
            else one
            for one in records
        ]

    def _select(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        connection = self._file.reader()
        if connection is None:
            return []
        with self._file.faults():
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _write(self, lease: Lease, addresses: Iterable[Address] = ()) -> Iterator[Connection]:
        with self._file.transaction() as connection:
            leases.check(connection, lease, addresses)
            yield connection

    @contextmanager
    def _readable(self, key: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, AttributeError) as error:
            raise self._file.damaged(f"the row of {key} cannot be read") from error


def _hold(connection: Connection, entries: Sequence[Entry]) -> None:
    connection.executemany(
        "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET"
        " driver = excluded.driver, digest = excluded.digest, version = excluded.version",
        map(rows.stamp_row, entries),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO bodies VALUES (?, ?, ?, ?, ?, ?, ?)", map(rows.body_row, entries)
    )


def _rename(connection: Connection, moves: Sequence[tuple[Address, Address]]) -> None:
    aside = [(f"#{number}", before) for number, (before, _) in enumerate(moves)]
    there = [(after, f"#{number}") for number, (_, after) in enumerate(moves)]
    for table in ("entries", "intents"):  # two steps, so that two may change places
        statement = f"UPDATE {table} SET address = ? WHERE address = ?"  # noqa: S608 - constants
        connection.executemany(statement, aside)
        connection.executemany(statement, there)
    new = {str(before): str(after) for before, after in moves}
    changed = []
    query = "SELECT address, depends_on FROM bodies WHERE depends_on <> '[]'"
    for address, text in connection.execute(query):
        edges = json.loads(text)
        if not new.keys().isdisjoint(edges):
            changed.append((json_text([new.get(edge, edge) for edge in edges]), address))
    connection.executemany("UPDATE bodies SET depends_on = ? WHERE address = ?", changed)


def _bump(connection: Connection) -> None:
    connection.execute("UPDATE counters SET serial = serial + 1")


def _list(addresses: Sequence[Address]) -> tuple[str]:
    return (json.dumps(list(addresses)),)
