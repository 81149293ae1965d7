"""The embedded registry: a SQLite file with a row for each resource; other programs use it too.

Table ``resources``:

    address   TEXT     acme/shop/prod:Service/api, unique
    owner     TEXT     the project that manages the row; null where none does
    version   INTEGER  a new, higher number at each change; no number comes twice in one file
    updated   TEXT     when, RFC 3339 in UTC
    body      TEXT     a JSON object: {"metadata": {...}, "spec": {...}}
    registry, kind, name  TEXT  the parts of the address, computed

Another program may read it at any time, and may write it with plain SQL: insert `address` and
`body`, update `body`, delete rows. Triggers then give the version and the time, which is how
hrctl finds the drift. The file is in WAL mode. Secrets stand in bodies as references,
``{"valueFrom": {...}}``, never in the clear.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, NamedTuple, Self

from hrctl.database import Database, Schema
from hrctl.drivers.api import Live, Stamp
from hrctl.model.address import Address

READ_CHUNK: Final = 1000

_NOW: Final = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_AFTER_COLON: Final = "substr(address, instr(address, ':') + 1)"
_NEXT: Final = f"""BEGIN
        UPDATE counter SET version = version + 1;
        UPDATE resources SET version = (SELECT version FROM counter), updated = {_NOW}
        WHERE address = NEW.address;
    END"""  # noqa: S608 - constants

_VERSION_1: Final = (
    "CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (1, 0)",
    f"""CREATE TABLE resources (
        address TEXT NOT NULL UNIQUE,
        owner TEXT,
        version INTEGER NOT NULL DEFAULT 0,
        updated TEXT NOT NULL DEFAULT ({_NOW}),
        body TEXT NOT NULL CHECK (json_valid(body) AND json_type(body) = 'object'),
        registry TEXT AS (substr(address, 1, instr(address, ':') - 1)) VIRTUAL,
        kind TEXT AS (substr({_AFTER_COLON}, 1, instr({_AFTER_COLON}, '/') - 1)) VIRTUAL,
        name TEXT AS (substr({_AFTER_COLON}, instr({_AFTER_COLON}, '/') + 1)) VIRTUAL,
        CONSTRAINT "registry is a path of lower-case names" CHECK (
            registry GLOB '[a-z0-9]*' AND registry GLOB '*[a-z0-9]'
            AND NOT registry GLOB '*[^-a-z0-9/]*' AND NOT registry GLOB '*//*'
            AND NOT registry GLOB '*/-*' AND NOT registry GLOB '*-/*'),
        CONSTRAINT "kind is a word in capitals" CHECK (
            kind GLOB '[A-Z]*' AND NOT kind GLOB '*[^A-Za-z]*'),
        CONSTRAINT "name is a lower-case name" CHECK (
            name GLOB '[a-z0-9]*' AND name GLOB '*[a-z0-9]'
            AND NOT name GLOB '*[^-a-z0-9]*' AND length(name) <= 63)
    )""",
    # all that a scan reads: it never touches a body
    "CREATE INDEX resources_stamp ON resources (address, owner, version)",
    "CREATE INDEX resources_kind ON resources (kind, registry)",
    f"CREATE TRIGGER resources_inserted AFTER INSERT ON resources WHEN NEW.version = 0 {_NEXT}",
    f"""CREATE TRIGGER resources_updated AFTER UPDATE OF address, owner, body ON resources
    WHEN NEW.version = OLD.version {_NEXT}""",
)

SCHEMA: Final = Schema(
    noun="registry",
    migrations=(_VERSION_1,),
    way_out="move it aside, then save what can be saved with `sqlite3 REGISTRY .recover`, or let"
    " `hrctl apply` write everything anew",
)


class Write(NamedTuple):
    """One wanted change, made only where the row's version is `expect` (None: no row).

    `body` is JSON text, None deletes. With `previous` the row under that address is the one
    expected, and it gets the new address.
    """

    address: Address
    expect: str | None
    body: str | None
    previous: Address | None = None


class Written(NamedTuple):
    """What became of it: the version that the row has now, and whether the write was `made`."""

    version: str | None
    made: bool


class LocalStore:
    """The embedded registry at `path`. Looking at a missing one finds nothing and makes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path, SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def stamps(self) -> list[Stamp]:
        """Address, owner and version of every row, in the order of their addresses."""
        query = "SELECT address, owner, CAST(version AS TEXT) FROM resources ORDER BY address"
        new, stamp, address = tuple.__new__, Stamp, Address  # 100,000 times in a plan
        return [new(stamp, (address(a), b, c)) for a, b, c in self._select(query)]

    def state(self) -> tuple[object, ...]:
        """Unlike what it was before where any row may have changed since, by whomever."""
        connection = self._file.reader()
        if connection is None:
            return ()
        with self._file.faults():
            others = connection.execute("PRAGMA data_version").fetchone()[0]
        return connection, others, connection.total_changes

    def get(self, address: Address) -> Live | None:
        """One resource; None where there is none."""
        return next(iter(self.read([address])), None)

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """These resources, in the order of their addresses; missing ones are left out."""
        for start in range(0, len(addresses), READ_CHUNK):
            chunk = json.dumps(addresses[start : start + READ_CHUNK])
            yield from self._lives("address IN (SELECT value FROM json_each(?))", (chunk,))

    def query(
        self, registry: str | None = None, kind: str | None = None, *, below: bool = False
    ) -> Iterator[Live]:
        """The resources of a registry (with `below`, of its subtree), of a kind, or all."""
        conditions, values = ["1"], []
        if kind is not None:
            conditions.append("kind = ?")
            values.append(kind)
        if registry is not None and below:
            conditions.append("(registry = ? OR registry GLOB ?)")
            values += [registry, f"{registry}/*"]  # a path has none of the signs of a pattern
        elif registry is not None:
            conditions.append("registry = ?")
            values.append(registry)
        return self._lives(" AND ".join(conditions), tuple(values))

    def unowned(self) -> Iterator[Live]:
        """What no project manages."""
        return self._lives("owner IS NULL", ())

    def write(self, writes: Sequence[Write], owner: str) -> list[Written]:
        """Make those whose version is the expected one, in one durable transaction.

        Returns:
            One for each write, in their order. A delete of what is not there is made.
        """
        if not writes:
            return []
        with self._file.transaction() as connection:
            before = _versions(connection, writes)
            number: int = connection.execute("SELECT version FROM counter").fetchone()[0]
            now, rows, written = dict(before), dict[str, tuple[Any, ...] | None](), list[Written]()
            for write in writes:
                source = write.previous or write.address
                current = now.get(source)
                if write.body is None and current is None:
                    written.append(Written(None, made=True))
                    continue
                if current != write.expect or (write.previous and write.address in now):
                    written.append(Written(current, made=False))
                    continue
                now.pop(source, None)
                rows[source] = None
                if write.body is not None:
                    number += 1
                    now[write.address] = str(number)
                    rows[write.address] = (write.address, owner, number, write.body)
                written.append(Written(now.get(write.address), made=True))
            _write_rows(connection, rows, number)
        return written

    def _select(self, query: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        connection = self._file.reader()
        if connection is None:
            return []
        with self._file.faults():
            return connection.execute(query, values).fetchall()

    def _lives(self, where: str, values: tuple[str, ...]) -> Iterator[Live]:
        query = (
            "SELECT address, owner, CAST(version AS TEXT), body FROM resources"  # noqa: S608 - conditions of this module
            f" WHERE {where} ORDER BY address"
        )
        for address, owner, version, text in self._select(query, values):
            try:
                body = json.loads(text)
            except ValueError as error:
                raise self._file.damaged(f"the body of {address} is not JSON") from error
            yield Live(Address(address), body, version, owner)


def _versions(connection: Connection, writes: Sequence[Write]) -> dict[str, str]:
    wanted = {one for write in writes for one in (write.address, write.previous) if one}
    found = connection.execute(
        "SELECT address, CAST(version AS TEXT) FROM resources"
        " WHERE address IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(wanted)),),
    )
    return dict(found.fetchall())


def _write_rows(
    connection: Connection, rows: dict[str, tuple[Any, ...] | None], number: int
) -> None:
    gone = [(address,) for address, row in rows.items() if row is None]
    there = [row for row in rows.values() if row is not None]
    connection.executemany("DELETE FROM resources WHERE address = ?", gone)
    connection.executemany(
        "INSERT INTO resources (address, owner, version, body) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, version = excluded.version,"
        " updated = excluded.updated, body = excluded.body",
        there,
    )
    connection.execute("UPDATE counter SET version = ?", (number,))
