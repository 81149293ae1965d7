"""One program that hrctl runs itself, under a supervisord of its own, which watches it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hrctl.drivers.supervisor.folders import Folders, write_private

_PATIENCE: Final = 5.0  # for a program to stay stopped


def start(
    folders: Folders,
    instance: str,
    name: str,
    program: str,
    answers: Callable[[], bool],
) -> None:
    """Start the program where it does not run.

    Args:
        folders: of the supervisord.
        instance: as it is called in hrctl.yaml.
        name: what the supervisord calls the program.
        program: its section, see `section`.
        answers: whether it is there.

    Raises:
        HrctlError: HR080, where supervisord does not start; HR082, where it is not installed.
    """
    from hrctl.drivers.supervisor import daemon
    from hrctl.drivers.supervisor.client import Client, Code, RpcFaultError

    with folders.lock():
        write_private(folders.groups / f"{name}.conf", program.encode())
        daemon.ensure(folders, instance)
        client = Client(folders.socket())
        client.call("reloadConfig")
        try:
            client.call("addProcessGroup", name)
        except RpcFaultError as fault:
            if fault.code != Code.ALREADY_ADDED:
                raise
            if not answers():  # given up on, or stopped by hand
                _restart(client, name)


def _restart(client: Any, name: str) -> None:
    from hrctl.drivers.supervisor.client import Code, RpcFaultError

    # added anew, so that it is the program as it is written now, which may lie elsewhere; one that
    # ends again and again may be started between the stop and the removal
    deadline = time.monotonic() + _PATIENCE
    while True:
        for method in ("stopProcessGroup", "removeProcessGroup"):
            with suppress(RpcFaultError):  # it is so already
                client.call(method, name)
        try:
            client.call("addProcessGroup", name)
        except RpcFaultError as fault:
            if fault.code != Code.ALREADY_ADDED or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def section(name: str, command: str, folder: Path, log: Path) -> str:
    """What supervisord is told of a program that runs in a folder and comes back when it ends."""

    def escaped(text: object) -> str:
        return str(text).replace("%", "%%")

    return f"""; Written by hrctl.
[program:{name}]
command={escaped(command)}
directory={escaped(folder)}
autorestart=true
startsecs=0
startretries=1000
stopwaitsecs=10
redirect_stderr=true
stdout_logfile={escaped(log)}
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=1
"""


def runs(folders: Folders) -> bool:
    """Whether the supervisord is there."""
    from hrctl.drivers.supervisor.daemon import answers

    return folders.run.is_dir() and answers(folders.socket())


def stop(folders: Folders) -> bool:
    """Stop the program and its supervisord; whether there was one."""
    from hrctl.drivers.supervisor import daemon
    from hrctl.drivers.supervisor.client import Client

    if not runs(folders):
        return False
    with folders.lock():
        daemon.stop(folders, Client(folders.socket()))
    return True
