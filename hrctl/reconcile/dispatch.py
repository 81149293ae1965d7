"""The loop inside an apply: what is ready goes out, outcomes come in, the ledger hears of both."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from hrctl.diagnostics import Diagnostic, HrctlError, LockedError
from hrctl.drivers.api import Driver, Outcome, Ownership, Result
from hrctl.ledger.api import ChangeRecord, Entry, Intent, Lease, Ledger, Settled
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Plan, Reason
from hrctl.model.values import Body
from hrctl.reconcile.calls import Call, Calls
from hrctl.reconcile.diff import same
from hrctl.reconcile.events import ChangeFinished, ChangeResult, ChangeStarted, Event, counts
from hrctl.reconcile.graph import LEDGER_ONLY
from hrctl.reconcile.reveal import RunSecrets, refers

_TAKEN_OVER: Final = frozenset({Reason.NEW, Reason.MOVED})  # not merely noted
_POLL: Final = 0.1  # seconds after which a stop is noticed


class Held(Protocol):
    """The lease of the run, renewed behind our back."""

    lease: Lease
    lost: LockedError | None


@dataclass(slots=True)
class Step:
    """A change, or one half of it: what the driver gets, and the body that will hold then.

    `made` is the outcome of the half that made the thing, where that came first.
    """

    change: Change
    call: Change
    body: Body | None = None
    last: bool = True
    made: Outcome | None = None


class Dispatch:
    """One run of one plan. Everything here happens in the calling thread but `Calls`' threads."""

    def __init__(  # noqa: PLR0913, PLR0917 - the plan, what it acts on, and who listens
        self,
        plan: Plan,
        ledger: Ledger,
        drivers: Mapping[str, Driver],
        entries: Mapping[Address, Entry],
        secrets: RunSecrets,
        run: str,
        held: Held,
        on_event: Callable[[Event], None],
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._drivers = drivers
        self._entries = entries
        self._secrets = secrets
        self._run = run
        self._held = held
        self._on_event = on_event
        self._planned = {change.address: change for change in plan.changes}
        self._waiting = {a: len(change.waits_for) for a, change in self._planned.items()}
        self._users: dict[Address, list[Address]] = {}
        for address, change in self._planned.items():
            for target in change.waits_for:
                self._users.setdefault(target, []).append(address)
        self._ready: dict[str, deque[Step]] = {}
        self._steps: dict[Address, Step] = {}  # at a driver now
        self._results: dict[Address, ChangeResult] = {}
        self._calls = Calls(drivers, secrets)

    def counts(self) -> Mapping[str, int]:
        """How many changes ended in each way so far."""
        return counts(self._results.values())

    def run(self, parallelism: int, stop: threading.Event) -> list[ChangeResult]:
        """Steps 5 to 7 of `applier.apply`; the results in the order in which they came.

        No thread of a driver is at work when it returns or raises, but after a KeyboardInterrupt.

        Raises:
            LockedError: where the lease was lost; outcomes that came later are not recorded.
            KeyboardInterrupt: at once.
        """
        try:
            return self._carry_out(parallelism, stop)
        except Exception:
            self._drain()
            raise

    def _carry_out(self, parallelism: int, stop: threading.Event) -> list[ChangeResult]:
        self._only_ledger()
        for address, change in self._planned.items():
            if not self._waiting[address] and address not in self._results:
                self._enqueue(change)
        while True:
            if self._held.lost is not None:
                raise self._held.lost
            if not stop.is_set():
                self._send(parallelism)
            if self._calls.running:
                self._record(self._calls.outcomes(_POLL))
            elif stop.is_set() or not any(self._ready.values()):
                break
        self._never_tried()
        return list(self._results.values())

    def _drain(self) -> None:
        """Wait until all calls have ended, and record what became of them as far as possible."""
        settled: list[Settled] = []
        while self._calls.running:
            for outcome in self._calls.outcomes(_POLL):
                settled += self._settled(self._steps.pop(outcome.address), outcome)
        with suppress(HrctlError):  # the lease or the ledger failed: the next run settles the rest
            self._settle(settled)

    # -- ledger only -----------------------------------------------------------------------------

    def _only_ledger(self) -> None:
        settled = []
        for address, change in self._planned.items():
            if change.action not in LEDGER_ONLY or self._reaches_driver(change):
                continue
            entry = None
            if change.action is not Action.FORGET:
                body = self._resolved(change)
                entry = self._entry(change, body, change.expect_version)
            settled.append(self._done(change, entry))
            self._results[address] = ChangeResult(address, change.action, "done")
        self._settle(settled)
        for address, result in list(self._results.items()):
            self._on_event(ChangeFinished(self._planned[address], result))

    def _reaches_driver(self, change: Change) -> bool:
        """Return whether an adoption is the driver's business too.

        It marks what is taken over as ours, or records the body that it writes from.
        """
        driver = self._drivers.get(change.driver)
        if change.action is not Action.ADOPT or driver is None:
            return False
        able = driver.capabilities
        marks = able.ownership is not Ownership.LEDGER and change.reason in _TAKEN_OVER
        return marks or (able.records and change.reason is not Reason.DRIFTED)

    # -- out -------------------------------------------------------------------------------------

    def _enqueue(self, change: Change) -> None:
        call, driver, last = change, change.driver, True
        if self._reaches_driver(change):
            call = replace(change, action=Action.UPDATE)
        if change.previous_driver is not None:
            first = _leave(change) if not change.lifecycle.create_first else _arrive(change)
            call, driver, last = first, first.driver, False
        self._ready.setdefault(driver, deque()).append(Step(change, call, last=last))

    def _send(self, parallelism: int) -> None:
        batches: list[tuple[str, list[Step]]] = []
        for name, queue in list(self._ready.items()):
            able = self._drivers[name].capabilities
            free = max(1, able.max_parallel) - self._calls.busy(name)
            while queue and free > 0 and self._calls.running + len(batches) < parallelism:
                size = min(max(1, able.max_batch), -(-len(queue) // free))
                steps = [queue.popleft() for _ in range(size)]
                steps = [step for step in steps if self._is_prepared(step)]
                if steps:
                    batches.append((name, steps))
                    free -= 1
        if not batches:
            return
        going = [step for _, steps in batches for step in steps]
        self._ledger.intend(
            self._held.lease, [intent for step in going for intent in self._intents(step)]
        )
        for name, steps in batches:
            for step in steps:
                self._steps[step.change.address] = step
                self._on_event(ChangeStarted(step.change))
            self._calls.start(Call(name, tuple(step.call for step in steps)))

    def _is_prepared(self, step: Step) -> bool:
        """Resolve what the step needs; a reference that leads to nothing is a failure here."""
        change = step.change
        if step.call.action is Action.DELETE:
            return True
        try:
            step.body = self._resolved(change)
        except HrctlError as error:
            self._fail(change, error.diagnostics[0])
            return False
        unseen = change.fields and all(one.unknown and not one.sensitive for one in change.fields)
        if change.action is Action.UPDATE and unseen and same(step.body, change.applied):
            # What it refers to turned out to be as it was: there is nothing to do.
            self._conclude(step, Outcome(change.address, Result.DONE, change.expect_version))
            return False
        return True

    def _resolved(self, change: Change) -> Body:
        """The body that the ledger will hold: what may be seen is a value in it."""
        body: Body = change.recorded or change.after or {}
        return self._secrets.resolve(body) if refers(change) else body

    def _intents(self, step: Step) -> Iterable[Intent]:
        change, call = step.change, step.call
        entry = None if step.body is None else self._entry(change, step.body, None)
        yield Intent(change.address, call.action, call.driver, self._run, entry)
        old = self._left_behind(change)
        if old is not None:
            yield Intent(old, Action.DELETE, call.driver, self._run, None)

    def _left_behind(self, change: Change) -> Address | None:
        """The address that a change carries over by itself, without a DELETE beside it."""
        old = change.previous_address
        return (
            old if old is not None and old not in self._planned and old in self._entries else None
        )

    # -- in --------------------------------------------------------------------------------------

    def _record(self, outcomes: list[Outcome]) -> None:
        settled = []
        for outcome in outcomes:
            step = self._steps.pop(outcome.address)
            settled.extend(self._settled(step, outcome))
        self._settle(settled)
        for one in settled:
            if one.address in self._planned and one.address in self._results:
                self._finish(self._planned[one.address])

    def _conclude(self, step: Step, outcome: Outcome) -> None:
        """An outcome that no driver was asked for."""
        self._settle(self._settled(step, outcome))
        self._finish(step.change)

    def _fail(self, change: Change, error: Diagnostic) -> None:
        self._conclude(Step(change, change), Outcome(change.address, Result.FAILED, error=error))

    def _settled(self, step: Step, outcome: Outcome) -> list[Settled]:
        """What the ledger has to hear of one outcome; the result is noted."""
        change = step.change
        if outcome.result is Result.DONE and not step.last:
            return [self._halfway(step, outcome)]
        error = outcome.error
        if error is not None:
            error = replace(
                error,
                summary=self._secrets.redact(error.summary),
                hint=error.hint and self._secrets.redact(error.hint),
                note=error.note and self._secrets.redact(error.note),
                address=error.address or change.address,
                span=error.span or change.span,
            )
        self._results[change.address] = ChangeResult(
            change.address, change.action, outcome.result.value, error, outcome.seconds
        )
        if outcome.result is not Result.DONE:
            return [self._undone(step, outcome, error)]
        entry = None
        if change.action is not Action.DELETE and step.body is not None:
            made = step.made or outcome
            public = {
                name: value
                for name, value in made.outputs.items()
                if name not in made.sensitive_outputs
            }
            self._secrets.learn(change.address, step.body, made.outputs, made.sensitive_outputs)
            version = None if change.recorded is not None else made.version
            entry = replace(self._entry(change, step.body, version), outputs=public)
        settled = [self._done(change, entry, outcome.seconds)]
        old = self._left_behind(change)
        if old is not None:
            record = ChangeRecord(self._run, old, Action.FORGET.value, "done")
            settled.append(Settled(old, None, record))
        return settled

    def _halfway(self, step: Step, outcome: Outcome) -> Settled:
        """One half of a change of driver is done: record it, and get the other half ready."""
        change = step.change
        arrived = step.call.action is Action.CREATE
        other = _leave(change) if arrived else _arrive(change)
        self._ready.setdefault(other.driver, deque()).append(
            Step(change, other, step.body, made=outcome if arrived else None)
        )
        entry = None
        if arrived and step.body is not None:
            entry = self._entry(change, step.body, outcome.version)
        record = ChangeRecord(
            self._run, change.address, step.call.action.value, "done", None, outcome.seconds
        )
        return Settled(change.address, entry, record)

    def _undone(self, step: Step, outcome: Outcome, error: Diagnostic | None) -> Settled:
        """The entry stays as it was; a new thing that is there in part gets one with no digest."""
        change = step.change
        text = str(error) if error is not None else None
        record = ChangeRecord(
            self._run,
            change.address,
            change.action.value,
            outcome.result.value,
            text,
            outcome.seconds,
        )
        unknown = change.address in self._calls.unknown
        partly = (
            outcome.result is Result.FAILED
            and outcome.version is not None
            and step.call.action is Action.CREATE
            and step.body is not None
        )
        if partly and not unknown and step.body is not None:
            entry = replace(self._entry(change, step.body, outcome.version), digest="")
            return Settled(change.address, entry, record)
        return Settled(change.address, None, record, keep_intent=unknown, keep_entry=True)

    def _done(self, change: Change, entry: Entry | None, seconds: float = 0.0) -> Settled:
        record = ChangeRecord(self._run, change.address, change.action.value, "done", None, seconds)
        return Settled(change.address, entry, record)

    def _settle(self, settled: list[Settled]) -> None:
        if settled:
            self._ledger.settle(self._held.lease, settled)

    def _finish(self, change: Change) -> None:
        """The ledger knows: tell it, and see who waited for it."""
        result = self._results[change.address]
        self._on_event(ChangeFinished(change, result))
        for user in self._users.get(change.address, ()):
            self._waiting[user] -= 1
            if result.result != "done":
                self._give_up(user, change.address)
            elif not self._waiting[user] and user not in self._results:
                self._enqueue(self._planned[user])

    def _give_up(self, address: Address, because: Address) -> None:
        """Neither this one nor what waits for it will be tried."""
        waiting = [address]
        while waiting:
            one = waiting.pop()
            if one not in self._results:
                action = self._planned[one].action
                self._results[one] = ChangeResult(one, action, "not-tried", because=because)
                waiting.extend(self._users.get(one, ()))

    def _never_tried(self) -> None:
        for address, change in self._planned.items():
            if address not in self._results:
                self._results[address] = ChangeResult(address, change.action, "not-tried")
        settled = []
        for one in self._results.values():
            if one.result == "not-tried":
                why = f"{one.because} failed" if one.because else "the run was stopped"
                record = ChangeRecord(self._run, one.address, one.action.value, "not-tried", why)
                settled.append(Settled(one.address, None, record, keep_entry=True))
        self._settle(settled)
        for item in settled:
            change = self._planned[item.address]
            self._on_event(ChangeFinished(change, self._results[item.address]))

    # -- values ----------------------------------------------------------------------------------

    def _entry(self, change: Change, body: Body, version: str | None) -> Entry:
        known = self._entries.get(change.address)
        if known is None and change.previous_address is not None:
            known = self._entries.get(change.previous_address)
        return Entry(
            change.address,
            change.driver,
            change.digest,
            body,
            version,
            depends_on=change.depends_on,
            lifecycle=change.lifecycle,
            outputs=known.outputs if known is not None else {},
            commit=self._plan.commit,
            run=self._run,
        )


def _leave(change: Change) -> Change:
    """The half of a change of driver that takes the thing away where it was."""
    driver = change.previous_driver or change.driver
    return replace(change, action=Action.DELETE, driver=driver, after=None, previous_driver=None)


def _arrive(change: Change) -> Change:
    """The half of a change of driver that makes the thing where it will be."""
    return replace(
        change, action=Action.CREATE, before=None, expect_version=None, previous_driver=None
    )
