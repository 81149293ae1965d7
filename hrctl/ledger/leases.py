"""Leases on subtrees: who may write below which registry, and until when.

Two leases may stand side by side where neither subtree lies in the other. A lease is a row with an
expiry and a fence number that only ever grows; a write names its fence, so that a holder who lost
the lease while it slept finds out at its next write and changes nothing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from hrctl.diagnostics import Diagnostic, LeaseLostError, LockedError
from hrctl.ledger import processes
from hrctl.ledger.api import Lease
from hrctl.model.address import Address, is_within

_COLUMNS: Final = "subtree, holder, fence, expires, run, since"


def overlap(one: str, other: str) -> bool:
    """Whether one subtree lies in the other; "" holds every registry."""
    return not one or not other or is_within(one, other) or is_within(other, one)


def read(connection: sqlite3.Connection) -> list[Lease]:
    """All leases, in the order of their subtrees."""
    return [
        Lease(*row)
        for row in connection.execute(f"SELECT {_COLUMNS} FROM leases ORDER BY subtree")  # noqa: S608 - a constant
    ]


def acquire(connection: sqlite3.Connection, subtree: str, run: str, seconds: float) -> Lease:
    """Take the lease within the caller's transaction.

    Raises:
        LockedError: HR100, where another one that is alive overlaps.
    """
    now = time.time()
    rows = connection.execute(f"SELECT {_COLUMNS}, process FROM leases").fetchall()  # noqa: S608 - a constant
    for *values, process in rows:
        other = Lease(*values)
        if not overlap(subtree, other.subtree):
            continue
        if other.expires > now and not processes.is_gone(other.holder, process):
            raise _locked(other, subtree, now)
        connection.execute("DELETE FROM leases WHERE subtree = ?", (other.subtree,))
    connection.execute("UPDATE counters SET fence = fence + 1")
    fence: int = connection.execute("SELECT fence FROM counters").fetchone()[0]
    lease = Lease(subtree, processes.holder(), fence, now + seconds, run, now)
    connection.execute(
        f"INSERT INTO leases ({_COLUMNS}, process) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (subtree, lease.holder, fence, lease.expires, run, now, processes.identity()),
    )
    return lease


def running(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the runs whose lease stands and whose holder is not known to be dead."""
    now = time.time()
    rows = connection.execute("SELECT run, holder, process FROM leases WHERE expires > ?", (now,))
    return frozenset(run for run, holder, process in rows if not processes.is_gone(holder, process))


def renew(connection: sqlite3.Connection, lease: Lease, seconds: float) -> Lease:
    """Move the expiry; HR101 where the lease has been lost."""
    expires = time.time() + seconds
    found = connection.execute(
        "UPDATE leases SET expires = ? WHERE subtree = ? AND fence = ?",
        (expires, lease.subtree, lease.fence),
    )
    if not found.rowcount:
        raise _lost(connection, lease)
    return Lease(lease.subtree, lease.holder, lease.fence, expires, lease.run, lease.since)


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """Give it back, if it is still there."""
    connection.execute(
        "DELETE FROM leases WHERE subtree = ? AND fence = ?", (lease.subtree, lease.fence)
    )


def take_away(connection: sqlite3.Connection, subtree: str) -> Lease | None:
    """End the lease on exactly this subtree, whoever holds it."""
    found = next((lease for lease in read(connection) if lease.subtree == subtree), None)
    if found is not None:
        release(connection, found)
    return found


def check(connection: sqlite3.Connection, lease: Lease, addresses: Iterable[Address] = ()) -> None:
    """Let a write go on only under a lease that still stands and covers the addresses.

    Raises:
        LockedError: HR101.
    """
    found = connection.execute(
        "SELECT 1 FROM leases WHERE subtree = ? AND fence = ?", (lease.subtree, lease.fence)
    ).fetchone()
    if found is None:
        raise _lost(connection, lease)
    if not lease.subtree:
        return
    for address in addresses:
        if not is_within(address.registry, lease.subtree):
            raise LockedError(
                Diagnostic(
                    "HR101",
                    f"the lease on {lease.subtree} does not cover {address}",
                    address=address,
                    hint="take the lease of a registry that holds all that is to be written",
                )
            )


def _locked(other: Lease, wanted: str, now: float) -> LockedError:
    of = f", which overlaps {_name(wanted)}" if other.subtree != wanted else ""
    return LockedError(
        Diagnostic(
            "HR100",
            f"{_name(other.subtree)} is locked by {other.holder} since {_clock(other.since)}"
            f" until {_clock(other.expires)}{of}",
            hint=f"wait until that run ends (at the latest in {max(1, round(other.expires - now))}"
            f" seconds, unless it goes on), or, where it cannot go on any more,"
            f" `hrctl state unlock {other.subtree or '/'}`",
        )
    )


def _lost(connection: sqlite3.Connection, lease: Lease) -> LeaseLostError:
    others = [one for one in read(connection) if overlap(one.subtree, lease.subtree)]
    whose = f" to {others[0].holder}" if others else ""
    return LeaseLostError(
        Diagnostic(
            "HR101",
            f"the lease on {_name(lease.subtree)} was lost{whose}: it had expired or was unlocked",
            hint="nothing more was recorded; run it again, what was pending is settled then",
        )
    )


def _name(subtree: str) -> str:
    return subtree or "the whole project"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
