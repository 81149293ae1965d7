"""What a ledger holds and does, whatever it is kept in.

Every write names the lease that it is made under; a write under a lease which has been lost is
refused, so that a run that was asleep can never overwrite a later one's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from hrctl.model.address import Address
from hrctl.model.plan import DEFAULT_LIFECYCLE, Action, Lifecycle
from hrctl.model.values import Body, Json


class AppliedStamp(NamedTuple):
    """The narrow row that a plan compares: no body."""

    address: Address
    driver: str
    digest: str
    version: str | None  # live version after the last apply


@dataclass(frozen=True, slots=True)
class Entry:
    """What was applied for one resource. `pending` is the action of an unsettled intent."""

    address: Address
    driver: str
    digest: str
    body: Body
    version: str | None
    depends_on: tuple[Address, ...] = ()
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    outputs: Mapping[str, Json] = field(default_factory=dict)
    commit: str | None = None
    run: str | None = None
    pending: Action | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What a run is about to do to one address; it stays until the outcome is recorded.

    `entry` is what the ledger will hold if it succeeds (None for a delete).
    """

    address: Address
    action: Action
    driver: str
    run: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write below `subtree`, until `expires`; "" is the whole project.

    Times are seconds since the epoch. A later lease has a higher `fence`.
    """

    subtree: str
    holder: str  # user@host:pid
    fence: int
    expires: float
    run: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One apply: who, when, what, how it ended (running, done, partial, failed, interrupted)."""

    id: str
    who: str
    started: str  # RFC 3339, UTC
    finished: str | None
    commit: str | None
    plan: str  # plan id
    command: str
    status: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """How one change of a run ended. `result` is done, failed, stale or not-tried."""

    run: str
    address: Address
    action: str
    result: str
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """One outcome to record: the entry that now holds (None: gone), and the change's record."""

    address: Address
    entry: Entry | None
    record: ChangeRecord
    keep_intent: bool = False  # the outcome is not known: leave it to the next run
    keep_entry: bool = False  # it failed before anything changed: the entry stays as it was


class Ledger(Protocol):
    """See `hrctl.ledger.sqlite` for the one that is always there."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def serial(self) -> int:
        """A number that grows with every write to entries."""
        ...

    def stamps(self) -> Iterable[AppliedStamp]:
        """One narrow row for each entry; fast at a hundred thousand."""
        ...

    def instances(self) -> frozenset[str]:
        """The driver instances that entries and intents name."""
        ...

    def entries(self, addresses: Sequence[Address] | None = None) -> Iterable[Entry]:
        """Whole entries, of these addresses or of all, in the order of their addresses."""
        ...

    def intents(self) -> Sequence[Intent]:
        """What earlier runs left pending."""
        ...

    def acquire(self, subtree: str, *, run: str, seconds: float) -> Lease:
        """Take the lease; one that is expired, or whose holder on this host is dead, gives way.

        Raises:
            LockedError: HR100, naming holder, subtree and since when.
        """
        ...

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """The heartbeat. May be called from another thread than the rest.

        Raises:
            LockedError: HR101, where the lease has been lost.
        """
        ...

    def check(self, lease: Lease) -> None:
        """Return while the lease stands. May be called from any thread.

        Raises:
            LeaseLostError: HR101, where it has been lost.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; no error where it has been lost."""
        ...

    def leases(self) -> Sequence[Lease]:
        """All that are held now, expired ones included."""
        ...

    def break_lease(self, subtree: str) -> Lease | None:
        """Take the lease of another away (`hrctl state unlock`); None where there is none."""
        ...

    def begin(self, lease: Lease, run: RunRecord) -> None:
        """Record that a run starts."""
        ...

    def intend(self, lease: Lease, intents: Sequence[Intent]) -> None:
        """Record durably what is about to be done, in one transaction."""
        ...

    def settle(self, lease: Lease, outcomes: Sequence[Settled]) -> None:
        """Record durably what became of it, in one transaction."""
        ...

    def finish(self, lease: Lease, run: RunRecord) -> None:
        """Record how a run ended."""
        ...

    def forget(self, lease: Lease, addresses: Sequence[Address]) -> int:
        """Drop entries and intents without touching anything live; how many there were."""
        ...

    def move(self, lease: Lease, moves: Sequence[tuple[Address, Address]]) -> None:
        """Entries keep everything but their address."""
        ...

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """The latest runs, newest first."""
        ...

    def run_changes(self, run: str) -> Sequence[ChangeRecord]:
        """How each change of a run ended."""
        ...

    def run(self, run: str) -> RunRecord | None:
        """One run by its name."""
        ...

    def applied(self, address: Address) -> Sequence[tuple[RunRecord, ChangeRecord]]:
        """The runs that carried out a change of an address, oldest first."""
        ...
