"""Replace files so that a reader, and a machine that lost power, see the old or the new content.

Content goes into a draft beside the target: created exclusively under a random name, so that nobody
can place a link there first, written and synced, then renamed over the target. The folder is synced
last, because a rename is durable only then.

The writer holds a lock on its draft. A killed process leaves a draft without a lock, which the next
write into that folder removes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DRAFT_SUFFIX: Final = ".hrctl-draft"

_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
_swept: Final[set[Path]] = set()  # folders that this process has cleared of drafts

os.register_at_fork(after_in_child=_swept.clear)


def write(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace one file; see `write_all`."""
    write_all({path: data}, mode=mode)


def write_all(files: Mapping[Path, bytes], *, mode: int | None = None) -> None:
    """Replace files by renaming, in their order; none of them where one cannot be written.

    All content is on the disk before the first rename. Each file takes a descriptor meanwhile. A
    symbolic link is replaced itself; resolve the path first to replace its target.

    Args:
        files: content by path; the folders must exist.
        mode: permissions; None keeps those of the file, or takes the process's default.

    Raises:
        OSError: where the system refuses; `filename` is the path of the target.
    """
    drafts: list[_Draft] = []
    try:
        for path, data in files.items():
            with _naming(path):
                draft = _create(path, mode)
                drafts.append(draft)
                draft.fill(data)
        for draft in drafts:  # after all were written: one write of the journal serves many
            with _naming(draft.target):
                os.fsync(draft.descriptor)
        for draft in drafts:
            with _naming(draft.target):
                draft.commit()
        for folder in dict.fromkeys(path.parent for path in files):
            with _naming(folder):
                sync_folder(folder)
    finally:
        for draft in drafts:
            draft.close()


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some file systems sync no folders
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a file durably; no error where it does not exist."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def sweep(folder: Path) -> int:
    """Remove the drafts of killed processes from a folder; return how many there were."""
    removed = 0
    for name in os.listdir(folder):  # noqa: PTH208 - names, not paths
        if name.endswith(DRAFT_SUFFIX) and _remove_abandoned(folder / name):
            removed += 1
    return removed


@dataclass(slots=True)
class _Draft:
    """Content on its way to `target`; the open descriptor carries the writer's lock."""

    target: Path
    path: Path
    descriptor: int
    committed: bool = False

    def fill(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def commit(self) -> None:
        self.path.replace(self.target)
        self.committed = True

    def close(self) -> None:
        if not self.committed:
            with suppress(OSError):  # the first error is the one to report
                self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class _naming:  # noqa: N801 - a context manager that reads like a function
    """Let an error name the target: nobody knows its draft."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            error.filename = str(self.path)
            error.filename2 = None


def _create(target: Path, mode: int | None) -> _Draft:
    folder = target.parent
    if folder not in _swept:
        sweep(folder)
        _swept.add(folder)
    permissions = mode if mode is not None else _permissions(target)
    while True:
        path = folder / f".{os.urandom(8).hex()}{DRAFT_SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        draft = _Draft(target, path, os.open(path, flags, 0o666 if permissions is None else 0o600))
        try:
            _lock(draft.descriptor)
            if not os.fstat(draft.descriptor).st_nlink:  # a sweep met it before its lock
                os.close(draft.descriptor)
                continue
            if permissions is not None:
                os.fchmod(draft.descriptor, permissions)
        except OSError:
            draft.close()
            raise
        return draft


def _permissions(target: Path) -> int | None:
    try:
        status = target.lstat()
    except FileNotFoundError:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # no sweep removes drafts there either
            raise


def _remove_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False  # removed meanwhile, a link, or another user's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False  # its writer is alive, or its folder is read-only
    finally:
        os.close(descriptor)
    return True
