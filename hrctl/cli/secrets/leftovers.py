"""Where plaintext lies while it is edited, and how what a killed command left there is removed.

Each edit has a folder of its own in ``<base>/hrctl-edit-<user id>``, and holds a lock on it as long
as its process lives. A folder whose lock is free belongs to nobody any more, whatever happened: no
process number is looked at, which may have become another's.

It is imported by every command that opens a project, and costs a few system calls.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SHARED: Final = "/dev/shm"  # noqa: S108 - memory on Linux; a folder of our own is made in it
_USUAL: Final = "/tmp"  # noqa: S108 - likewise


def bases() -> list[str]:
    """Return where the folder of a user may be: in memory first."""
    user = os.getuid()
    named = (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{user}", _SHARED)
    places = [*named, os.environ.get("TMPDIR"), _USUAL]
    return list(dict.fromkeys(place for place in places if place))


def folder_of_user(base: str) -> str:
    """Return the folder of all edits of this user below a base."""
    return f"{base}/hrctl-edit-{os.getuid()}"  # `hrctl-<id>` holds sockets


def is_private(status: os.stat_result) -> bool:
    """Whether it is a folder of this user that nobody else can enter."""
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return is_ours and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)


@contextmanager
def locked(folder: str, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of a folder; yields whether it was free, which it is in the end with `wait`.

    Raises:
        OSError: where there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def sweep() -> int:
    """Remove what killed edits of this user left; returns how many."""
    number = 0
    for base in bases():
        folder = folder_of_user(base)
        try:
            status = os.lstat(folder)
        except OSError:
            continue  # nobody has edited a secret there, which is the usual case
        if is_private(status):
            number += _swept(folder)
    return number


def _swept(folder: str) -> int:
    import shutil

    number = 0
    with locked(folder, wait=False) as is_free:
        if not is_free:  # someone begins an edit, or sweeps
            return 0
        for path in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
            # an edit that ends in this moment removes its folder itself
            with suppress(FileNotFoundError), locked(str(path), wait=False) as is_left:
                if is_left:
                    shutil.rmtree(path)
                    number += 1
    return number
