"""The proxy that hrctl runs itself, under a supervisord of its own, which watches it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from hrctl.diagnostics import HrctlError
from hrctl.drivers.mesh.listeners import is_taken
from hrctl.drivers.mesh.place import MeshPlace
from hrctl.drivers.supervisor.folders import LAUNCHER, Folders, write_private

_PATIENCE: Final = 5.0  # for a program to stay stopped
_START: Final = 20.0
_RESTART: Final = 10.0  # a restart of the embedded one takes a fraction of it


class AdminInterface(Protocol):
    """Where a proxy tells how it is."""

    def answers(self) -> bool:
        """Whether it is there and ready."""
        ...

    def require(self) -> None:
        """See that it is there.

        Raises:
            HrctlError: HR080, where it does not answer, with what is wrong.
        """
        ...


def is_up(place: MeshPlace, interface: AdminInterface) -> bool:
    """Whether there is a proxy; the embedded one is waited for while it is restarted.

    Raises:
        HrctlError: HR080, where there should be one and it does not answer: what it serves is
            not known then, and must not be taken for lost.
    """
    if place.folders is not None and not runs(place.folders):
        return False
    if not is_back(place, interface):
        interface.require()
    return True


def is_back(place: MeshPlace, interface: AdminInterface) -> bool:
    """Whether the proxy answers; the embedded one is waited for while it is restarted."""
    return answers_within(interface.answers, _RESTART if place.embedded else 0.0)


def answers_within(answers: Callable[[], bool], patience: float) -> bool:
    """Whether a program that is being started answers within so many seconds."""
    deadline = time.monotonic() + patience
    while not answers():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def start(
    place: MeshPlace,
    interface: AdminInterface,
    instance: str,
    command: Sequence[str],
    why: Callable[[], str | None],
) -> None:
    """Start the proxy where it does not run, and wait until it is ready.

    Args:
        place: of the instance, made.
        interface: of the proxy.
        instance: as it is called in hrctl.yaml.
        command: that runs it, as words.
        why: gives the reason from its log, where it does not start.

    Raises:
        HrctlError: HR080, where it does not start, or supervisord; HR082, where that is not
            installed; HR083, where supervisord cannot be told the path of the project.
    """
    assert place.folders is not None  # noqa: S101 - asked of embedded instances alone
    program = section(place, place.program, command)
    _add(place.folders, instance, place.program, program, interface)
    if not answers_within(interface.answers, _START):
        reason = why()
        raise HrctlError.of(
            "HR080",
            f"the embedded {place.proxy} does not start" + (f": {reason}" if reason else ""),
            hint=f"see {place.log}",
        )


def taken(place: MeshPlace, listens: Iterable[str]) -> set[str]:
    """Which of these another program has, where the proxy is about to be started.

    What outlived its supervisord is no other program: it is ended.
    """
    assert place.folders is not None  # noqa: S101 - asked of embedded instances alone
    from hrctl.drivers.supervisor.daemon import end_left_behind

    with place.folders.lock():
        if runs(place.folders):  # then it is on its way back, with what it had
            return set()
        end_left_behind(place.folders)
    return set(filter(is_taken, listens))


def _add(
    folders: Folders, instance: str, name: str, program: str, interface: AdminInterface
) -> None:
    from hrctl.drivers.supervisor import daemon
    from hrctl.drivers.supervisor.client import Client, Code, RpcFaultError

    with folders.lock():
        write_private(folders.groups / f"{name}.conf", program.encode())
        daemon.ensure(folders, instance)
        client = Client(folders.socket(), fence=folders.fence)
        client.call("reloadConfig")
        try:
            client.call("addProcessGroup", name)
        except RpcFaultError as fault:
            if fault.code != Code.ALREADY_ADDED:
                raise
            if not interface.answers():  # given up on, or stopped by hand
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


def section(
    place: MeshPlace, name: str, command: Sequence[str], *, last: int = 10, kept: str = "5MB"
) -> str:
    """What supervisord is told of a program that comes back when it ends.

    Its starts are written down: one that outlives its supervisord is ended before another starts.

    Args:
        place: of the instance, in whose folder it runs.
        name: what supervisord calls it, and its log.
        command: its words.
        last: seconds that it has to end, when it is stopped.
        kept: how much of the log is kept, twice.

    Raises:
        HrctlError: HR083, where the path of the project cannot be written there.
    """
    from hrctl.drivers.supervisor import quoting

    assert place.folders is not None  # noqa: S101 - asked of embedded instances alone
    note = f"{place.folders.starts(name)}.0"
    launched = [sys.executable, "-I", "-S", LAUNCHER, "--as", note, *command]
    return f"""; Written by hrctl.
[program:{name}]
command={quoting.command(launched)}
directory={quoting.directory(place.home)}
autorestart=true
startsecs=0
startretries=1000
stopwaitsecs={last}
redirect_stderr=true
stdout_logfile={quoting.log_file(place.home / "logs" / f"{name}.log")}
stdout_logfile_maxbytes={kept}
stdout_logfile_backups=1
"""


def runs(folders: Folders) -> bool:
    """Whether the supervisord is there."""
    from hrctl.drivers.supervisor.daemon import answers

    return folders.run.is_dir() and answers(folders.socket())
