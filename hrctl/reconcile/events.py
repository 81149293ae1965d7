"""What an apply tells while it runs, and what it reports when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hrctl.diagnostics import Diagnostic, LockedError
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change


@dataclass(frozen=True, slots=True)
class LeaseAwaited:
    """Another run holds a lease that overlaps `subtree`; `reason` names it."""

    subtree: str
    reason: str


_LOCKED_FILES: Final = "HR360"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The lease on `subtree` is held, the run is in the ledger; `changes` will be carried out."""

    run: str
    plan: str
    subtree: str
    changes: int


@dataclass(frozen=True, slots=True)
class PendingSettled:
    """What a run that was cut off left pending at these addresses has been settled."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ChangeStarted:
    """The intent is in the ledger; the driver gets the change now."""

    change: Change


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """How one change ended: done, failed, stale or not-tried.

    `because` is the change whose failure kept this one from being tried; `seconds` is the time
    the driver took.
    """

    address: Address
    action: Action
    result: str
    error: Diagnostic | None = None
    seconds: float = 0.0
    because: Address | None = None

    @property
    def ended(self) -> str:
        """`result`; "noted" where nothing but the ledger was brought up to date."""
        noted = self.action is Action.NOOP and self.result == "done"
        return "noted" if noted else self.result


@dataclass(frozen=True, slots=True)
class ChangeFinished:
    """The outcome is in the ledger."""

    change: Change
    result: ChangeResult


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended: `status` is done, partial, failed or interrupted.

    `results` holds one entry for each change of the plan, in the order in which they ended.
    """

    run: str
    status: str
    results: tuple[ChangeResult, ...]
    seconds: float = 0.0

    def of(self, *results: str) -> tuple[ChangeResult, ...]:
        """Those that ended so: ``report.of("failed", "stale")``."""
        return tuple(one for one in self.results if one.ended in results)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many ended in each way; those that no plan shows are "noted"."""
        return counts(self.results)

    @property
    def exit_code(self) -> int:
        """0 done, 6 done in part; else 3 where another process has the files locked, or 1."""
        if self.status == "done":
            return 0
        if any(one.ended == "done" for one in self.results):
            return 6
        codes = {one.error.code for one in self.results if one.error is not None}
        return LockedError.exit_code if codes == {_LOCKED_FILES} else 1


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is closed in the ledger and the lease is given back."""

    report: Report


Event = LeaseAwaited | RunStarted | PendingSettled | ChangeStarted | ChangeFinished | RunFinished


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Who applies, and by which command.

    `id` is also the name of the run in the ledger. `environ` is the process's environment, from
    which ``{env: NAME}`` is read.
    """

    id: str
    who: str
    command: str
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def counts(results: Iterable[ChangeResult]) -> Mapping[str, int]:
    """How many of these ended in each way."""
    return Counter(one.ended for one in results)


def status_of(results: Sequence[ChangeResult], *, stopped: bool) -> str:
    """The status of a run with these results."""
    ended = {one.ended for one in results} - {"noted"}
    if stopped and "not-tried" in ended:
        return "interrupted"
    if ended <= {"done"}:
        return "done"
    return "partial" if "done" in ended else "failed"
