"""Standard output and standard error whose failures are kept until a command has done its work.

An apply must not end between two changes because `head` has read enough or a disk is full. While
`streams` is entered, a failed write is remembered and what follows it is dropped; the command goes
on, and the failure decides about the exit code at the end.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD: Final = 3  # descriptors: input, output, error


class DeferredOutput(io.FileIO):
    """A descriptor whose writes always succeed; `failure` is the first one that did not."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it; after a failure everything is dropped."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while self.failure is None and rest:
            try:
                written: int | None = super().write(rest)
                if written is None:  # the descriptor does not block, and its reader is slow
                    select.select([], [self], [])
            except OSError as error:
                self.failure = error
            else:
                rest = rest[written or 0 :]
        return size


def failure(stream: TextIO) -> OSError | None:
    """Return the first failed write to this stream, None where all went well."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.failure if isinstance(raw, DeferredOutput) else None


@contextmanager
def streams() -> Iterator[None]:
    """Replace `sys.stdout` and `sys.stderr` by streams that keep their failures.

    A stream without a descriptor, such as that of a test, stays as it is.
    """
    _occupy()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _deferred(before[0], 1), _deferred(before[1], 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _deferred(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:  # it was closed when hrctl started
        return io.TextIOWrapper(DeferredOutput(descriptor, "wb", closefd=False), "utf-8")
    try:
        stream.flush()
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = DeferredOutput(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _occupy() -> None:
    """Open each standard descriptor that is closed, before the ledger's file gets its number.

    It is opened for reading alone, so that a write fails as it would have done.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) < _STANDARD:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for as long as the process runs
