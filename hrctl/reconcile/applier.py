"""Carry a plan out: the driver's work in threads, every word in the ledger by the calling one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hrctl.diagnostics import HrctlError, LockedError, SafetyError
from hrctl.drivers.api import Driver
from hrctl.drivers.fence import Fence
from hrctl.ledger.api import Entry, Lease, Ledger, RunRecord
from hrctl.model.address import Address, ancestors
from hrctl.model.plan import Change, Plan
from hrctl.reconcile import reveal, safety, staleness
from hrctl.reconcile.dispatch import Dispatch
from hrctl.reconcile.events import (
    Event,
    LeaseAwaited,
    PendingSettled,
    Report,
    RunFinished,
    RunInfo,
    RunStarted,
    status_of,
)
from hrctl.reconcile.options import Decrypt
from hrctl.reconcile.settle import settle_pending

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE_SECONDS: Final = 30.0
_CONFIRMED_SECONDS: Final = 1.0  # how long an answer of the ledger is relied on
_LEASE_POLL: Final = 0.25  # seconds between two attempts to take a lease


class Abandoned(KeyboardInterrupt):  # a kind of KeyboardInterrupt, named for what it says
    """Drivers' threads are still at work. Connections must stay open, and the process must end."""


def apply(  # noqa: PLR0913 - a plan, what it acts on, and how it is watched
    plan: Plan,
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    *,
    run: RunInfo,
    parallelism: int = 10,
    on_event: Callable[[Event], None] = lambda _: None,
    stop: threading.Event | None = None,
    decrypt: Decrypt | None = None,
    disconnect: Callable[[], None] = lambda: None,
    wait: float = 0.0,
    fence: Fence | None = None,
) -> Report:
    """Carry out the plan.

    1. Refuse a plan with errors in it, or one that was made without looking.
    2. Take the lease on the nearest registry that holds all changes; a heartbeat renews it.
    3. Settle what runs that were cut off left pending below it.
    4. See that the ledger holds what the plan saw, and that every secret can be had. Up to here
       nothing has changed.
    5. Record the run. What touches only the ledger is recorded at once.
    6. Send what is ready to its driver: in batches of at most `max_batch`, at most
       `max_parallel` at once for each instance and `parallelism` over all. The intents are
       durable before; batches that start together share one transaction.
    7. Record outcomes as they come, together with those that wait beside them, and send what
       that makes ready. What depends on a failure is not tried.
    8. Close the run and give the lease back.

    `stop` (a first Ctrl-C) ends step 6: nothing new starts, what runs is finished and recorded.
    A KeyboardInterrupt (a second one) goes through at once, as `Abandoned`: the intents stay in the
    ledger and the next run settles them. Before any other exception goes through, the drivers
    finish what they were given, what the ledger can still take is recorded, connections are
    closed, and the lease is given back, in this order.

    Args:
        plan: of `planner.plan` or `planfile.from_json`; `staleness.check` is for the latter.
        ledger: entered; only the calling thread uses it, but for the heartbeat.
        drivers: entered instances, all that the plan names.
        run: who, when and how.
        parallelism: driver calls at once.
        on_event: called in the calling thread.
        stop: set from outside.
        decrypt: opens the inside of an ``{age: ...}`` reference.
        disconnect: closes the drivers' connections. It is called only where an exception ends the
            run, after the drivers' threads have ended and before the lease is given back.
        wait: seconds to wait for a lease that another run holds.
        fence: of the drivers; it is closed as soon as this run loses its lease.

    Raises:
        SafetyError: HR120-HR134 for what the plan was refused for, HR122 where the ledger moved.
        LockedError: HR100 before anything is done; HR101 where the lease is lost on the way.
        HrctlError: HR086 before anything is done; or what the ledger raises.
    """
    started = time.monotonic()
    stop = stop or threading.Event()
    safety.refuse(plan)
    if plan.options.get("offline"):
        raise SafetyError.of(
            "HR132",
            "this plan was made without looking at any live system",
            hint="plan again without --offline",
        )
    if not plan.changes and not plan.settings:
        return Report(run.id, "done", ())
    subtree = common_registry(plan.changes)
    held = _Held(ledger, _acquire(ledger, subtree, run.id, wait, stop, on_event))
    with _heartbeat(held, fence or Fence()):
        settled = settle_pending(ledger, drivers, held.lease)
        if settled:
            on_event(PendingSettled(tuple(settled)))
        entries, secrets = _prepared(plan, ledger, drivers, run, decrypt)
        record = RunRecord(
            run.id, run.who, _now(), None, plan.commit, plan.id, run.command, "running"
        )
        ledger.begin(held.lease, record)
        on_event(RunStarted(run.id, plan.id, subtree, len(plan.changes)))
        dispatch = Dispatch(plan, ledger, drivers, entries, secrets, run.id, held, on_event)
        try:
            results = dispatch.run(parallelism, stop)
        except KeyboardInterrupt as error:
            held.keep = True  # our threads may still be at work: the lease ends with the process
            _close(ledger, held, record, "interrupted", dispatch)
            raise Abandoned from error
        except Exception:
            disconnect()
            with suppress(HrctlError):  # a run without a lease counts as interrupted anyway
                _close(ledger, held, record, "failed", dispatch)
            raise
        status = status_of(results, stopped=stop.is_set())
        _close(ledger, held, record, status, dispatch)
    report = Report(run.id, status, tuple(results), time.monotonic() - started)
    on_event(RunFinished(report))
    return report


def _acquire(  # noqa: PLR0913, PLR0917 - the lease, and how it is waited for
    ledger: Ledger,
    subtree: str,
    run: str,
    wait: float,
    stop: threading.Event,
    on_event: Callable[[Event], None],
) -> Lease:
    """Take the lease, waiting for another run's; `stop` ends the waiting."""
    deadline = time.monotonic() + wait
    waiting = False
    while True:
        try:
            return ledger.acquire(subtree, run=run, seconds=LEASE_SECONDS)
        except LockedError as error:
            left = deadline - time.monotonic()
            if left <= 0 or stop.is_set():
                raise
            if not waiting:
                on_event(LeaseAwaited(subtree, error.diagnostics[0].summary))
                waiting = True
        stop.wait(min(left, _LEASE_POLL))


def common_registry(changes: Sequence[Change]) -> str:
    """The nearest registry that holds all of them; "" where there is none."""
    paths = {change.address.registry for change in changes}
    paths |= {one.previous_address.registry for one in changes if one.previous_address is not None}
    if not paths:
        return ""
    first, *others = paths
    shared = ancestors(first)
    for path in others:
        above = set(ancestors(path))
        shared = [one for one in shared if one in above]
    return shared[0] if shared else ""


def _prepared(
    plan: Plan,
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    run: RunInfo,
    decrypt: Decrypt | None,
) -> tuple[dict[Address, Entry], reveal.RunSecrets]:
    """Step 4: the entries of what changes, and the way to every secret."""
    wanted = {change.address for change in plan.changes}
    wanted |= {one.previous_address for one in plan.changes if one.previous_address is not None}
    referred = reveal.targets(plan.changes)
    entries = {entry.address: entry for entry in ledger.entries(sorted(wanted | referred))}
    moved = staleness.entries(plan.changes, entries)
    if moved:
        raise SafetyError(*moved)
    sources = {address: entries[address] for address in referred & entries.keys()}
    secrets = reveal.RunSecrets(run.environ, sources, decrypt)
    secrets.guard(plan.changes)
    keeping = {name for name, one in drivers.items() if not one.capabilities.reveals}
    missing = secrets.missing(plan.changes, keeping)
    if missing:
        raise HrctlError(*missing)
    return entries, secrets


def _close(ledger: Ledger, held: _Held, record: RunRecord, status: str, dispatch: Dispatch) -> None:
    finished = RunRecord(
        record.id,
        record.who,
        record.started,
        _now(),
        record.commit,
        record.plan,
        record.command,
        status,
        dispatch.counts(),
    )
    ledger.finish(held.lease, finished)


def _clock() -> float:
    """Seconds that also count while this process, or the machine, is asleep."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class _Held:
    """The lease of this run; `lost` is set by the heartbeat where it could not be renewed."""

    ledger: Ledger
    lease: Lease
    lost: LockedError | None = None
    keep: bool = False
    confirmed: float = field(default_factory=_clock)

    def check(self) -> None:
        """Return while the lease stands; drivers' threads ask before they change something.

        The ledger is asked once a second at most. The clock goes on while the process is stopped.

        Raises:
            LeaseLostError: HR101, where the lease has been lost.
        """
        if self.lost is not None:
            raise self.lost
        now = _clock()
        if now - self.confirmed < _CONFIRMED_SECONDS:
            return
        try:
            if self.lease.expires > time.time():
                self.ledger.check(self.lease)
            else:
                self.lease = self.ledger.renew(self.lease, seconds=LEASE_SECONDS)
        except LockedError as error:
            self.lost = error
            raise
        self.confirmed = now


@contextmanager
def _heartbeat(held: _Held, fence: Fence) -> Iterator[None]:
    """Renew the lease from a thread of its own while the body runs; then give it back.

    Drivers' threads that outlive the body find the fence closed once the lease is lost.
    """
    fence.bind(held.check)
    over = threading.Event()

    def beat() -> None:
        wait = LEASE_SECONDS / 3
        while not over.wait(wait):
            try:
                held.lease = held.ledger.renew(held.lease, seconds=LEASE_SECONDS)
                wait = LEASE_SECONDS / 3
            except LockedError as error:
                held.lost = error
                return
            except HrctlError:
                wait = 1.0  # the ledger is busy: two more thirds of the lease are left to try in

    thread = threading.Thread(target=beat, name="hrctl-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if not held.keep:
            held.ledger.release(held.lease)
            if held.lost is None:
                fence.release()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
