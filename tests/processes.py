"""What a test has started and must not leave running, found by the folder that it works in."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 20.0
PROC = Path("/proc")


def remove(folder: Path) -> None:
    """Remove a folder once no process works in it; fail where one still does after some seconds.

    A process that ends may write for a moment after it was told to: a folder that is removed
    meanwhile is not empty, or comes back.
    """
    deadline = time.monotonic() + PATIENCE
    while processes := working_in(folder):
        assert time.monotonic() < deadline, f"still at work in {folder}: {processes}"
        time.sleep(0.05)
    shutil.rmtree(folder)


def working_in(folder: Path) -> dict[int, str]:
    """Return the processes with their current folder or an argument in this folder: id, arguments.

    Empty on systems without ``/proc``.
    """
    inside = str(folder.resolve())
    processes = {}
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            arguments = (
                (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            )
            place = str((entry / "cwd").readlink())
            if int(entry.name) != os.getpid() and (inside in arguments or place.startswith(inside)):
                processes[int(entry.name)] = arguments
    return processes
