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
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy import process
from hrctl.drivers.haproxy.backends import Server
from hrctl.drivers.haproxy.configuration import Configuration, Files, State
from hrctl.drivers.haproxy.place import Place, digests
from hrctl.drivers.haproxy.runtime import RefusedError, Runtime
from hrctl.drivers.mesh.names import is_ip
from hrctl.model.values import Json

_SERVER: Final = re.compile(r"^    server (\S+) \S+ (.*)$")
_CHANGEABLE: Final = re.compile(r"\b(weight|maxconn) (\d+) ?")
_EMPTYING: Final = 2.0  # how long a server that goes may still have idle connections


def carry(place: Place, runtime: Runtime, new: Configuration) -> None:
    """Bring HAProxy to a configuration.

    Raises:
        HrctlError: HR233, where HAProxy does not take it; HR080, where it goes away. All is as
            before then.
        OSError: where a file cannot be written; nothing was changed.
    """
    old = place.present()
    noted = place.applied()
    known = digests(old) == noted.get("files")
    names = {str(one) for one in noted.get("backends", ())} | {one.name for one in new.backends}
    before = runtime.state(names, new.settings.table)
    if old == new.files and before == new.state:
        return
    try:
        place.put(new.files)
        if not (known and is_dynamic(old, new) and _told(runtime, before, old, new)):
            process.reload(place, runtime)
        _require(runtime, names, new)
    except (HrctlError, OSError):
        _undo(place, runtime, old)
        raise


def is_dynamic(old: Files, new: Configuration) -> bool:
    """Whether only servers, weights and cuts differ from the files."""
    config = new.settings.names[0]
    was, were = _parted(old.get(config, b"").decode("utf-8", "replace"))
    will, then = _parted(new.text)
    same = all(were[name][0] == options for name, (options, _) in then.items() if name in were)
    added = then.keys() - were.keys()
    numbers = all(
        is_ip(one.host)
        for backend in new.backends
        for one in backend.servers
        if f"{backend.name}/{one.name}" in added
    )
    return was == will and same and numbers


def _parted(text: str) -> tuple[list[str], dict[str, tuple[str, str]]]:
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


def _told(runtime: Runtime, live: State, old: Files, new: Configuration) -> bool:
    """Tell the socket; False where it refuses, so that a reload has to do."""
    config = new.settings.names[0]
    _, were = _parted(old.get(config, b"").decode("utf-8", "replace"))
    wanted = {
        f"{backend.name}/{one.name}": one for backend in new.backends for one in backend.servers
    }
    present = live["servers"]
    gone = [name for name in present if name not in wanted]
    try:
        runtime.tell(
            [line for name in wanted.keys() - present.keys() for line in added(name, wanted[name])]
        )
        limits = {name: limit for name, (_, limit) in were.items()}
        runtime.tell(changed(present, wanted, limits))
        runtime.tell(
            [
                f"set map {new.settings.table} {key} {cut}"
                for key, cut in new.cuts.items()
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


def changed(
    present: Mapping[str, Json], wanted: Mapping[str, Server], limits: Mapping[str, str]
) -> list[str]:
    """The commands for servers that stay."""
    made = []
    for name, server in wanted.items():
        if name not in present:
            continue
        address, weight, forced = present[name]
        if address != server.address:
            made.append(f"set server {name} addr {server.host} port {server.port}")
        if weight != server.weight:
            made.append(f"set server {name} weight {server.weight}")
        if forced:
            made.append(f"set server {name} state ready")
        if limits.get(name, "0") != str(server.maxconn or 0):
            made.append(f"set maxconn server {name} {server.maxconn or 0}")
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


def _require(runtime: Runtime, names: set[str], new: Configuration) -> None:
    live = runtime.state(names, new.settings.table)
    if live != new.state:
        differing = sorted(
            str(key)
            for part in ("servers", "cuts")
            for key in live[part].keys() | new.state[part].keys()
            if live[part].get(key) != new.state[part].get(key)
        )
        raise HrctlError.of(
            "HR233",
            f"HAProxy says that it runs something else than told: {', '.join(differing[:3])}",
            hint="the files are as before; see whether another program uses its socket",
        )


def _undo(place: Place, runtime: Runtime, old: Files) -> None:
    """Put the files back, and have them loaded; one that is gone loads them when it is back."""
    if place.present() == old:
        return  # they could not be written
    with suppress(HrctlError):  # the first error is the one to tell
        place.put(old)
        process.load_again(place, runtime)
