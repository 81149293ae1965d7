"""How far something is that takes a while: one line on a terminal, which is gone at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hrctl.cli.console import Console

_WAIT: Final = 0.5  # seconds until there is anything to tell
_EVERY: Final = 0.1  # seconds


@contextmanager
def ticker(console: Console, words: str) -> Iterator[Callable[[int, int], None] | None]:
    """Tells ``3,000 of 10,000 <words>`` as it is called; None where nobody watches."""
    if console.quiet or not sys.stderr.isatty():
        yield None
        return
    shown, due = "", time.monotonic() + _WAIT

    def tell(done: int, total: int) -> None:
        nonlocal shown, due
        now = time.monotonic()
        if now >= due:
            due = now + _EVERY
            shown = f"{done:,} of {total:,} {words}"[: console.width - 1]
            sys.stderr.write(f"\r{shown:<{console.width - 1}}")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        if shown:
            sys.stderr.write(f"\r{'':<{console.width - 1}}\r")
            sys.stderr.flush()
