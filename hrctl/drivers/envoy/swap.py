"""From one set of files to the next while requests go on: in order, watched, and undone if refused.

    1. weights and clusters, old and new ones together, and endpoints
    2. the routes of listeners that stay
    3. the listeners
    4. only then the weights, clusters, routes and endpoints go that nothing names any more

After each step Envoy must report the new version of every file that changed. Where it rejects one,
or does not answer in time, the files are put back as they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy import weights
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import Place
from hrctl.drivers.envoy.saying import reason
from hrctl.drivers.envoy.snapshot import (
    CDS,
    LDS,
    RTDS,
    Files,
    Parsed,
    response,
    vacant,
    version_of,
)

_PATIENCE: Final = 15.0
_TEXT: Final = r"\.version_text$"
_REFUSALS: Final = r"\.(update_rejected|update_failure)$"
_SOON: Final = 0.1  # what Envoy takes up is taken up by then, as a rule

Stats = Mapping[str, Any]


class Watched:
    """An Envoy whose subscriptions are watched.

    Counting refusals takes it long where there are many clusters. `count` may be called ahead,
    while there is something else to wait for.
    """

    def __init__(self, place: Place, admin: Admin) -> None:
        self.place = place
        self.admin = admin
        self._before: Stats | None = None

    @property
    def counted(self) -> bool:
        """Whether it is known how often something was refused before."""
        return self._before is not None

    def count(self) -> None:
        """See how often something was refused up to now."""
        self._before = self._refused()

    def refused(self, names: Iterable[str]) -> list[str]:
        """Subscriptions that refused something since `count`."""
        if self._before is None:
            return []
        before, now = self._before, self._refused()
        return [name for name in names if _refusals(now, name) > _refusals(before, name)]

    def _refused(self) -> Stats:
        # only what was ever counted: each of thousands of clusters has a hundred statistics
        return self.admin.stats(_REFUSALS, "Counters", used=True)

    def versions(self) -> Stats:
        """What each subscription has taken up."""
        return self.admin.stats(_TEXT, "TextReadouts")


def carry(
    place: Place, admin: Admin, old: Parsed, new: Parsed, watched: Watched | None = None
) -> None:
    """Bring Envoy from the old files to the new ones.

    Args:
        place: where they lie.
        admin: of the Envoy.
        old: the files that are there.
        new: those that are to be.
        watched: that has counted refusals already.

    Raises:
        HrctlError: HR211, where Envoy rejects a file; HR083, where one cannot be written; HR080,
            where Envoy goes away. All files are as before then.
    """
    before, after = old.files, new.files
    changed = {path for path in {**before, **after} if before.get(path) != after.get(path)}
    if not changed:
        return
    watched = watched or Watched(place, admin)
    if not watched.counted and changed != {RTDS}:  # which is made of numbers alone
        watched.count()
    try:
        for step in _steps(old, new, changed):
            _take(watched, step)
    except (HrctlError, OSError) as error:
        _undo(place, admin, before, changed)
        if isinstance(error, OSError):
            raise place.cannot_write(error) from error
        raise


def _steps(
    before: Parsed, after: Parsed, changed: Iterable[str]
) -> Iterable[dict[str, bytes | None]]:
    old, new = before.files, after.files
    changed = sorted(changed)
    step: dict[str, bytes | None] = {
        path: new[path] for path in changed if path.startswith("eds/") and path in new
    }
    joined = {
        path: join(before, after)
        for path, join in ((CDS, _joined), (RTDS, _shared))
        if path in changed and path in new
    }
    yield {**step, **{path: data for path, data in joined.items() if data != old.get(path)}}
    routes = {path: new[path] for path in changed if path.startswith("rds/") and path in new}
    left = {path: routes.pop(path) for path in list(routes) if routes[path] == vacant(path)}
    # those of new listeners are subscribed to, and waited for, together with the listener; one that
    # comes back has its file, and a subscription for as long as it drains
    fresh = {path: routes[path] for path in routes if old.get(path) in {None, vacant(path)}}
    yield {path: data for path, data in routes.items() if path not in fresh}
    if new[LDS] != old.get(LDS) or fresh:
        yield {**fresh, LDS: new[LDS]}
    yield {path: new[path] for path, data in joined.items() if data != new[path]}
    yield {**left, **{path: None for path in changed if path not in new}}


def _joined(old: Parsed, new: Parsed) -> bytes:
    """The new clusters and those old ones that are no longer among them."""
    names = {one.get("name") for one in new[CDS]}
    left = [one for one in old[CDS] if one.get("name") not in names]
    return response([*left, *new[CDS]]) if left else new.files[CDS]


def _shared(old: Parsed, new: Parsed) -> bytes:
    """The new weights and those old ones that are no longer among them."""
    before: weights.Keys = {}
    for one in old[RTDS]:
        held = one.get("layer")
        before |= held if isinstance(held, dict) else {}
    (layer,) = new[RTDS]
    after = layer["layer"]
    joined = {**before, **after}
    return response([weights.layer(joined)]) if joined != after else new.files[RTDS]


def _take(watched: Watched, step: Mapping[str, bytes | None]) -> None:
    if not step:
        return
    known = _subscribed(watched, step)
    watched.place.put(step)
    wanted = {
        _stat(path): version_of(data)
        for path, data in step.items()
        if data is not None and not (path.startswith("rds/") and data == vacant(path))
    }
    started = time.monotonic()
    pause = 0.002
    while True:
        now = watched.versions()
        left = [
            name
            for name, version in wanted.items()
            if name in known and now.get(f"{name}.version_text") != version
        ]
        if not left:
            return
        over = time.monotonic() - started
        refused = watched.refused(left) if over > _SOON else ()
        if refused:
            raise _rejected(watched.place, watched.admin, refused[0])
        if over > _PATIENCE:
            raise HrctlError.of(
                "HR211",
                f"Envoy does not take up {_file(left[0], step)} within {_PATIENCE:.0f} s",
                hint="see its log; the files are as before",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _subscribed(watched: Watched, step: Iterable[str]) -> set[str]:
    """What is waited for: endpoints may have to wait for their subscription."""
    known = {_stat(path) for path in step if not path.startswith("eds/")}
    some = {_stat(path) for path in step} - known
    now = watched.versions() if some else {}
    # what is new gets its subscription in this very step
    return known | {name for name in some if f"{name}.version_text" in now}


def _stat(path: str) -> str:
    """The prefix of a file's subscription among the statistics."""
    if path == LDS:
        return "listener_manager.lds"
    if path == CDS:
        return "cluster_manager.cds"
    if path == RTDS:
        return "runtime"
    name = Path(path).parent.name
    return f"cluster.{name}" if path.startswith("eds/") else f"http.{name}.rds.{name}"


def _file(stat: str, step: Iterable[str]) -> str:
    return next((path for path in step if _stat(path) == stat), stat)


def _refusals(stats: Stats, name: str) -> int:
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
                return reason(str(details))
    return None


def _logged(place: Place) -> str | None:
    try:
        lines = place.log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = [line for line in lines if "[warning]" in line and "rejected" in line]
    return reason(found[-1]) if found else None


def _undo(place: Place, admin: Admin, old: Files, changed: Iterable[str]) -> None:
    """Put the files back, in the order in which nothing is named that is not there."""
    order = sorted(changed, key=lambda path: (path.startswith("rds/"), path == LDS))
    back: dict[str, bytes | None] = {path: old[path] for path in order if path in old}
    try:
        place.put(back)
    except OSError as error:
        raise place.cannot_write(error) from error
    stats = {path: data for path, data in back.items() if data is not None}
    deadline = time.monotonic() + _PATIENCE
    wanted = {_stat(path): version_of(data) for path, data in stats.items()}
    while time.monotonic() < deadline and admin.answers():
        now = Watched(place, admin).versions()
        if all(
            now.get(f"{name}.version_text") in {version, None} for name, version in wanted.items()
        ):
            break
        time.sleep(0.02)
    place.put({path: None for path in order if path not in old})
