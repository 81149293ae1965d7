"""Ctrl-C while something is changed: the first stops in good order, the second leaves at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hrctl.cli.console import Console


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is under way as Ctrl-C does, so that it is taken back.

    Under nohup SIGHUP stays ignored.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = (signal.SIGTERM, signal.SIGHUP)
    signals = [one for one in wanted if signal.getsignal(one) is signal.SIG_DFL]
    for one in signals:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one in signals:
            signal.signal(one, signal.SIG_DFL)


@contextmanager
def stoppable(console: Console) -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second one raises KeyboardInterrupt.

    The signals are Ctrl-C, SIGTERM and SIGHUP. Under nohup SIGHUP stays ignored.
    """
    stop = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.error(
            "Stopping: nothing new starts, what runs is finished and recorded."
            " Once more leaves at once."
        )

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = [signal.signal(one, handle) for one in signals]
    try:
        yield stop
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)
