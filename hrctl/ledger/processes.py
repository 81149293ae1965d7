"""Who holds a lease, and whether that process still lives.

A process is told from a later one of the same number by the boot, the process namespace and the
time of its start: ``<boot id>/<namespace>/<start>``. What cannot be judged from here (another host,
another namespace) counts as alive, and its lease ends by expiry alone.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from functools import lru_cache
from pathlib import Path

_PROC = Path("/proc")


def holder() -> str:
    """This process as ``user@host:pid``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}"


def identity() -> str:
    """What tells this process from a later one of its number."""
    return f"{_boot()}/{_namespace()}/{_started(os.getpid())}"


def is_gone(holder_text: str, process: str | None) -> bool:
    """Whether the holder certainly does not run any more."""
    place, _, number = holder_text.rpartition(":")
    if place.rpartition("@")[2] != socket.gethostname() or not number.isdigit():
        return False
    boot, _, rest = (process or "").partition("/")
    namespace, _, started = rest.partition("/")
    if boot and boot != _boot():
        return True
    if namespace and namespace != _namespace():
        return False
    now = _started(int(number))
    return now is None or bool(started and now and started != now)


@lru_cache(maxsize=1)
def _boot() -> str:
    file = _PROC / "sys/kernel/random/boot_id"
    return file.read_text("ascii").strip() if file.exists() else ""


@lru_cache(maxsize=1)
def _namespace() -> str:
    link = _PROC / "self/ns/pid"
    return link.readlink().name.removeprefix("pid:") if link.exists() else ""


def _started(pid: int) -> str | None:
    """Return when the process started, in a form that only compares; None where it does not run.

    It is empty where `/proc` hides the processes of other users (hidepid).
    """
    if (_PROC / "self/stat").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        except OSError:
            return "" if _exists(pid) else None
        fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
        return None if fields[0] in {"Z", "X"} else fields[19]
    found = subprocess.run(  # noqa: S603 - a number is all that is passed
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _exists(pid: int) -> bool:
    """Return whether a process has this number, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
