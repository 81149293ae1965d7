"""What a batch means to write, kept on disk until it is written: for the next, if it is cut off.

A proxy is brought to a configuration first, and then the store to the bodies that it was made of.
A process that dies in between leaves a journal. Whoever looks next finds that the proxy has what
the journal means, and writes the bodies; or that it has not, and forgets about it. Then what stands
half way is drift, which an apply puts right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hrctl.drivers.local_store import Write
from hrctl.drivers.supervisor.folders import write_private
from hrctl.model.address import Address

if TYPE_CHECKING:
    from hrctl.drivers.mesh.driver import MeshDriver

JOURNAL: Final = "journal.json"  # beside the store


@dataclass(frozen=True, slots=True)
class Journal:
    """The file of one instance."""

    path: Path

    def begin(self, writes: Sequence[Write], owner: str) -> None:
        """Keep what is about to be written, for its owner alone.

        Raises:
            OSError: where that cannot be.
        """
        held = json.dumps({"owner": owner, "writes": writes})
        write_private(self.path, held.encode())

    def end(self) -> None:
        """It is written, or never will be."""
        self.path.unlink(missing_ok=True)

    def read(self) -> tuple[list[Write], str] | None:
        """What was about to be written, and in whose name; None where there is nothing."""
        try:
            held = json.loads(self.path.read_bytes())
            writes = [
                Write(Address(at), expect, body, Address(previous) if previous else None)
                for at, expect, body, previous in held["writes"]
            ]
            return writes, str(held["owner"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def settle(driver: MeshDriver[Any]) -> None:
    """Finish what a batch that was cut off has left, if no other is at work."""
    if driver.journal.path.exists():
        with driver.lock(wait=False) as alone:
            if alone:
                settle_alone(driver)


def settle_alone(driver: MeshDriver[Any]) -> None:
    """The same for one that holds the lock.

    Raises:
        HrctlError: where the store cannot be written.
    """
    found = driver.journal.read()
    if found is not None:
        writes, owner = found
        meant = dict(driver.bodies())
        for one in writes:
            meant.pop(one.previous or one.address, None)
            if one.body is not None:
                meant[one.address] = json.loads(one.body)
        if driver.holds(meant):
            driver.store.write(writes, owner)
    driver.journal.end()
