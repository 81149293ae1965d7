"""The log files of a Service's replicas: the last lines, and what comes after."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

_BLOCK: Final = 65536
_PAUSE: Final = 0.15  # seconds between two looks for more


def tail(path: Path, count: int) -> list[str]:
    """The last `count` lines, from the rotated file before it too where the file has fewer."""
    lines = _last(path, count)
    if len(lines) < count:
        lines = [*_last(path.with_name(path.name + ".1"), count - len(lines)), *lines]
    return lines


def _last(path: Path, count: int) -> list[str]:
    if count <= 0:
        return []
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            data = b""
            while end > 0 and data.count(b"\n") <= count:
                start = max(0, end - _BLOCK)
                file.seek(start)
                data = file.read(end - start) + data
                end = start
    except FileNotFoundError:
        return []
    return data.decode("utf-8", "replace").splitlines()[-count:]


class Follower:
    """Reads on from the end of a log file, over rotations and truncations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        file = self._open()
        if file is not None:
            file.seek(0, os.SEEK_END)

    def _open(self) -> IO[bytes] | None:
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = self.path.open("rb")
        return self._file

    def lines(self) -> list[str]:
        """The whole lines that came since the last call."""
        file = self._open()
        if file is None:
            return []
        here = os.fstat(file.fileno())
        data = self._rest + file.read()
        with suppress(FileNotFoundError):
            there = self.path.stat()
            if there.st_ino != here.st_ino:
                data += file.read()  # what was written until it was moved away
                file.close()
                self._file = None
                file = self._open()
                data += file.read() if file is not None else b""
            elif there.st_size < file.tell():
                file.seek(0)
                data += file.read()
        whole, newline, self._rest = data.rpartition(b"\n")
        return (whole + newline).decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def show(paths: Sequence[Path], *, tail_lines: int, follow: bool) -> Iterator[str]:
    """Lines of all replicas; with more than one each line names its replica."""
    prefixes = [f"[{index}] " if len(paths) > 1 else "" for index in range(len(paths))]
    followers = [Follower(path) for path in paths] if follow else []
    try:
        for prefix, path in zip(prefixes, paths, strict=True):
            yield from (prefix + line for line in tail(path, tail_lines))
        waiting: deque[str] = deque()
        while follow:
            for prefix, follower in zip(prefixes, followers, strict=True):
                waiting.extend(prefix + line for line in follower.lines())
            if not waiting:
                time.sleep(_PAUSE)
            while waiting:
                yield waiting.popleft()
    finally:
        for follower in followers:
            follower.close()
