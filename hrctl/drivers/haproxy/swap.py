"""From what runs to what is wanted: at the socket where that can be, else by a reload.

    1. the files are replaced, so that whatever starts anew has what is wanted
    2. where only servers, their weights, or splits differ, the socket is told; else, or where it
       refuses, a new worker loads the files
    3. what runs is read again, and must be what is wanted

Where anything of it fails the files are put back, and loaded again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy import process
from hrctl.drivers.haproxy.backends import Server
from hrctl.drivers.haproxy.configuration import Configuration, Files, State
from hrctl.drivers.haproxy.keeping import Target, refused
from hrctl.drivers.haproxy.place import Place
from hrctl.drivers.haproxy.runtime import MAINTENANCE, RefusedError, Runtime
from hrctl.logic.mesh.listening import is_ip
from hrctl.model.values import Json

_SERVER: Final = re.compile(r"^    server (\S+) \S+ (.*)$")
_CHANGEABLE: Final = re.compile(r"\b(weight|maxconn) (\d+) ?")
_EMPTYING: Final = 2.0  # how long a server that goes may still have idle connections


def carry(place: Place, runtime: Runtime, to: Target) -> None:
    """Bring HAProxy to where it is to be.

    Raises:
        HrctlError: HR233, where HAProxy does not take it; HR217, where what somebody did at the
            socket would be lost; HR080, where HAProxy goes away. All is as before then.
        OSError: where a file cannot be written; nothing was changed.
    """
    old, new = place.present(), to.made
    noted = place.applied()
    names = {str(one) for one in noted.get("backends", ())} | {one.name for one in new.backends}
    before = runtime.state(names, new.settings.table)
    if old == to.files and before == to.state and noted.get("loaded"):
        return
    config = new.settings.names[0]
    files = [_parted(one.get(config, b"").decode("utf-8", "replace")) for one in (old, to.files)]
    try:
        place.loads(False)
        place.put(to.files)
        if not (
            noted.get("loaded")
            and is_dynamic(files[0], files[1], new)
            and _told(runtime, before, files, to)
        ):
            if to.strangers:
                raise refused(to.kept)
            process.reload(place, runtime)
            loaded = runtime.state(names, new.settings.table)
            if loaded != to.state and not _told(runtime, loaded, [files[1], files[1]], to):
                raise refused(to.kept)
        _require(runtime, names, to)
        place.loads(True)
    except (HrctlError, OSError):
        if place.present() == old:
            place.loads(bool(noted.get("loaded")))
        elif _undone(place, runtime, old):
            place.loads(True)
        raise


Parted = tuple[list[str], dict[str, tuple[str, str]]]


def is_dynamic(old: Parted, wanted: Parted, new: Configuration) -> bool:
    """Whether only servers, weights and cuts differ between two files."""
    (was, were), (will, then) = old, wanted
    same = all(were[name][0] == options for name, (options, _) in then.items() if name in were)
    added = then.keys() - were.keys()
    numbers = all(
        is_ip(one.host)
        for backend in new.backends
        for one in backend.servers
        if f"{backend.name}/{one.name}" in added
    )
    return was == will and same and numbers


def _parted(text: str) -> Parted:
    """Lines that need a reload; and each server's options, and its limit of connections."""
    fixed, servers, section = [], {}, ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            section = line.split()[1] if " " in line else ""
        found = _SERVER.match(line)
        if found is None:
            fixed.append(line)
            continue
        limits = dict(_CHANGEABLE.findall(found.group(2)))
        options = _CHANGEABLE.sub("", found.group(2)).strip()
        servers[f"{section}/{found.group(1)}"] = (options, limits.get("maxconn", "0"))
    return fixed, servers


def _told(runtime: Runtime, live: State, files: Sequence[Parted], to: Target) -> bool:
    """Tell the socket; False where it refuses, so that a reload has to do."""
    servers = {f"{one.name}/{host.name}": host for one in to.made.backends for host in one.servers}
    present, wanted = live["servers"], to.state["servers"]
    gone = [name for name in present if name not in wanted]
    if any(name not in servers for name in wanted.keys() - present.keys()):
        return False
    try:
        runtime.tell(
            [line for name in wanted.keys() - present.keys() for line in added(name, servers[name])]
        )
        runtime.tell(changed(present, wanted))
        runtime.tell(
            [
                f"set maxconn server {name} {limit}"
                for name, (_, limit) in files[1][1].items()
                if name in present and name in wanted
                if files[0][1].get(name, ("", limit))[1] != limit
            ]
        )
        runtime.tell(
            [
                f"set map {to.made.settings.table} {key} {cut}"
                for key, cut in to.state["cuts"].items()
                if live["cuts"].get(key) != cut
            ]
        )
        runtime.tell([f"set server {name} state maint" for name in gone])
        for name in gone:
            _delete(runtime, name)
    except RefusedError:
        return False
    return True


def added(name: str, server: Server) -> list[str]:
    """The commands for a server that is new."""
    made = [f"add server {name} {server.address} {server.settings()}", f"enable server {name}"]
    if " check " in server.options:
        made.append(f"enable health {name}")
    return made


def changed(present: Mapping[str, Json], wanted: Mapping[str, Json]) -> list[str]:
    """The commands for servers that stay."""
    made = []
    for name, (place, heavy, state) in wanted.items():
        if name not in present:
            continue
        address, weight, forced = present[name]
        if address != place:
            host, _, port = place.rpartition(":")
            made.append(f"set server {name} addr {host.strip('[]')} port {port}")
        if weight != heavy:
            made.append(f"set server {name} weight {heavy}")
        if forced != state:
            how = "maint" if state & MAINTENANCE else "drain" if state else "ready"
            made.append(f"set server {name} state {how}")
    return made


def _delete(runtime: Runtime, name: str) -> None:
    """Remove a server in maintenance, as soon as its idle connections are closed."""
    deadline = time.monotonic() + _EMPTYING
    while True:
        try:
            return runtime.tell([f"del server {name}"])
        except RefusedError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _require(runtime: Runtime, names: set[str], to: Target) -> None:
    live = runtime.state(names, to.made.settings.table)
    if live != to.state:
        differing = sorted(
            str(key)
            for part in ("servers", "cuts")
            for key in live[part].keys() | to.state[part].keys()
            if live[part].get(key) != to.state[part].get(key)
        )
        raise HrctlError.of(
            "HR233",
            f"HAProxy says that it runs something else than told: {', '.join(differing[:3])}",
            hint="the files are as before; see whether another program uses its socket",
        )


def _undone(place: Place, runtime: Runtime, old: Files) -> bool:
    """Put the files back, and have them loaded; one that is gone loads them when it is back.

    Whether that went well: the first error is the one to tell.
    """
    with suppress(HrctlError):
        place.put(old)
        process.load_again(place, runtime)
        return True
    return False
