"""Groups of a supervisord that hrctl did not make, as Service bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from hrctl.drivers.api import Live
from hrctl.drivers.supervisor.groupfile import AUTORESTART
from hrctl.drivers.supervisor.state import RUNNING, STARTING, Process
from hrctl.model.address import Address
from hrctl.model.kinds.units import duration
from hrctl.model.values import Body, digest

_DEFAULT_STOP: Final = 10


def address_of(project: str, group: str) -> Address:
    """Where a foreign group stands: below the project's root, its name made valid."""
    name = re.sub(r"[^a-z0-9-]+", "-", group.lower()).strip("-")[:63].strip("-")
    return Address.of(project, "Service", name or "group")


def foreign(
    rows: Iterable[Mapping[str, Any]], ours: set[str]
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """The active groups that are not ours, with their programs, from `getAllConfigInfo`."""
    found = [row for row in rows if row["inuse"] and row["group"] not in ours]
    found.sort(key=lambda row: row["group"])
    for group, programs in groupby(found, key=lambda row: row["group"]):
        yield group, list(programs)


def live_of(
    project: str, group: str, programs: Sequence[Mapping[str, Any]], processes: Sequence[Process]
) -> Live:
    """One foreign group as a Service. Its environment is not told, so the body has none."""
    body = _body(programs, processes)
    version = digest([group, [sorted(map(str, row.items())) for row in programs], body])
    return Live(address_of(project, group), body, version)


def _body(programs: Sequence[Mapping[str, Any]], processes: Sequence[Process]) -> Body:
    first = programs[0]
    up = sum(one.state in {RUNNING, STARTING} for one in processes)
    spec: dict[str, Any] = {
        "type": "WORKER",
        "state": "RUNNING" if up else "STOPPED",
        "command": first["command"],
        "replicas": len(programs),
    }
    if first.get("directory") not in {None, "none"}:
        spec["workingDirectory"] = first["directory"]
    # supervisord does not tell its restart policy; its own default is `unexpected`.
    policy = next(name for name, text in AUTORESTART.items() if text == "unexpected")
    spec["restart"] = {"policy": policy}
    if first.get("stopwaitsecs", _DEFAULT_STOP) != _DEFAULT_STOP:
        spec["stopTimeout"] = duration(first["stopwaitsecs"])
    return {"metadata": {}, "spec": spec}
