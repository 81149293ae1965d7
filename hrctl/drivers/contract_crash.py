"""The contract at a crash and under a lost lease: kills between any two calls, and a closed fence.

Every apply runs in a forked process. There each call that leaves the process (a rename, a sync, a
connection, what is sent and received, a statement for SQLite, a program that is started) is
counted, and the process is killed just before one of them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final

from hrctl.diagnostics import Diagnostic, LeaseLostError
from hrctl.drivers.api import Driver, Result
from hrctl.drivers.contract_base import FENCE, ContractBase, ContractSecrets, differences, require
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Body

# ruff: noqa: D102 - a test's name is its documentation

FILES: Final = frozenset({"os.remove", "os.rename", "os.rmdir"})
EVERY: Final = FILES | frozenset(
    {
        "open",
        "os.chmod",
        "os.kill",
        "os.killpg",
        "os.link",
        "os.mkdir",
        "os.symlink",
        "os.truncate",
        "socket.connect",
        "subprocess.Popen",
    }
)
_SENT: Final = ("send", "sendall", "recv", "recv_into")
_STATEMENTS: Final = ("execute", "executemany", "commit")
_QUIET_SECONDS: Final = 0.1  # how long a scan must give the same, to be the state of things

_CHILD_SECONDS: Final = 120  # a child that hangs ends by SIGALRM, and the test fails

State = Mapping[Address, Body | None]
NOTHING: Final[State] = {}


class CrashContract(ContractBase):
    """What holds when an apply is killed, or loses its lease, at any point.

    Set `kills`, `file_kills` and `fences` lower where an apply is slow: so many points are spread
    evenly over all calls, the first and the last among them.
    """

    kills: ClassVar[int] = 200
    file_kills: ClassVar[int] = 200
    fences: ClassVar[int] = 50

    def require_real(self, address: Address, body: Body) -> None:
        """Fail where the live thing is not as the body says. Look at it without the driver.

        Optional; needed where `read` gives what was written down, and not what runs.
        """

    def observe(self, driver: Driver) -> object:
        """Return what is live, to be compared while a driver is at work and after.

        Override it where `scan` itself finishes what a killed apply left.
        """
        return sorted(driver.scan())

    def leftovers(self) -> list[str]:
        """Name what killed applies left over: drafts, processes, journals. Optional."""
        return []

    def test_kill_between_any_two_calls(self) -> None:
        self._kill(self.kills, EVERY)

    def test_kill_between_any_two_changes_of_files(self) -> None:
        self._kill(self.file_kills, FILES)

    def test_lost_lease_stops_the_driver(self) -> None:
        (address, body), *_ = self._states()[0].items()
        before, after = {address: body}, {address: self.changed_body(body or {})}
        self._finish(before)
        asked = self._questions(after)
        require(asked, "apply() changes something and never calls the fence of its context")
        for point in spread(asked, self.fences):
            self._finish(before, after)
            closed = in_child(partial(self._bring_closed, after, point))
            require(closed == 0, f"a lease that is lost at question {point} does not stop apply()")
            self._finish(after, NOTHING, f"after a lease that was lost at question {point}")

    # -- steps

    def _kill(self, points: int, events: frozenset[str]) -> None:
        before, after = self._states()
        self._finish(before)
        total = reported(partial(self._bring, after, events=events))
        for point in spread(total, points):
            self._finish(before, after)
            killed = in_child(partial(self._bring, after, point, events=events))
            require(killed in {0, -signal.SIGKILL}, f"killed at call {point} it ends with {killed}")
            self._finish(after, NOTHING, f"after a kill before call {point}")
        require(not self.leftovers(), f"killed applies left {self.leftovers()}")

    def _states(self) -> tuple[State, State]:
        """One thing changes, one goes, one comes."""
        driver = self.make_driver()
        kind = "Route" if "Route" in driver.kinds else self.a_kind(driver)
        stays, goes, comes = (self.address(kind, n) for n in (1, 2, 3))
        body = self.sample_body(kind, 1)
        before: State = {stays: body, goes: self.sample_body(kind, 2), comes: None}
        after = {stays: self.changed_body(body), goes: None, comes: self.sample_body(kind, 3)}
        return before, after

    def _changes(self, driver: Driver, wanted: State, applied: State) -> list[Change]:
        """What a run settles and plans: nothing for what `read` gives as it is wanted.

        Fields of `applied` that are no longer wanted go.
        """
        lives = {live.address: live for live in driver.read(list(wanted))}
        changes = []
        for address, body in wanted.items():
            live, made = lives.get(address), replace(self.create(address.kind, 1), address=address)
            if live is None:
                changes += [replace(made, after=body)] if body is not None else []
            elif body is None:
                changes.append(self.delete(replace(made, after=live.body), live.version))
            elif differences(body, live.body, applied.get(address)):
                update = self.update(replace(made, after=live.body), live.version)
                changes.append(replace(update, after=body, before=live.body, applied=live.body))
        return changes

    def _bring(
        self,
        wanted: State,
        last: int = 0,
        applied: State = NOTHING,
        events: frozenset[str] = EVERY,
    ) -> int:
        """Apply what is missing, killed before the last call; return how many calls it took."""
        with self.make_driver() as driver:
            changes = self._changes(driver, wanted, applied)
            with counted(last, events) as calls:
                for outcome in self.apply(driver, changes):
                    require(outcome.result is Result.DONE, f"{outcome}")
            return calls.number

    def _questions(self, wanted: State) -> int:
        def count() -> int:
            gate = Gate(self, 0)
            FENCE.bind(gate)
            self._bring(wanted)
            return gate.number

        return reported(count)

    def _bring_closed(self, wanted: State, last: int) -> None:
        """Apply with a fence that closes at the last question; nothing may change from there on."""
        with self.make_driver() as driver:
            changes = self._changes(driver, wanted, NOTHING)
            gate = Gate(self, last)
            start = gate.look()
            FENCE.bind(gate)
            try:
                outcomes = list(driver.apply(changes, ContractSecrets()))
            except LeaseLostError:
                outcomes = []
            require(gate.seen is not None, f"it asked {gate.number} times, and gave {outcomes}")
            require(
                all(one.result is not Result.DONE for one in outcomes),
                f"apply() goes on without a lease: {outcomes}",
            )
            require(gate.look() == gate.seen, "apply() changes something without a lease")
            require(last > 1 or gate.seen == start, "apply() changes something before it asks")

    def _finish(
        self, wanted: State, applied: State = NOTHING, when: str = "at the beginning"
    ) -> None:
        """Run once more, as a process of its own, and require that all is as it is wanted."""
        ended = in_child(lambda: self._bring(wanted, 0, applied))
        require(ended == 0, f"{when} the next run fails")
        with self.make_driver() as driver:
            lives = {live.address: live for live in driver.read(list(wanted))}
            for address, body in wanted.items():
                if body is None:
                    require(address not in lives, f"{when} {address} is still there")
                    continue
                require(address in lives, f"{when} {address} is not there")
                found = differences(body, lives[address].body, applied.get(address))
                require(not found, f"{when} {address} differs at {', '.join(found)}")
                self.require_real(address, body)
            stamps = {stamp.address for stamp in driver.scan()}
            there = {address for address, body in wanted.items() if body is not None}
            require(stamps == there, f"{when} scan() shows {sorted(stamps)}")


class Gate:
    """A fence that closes at the last of so many questions, and then remembers what is live."""

    def __init__(self, contract: CrashContract, last: int) -> None:
        self.number = 0
        self.seen: object = None
        self._contract = contract
        self._last = last
        self._looking = False

    def __call__(self) -> None:
        if self._looking:  # at what is live: that is no step of the driver that is tested
            return
        self.number += 1
        if not self._last or self.number < self._last:
            return
        if self.seen is None:
            self.seen = self.look()
        raise LeaseLostError(Diagnostic("HR101", "the lease was lost"))

    def look(self) -> object:
        """Return what a driver sees that has just been made, as soon as it stands still."""
        before: object = None
        self._looking = True
        try:
            while True:
                with self._contract.make_driver() as driver:
                    now = self._contract.observe(driver)
                if now == before:
                    return now
                before = now
                time.sleep(_QUIET_SECONDS)
        finally:
            self._looking = False


class Calls:
    """Counts calls; kills the process before the last one (0: never)."""

    def __init__(self, last: int, events: frozenset[str]) -> None:
        self.number = 0
        self.active = True
        self._events = events
        self._last = last
        self._lock = threading.Lock()

    def count(self) -> None:
        if not self.active:
            return
        with self._lock:
            self.number += 1
            last = self.number == self._last
        if last:
            self.active = False  # the kill is a call, too
            os.kill(os.getpid(), signal.SIGKILL)

    def audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count an audit event that changes something."""
        if event in self._events and (event != "open" or _writes(arguments)):
            self.count()

    def counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, counted."""

        def call(*arguments: Any, **options: Any) -> Any:
            self.count()
            return function(*arguments, **options)

        return call


@contextmanager
def counted(last: int, events: frozenset[str]) -> Iterator[Calls]:
    """Count the calls of this process from here on. It is a forked one, so nothing is restored."""
    import socket
    import sqlite3

    calls = Calls(last, events)
    sys.addaudithook(calls.audited)
    if events != EVERY:
        yield calls
        calls.active = False
        return
    connection: Any = type(
        "Counted",
        (sqlite3.Connection,),
        {name: calls.counting(getattr(sqlite3.Connection, name)) for name in _STATEMENTS},
    )
    connect = sqlite3.connect
    sqlite3.connect = partial(connect, factory=connection)  # type: ignore[assignment]
    os.fsync = calls.counting(os.fsync)
    for name in _SENT:
        setattr(socket.socket, name, calls.counting(getattr(socket.socket, name)))
    yield calls
    calls.active = False


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, _, flags = arguments
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    return bool(flags & changing) and not str(path).startswith(("/dev/", "/proc/"))


def in_child(work: Callable[[], object]) -> int:
    """Do the work in a forked process; return its exit code, or the negative signal."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads; the work starts its own
        child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.dont_write_bytecode = True
            signal.alarm(_CHILD_SECONDS)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the parent has to know
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def reported(work: Callable[[], int]) -> int:
    """Do the work in a forked process; return the number that it gives."""
    reader, writer = os.pipe()

    def report() -> None:
        os.write(writer, str(work()).encode())

    try:
        require(in_child(report) == 0, "an apply that nobody disturbs fails")
        return int(os.read(reader, 20))
    finally:
        os.close(reader)
        os.close(writer)


def spread(total: int, points: int) -> list[int]:
    """Return at most so many of 1 to `total`, evenly spread, the first and the last among them."""
    if total <= points:
        return list(range(1, total + 1))
    return sorted({1 + round(i * (total - 1) / (points - 1)) for i in range(points)})
