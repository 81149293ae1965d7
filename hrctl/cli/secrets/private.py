"""A file that only its owner can read, in memory where there is such a place, gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of mode 0700 that is removed whatever happens, a signal to end included."""
    folder = Path(tempfile.mkdtemp(prefix="hrctl-", dir=_in_memory()))
    before = {number: signal.signal(number, _leave) for number in _ENDS}
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _in_memory() -> str | None:
    """A folder on tmpfs that we may write to; None for the usual one."""
    for name in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108 - a folder of our own is made in it
        if name and _is_tmpfs(name) and os.access(name, os.W_OK | os.X_OK):
            return name
    return None


def _is_tmpfs(name: str) -> bool:
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    kinds = {line.split()[1]: line.split()[2] for line in mounts}
    return kinds.get(os.path.realpath(name)) in {"tmpfs", "ramfs"}


def write(path: Path, text: str) -> None:
    """Write a file of mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        file.write(text)


def run_editor(path: Path) -> str | None:
    """Have the person edit a file; None where that went well, else why not.

    Ctrl-C is the editor's alone while it runs.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run([*shlex.split(command), path], check=False)  # noqa: S603 - the user's own editor
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        return f"the editor '{command}' cannot be started: {why}"
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode:
        return f"the editor '{command}' left with {done.returncode}"
    return None
