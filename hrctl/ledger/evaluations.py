"""How often `hrctl flag evaluate` gave which answer on this machine: counts, and nobody's name.

What `flag stats` tells. A file of its own below `.hrctl`, so that
evaluating never waits for the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hrctl.database import Database, Schema
from hrctl.model.address import Address

FILE: Final = "evaluations.db"
_SCHEMA: Final = Schema(
    noun="record of evaluations",
    migrations=(
        (
            """CREATE TABLE counts (address TEXT NOT NULL, variant TEXT NOT NULL,
            reason TEXT NOT NULL, count INTEGER NOT NULL, last TEXT NOT NULL,
            PRIMARY KEY (address, variant, reason)) WITHOUT ROWID""",
        ),
        ("ALTER TABLE counts ADD COLUMN first TEXT NOT NULL DEFAULT ''",),
    ),
    way_out="remove it: only counts are lost",
)

Answers = Mapping[tuple[Address, str, str], int]


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a flag gave a variant (empty: none) for a reason, and when (UTC).

    `first` is empty where counting began before that was noted.
    """

    address: Address
    variant: str
    reason: str
    count: int
    last: str
    first: str


class Evaluations:
    """The counts of a project, a context manager."""

    def __init__(self, state_dir: Path) -> None:
        self._database = Database(state_dir / FILE, _SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()

    def add(self, answers: Answers) -> None:
        """Count answers: (address, variant, reason) -> how often.

        Raises:
            HrctlError: HR102, HR103, HR105 or HR106, where the file cannot be written.
        """
        rows = [(*key, count) for key, count in answers.items() if count]
        if not rows:
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO counts (address, variant, reason, count, last, first)"
                " SELECT ?, ?, ?, ?, now, now"
                " FROM (SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now') AS now) WHERE true"
                " ON CONFLICT DO UPDATE SET count = count + excluded.count, last = excluded.last",
                rows,
            )

    def all(self) -> list[Counted]:
        """Everything that was counted, by address; empty where nothing ever was."""
        reader = self._database.reader()
        if reader is None:
            return []
        with self._database.faults():
            rows = reader.execute(
                "SELECT address, variant, reason, count, last, first FROM counts"
                " ORDER BY address, variant, reason"
            ).fetchall()
        return [Counted(Address(row[0]), *row[1:]) for row in rows]
