"""One resource at a time: from what is desired, applied and live to the change that it needs.

The table of docs/plan-format.md, row by row. Pure: what is live was read before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hrctl.diagnostics import Diagnostic, FieldError, HrctlError, Severity
from hrctl.drivers.api import Driver, Live, Ownership
from hrctl.ledger.api import Entry
from hrctl.model.address import Address
from hrctl.model.danger import unprotects
from hrctl.model.managed import managed
from hrctl.model.plan import Action, Change, FieldChange, Reason
from hrctl.model.resource import Desired, Resource
from hrctl.model.values import Body
from hrctl.reconcile.bodies import keep, mask, mask_agreed
from hrctl.reconcile.ciphertext import Ciphertexts, settled
from hrctl.reconcile.diff import diff
from hrctl.reconcile.options import PlanOptions, PlanSource, chosen
from hrctl.reconcile.outputs import closed_fields, immutable_fields

_UNPROTECTED: Final = "lifecycle.protect is taken away"


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything about one address.

    Attributes:
        resource: as declared (None: it is not, or it is to be destroyed).
        body: the desired body, references that are known by now replaced by their values.
        sensitive: paths of `body` whose references no one may see.
        unknown: paths of `body` whose values the apply will know.
        entry: of the ledger, pending intents settled.
        live: at the driver that it is bound to; without a resource, at the entry's.
        before: at the driver that it leaves, where the binding changed.
        pending: whether the ledger holds an unsettled intent.
        moved_from: the address that it had, where it moves.
        moved_to: the address that it gets, where it moves away.
        renamed: the driver carries it over; `entry` and `live` are those of the old address.
    """

    address: Address
    resource: Resource | None
    body: Body | None = None
    sensitive: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    entry: Entry | None = None
    live: Live | None = None
    before: Live | None = None
    pending: bool = False
    moved_from: Address | None = None
    moved_to: Address | None = None
    renamed: bool = False


@dataclass(slots=True)
class Decider:
    """Makes changes of situations; collects what stands in the way."""

    options: PlanOptions
    source: PlanSource
    drivers: Mapping[str, Driver]
    desired: Desired
    ciphertexts: Ciphertexts = field(default_factory=lambda: Ciphertexts(None))
    diagnostics: list[Diagnostic] = field(default_factory=list)
    kept: dict[Address, Change] = field(default_factory=dict)

    def decide(self, case: Situation) -> Change | None:
        """The change for this address; None where nothing is to be done or nothing may be."""
        if self.options.refresh_only:
            return self._refresh(case)
        if case.resource is None:
            return self._undeclared(case, case.entry) if case.entry else None
        if case.entry is None:
            return self._new(case, case.resource)
        if case.entry.driver != case.resource.driver:
            return self._rebound(case, case.resource, case.entry)
        if case.live is None:
            return self._lost(case, case.resource)
        return self._compare(case, case.resource, case.entry, case.live)

    # -- nothing declared ------------------------------------------------------------------------

    def _undeclared(self, case: Situation, entry: Entry) -> Change:
        reason = Reason.MOVED if case.moved_to else Reason.UNDECLARED
        change = Change(
            case.address,
            Action.FORGET,
            reason,
            entry.driver,
            applied=entry.body,
            depends_on=entry.depends_on,
            lifecycle=entry.lifecycle,
            protected=entry.lifecycle.protect,
        )
        if case.live is None:
            return replace(change, note="it is gone already")
        if entry.lifecycle.deletion == "retain":
            return replace(change, note="lifecycle.deletion is retain: it stays where it is")
        if not self._ours(case.live, entry.driver, has_entry=True):
            owner = f"belongs to {case.live.owner}" if case.live.owner else "bears no mark of ours"
            return replace(change, note=f"what is live there {owner}")
        return replace(
            change,
            action=Action.DELETE,
            before=mask(case.live.body, [entry.body]),
            expect_version=case.live.version,
            note=f"moved to {case.moved_to}" if case.moved_to else self._removed(case.address),
        )

    def _removed(self, address: Address) -> str | None:
        return None if self.options.destroy else self.source.removed_note(address)

    # -- nothing applied -------------------------------------------------------------------------

    def _new(self, case: Situation, resource: Resource) -> Change | None:
        reason = Reason.MOVED if case.moved_from else Reason.NEW
        if case.live is None:
            return self._finished(case, self._create(case, resource, reason))
        if not self._may_take(case, resource, case.live):
            return None
        change, fields = self._difference(case, resource, case.live)
        note = "takes over what is live" if case.live.owner is None else "the ledger had lost it"
        if fields:
            return self._finished(case, replace(change, reason=reason, fields=fields, note=note))
        return self._adopted(case, replace(change, reason=reason, note=note))

    def _adopted(self, case: Situation, change: Change) -> Change:
        """Adopt what is live as it is declared, where the driver can keep it that way.

        The driver judges the update that would write the same, so that what it refuses is an
        error of the plan and not of the apply.
        """
        final = self._finished(case, change)
        if final.action is Action.UPDATE and not final.fields:
            return replace(final, action=Action.ADOPT)
        return final

    def _may_take(self, case: Situation, resource: Resource, live: Live) -> bool:
        """Whether what is live may become ours; if not, a diagnostic says why."""
        if live.owner == self.source.project:
            return True
        if live.owner is not None:
            self._refuse_owner(case, resource, live.owner)
            return False
        if chosen(self.options.adopt, case.address, resource.labels):
            return True
        self._report(
            "HR126",
            f"{case.address} is live at driver {resource.driver} already, and not ours",
            case,
            hint="say --adopt to take it over as it is declared, or choose another name",
        )
        return False

    def _refuse_owner(self, case: Situation, resource: Resource, owner: str) -> None:
        self._report(
            "HR127",
            f"{case.address} at driver {resource.driver} belongs to project {owner}",
            case,
            hint=f"let {owner} give it up first, or choose another name",
        )

    def _lost(self, case: Situation, resource: Resource) -> Change | None:
        change = self._create(case, resource, Reason.LOST)
        if self.options.keep_drift:
            self.kept[case.address] = change
            return None
        return self._finished(case, change)

    def _create(self, case: Situation, resource: Resource, reason: Reason) -> Change:
        return replace(
            self._of(case, resource),
            action=Action.CREATE,
            reason=reason,
            after=case.body,
            previous_address=case.moved_from if case.renamed or case.entry is None else None,
        )

    # -- all three -------------------------------------------------------------------------------

    def _compare(
        self, case: Situation, resource: Resource, entry: Entry, live: Live
    ) -> Change | None:
        if live.owner is not None and live.owner != self.source.project:
            self._refuse_owner(case, resource, live.owner)
            return None
        change, fields = self._difference(case, resource, live)
        kept: tuple[FieldChange, ...] = ()
        if self.options.keep_drift:
            kept = tuple(one for one in fields if one.reason is Reason.DRIFTED)
            fields = tuple(one for one in fields if one.reason is not Reason.DRIFTED)
            if kept:
                self.kept[case.address] = replace(change, reason=Reason.DRIFTED, fields=kept)
                paths = [one.path for one in kept]
                change = replace(
                    change, recorded=change.after, after=keep(change.after or {}, live.body, paths)
                )
        if fields:
            reason = self._reason(case, fields)
            note = _UNPROTECTED if unprotects(change) else None
            return self._finished(case, replace(change, reason=reason, fields=fields, note=note))
        if case.renamed:
            return self._finished(case, replace(change, reason=Reason.MOVED))
        if kept:
            return None
        if not self._ours(live, resource.driver, has_entry=True):
            note = "its owner mark is gone"
            return self._finished(case, replace(change, reason=Reason.DRIFTED, note=note))
        return self._agreed(case, change, entry, live)

    def _agreed(self, case: Situation, change: Change, entry: Entry, live: Live) -> Change | None:
        """Live is as desired: at most the ledger has something to learn."""
        if entry.digest == change.digest and entry.version == live.version and not case.pending:
            return None
        if unprotects(change):
            return replace(change, action=Action.ADOPT, reason=Reason.EDITED, note=_UNPROTECTED)
        ignore = change.lifecycle.ignore
        had = self.ciphertexts.aligned(entry.body, change.after or {}) or {}
        if diff(change.after or {}, had, had, ignore=ignore):
            return self._adopted(case, replace(change, reason=Reason.EDITED))
        reason = Reason.DRIFTED if entry.digest == change.digest else Reason.EDITED
        return replace(change, action=Action.NOOP, reason=reason)

    def _difference(
        self, case: Situation, resource: Resource, live: Live
    ) -> tuple[Change, tuple[FieldChange, ...]]:
        """An UPDATE with its bodies, and the fields that differ."""
        body = case.body or {}
        applied = case.entry.body if case.entry else None
        before = mask(live.body, [applied, body], case.sensitive)
        if case.entry is not None and case.entry.version == live.version:
            before = settled(before, applied)
        before = self.ciphertexts.aligned(before, body) or {}
        applied = mask_agreed(applied, live.body, body, case.sensitive)
        applied = self.ciphertexts.aligned(applied, body)
        ignore = resource.lifecycle.ignore
        change = replace(
            self._of(case, resource),
            before=before,
            after=keep(body, before, ignore),
            expect_version=live.version,
        )
        fields = diff(
            body,
            applied,
            before,
            ignore=ignore,
            sensitive=case.sensitive,
            unknown=case.unknown,
            closed=closed_fields(case.address.kind),
        )
        return change, fields

    def _reason(self, case: Situation, fields: tuple[FieldChange, ...]) -> Reason:
        conflicts = [one.path for one in fields if one.reason is Reason.CONFLICT]
        if conflicts:
            labels = case.resource.labels if case.resource else {}
            if not chosen(self.options.overwrite, case.address, labels):
                self._report(
                    "HR125",
                    f"{case.address} was changed here and live: {', '.join(conflicts)}",
                    case,
                    hint="say --overwrite to have it as declared, or declare what is live",
                )
            return Reason.CONFLICT
        if case.renamed:
            return Reason.MOVED
        reasons = {one.reason for one in fields}
        if reasons == {Reason.DRIFTED}:
            return Reason.DRIFTED
        deferred = case.resource.deferred if case.resource else ()
        references = {one.path for one in deferred if one.address is not None}
        edited = [one for one in fields if one.reason is not Reason.DRIFTED]
        if all(one.reason is Reason.REFERENCED or one.path in references for one in edited):
            return Reason.REFERENCED
        return Reason.EDITED

    # -- another driver --------------------------------------------------------------------------

    def _rebound(self, case: Situation, resource: Resource, entry: Entry) -> Change | None:
        """Bound to another instance: taken away there, made here."""
        retained = entry.lifecycle.deletion == "retain"
        owned = case.before is not None and self._ours(case.before, entry.driver, has_entry=True)
        if case.before is None or not owned or retained:
            change = self._new(replace(case, entry=None), resource)
            if change is not None and owned:
                note = f"lifecycle.deletion is retain: it stays at driver {entry.driver} as well"
                change = replace(change, note=note)
            return change and replace(change, applied=entry.body)
        if case.live is not None:
            self._report(
                "HR133",
                f"{case.address} is live at driver {entry.driver}, which it leaves, and at"
                f" {resource.driver} as well",
                case,
                hint=f"remove one of the two, or run `hrctl state forget {case.address}`",
            )
            return None
        change = replace(
            self._create(case, resource, Reason.EDITED),
            action=Action.REPLACE,
            before=mask(case.before.body, [entry.body, case.body], case.sensitive),
            expect_version=case.before.version,
            previous_driver=entry.driver,
            note=f"goes from driver {entry.driver} to {resource.driver}",
        )
        return self._finished(case, change)

    # -- the ledger alone ------------------------------------------------------------------------

    def _refresh(self, case: Situation) -> Change | None:
        """Bring the ledger to what is live; a digest of nothing makes the next plan look again."""
        entry = case.entry
        if entry is None:
            return None
        change = Change(
            case.address,
            Action.NOOP,
            Reason.DRIFTED,
            entry.driver,
            applied=entry.body,
            digest=entry.digest,
            depends_on=entry.depends_on,
            lifecycle=entry.lifecycle,
        )
        live = case.before if case.before is not None else case.live
        if live is None:
            return replace(change, action=Action.FORGET, reason=Reason.LOST)
        shown = mask(live.body, [entry.body])
        change = replace(change, before=shown, after=entry.body, expect_version=live.version)
        closed = closed_fields(case.address.kind)
        fields = diff(entry.body, entry.body, shown, ignore=entry.lifecycle.ignore, closed=closed)
        if fields:
            after = managed(shown, entry.body)
            return replace(change, action=Action.ADOPT, after=after, fields=fields, digest="")
        return change if entry.version != live.version or case.pending else None

    # -- all of them -----------------------------------------------------------------------------

    def _of(self, case: Situation, resource: Resource) -> Change:
        return Change(
            case.address,
            Action.UPDATE,
            Reason.EDITED,
            resource.driver,
            applied=case.entry.body if case.entry else None,
            depends_on=resource.depends_on,
            digest=resource.digest,
            lifecycle=resource.lifecycle,
            previous_address=case.moved_from if case.renamed else None,
            span=resource.span,
            sensitive=case.sensitive,
            unknown=case.unknown,
            protected=case.entry is not None and case.entry.lifecycle.protect,
        )

    def _finished(self, case: Situation, change: Change) -> Change:
        """Fields that cannot change in place make a replace; then the driver's last word."""
        driver = self.drivers.get(change.driver)
        if change.action is Action.UPDATE and not case.renamed:
            # what was never applied here has no type of its own: a driver derives it from values
            adopts = case.entry is None and case.live is not None and case.live.owner is None
            immutable = frozenset() if adopts else immutable_fields(change.address.kind)
            if driver is not None:
                immutable |= driver.capabilities.immutable
            if any(is_under(one.path, immutable) for one in change.fields):
                change = replace(change, action=Action.REPLACE, reason=Reason.IMMUTABLE)
        if driver is None:
            return change
        try:
            final = driver.plan(change)
        except HrctlError as error:  # it could not carry that out
            span = case.resource.span if case.resource else None
            if isinstance(error, FieldError) and case.resource:
                span = self.desired.origin(case.address, error.field) or span
            self.diagnostics += [
                replace(one, span=one.span or span, address=one.address or case.address)
                for one in error.diagnostics
            ]
            return change
        if final.action is Action.REPLACE and change.action is Action.UPDATE:
            return replace(final, reason=Reason.IMMUTABLE)
        return final

    def _ours(self, live: Live, driver: str, *, has_entry: bool) -> bool:
        instance = self.drivers.get(driver)
        if instance is None or instance.capabilities.ownership is Ownership.LEDGER:
            return has_entry
        return live.owner == self.source.project

    def _report(
        self,
        code: str,
        summary: str,
        case: Situation,
        *,
        hint: str,
        severity: Severity = Severity.ERROR,
    ) -> None:
        span = case.resource.span if case.resource else None
        self.diagnostics.append(
            Diagnostic(code, summary, span, severity, address=case.address, hint=hint)
        )


def is_under(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is one of these or lies below or above it; `*` is one segment."""
    parts = path.split("/")
    for pattern in patterns:
        both = zip(parts, pattern.split("/"), strict=False)
        if all(theirs in {ours, "*"} for ours, theirs in both):
            return True
    return False
