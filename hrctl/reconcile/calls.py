"""Calls to drivers, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Driver, Outcome, Result, Secrets
from hrctl.model.address import Address
from hrctl.model.plan import Change

_LINGER: Final = 0.05  # seconds to wait, at most, for outcomes that follow at once
_TICK: Final = 0.001


@dataclass(frozen=True, slots=True)
class Call:
    """One batch for one driver instance."""

    driver: str
    batch: tuple[Change, ...]


class Calls:
    """Runs calls and hands over their outcomes: exactly one for each change, whatever happens.

    The threads are daemons: a second Ctrl-C does not wait for them.
    """

    def __init__(self, drivers: Mapping[str, Driver], secrets: Secrets) -> None:
        self._drivers = drivers
        self._secrets = secrets
        self._queue: SimpleQueue[Outcome | Call] = SimpleQueue()
        self._busy: Counter[str] = Counter()
        self._open = 0  # changes that are out and have no outcome yet
        self.unknown: set[Address] = set()  # failures after which live may be in any state

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return self._busy.total()

    def busy(self, driver: str) -> int:
        """How many of them are at this instance."""
        return self._busy[driver]

    def start(self, call: Call) -> None:
        """Send a batch to its driver."""
        self._busy[call.driver] += 1
        self._open += len(call.batch)
        threading.Thread(
            target=self._work, args=(call,), name=f"hrctl-{call.driver}", daemon=True
        ).start()

    def outcomes(self, timeout: float) -> list[Outcome]:
        """Wait for an outcome; it, and those that come right behind it, are handed over together.

        A call that ends makes room without an outcome, so the list may be empty.
        """
        found: list[Outcome] = []
        try:
            self._take(self._queue.get(timeout=timeout), found)
        except Empty:
            return found
        until = time.monotonic() + _LINGER
        while True:
            before = len(found)
            while not self._queue.empty():
                self._take(self._queue.get(), found)
            if not self._open or len(found) == before or time.monotonic() > until:
                return found
            time.sleep(_TICK)

    def _take(self, item: Outcome | Call, found: list[Outcome]) -> None:
        if isinstance(item, Call):
            self._busy[item.driver] -= 1
        else:
            self._open -= 1
            found.append(item)

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self, call: Call) -> None:
        missing = {change.address: change for change in call.batch}
        try:
            for outcome in self._answers(call, missing):
                self._queue.put(outcome)
            error = _broke(call.driver, "left out the outcome of a change")
        except HrctlError as raised:
            error = raised.diagnostics[0]
        except Exception as raised:  # noqa: BLE001 - a driver may be anyone's code
            error = _broke(call.driver, f"raised {type(raised).__name__}: {raised}")
        finally:
            for address in missing:
                outcome = Outcome(address, Result.FAILED, error=error)
                self.unknown.add(address)
                self._queue.put(outcome)
            self._queue.put(call)

    def _answers(self, call: Call, missing: dict[Address, Change]) -> Iterator[Outcome]:
        since = time.monotonic()
        for outcome in self._drivers[call.driver].apply(call.batch, self._secrets):
            now = time.monotonic()
            if missing.pop(outcome.address, None) is None:
                raise HrctlError(
                    _broke(call.driver, f"gave an outcome for {outcome.address} unasked")
                )
            yield outcome if outcome.seconds else replace(outcome, seconds=now - since)
            since = now


def _broke(driver: str, what: str) -> Diagnostic:
    return Diagnostic(
        "HR087",
        f"driver {driver} {what}",
        hint="the next plan looks at what is live; report it to the driver's author",
    )
