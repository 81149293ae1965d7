"""What hosts have to do."""

from __future__ import annotations

import re

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.place import Place
from hrctl.drivers.haproxy.runtime import Row, Runtime

_WORKER = re.compile(r"^(\d+)\s+worker\b", re.MULTILINE)


def rows_of_all(place: Place, runtime: Runtime) -> list[Row]:
    """`show stat` of the worker, and of old ones that still have connections."""
    rows = list(runtime.stat())
    if place.master is None:
        return rows
    current = runtime.pid()
    try:
        master = Runtime(place.master)
        for pid in _WORKER.findall(master.ask("show proc")):
            if int(pid) != current:
                rows += Runtime(place.master).stat(f"@!{pid} ")
    except HrctlError:  # the worker knows most of it
        return rows
    return rows


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
