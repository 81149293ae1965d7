"""From one set of files to the next while requests go on: in order, watched, and undone if refused.

    1. endpoints, then the clusters, old and new ones together
    2. the routes of listeners that stay
    3. the listeners
    4. only then the clusters, routes and endpoints go that nothing names any more

After each step Envoy must report the new version of every file that changed. Where it rejects one,
or does not answer in time, the files are put back as they were.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import Place, cannot_write
from hrctl.drivers.envoy.snapshot import (
    CDS,
    LDS,
    Files,
    resources_of,
    response,
    vacant,
    version_of,
)

_PATIENCE: Final = 15.0
_MANY: Final = 50  # from so many files on, all statistics are asked for at once
_STATS: Final = r"\.(version_text|update_rejected|update_failure)$"

Counts = Mapping[str, Any]


def carry(place: Place, admin: Admin, old: Files, new: Files) -> None:
    """Bring Envoy from the old files to the new ones.

    Raises:
        HrctlError: HR211, where Envoy rejects a file; HR083, where one cannot be written; HR080,
            where Envoy goes away. All files are as before then.
    """
    changed = {path for path, _ in old.items() ^ new.items()}
    if not changed:
        return
    try:
        for step in _steps(old, new, changed):
            _take(place, admin, step)
    except (HrctlError, OSError) as error:
        _undo(place, admin, old, changed)
        if isinstance(error, OSError):
            raise cannot_write(error) from error
        raise


def _steps(old: Files, new: Files, changed: Iterable[str]) -> Iterable[dict[str, bytes | None]]:
    changed = sorted(changed)
    endpoints = [path for path in changed if path.startswith("eds/") and path in new]
    step: dict[str, bytes | None] = {path: new[path] for path in endpoints}
    joined = _joined(old.get(CDS), new[CDS])
    if joined != old.get(CDS):
        step[CDS] = joined
    yield step
    routes = {path: new[path] for path in changed if path.startswith("rds/") and path in new}
    left = {path: routes.pop(path) for path in list(routes) if routes[path] == vacant(path)}
    yield {path: data for path, data in routes.items() if path in old}
    # those of new listeners are subscribed to, and waited for, together with the listener
    fresh = {path: data for path, data in routes.items() if path not in old}
    if new[LDS] != old.get(LDS) or fresh:
        yield {**fresh, LDS: new[LDS]}
    if joined != new[CDS]:
        yield {CDS: new[CDS]}
    yield {**left, **{path: None for path in changed if path not in new}}


def _joined(old: bytes | None, new: bytes) -> bytes:
    """The new clusters and those old ones that are no longer among them."""
    wanted = resources_of(new)
    names = {one.get("name") for one in wanted}
    left = [one for one in resources_of(old or b"") if one.get("name") not in names]
    return response([*left, *wanted]) if left else new


def _take(place: Place, admin: Admin, step: Mapping[str, bytes | None]) -> None:
    if not step:
        return
    before = _stats(admin, step)
    place.put(step)
    wanted = {
        _stat(path): version_of(data)
        for path, data in step.items()
        if data is not None and not (path.startswith("rds/") and data == vacant(path))
    }
    deadline = time.monotonic() + _PATIENCE
    pause = 0.002
    # what is new gets its subscription in this very step; endpoints may have to wait for theirs
    known = {name for name in wanted if f"{name}.update_rejected" in before or name[:4] == "http"}
    known |= wanted.keys() & _ALWAYS
    while True:
        now = _stats(admin, step)
        left = [name for name in known if now.get(f"{name}.version_text") != wanted[name]]
        if not left:
            return
        refused = [name for name in left if _refusals(now, name) > _refusals(before, name)]
        if refused:
            raise _rejected(place, admin, refused[0])
        if time.monotonic() > deadline:
            raise HrctlError.of(
                "HR211",
                f"Envoy does not take up {_file(left[0], step)} within {_PATIENCE:.0f} s",
                hint="see its log; the files are as before",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


_ALWAYS: Final = frozenset({"cluster_manager.cds", "listener_manager.lds"})


def _stat(path: str) -> str:
    """The prefix of a file's subscription among the statistics."""
    if path == LDS:
        return "listener_manager.lds"
    if path == CDS:
        return "cluster_manager.cds"
    name = Path(path).parent.name
    return f"cluster.{name}" if path.startswith("eds/") else f"http.{name}.rds.{name}"


def _file(stat: str, step: Iterable[str]) -> str:
    return next((path for path in step if _stat(path) == stat), stat)


def _stats(admin: Admin, step: Mapping[str, object]) -> dict[str, Any]:
    names = [_stat(path) for path in step]
    some = "|".join(map(re.escape, names)) if len(names) <= _MANY else ".*"
    return admin.stats(f"^({some}){_STATS}")


def _refusals(stats: Counts, name: str) -> int:
    return int(stats.get(f"{name}.update_rejected") or 0) + int(
        stats.get(f"{name}.update_failure") or 0
    )


def _rejected(place: Place, admin: Admin, stat: str) -> HrctlError:
    reason = _reason(admin) or _logged(place)
    return HrctlError.of(
        "HR211",
        "Envoy rejects the configuration" + (f": {reason}" if reason else f" ({stat})"),
        hint="the files are as before, and traffic goes on; mend the route that it names",
    )


def _reason(admin: Admin) -> str | None:
    """What Envoy itself says of resources in error."""
    for part in ("dynamic_listeners", "dynamic_active_clusters", "dynamic_route_configs"):
        found = admin.json(f"/config_dump?resource={part}").get("configs", [])
        for one in found:
            details = (one.get("error_state") or {}).get("details")
            if details:
                return str(details).replace("\n", " ")
    return None


def _logged(place: Place) -> str | None:
    try:
        lines = place.log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = [line for line in lines if "[warning]" in line and "rejected" in line]
    return found[-1].rpartition("] ")[2] if found else None


def _undo(place: Place, admin: Admin, old: Files, changed: Iterable[str]) -> None:
    """Put the files back, in the order in which nothing is named that is not there."""
    order = sorted(changed, key=lambda path: (path.startswith("rds/"), path == LDS))
    back: dict[str, bytes | None] = {path: old[path] for path in order if path in old}
    try:
        place.put(back)
    except OSError as error:
        raise cannot_write(error) from error
    stats = {path: data for path, data in back.items() if data is not None}
    deadline = time.monotonic() + _PATIENCE
    wanted = {_stat(path): version_of(data) for path, data in stats.items()}
    while time.monotonic() < deadline and admin.answers():
        now = _stats(admin, stats)
        if all(
            now.get(f"{name}.version_text") in {version, None} for name, version in wanted.items()
        ):
            break
        time.sleep(0.02)
    place.put({path: None for path in order if path not in old})
