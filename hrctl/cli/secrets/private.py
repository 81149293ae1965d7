"""A file that only its owner can read, in memory where there is such a place, gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from hrctl.cli.secrets import leftovers
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.memory import keep_out_of_dumps

_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder of mode 0700 that is removed in the end, a signal to end included.

    After SIGKILL the next command removes it, see `leftovers`.

    Raises:
        HrctlError: HR183, where there is no place that only this user can enter.
    """
    parent = _parent()
    keep_out_of_dumps()
    with ExitStack() as stack:
        with leftovers.locked(parent, wait=True):  # or the folder would be swept before its lock
            folder = Path(tempfile.mkdtemp(dir=parent))
            stack.enter_context(leftovers.locked(str(folder), wait=True))
        stack.callback(shutil.rmtree, folder)
        for number in _ENDS:
            stack.callback(signal.signal, number, signal.signal(number, _leave))
        yield folder


def _parent() -> str:
    """The folder of this user, in memory where there is such a place, else where files go."""
    places = leftovers.bases()
    first = {os.path.realpath(os.environ.get("XDG_RUNTIME_DIR") or "/"), *_tmpfs()}
    places.sort(key=lambda place: os.path.realpath(place) not in first)
    reasons = []
    for place in places:
        folder = leftovers.folder_of_user(place)
        try:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)  # noqa: PTH102 - one call, or another's folder is taken
            if leftovers.is_private(os.lstat(folder)):
                return folder
            reasons.append(f"{folder} is somebody else's, or others can enter it")
        except OSError as error:
            reasons.append(f"{folder}: {(error.strerror or '').lower()}")
    raise HrctlError(
        Diagnostic(
            "HR183",
            "there is no folder for plaintext that only you can enter",
            hint="set XDG_RUNTIME_DIR to a folder that is yours alone",
            note="; ".join(reasons),
        )
    )


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _tmpfs() -> set[str]:
    """The places where a file system in memory is mounted; empty where that cannot be told."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return set()
    rows = [line.split() for line in mounts.read_text("utf-8", "replace").splitlines()]
    return {row[1] for row in rows if row[2] in {"tmpfs", "ramfs"}}


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
