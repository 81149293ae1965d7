"""The supervisord that hrctl runs itself: start it, find out whether it is there, stop it.

Every function that changes something is called with `Folders.lock` held, so two hrctl processes
never start two of them; only `down` takes it itself.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.interpreter import module
from hrctl.drivers.supervisor import procs
from hrctl.drivers.supervisor.folders import Folders, write_private
from hrctl.memory import usual_core_limit

if TYPE_CHECKING:
    from hrctl.drivers.supervisor.client import Client

# What the services inherit beside what they declare: nothing that depends on who ran hrctl last.
_INHERITED: Final = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")
_START_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 60.0


def answers(path: Path) -> bool:
    """Whether something listens at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def ensure(folders: Folders, instance: str) -> None:
    """Make sure that the instance's own supervisord runs. The lock is held.

    1. One that answers is taken as it is.
    2. One that lives without answering is ended; its socket is lost.
    3. What a supervisord that was killed left running is ended: the new one could not see it.
    4. A new one is started, and detaches itself once it listens.

    Raises:
        HrctlError: HR082, where supervisor is not installed; HR080, where it does not start.
    """
    if answers(folders.socket()):
        return
    end_left_behind(folders)
    _require_supervisor(instance)
    place = folders.place_socket()
    place.unlink(missing_ok=True)
    if _start(folders, instance, place):
        return
    # A file system without hard links: supervisord cannot make its socket there.
    place = folders.place_socket(elsewhere=True)
    place.unlink(missing_ok=True)
    if not _start(folders, instance, place):
        raise _not_started(folders, f"it did not listen within {_START_TIMEOUT:.0f} s")


def _start(folders: Folders, instance: str, place: Path) -> bool:
    """Start it and return when it listens; False where it did not in time."""
    conf = folders.run / "supervisord.conf"
    folders.fence()
    write_private(conf, _configuration(folders, instance, place).encode("utf-8", "surrogateescape"))
    output = folders.run / "daemon.err"
    with output.open("wb") as errors, usual_core_limit():
        try:
            done = subprocess.run(  # noqa: S603  # no shell, arguments are ours
                module("supervisor.supervisord", "-c", str(conf)),
                cwd=folders.run,
                env=inherited(),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                timeout=_START_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    if done.returncode != 0:
        raise _not_started(folders, f"it ended with {done.returncode}")
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        if answers(place) and daemon_pid(folders) is not None:
            return True
        time.sleep(0.02)
    return False


def _not_started(folders: Folders, why: str) -> HrctlError:
    lines: list[str] = []
    for name in ("daemon.err", "daemon.log"):
        with suppress(OSError):
            text = (folders.run / name).read_text(encoding="utf-8", errors="replace")
            lines += [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error")] or lines
    said = f": {errors[-1].strip()}" if errors else ""
    return HrctlError.of(
        "HR080",
        f"cannot start supervisord in {folders.run}: {why}{said}",
        hint=f"see {folders.run / 'daemon.err'} and daemon.log beside it",
    )


def _require_supervisor(instance: str) -> None:
    from importlib.util import find_spec

    if find_spec("supervisor") is None:
        raise HrctlError.of(
            "HR082",
            f"driver instance '{instance}' needs supervisord, which watches what hrctl runs itself",
            hint="pip install 'hrctl[supervisor]'",
        )


def inherited() -> dict[str, str]:
    """The environment below what a Service declares: of supervisord, install commands, checks."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    kept.update({name: value for name, value in os.environ.items() if name.startswith("LC_")})
    # hrctl's own interpreter comes last, so that `python` is there where the system has none.
    kept["PATH"] = os.pathsep.join(
        [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    )
    return kept


def _configuration(folders: Folders, instance: str, place: Path) -> str:
    """Paths are relative where they can be: then nothing in them needs to be escaped."""
    user = f"user={pwd.getpwuid(0).pw_name}\n" if os.getuid() == 0 else ""
    return f"""; Written by hrctl at every start.
[unix_http_server]
file={str(place).replace("%", "%%")}
chmod=0600

[supervisord]
logfile=daemon.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile=daemon.pid
identifier=hrctl-{instance}
nocleanup=true
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={_include(folders.run)}
"""


def _include(run: Path) -> str:
    """Below the file's own folder; where the path reads as a pattern, each such sign as any one."""
    text = str(run)
    if re.search(r"[*?\[]", text) is None:
        return "conf.d/*.conf"
    return re.sub(r"[*?\[\]\s]", "?", text).replace("%", "%%") + "/conf.d/*.conf"


def daemon_pid(folders: Folders) -> int | None:
    """The process of the embedded supervisord; None where none lives."""
    try:
        pid = int((folders.run / "daemon.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    # The number in a file that outlived a reboot may be anyone's: its arguments tell.
    ours = str(folders.run / "supervisord.conf") in procs.arguments(pid)
    return pid if ours and procs.is_alive(pid) else None


def end_left_behind(folders: Folders) -> bool:
    """End a supervisord that lives without answering, and what a killed one left; whether any."""
    pid = daemon_pid(folders)
    if pid is not None:  # first, or it would start anew what ends
        folders.fence()
        procs.end_group(pid, timeout=_STOP_TIMEOUT)
    return end_orphans(folders) or pid is not None


def end_orphans(folders: Folders, group: str | None = None) -> bool:
    """End what runs although its supervisord was killed: nobody would stop or restart it any more.

    Only that of one group where it is named. Returns whether there was any.
    """
    booted, found = procs.boot_time(), False
    for note in (folders.run / "starts").glob("*"):
        if group is not None and note.name.rpartition(".")[0] != group:
            continue
        with suppress(OSError, ValueError):
            # numbers and start times, which count from the boot, come again with the next one
            if note.stat().st_mtime < booted:
                continue
            _, pid, started = note.read_text(encoding="ascii").split()
            if procs.is_same(int(pid), started):
                found = True
                folders.fence()
                procs.end_group(int(pid))
    return found


def down(folders: Folders) -> bool:
    """Stop the embedded supervisord and all that it runs or has left running; whether any ran.

    Raises:
        HrctlError: HR080, where it does not end.
    """
    if not folders.run.is_dir():
        return False
    with folders.lock():
        if not answers(folders.socket()):
            return end_left_behind(folders)
        from hrctl.drivers.supervisor.client import Client

        stop(folders, Client(folders.socket(), fence=folders.fence))
    return True


def stop(folders: Folders, client: Client) -> None:
    """Stop the embedded supervisord and all that it runs; no error where it does not run.

    Raises:
        HrctlError: HR080, where it does not end.
    """
    from hrctl.drivers.supervisor.client import RpcFaultError, UnreachableError

    pid = daemon_pid(folders)
    with suppress(RpcFaultError, UnreachableError):  # it is on its way down, or gone
        stop_all(client)  # by itself it would stop one group after another
        client.call("shutdown")
    if pid is not None and not procs.wait_gone(pid, _STOP_TIMEOUT):
        raise HrctlError.of(
            "HR080",
            f"supervisord (process {pid}) does not stop",
            hint=f"see {folders.run / 'daemon.log'}; a service may have a longer stopTimeout",
        )
    (folders.run / "daemon.pid").unlink(missing_ok=True)


def stop_all(client: Client) -> None:
    """Ask all processes at once to end, and wait until they have, a minute at most.

    supervisord wakes up for a question, not for a process that ends: asking is faster than to let
    it wait itself.
    """
    from hrctl.drivers.supervisor.state import HALTED

    client.call("stopAllProcesses", False)
    deadline = time.monotonic() + _STOP_TIMEOUT
    while time.monotonic() < deadline:
        groups = client.processes().values()
        if all(one.state in HALTED for some in groups for one in some):
            return
        time.sleep(0.03)
