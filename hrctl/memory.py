"""Core dumps are off while plaintext is held: a crash writes no secret to the disk.

On Linux the process is made undumpable, which also keeps another process of the same user from
reading its memory; elsewhere the limit of core files does what can be done.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # prctl(2)

_usual: tuple[int, int] | None = None  # the limit that hrctl was started with


def keep_out_of_dumps() -> None:
    """Turn core dumps of this process off, for good. Call it before the first plaintext is read.

    Programs that are started are dumpable again, and have the soft limit 0.
    """
    global _usual  # noqa: PLW0603 - a property of the process
    if _usual is not None:
        return
    _usual = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, _usual[1]))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def usual_core_limit() -> Iterator[None]:
    """Give programs that are started meanwhile the limit of core files that hrctl was given.

    For those that live on: what they run is not to depend on whether hrctl has read a secret.
    """
    if _usual is None:
        yield
        return
    now = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, _usual)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, now)
