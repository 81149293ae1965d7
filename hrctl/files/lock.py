"""A lock on a file that is waited for with a limit, and that says who holds it.

The system releases the lock when its holder dies, so nothing is ever left locked. The file itself
stays: removing it would let two processes lock two files of the same name.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hrctl.diagnostics import Diagnostic, LockedError

WAIT_VARIABLE: Final = "HRCTL_LOCK_WAIT"
WAIT_SECONDS: Final = 60.0

_PAUSE: Final = (0.002, 0.1)  # seconds between two attempts: the first, and the longest


@contextmanager
def exclusive(path: Path, *, wait: float | None = None, mode: int = 0o600) -> Iterator[None]:
    """Hold the lock, alone among threads and processes; the folder must exist.

    Args:
        path: the lock file; created where it is missing.
        wait: seconds; None takes `HRCTL_LOCK_WAIT`, or 60.
        mode: permissions of a new lock file.

    Raises:
        LockedError: HR360, where another process still holds it after that time.
        OSError: where the lock file cannot be opened.
    """
    limit = _limit() if wait is None else wait
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
    try:
        if not _acquire(descriptor, limit):
            raise _locked(path, descriptor, limit)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _limit() -> float:
    try:
        return max(0.0, float(os.environ.get(WAIT_VARIABLE, "")))
    except ValueError:
        return WAIT_SECONDS


def _acquire(descriptor: int, limit: float) -> bool:
    pause, longest = _PAUSE
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(longest, pause * 2)
        else:
            return True


def _sign(descriptor: int) -> None:
    """Write down the holder, for those who wait in vain."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = f"process {os.getpid()} on {socket.gethostname()} since {since}\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _locked(path: Path, descriptor: int, limit: float) -> LockedError:
    lines = os.pread(descriptor, 200, 0).decode("utf-8", "replace").splitlines()
    holder = lines[0] if lines and lines[0].isprintable() else "another process"
    return LockedError(
        Diagnostic(
            "HR360",
            f"{path} is locked by {holder}, also after {limit:g} seconds",
            hint="wait until that process ends and try again, or end it where it hangs",
        )
    )
