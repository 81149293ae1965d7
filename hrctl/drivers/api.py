"""The protocol between hrctl and a real system. docs/drivers.md shows how to write one.

A driver is a class found through the entry point group ``hrctl.drivers``. hrctl makes one object
per instance named in `hrctl.yaml`, enters it once a command, and calls it from several
threads only where `Capabilities.max_parallel` is above 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from hrctl.diagnostics import Diagnostic
from hrctl.drivers.fence import Fence
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.model.values import Body, Json
from hrctl.writable import place

if TYPE_CHECKING:  # a plan with nothing to do never imports pydantic, so no driver module may
    from pydantic import BaseModel

    from hrctl.logic.flags.evaluation import Evaluation


class Ownership(StrEnum):
    """How a driver knows which live things are hrctl's."""

    MARK = "mark"  # the live thing carries a mark
    SIDECAR = "sidecar"  # a marker is kept beside it
    LEDGER = "ledger"  # only hrctl's ledger knows


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do, so that planner and applier can use it well.

    `immutable` are field paths that cannot change in place: an update of one is a replace.
    `max_batch` changes go into one `apply` call; `max_parallel` such calls run at once. A driver
    that `renames` takes an UPDATE with a `previous_address`: the live thing keeps all that it holds
    and gets the new address (`expect_version` is the version under the old one). Where it does not,
    a move is a CREATE of the new and then a DELETE of the old. One that does
    not `reveal` secrets keeps the references as they are, so that nobody asks for a key for it.
    A driver that `records` writes its configuration from applied bodies that it keeps: it gets an
    UPDATE for whatever the ledger adopts, so that its next write has the adopted values.
    Of the kinds in `records_only` it keeps the declaration alone, and nothing outside of hrctl
    comes of it: plans say so, and deleting one loses no data. Of the fields in `records_fields` it
    keeps the value alone: a change of a resource that has one is planned with a warning.
    """

    ownership: Ownership = Ownership.LEDGER
    compare_and_set: bool = False
    max_batch: int = 1
    max_parallel: int = 1
    immutable: frozenset[str] = frozenset()
    renames: bool = False
    reveals: bool = True
    records: bool = False
    records_only: frozenset[str] = frozenset()
    records_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Context:
    """Where an instance finds its surroundings.

    `state_dir` is the project's `.hrctl` folder (absolute): an embedded server keeps what it
    needs in a folder below it. `root` is the project's folder. `project` is its name, the
    owner that a driver marks things with. `committed` tells when the schedule that a resource
    declares was committed (None: it is not, or nobody knows). `secret` opens a reference in the
    instance's block, ``{"env": ...}`` or ``{"config": ..., "key": ...}``, for the server whose URL
    is given, and refuses a credential that is meant for another; it may need a key. A driver asks
    for it when it connects, and keeps the value out of all that it says. A
    driver calls `fence` before each step that changes something, see `Fence`.
    """

    instance: str
    project: str
    root: Path
    state_dir: Path
    committed: Callable[[Address], datetime | None] | None = None
    secret: Callable[[Mapping[str, Json], str], str] | None = None
    fence: Fence = field(default_factory=Fence)

    def place(self, written: str) -> Path:
        """Return where a file or folder lies that the instance's block names and hrctl writes.

        What a driver reads there is taken for live, so nothing in it may come from a commit.

        Raises:
            HrctlError: HR321, HR322 or HR324, where a commit may decide about it.
        """
        return place(written, f"the place of driver {self.instance},", self.root, self.state_dir)


class Stamp(NamedTuple):
    """What a scan says of one live thing: cheap to get, enough to see whether it moved on.

    `owner` is the project that the mark names (None: not marked). `version` changes whenever the
    live thing does, by whoever's hand.
    """

    address: Address
    owner: str | None
    version: str


@dataclass(frozen=True, slots=True)
class Live:
    """A live thing as a body. Fields that only the live system has are no difference."""

    address: Address
    body: Body
    version: str
    owner: str | None = None


class Result(StrEnum):
    """How one change ended."""

    DONE = "done"
    FAILED = "failed"
    STALE = "stale"  # the live version was not the expected one; nothing was done


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change. `version` is the live version after it (None: it is gone).

    `outputs` are values that only the live system knows (beside those which follow from the spec);
    those named in `sensitive_outputs` are never shown or recorded.
    """

    address: Address
    result: Result
    version: str | None = None
    outputs: Mapping[str, Json] = field(default_factory=dict)
    error: Diagnostic | None = None
    seconds: float = 0.0
    sensitive_outputs: frozenset[str] = frozenset()


class Secrets(Protocol):
    """Turns the references in a body into values, inside `Driver.apply` and nowhere else."""

    def reveal(self, value: Json) -> Json:
        """The value with every reference replaced by what it refers to, plaintext included.

        Raises:
            HrctlError: where a key, a variable or an output is missing.
        """
        ...

    def resolve(self, value: Json) -> Json:
        """The value with those references replaced that are not sensitive; the others stand.

        For a driver that keeps bodies as data, so that no plaintext lies in its store.

        Raises:
            HrctlError: where an output is missing.
        """
        ...


@runtime_checkable
class Driver(Protocol):
    """A real system. `apply` and `read` get only addresses of the kinds named in `kinds`."""

    kinds: ClassVar[frozenset[str]]
    capabilities: ClassVar[Capabilities]

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """The strict model of its block in hrctl.yaml, without `type`; imported when called."""
        ...

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        """Keep what is needed; connect nothing yet.

        `config` has been validated by `config_model` and is complete (defaults filled in).
        """
        ...

    def __enter__(self) -> Self:
        """Connect. For a plan an embedded server that is not running is not started.

        Raises:
            HrctlError: HR080, where the system cannot be reached.
        """
        ...

    def __exit__(self, *exc: object) -> None:
        """Disconnect. An embedded server stays up."""
        ...

    def scan(self) -> Iterator[Stamp]:
        """A stamp for each live thing in this instance's reach, marked or not."""
        ...

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The live bodies of these; one that is not there is left out."""
        ...

    def plan(self, change: Change) -> Change:
        """A last word: turn UPDATE into REPLACE, drop noise. No input or output here.

        Raises:
            HrctlError: where the driver has no way to do what the change wants; that is told with
                the plan, which cannot be applied then.
        """
        ...

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """Carry out CREATE, UPDATE, REPLACE and DELETE; one outcome each, as it is known.

        A change whose live version is not `expect_version` ends as STALE and is not touched.
        """
        ...


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health of one resource, or of one part of it: a replica, or a destination of a route."""

    address: Address
    status: str  # of the kind: RUNNING, STARTING, DEGRADED, FAILED, ...
    replica: int | None = None
    detail: str = ""
    latency_ms: float | None = None
    destination: str | None = None  # what it is called
    circuit: str | None = None  # of its breaker: CLOSED, OPEN, HALF_OPEN


@runtime_checkable
class Health(Protocol):
    """A driver that can tell how its live things are."""

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """Reports, one or several for each address."""
        ...


@runtime_checkable
class Logs(Protocol):
    """A driver that can show what its live things write."""

    def logs(self, address: Address, *, tail: int, follow: bool) -> Iterator[str]:
        """Lines without their line end, oldest first; with `follow` it does not end by itself."""
        ...


@runtime_checkable
class Metrics(Protocol):
    """A driver that can measure its live things."""

    def metrics(self, addresses: Sequence[Address]) -> Iterator[tuple[Address, dict[str, Json]]]:
        """Rows of named numbers, one or several for each address."""
        ...


@runtime_checkable
class Traces(Protocol):
    """A driver that keeps the spans of requests."""

    def traces(self, address: Address, *, tail: int, follow: bool) -> Iterator[dict[str, Json]]:
        """Traces, oldest first; with `follow` it does not end by itself.

        Each has `trace_id` and `spans`, these with `span_id`, `parent_id`, `name`, `service`,
        `start_ns`, `duration_ms`, `error` and `attributes`.
        """
        ...


@runtime_checkable
class Actions(Protocol):
    """A driver with verbs that act without changing what is wanted: restart and the like."""

    actions: ClassVar[frozenset[str]]

    def act(self, action: str, address: Address) -> None:
        """Do it, and return when it is done."""
        ...


@runtime_checkable
class Unmarked(Protocol):
    """A driver with things that have no address until one is declared in their place.

    Where a mark gives a live thing its address, `scan` cannot name what bears none. So the planner
    asks for the places of what is declared and has no stamp.
    """

    def unmarked(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """What the last scan saw in the places of these without a mark that gives it an address.

        `owner` is the project that it belongs to by another sign (None: nobody's, it may be
        adopted). One that belongs to another project is left out, and refused by `plan`.
        """
        ...


@runtime_checkable
class Embedded(Protocol):
    """A driver that may run a server of its own."""

    def down(self) -> bool:
        """Stop it with all that it serves; whether there was one.

        What was applied is kept beside it: the next plan wants it back.
        """
        ...


@runtime_checkable
class Importer(Protocol):
    """A driver that can describe what is live as manifests."""

    def discover(self) -> Iterable[Live]:
        """Everything in reach that no hrctl project owns; names are made valid."""
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A driver of flags that can ask the live system what somebody gets."""

    def evaluate(
        self, addresses: Sequence[Address], contexts: Sequence[Mapping[str, Json]]
    ) -> Iterator[tuple[Address, list[Evaluation]]]:
        """For each flag an answer for each context, by the live system's own evaluator.

        A value of None is one that only the application's code has.

        Raises:
            HrctlError: where the live system cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Count:
    """How often applications asked for a flag, as the live system counts it.

    `enabled` and `disabled` are answers since `since`; `variants` those that gave each variant, as
    far as they are told apart. `last` is when it was last asked, if before `since` too (None:
    not since `known`, before which nobody counted it). `applications` are those that asked since
    `since`, by the names that they give themselves. Moments are in UTC.
    """

    address: Address
    enabled: int
    disabled: int
    since: datetime
    last: datetime | None
    known: datetime
    variants: Mapping[str, int] = field(default_factory=dict)
    applications: tuple[str, ...] = ()


@runtime_checkable
class Counts(Protocol):
    """A driver of flags whose live system hears how often applications ask."""

    def evaluations(self, addresses: Sequence[Address]) -> Iterator[Count]:
        """A count for each that is there, asked or not; one that is not there is left out.

        Raises:
            HrctlError: where the live system cannot be asked.
        """
        ...
