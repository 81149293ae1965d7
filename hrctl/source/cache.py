"""What earlier runs made of files and registries, so that only what changed is parsed again.

A SQLite file beside the ledger. It holds nothing that cannot be made again: whatever is damaged,
cut short, of another version or not readable is dropped without a word and rebuilt. Each row
carries a checksum of its payload, so that a flipped bit is a miss and never a wrong plan.

    files       blob id of git -> the documents of a file
    specs       digest of a resource -> its complete spec
    answers     digest of a question about commits -> what was answered
    records     path of a registry -> key, and what its documents come to;
                likewise hrctl.yaml -> the checked project
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Self

import msgpack

from hrctl import __version__

FORMAT: Final = f"{__version__}/15"
_SUM: Final = 8
_LOOKUP: Final = 500  # variables in one statement
_KEEP: Final = 4  # rows kept for each one in use, for branches that are switched to and fro
_SLACK: Final = 2000
_ANSWERS: Final = 100
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS format (version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (blob TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS specs (digest TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, row BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS records (
    name TEXT PRIMARY KEY, key TEXT NOT NULL, row BLOB NOT NULL
) WITHOUT ROWID;
"""


def pack(value: Any) -> bytes:
    """A checksum and the msgpack form of JSON-like data."""
    data: bytes = msgpack.packb(value)
    return blake2b(data, digest_size=_SUM).digest() + data


def unpack(row: bytes) -> Any:
    """The inverse of `pack`; None where the row is damaged."""
    if type(row) is not bytes:
        return None  # the damage reached the type that SQLite keeps beside each value
    data = memoryview(row)[_SUM:]
    if blake2b(data, digest_size=_SUM).digest() != row[:_SUM]:
        return None
    try:
        return msgpack.unpackb(data, strict_map_key=False, max_map_len=1 << 24)
    except (ValueError, msgpack.UnpackException):
        return None


class Cache:
    """The cache of one project. Every failure is a miss; a folder that cannot be written, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._connection = self._open()
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Every later question is a miss."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> sqlite3.Connection:
        folder = self._path.parent
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n")
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=2)
        try:
            # Losing the cache costs one slow run, so it waits for no disk.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
            found = connection.execute("SELECT version FROM format").fetchone()
            if found != (FORMAT,):
                connection.executescript(
                    "DELETE FROM format; DELETE FROM files; DELETE FROM records; DELETE FROM specs;"
                    " DELETE FROM answers;"
                )
                connection.execute("INSERT INTO format VALUES (?)", (FORMAT,))
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _give_up(self, error: Exception) -> None:
        """Drop a damaged file and begin anew; without a cache where even that fails.

        One that another process is busy with is left to it.
        """
        self.close()
        if getattr(error, "sqlite_errorcode", None) in _BUSY:
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._connection = self._open()

    def records(self) -> dict[str, tuple[str, bytes]]:
        """Every record's key and packed row; unpack only those whose key is the wanted one."""
        rows = self._query("SELECT name, key, row FROM records", ())
        return {name: (key, row) for name, key, row in rows if type(key) is str}

    def record(self, name: str, key: str) -> Any:
        """One record where the cache holds it under this key (else None)."""
        query = "SELECT row FROM records WHERE name = ? AND key = ?"
        found = self._query(query, (name, key))
        return unpack(found[0][0]) if found else None

    def files(self, blobs: Sequence[str]) -> dict[str, Any]:
        """What is known of these blobs."""
        found = {}
        for start in range(0, len(blobs), _LOOKUP):
            part = blobs[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            query = f"SELECT blob, row FROM files WHERE blob IN ({marks})"  # noqa: S608 - marks only
            for blob, row in self._query(query, part):
                value = unpack(row)
                if value is not None:
                    found[blob] = value
        return found

    def spec(self, digest: str) -> Any:
        """The complete spec of a resource with this digest (None: not known)."""
        found = self._query("SELECT row FROM specs WHERE digest = ?", (digest,))
        return unpack(found[0][0]) if found else None

    def answer(self, key: str) -> Any:
        """What was answered to a question (None: not known)."""
        found = self._query("SELECT row FROM answers WHERE key = ?", (key,))
        return unpack(found[0][0]) if found else None

    def store_answer(self, key: str, value: Any) -> None:
        """Keep an answer; of many only the latest stay."""
        if self._connection is None:
            return
        try:
            with self._transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO answers (key, row) VALUES (?, ?)", (key, pack(value))
                )
                connection.execute(
                    "DELETE FROM answers WHERE number <= (SELECT max(number) FROM answers) - ?",
                    (_ANSWERS,),
                )
        except sqlite3.Error as error:
            self._give_up(error)

    def store_specs(self, specs: Iterable[tuple[str, bytes]], in_use: int) -> None:
        """Keep packed specs; all are dropped where there are many more than `in_use`."""
        if self._connection is None:
            return
        try:
            with self._transaction() as connection:
                (count,) = connection.execute("SELECT count(*) FROM specs").fetchone()
                if count > _KEEP * in_use + _SLACK:
                    connection.execute("DELETE FROM specs")
                connection.executemany("INSERT OR REPLACE INTO specs VALUES (?, ?)", specs)
        except sqlite3.Error as error:
            self._give_up(error)

    def _query(self, query: str, parameters: Sequence[str]) -> list[Any]:
        if self._connection is None:
            return []
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def store(
        self,
        files: Iterable[tuple[str, bytes]],
        records: Iterable[tuple[str, str, bytes]],
        gone: Iterable[str],
        in_use: int,
    ) -> None:
        """Keep packed rows in one transaction; drop the records that are gone.

        Rows of files are dropped, all at once, where there are many more of them than `in_use`.
        """
        if self._connection is None:
            return
        try:
            with self._transaction() as connection:
                (count,) = connection.execute("SELECT count(*) FROM files").fetchone()
                if count > _KEEP * in_use + _SLACK:
                    connection.execute("DELETE FROM files")
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", files)
                connection.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", records)
                connection.executemany(
                    "DELETE FROM records WHERE name = ?", [(name,) for name in gone]
                )
        except sqlite3.Error as error:
            self._give_up(error)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        assert connection is not None  # noqa: S101 - callers have checked
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def fresh(rows: Mapping[str, tuple[str, bytes]], name: str, key: str) -> Any:
    """The record of this name among the cached ones, where it has this key (else None)."""
    found = rows.get(name)
    return unpack(found[1]) if found is not None and found[0] == key else None
