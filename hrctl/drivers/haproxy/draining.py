"""Wait until nodes are idle."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.place import Place
from hrctl.drivers.haproxy.runtime import Row, Runtime
from hrctl.drivers.mesh.names import numeric
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

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


def wait_until_idle(place: Place, runtime: Runtime, nodes: Sequence[Mapping[str, Json]]) -> None:
    """Return when none of the nodes has anything to do, or its `drainTimeout` is over."""
    started = time.monotonic()
    waiting = {}
    for node in nodes:
        host, port = numeric(node["address"])
        waiting[f"{host}:{port}"] = started + seconds(node.get("drainTimeout", "30s"))
    while waiting:
        busy: dict[str, int] = {}
        for row in rows_of_all(place, runtime):
            at = address_of(row)
            busy[at] = busy.get(at, 0) + number(row, "scur") + number(row, "qcur")
        now = time.monotonic()
        waiting = {at: until for at, until in waiting.items() if busy.get(at) and now < until}
        if waiting:
            time.sleep(0.05)


def address_of(row: Row) -> str:
    """The host of a server's row, ``host:port``; of other rows something else."""
    return row.get("addr", "").replace("[", "").replace("]", "")


def number(row: Row, name: str) -> int:
    """One number; HAProxy leaves out what does not go with a row."""
    text = row.get(name) or "0"
    return int(text) if text.lstrip("-").isdigit() else 0
