"""What a plan is made of. Values only: `reconcile.planner` makes them, `reconcile.applier` obeys.

A plan that is saved is the JSON of `hrctl.model.planfile`, documented in docs/plan-format.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hrctl.diagnostics import Diagnostic, Span
from hrctl.model.address import Address
from hrctl.model.radius import NOWHERE, BlastRadius
from hrctl.model.values import Body, Json, pointer_parts


class Action(StrEnum):
    """What is done to a resource. The set is fixed; why it is done is a `Reason`."""

    NOOP = "no-op"  # only what the ledger knows about it is brought up to date
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"  # live already is as desired: the ledger takes it over
    FORGET = "forget"  # the ledger lets go of it, live is not touched


class Reason(StrEnum):
    """Why, for people."""

    NEW = "new"
    EDITED = "edited"
    DRIFTED = "drifted"
    CONFLICT = "conflict"
    LOST = "lost"
    UNDECLARED = "undeclared"
    MOVED = "moved"
    IMMUTABLE = "immutable"
    REFERENCED = "referenced"  # a value that it refers to changes


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How a resource may be changed, from `lifecycle` of its manifest."""

    protect: bool = False
    ignore: tuple[str, ...] = ()
    create_first: bool = False
    deletion: str = "delete"  # or "retain"


DEFAULT_LIFECYCLE = Lifecycle()


class Absent:
    """The type of `ABSENT`: no value there, as opposed to null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a three-way difference; `ABSENT` where a side does not have it.

    `sensitive` values are references or markers, never plaintext; `unknown` means that the desired
    value is a reference which only the apply can resolve. `origin` is where the desired value is
    written, where that is another place than the manifest itself.
    """

    path: str
    desired: Json | Absent
    applied: Json | Absent
    live: Json | Absent
    reason: Reason
    sensitive: bool = False
    unknown: bool = False
    origin: Span | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to one resource.

    `before` is the live body and `after` the desired one (None where there is none). `applied`
    is the body that the ledger holds. `expect_version` is the live version that the plan saw: a
    driver refuses where it has moved on (None: nothing is expected to be there).
    `waits_for` names the changes of this plan that come first. `digest` is the effective
    digest that the ledger records on success. `depends_on` are all edges of the resource, which
    the ledger records too, so that a later delete knows its order.

    `sensitive` and `unknown` are paths of `after` whose references no one may see, or only the
    apply can resolve. `recorded` is what the ledger holds afterwards where that is not `after`
    (drift that was kept): the next plan then looks at it again. `previous_driver` is the
    instance that it leaves, where a REPLACE goes from one to another; `expect_version` is then the
    version there. `protected` tells that the ledger records it so, whatever `lifecycle` declares.
    `record_keepers` are those of `driver` and `previous_driver` that only record such a resource.

    `settings` is a digest of the blocks of the driver instances that carry it out, `files` one of
    the files in the tree that it would run; both are there to be approved.
    """

    address: Address
    action: Action
    reason: Reason
    driver: str
    before: Body | None = None
    after: Body | None = None
    applied: Body | None = None
    fields: tuple[FieldChange, ...] = ()
    expect_version: str | None = None
    waits_for: tuple[Address, ...] = ()
    depends_on: tuple[Address, ...] = ()
    digest: str = ""
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    previous_address: Address | None = None
    span: Span | None = None
    note: str | None = None  # e.g. "removed in 4f1c2ab, 2 days ago"
    sensitive: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    recorded: Body | None = None
    previous_driver: str | None = None
    protected: bool = False
    record_keepers: tuple[str, ...] = ()
    settings: str = ""
    files: str = ""

    @property
    def recorded_only(self) -> bool:
        """Whether nothing outside of hrctl comes of it: its driver only records the resource."""
        return self.driver in self.record_keepers

    @property
    def drifted(self) -> bool:
        """Whether it only brings back what someone changed in the live system."""
        return self.reason in {Reason.DRIFTED, Reason.LOST}


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting of the project file that differs; `path` is its JSON Pointer in that file.

    `before` and `after` are `ABSENT` where a side does not have it.
    """

    path: str
    before: Json | Absent
    after: Json | Absent
    span: Span | None = None

    @property
    def name(self) -> str:
        """Return what people call it: ``drivers.edge.reload``."""
        return ".".join(pointer_parts(self.path)[1:])


@dataclass(frozen=True, slots=True)
class Base:
    """What a branch's plan was compared with; `Plan.changes` are the branch's own.

    `commit` is that of `revision`, `fork` where the branch left it. `merged` tells that a merge of
    both was planned, since the branch lacks some of the base. Where it is `declared`, what the base
    declares stood for what is live. `pending` is what the base would change as well, `drift` what
    was changed in the live systems.
    """

    revision: str
    commit: str
    fork: str
    merged: bool = False
    declared: bool = False
    pending: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that an apply would do, frozen.

    `serial` is the ledger's, `commit` that of HEAD (None without git), `dirty` whether the working
    tree differs from it, `tree_digest` stands for everything that is desired. `changes` is in an
    order that respects `waits_for`. `kept` is drift that is left as it is. A plan is `complete`
    where every driver answered and nothing was excluded. `radius` is how far the changes can reach.
    With a `base` it holds the changes of a branch, and cannot be applied. `settings` are those of
    the project file that differ from the base's, or from those of the last apply.
    """

    id: str
    created: str  # RFC 3339, UTC
    commit: str | None
    dirty: bool
    tree_digest: str
    serial: int
    drivers: dict[str, str]  # instance -> type and version
    changes: tuple[Change, ...]
    destroy: bool = False
    complete: bool = True
    diagnostics: tuple[Diagnostic, ...] = ()
    resources: int = 0  # how many are declared
    options: dict[str, Any] = field(default_factory=dict)
    kept: tuple[Change, ...] = ()
    radius: BlastRadius = NOWHERE
    base: Base | None = None
    settings: tuple[SettingChange, ...] = ()

    def count(self, *actions: Action) -> int:
        """How many changes have one of these actions."""
        return sum(change.action in actions for change in self.changes)

    @property
    def changes_something(self) -> bool:
        """Whether a person would say so: resources change, or a branch changes settings."""
        return bool(self.pending or (self.base is not None and self.settings))

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that a person would call one: all but NOOP."""
        return tuple(change for change in self.changes if change.action is not Action.NOOP)
