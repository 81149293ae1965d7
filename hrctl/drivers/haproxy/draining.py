"""What hosts have to do."""

from __future__ import annotations

import re
import time

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.place import Place
from hrctl.drivers.haproxy.runtime import ABSENT, Row, Runtime

_WORKER = re.compile(r"^(\d+)\s+worker\b", re.MULTILINE)


def rows_of_all(place: Place, runtime: Runtime) -> list[Row]:
    """Return `show stat` of the worker, and of old ones that still have connections.

    Raises:
        HrctlError: HR080, where the worker or the master process does not answer: whether an old
            worker still serves requests is not known then.
    """
    rows = list(runtime.stat())
    if place.master is None:
        return rows
    current = runtime.pid()
    master = Runtime(place.master, "master")
    for pid in _workers(master):
        if int(pid) == current:
            continue
        try:
            rows += master.stat(f"@!{pid} ")
        except HrctlError:
            if pid in _workers(master):
                raise
    return rows


def _workers(master: Runtime) -> list[str]:
    """Return the process ids of all workers.

    The master listens anew after each reload, a moment later than the worker: it is waited for.
    """
    deadline = time.monotonic() + ABSENT
    while True:
        try:
            return _WORKER.findall(master.ask("show proc"))
        except HrctlError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def active(place: Place, runtime: Runtime) -> dict[tuple[str, int], int]:
    """Host and port -> requests and streams that run there, over all backends."""
    found: dict[tuple[str, int], int] = {}
    for row in rows_of_all(place, runtime):
        at = place_of(row)
        if at is not None:
            found[at] = found.get(at, 0) + number(row, "scur") + number(row, "qcur")
    return found


def place_of(row: Row) -> tuple[str, int] | None:
    """Host and port of a server's row; None of other rows."""
    host, _, port = row.get("addr", "").rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None


def number(row: Row, name: str) -> int:
    """One number; HAProxy leaves out what does not go with a row."""
    text = row.get(name) or "0"
    return int(text) if text.lstrip("-").isdigit() else 0
