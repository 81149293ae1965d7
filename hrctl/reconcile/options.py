"""What a plan is asked for, and what it is told of the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hrctl.diagnostics import Diagnostic
from hrctl.model.address import Address, Selector
from hrctl.model.plan import Change
from hrctl.model.radius import DEFAULTS, Thresholds
from hrctl.model.values import Json

Decrypt = Callable[[Mapping[str, Json]], str]


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """From `safety` of the project file: what a plan may do without being asked twice.

    The percentages are of the resources in the ledger, and count from `minimum` of them on. Up to
    `max_updates` updates are allowed whatever their percentage; drift that is put right is none.
    """

    max_deletes: int = 10
    max_delete_percent: int = 30
    max_updates: int = 10
    max_update_percent: int = 30
    minimum: int = 10


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the person asked for.

    Attributes:
        targets: only these, with what they depend on (none: everything).
        excludes: not these, nor what needs their change first.
        destroy: as if nothing were declared.
        refresh_only: bring the ledger up to what is live, and touch nothing else.
        offline: no driver is asked; live is taken to be what was applied.
        adopt: take over what is live and has no owner: all of it, or what is selected.
        overwrite: decide conflicts for what is declared: all of them, or what is selected.
        keep_drift: leave what someone changed in a live system.
        cascade: a registry may go with all that is in it.
        force: protected resources that may be deleted or replaced.
        limits: of the project file.
        thresholds: where the grades of the blast radius begin, of the project file.
        allow_deletes: at most so many deletes, whatever the limits say.
        allow_updates: at most so many updates, whatever the limits say.
    """

    targets: tuple[Selector, ...] = ()
    excludes: tuple[Selector, ...] = ()
    destroy: bool = False
    refresh_only: bool = False
    offline: bool = False
    adopt: bool | tuple[Selector, ...] = False
    overwrite: bool | tuple[Selector, ...] = False
    keep_drift: bool = False
    cascade: bool = False
    force: frozenset[Address] = frozenset()
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    thresholds: Thresholds = field(default_factory=lambda: DEFAULTS)
    allow_deletes: int | None = None
    allow_updates: int | None = None

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON: a saved plan shows it."""
        shown: dict[str, Any] = {}
        for name in ("destroy", "refresh_only", "offline", "keep_drift", "cascade"):
            if getattr(self, name):
                shown[name] = True
        for name in ("targets", "excludes"):
            if selectors := getattr(self, name):
                shown[name] = [one.text for one in selectors]
        for name in ("adopt", "overwrite"):
            if value := getattr(self, name):
                shown[name] = True if value is True else [one.text for one in value]
        if self.force:
            shown["force"] = sorted(self.force)
        for name in ("allow_deletes", "allow_updates"):
            if getattr(self, name) is not None:
                shown[name] = getattr(self, name)
        return shown


def _nothing_known(_: Address) -> str | None:
    return None


def _no_contents(_: Iterable[Change]) -> Mapping[Address, str]:
    return {}


@dataclass(frozen=True, slots=True)
class PlanSource:
    """What is planned from.

    Attributes:
        project: its name, the owner that drivers mark live things with.
        commit: that of HEAD (None without git).
        dirty: whether the working tree differs from it.
        removed_note: when a resource was removed, as "removed in 4f1c2ab, 2 days ago"; asked only
            for what is to be deleted.
        driver_versions: instance -> type and version, for the plan file.
        absent: configured instances that are not connected, with what stands in the way; with
            nothing where the plan has no need of them.
        decrypt: opens the inside of an ``{age: ...}`` reference; a plan without it, or with
            another's keys, takes each other ciphertext for a change.
        settings: instance -> digest of its block; asked once, for a plan that has changes.
        contents: digests of the files in the tree that these changes would run; asked once, for
            all changes of a plan.
    """

    project: str
    commit: str | None = None
    dirty: bool = False
    removed_note: Callable[[Address], str | None] = _nothing_known
    driver_versions: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    decrypt: Decrypt | None = None
    settings: Callable[[], Mapping[str, str]] = dict
    contents: Callable[[Iterable[Change]], Mapping[Address, str]] = _no_contents


def named(count: int) -> str:
    """``1 resource`` or ``3 resources``."""
    return f"{count} resource" if count == 1 else f"{count} resources"


def chosen(
    choice: bool | tuple[Selector, ...],  # noqa: FBT001 - the type of two options
    address: Address,
    labels: Mapping[str, str],
) -> bool:
    """Whether `adopt` or `overwrite` means this resource."""
    if isinstance(choice, bool):
        return choice
    return any(one.matches(address, labels) for one in choice)
