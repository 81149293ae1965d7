"""The contents of git's blobs as they are asked for: one process, each blob read once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final, Self

from hrctl.diagnostics import HrctlError
from hrctl.source import git

_AT_ONCE: Final = 500  # ids that fit into one pipe before an answer has to leave the other


class Blobs:
    """What blobs hold, by their ids. A context manager."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def get(self, blob: str) -> bytes:
        """What a blob holds.

        Raises:
            HrctlError: HR066, where git does not have it.
        """
        if blob not in self._known:
            self.fetch([blob])
        return self._known[blob]

    def keep(self, blob: str, data: bytes) -> None:
        """Take the content of one that git need not have: a file of the working tree."""
        self._known[blob] = data

    def forget(self, blob: str) -> None:
        """Hold the content of one no longer; it is read again where it is asked for."""
        self._known.pop(blob, None)

    def fetch(self, blobs: Iterable[str]) -> None:
        """Read all of those that are not known yet.

        Raises:
            HrctlError: HR066, where git does not have one.
        """
        wanted = [blob for blob in dict.fromkeys(blobs) if blob not in self._known]
        for start in range(0, len(wanted), _AT_ONCE):
            self._exchange(wanted[start : start + _AT_ONCE])

    def _exchange(self, blobs: Sequence[str]) -> None:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed program
                git.command(self._root, "cat-file", "--batch"),
                cwd=self._root,
                env=git.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None  # noqa: S101 - they are pipes
        assert answers is not None  # noqa: S101
        questions.write("".join(f"{blob}\n" for blob in blobs).encode())
        questions.flush()
        for blob in blobs:
            self._known[blob] = _answer(answers, blob)


def read(root: Path, blobs: Sequence[str]) -> Iterator[bytes]:
    """What these blobs hold, in their order.

    Raises:
        HrctlError: HR066, where git does not have one.
    """
    with Blobs(root) as known:
        known.fetch(blobs)
        yield from map(known.get, blobs)


def _answer(answers: IO[bytes], blob: str) -> bytes:
    header = answers.readline().split()
    if len(header) != 3 or not header[2].isdigit():  # noqa: PLR2004 - id, type, size
        raise HrctlError.of(
            "HR066",
            f"git has no blob {blob}",
            hint="git fsck tells more; a partial clone has to be able to fetch it",
        )
    data = answers.read(int(header[2]))
    answers.read(1)
    return data
