"""The ledger's tables, and the steps that led to them.

A step is never changed once released; a new layout is a new step at the end.
"""

from __future__ import annotations

from typing import Final

from hrctl.database import Schema

_VERSION_1: Final = (
    # one row: `serial` counts the writes to entries, `fence` the leases given
    """CREATE TABLE counters (
        one INTEGER PRIMARY KEY CHECK (one = 1), serial INTEGER NOT NULL, fence INTEGER NOT NULL
    )""",
    "INSERT INTO counters VALUES (1, 0, 0)",
    # what every plan compares; the wide half lies in `bodies`, so that this one is quick to scan
    """CREATE TABLE entries (
        address TEXT PRIMARY KEY, driver TEXT NOT NULL, digest TEXT NOT NULL, version TEXT
    ) WITHOUT ROWID""",
    # JSON texts; `revision` is the commit that was applied
    """CREATE TABLE bodies (
        address TEXT PRIMARY KEY REFERENCES entries ON DELETE CASCADE ON UPDATE CASCADE,
        body TEXT NOT NULL, depends_on TEXT NOT NULL, lifecycle TEXT NOT NULL,
        outputs TEXT NOT NULL, revision TEXT, run TEXT
    )""",
    # `entry` is the JSON of what will hold if it succeeds, null for a delete
    """CREATE TABLE intents (
        address TEXT PRIMARY KEY, action TEXT NOT NULL, driver TEXT NOT NULL, run TEXT NOT NULL,
        entry TEXT
    )""",
    """CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, who TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT, revision TEXT, plan TEXT NOT NULL,
        command TEXT NOT NULL, status TEXT NOT NULL, counts TEXT NOT NULL
    )""",
    """CREATE TABLE run_changes (
        run TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, result TEXT NOT NULL,
        error TEXT, seconds REAL NOT NULL
    )""",
    "CREATE INDEX run_changes_run ON run_changes (run)",
    # times are seconds since the epoch
    """CREATE TABLE leases (
        subtree TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL UNIQUE,
        since REAL NOT NULL, expires REAL NOT NULL, run TEXT NOT NULL
    )""",
)

_VERSION_2: Final = (
    # which process it was, beyond its number, which the system gives to another one later
    "ALTER TABLE leases ADD COLUMN process TEXT",
    # the few instances among many entries, without a look at each
    "CREATE INDEX entries_driver ON entries (driver)",
)

SCHEMA: Final = Schema(
    noun="ledger",
    migrations=(_VERSION_1, _VERSION_2),
    way_out="move it aside, save what can be saved with `sqlite3 LEDGER .recover`, or start an"
    " empty one with `hrctl plan` and `hrctl apply --adopt`",
)
