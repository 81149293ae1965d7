"""SQLite files: opened durably, brought to their schema in steps, their failures given a code.

The ledger and the embedded registry are kept so. A `Database` creates nothing until the first
write, so that looking (a plan, a listing) works on a missing file and on a read-only one.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Self
from urllib.parse import quote

from hrctl.diagnostics import HrctlError
from hrctl.model.values import Json, canonical

BUSY_SECONDS: Final = 30.0
_PAUSE: Final = 0.01
LEAST_SPACE: Final = 64 * 1024  # bytes free, under which a failed write is blamed on the disk
OUT_OF_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NOT_WRITABLE: Final = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}
)
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
WAITED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file is for and how it came to its layout.

    `migrations[n]` holds the statements that bring version n to version n + 1 (the file's
    `user_version`). `way_out` is what to do where the file is damaged.
    """

    noun: str
    migrations: tuple[tuple[str, ...], ...]
    way_out: str

    @property
    def version(self) -> int:
        """The newest version, which this hrctl reads and writes."""
        return len(self.migrations)


class Database:
    """One SQLite file, used by one thread at a time; with `one_thread`, by the first one alone.

    Every failure of SQLite or of the file system comes out as an `HrctlError`: HR102 cannot be
    written (or read), HR103 no space, HR104 newer schema, HR105 damaged, HR106 busy.
    """

    def __init__(self, path: Path, schema: Schema, *, one_thread: bool = False) -> None:
        self.path = path
        self.schema = schema
        self._one_thread = one_thread
        self._connection: sqlite3.Connection | None = None
        self._writable = False  # the connection is to the file itself, at the newest version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._writable = False

    def reader(self) -> sqlite3.Connection | None:
        """A connection to read with, None where there is no file yet. Nothing is written.

        A file of an older version is read through a migrated copy in memory.
        """
        if self._connection is None:
            with self.faults():
                if not self.path.exists():
                    return None
                self._connection = self._open_existing()
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A durable write transaction, from BEGIN IMMEDIATE on; an exception rolls it back."""
        with self.faults():
            connection = self._writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Give the failures within a code."""
        try:
            yield
        except sqlite3.Error as error:
            self._fail(error)
        except OSError as error:
            if error.errno in OUT_OF_SPACE:
                raise self._no_space(error.strerror) from error
            raise self._not_writable(error.strerror) from error

    def damaged(self, what: str) -> HrctlError:
        """HR105, for a caller that finds a row it cannot read."""
        return HrctlError.of(
            "HR105",
            f"the {self.schema.noun} {self.path} is damaged: {what}",
            hint=self.schema.way_out,
        )

    # -- opening -------------------------------------------------------------------------------

    def _writer(self) -> sqlite3.Connection:
        if self._connection is None or not self._writable:
            self.close()
            self._make_folder()
            connection = self._open("rwc")
            try:
                self._prepare(connection)
                self._migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._writable = True
        return self._connection

    def _open_existing(self) -> sqlite3.Connection:
        try:
            connection = self._open("rw")
        except sqlite3.OperationalError as error:
            # a read-only folder has no room for the shared memory of WAL; where no log is left
            # over, the file alone is the whole truth
            if _primary(error) not in NOT_WRITABLE or self._has_log():
                raise
            connection = self._open("ro", "&immutable=1")
        self._writable = False
        if connection.execute("PRAGMA user_version").fetchone()[0] < self.schema.version:
            return self._copy(connection)
        return connection

    def _open(self, mode: str, more: str = "") -> sqlite3.Connection:
        """A connection whose file is a database of a version that is known."""
        uri = f"file:{quote(os.fspath(self.path))}?mode={mode}{more}"
        connection = sqlite3.connect(
            uri,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=self._one_thread,
            uri=True,
        )
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=FULL")
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _has_log(self) -> bool:
        log = self.path.with_name(self.path.name + "-wal")
        return log.exists() and log.stat().st_size > 0

    def _make_folder(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)  # another process may be as quick
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")

    @staticmethod
    def _prepare(connection: sqlite3.Connection) -> None:
        """Make it WAL. SQLite does not wait for others who do the same, so it is done here."""
        deadline = time.monotonic() + BUSY_SECONDS
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                busy = _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)

    # -- versions ------------------------------------------------------------------------------

    def _check_version(self, connection: sqlite3.Connection) -> None:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        # a file of another make, or an empty one, has version 0 and may not even be a database
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version > self.schema.version:
            raise HrctlError.of(
                "HR104",
                f"the {self.schema.noun} {self.path} has schema version {version}, this hrctl"
                f" knows versions up to {self.schema.version}",
                hint="use the newer hrctl that wrote it",
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA user_version").fetchone()[0] == self.schema.version:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:  # again under the lock: another process may have been first
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            for statements in self.schema.migrations[version:]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={max(version, self.schema.version)}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _copy(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=self._one_thread)
        try:
            connection.backup(copy)
            self._migrate(copy)
        except BaseException:
            copy.close()
            raise
        finally:
            connection.close()
        return copy

    # -- failures ------------------------------------------------------------------------------

    def _fail(self, error: sqlite3.Error) -> NoReturn:
        code = _primary(error)
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._is_full()):
            raise self._no_space(str(error)) from error
        if code in NOT_WRITABLE:
            raise self._not_writable(str(error)) from error
        if code in DAMAGED or str(error).startswith(("no such table", "no such column")):
            raise self.damaged(str(error)) from error
        if code in WAITED:
            raise HrctlError.of(
                "HR106",
                f"the {self.schema.noun} {self.path} is kept busy by another program",
                hint=f"it was waited for {BUSY_SECONDS:.0f} seconds; end that program or try later",
            ) from error
        raise error

    def _is_full(self) -> bool:
        """Whether a failed write is a matter of space: of the disk, or of how long files may be."""
        folder = self.path.parent
        if not folder.is_dir():
            return False
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_SPACE:
            return True
        import resource  # only here: it is never needed while all goes well

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        longest = max((file.stat().st_size for file in files if file.exists()), default=0)
        return limit != resource.RLIM_INFINITY and longest + LEAST_SPACE > limit

    def _no_space(self, why: str | None) -> HrctlError:
        return HrctlError.of(
            "HR103",
            f"no space left to write the {self.schema.noun} {self.path} ({why})",
            hint="free some space on that disk, or raise the quota, and run it again",
        )

    def _not_writable(self, why: str | None) -> HrctlError:
        return HrctlError.of(
            "HR102",
            f"the {self.schema.noun} {self.path} cannot be opened or written ({why})",
            hint="check who owns that file and its folder, and that the disk is not read-only",
        )


def json_text(value: Json) -> str:
    """Canonical JSON as SQLite can hold it: a lone surrogate stands escaped, all else as it is."""
    text = canonical(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


def _primary(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
