"""`plan --base REV`: what this branch changes against its base, and nothing that is not its own.

What is planned is what an apply would do once the branch is merged: the tree of a merge of HEAD and
the base, or the files here where the branch has all of the base in it. Of its changes those are the
branch's that the base, applied by itself, would not make as well; `hrctl.reconcile.branch` tells
them apart from what the base declares and was not applied yet, and from drift.

Anybody may have written the branch, so its `hrctl.yaml` decides nothing: where hrctl connects and
what it refuses is read at the base (`Session.project`). What the branch changes in that file is
shown as changes of their own, and limits are the stricter ones of both. No live system is looked
at, unless `--live` asks for it.

Where nothing was ever applied from here, as on a CI machine without a ledger, what the base
declares stands for what is applied and live. Then the plan compares two trees: it needs no key and
no system, and can show neither drift nor what is pending.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from hrctl.cli.options import limits, thresholds
from hrctl.cli.planning import make_plan, plan_source
from hrctl.cli.session import Session
from hrctl.cli.settings import changed_settings
from hrctl.cli.since import Declared
from hrctl.diagnostics import Diagnostic, Severity
from hrctl.model import settings
from hrctl.model.address import Address
from hrctl.model.plan import Base, Change, Plan
from hrctl.reconcile import branch, planner, safety
from hrctl.reconcile.options import PlanOptions
from hrctl.reconcile.outputs import immutable_fields
from hrctl.reconcile.radius import blast_radius
from hrctl.source import branch as git_branch

if TYPE_CHECKING:
    from hrctl.ledger.api import Ledger
    from hrctl.model.tree import Tree

_RECOUNTED = frozenset({"HR120", "HR121", "HR128"})  # what `safety.check` says of all changes


def plan_base(session: Session, revision: str, options: PlanOptions, *, live: bool) -> Plan:
    """The plan of the branch's own changes; the others stand in `Plan.base`.

    1. Find the base and where the branch left it; merge both, where the branch lacks some of it.
    2. Read both trees. Errors of the base are no errors of the branch.
    3. Plan the merged tree against the ledger, and with `live` against live systems; or against
       the base's tree where the ledger is empty.
    4. Divide the changes; check limits and count the blast radius of the branch's own, and of the
       settings that it changes.

    Raises:
        HrctlError: what `hrctl.source.branch.compare` says; the errors of the manifests; what
            planning raises.
    """
    found = git_branch.compare(session.project.root, revision)
    told = []
    if found.merged is not None and session.load().dirty:
        told.append(_uncommitted(revision))
    tree, base, errors = session.tree(found.merged), *_base_tree(session, found.base)
    if errors:
        told.append(_faulty(revision, errors))
    if session.reviewed is None:
        told.append(_no_settings(revision))
    options = _stricter(session, options, found.merged)
    applied = [stamp.address for stamp in session.ledger.stamps()]
    declared = not applied
    if applied:
        options = replace(options, offline=options.offline or not live)
        if options.offline:
            told.append(_not_live())
        whole = make_plan(session, options, found.merged)
    else:
        applied = list(base.rows)
        told.append(_declared_only(revision))
        options = replace(options, offline=True)
        ledger = cast("Ledger", Declared(base))  # planning reads only what it has
        source = plan_source(session, revision=found.merged)
        whole = planner.plan(tree, ledger, {}, options, source)
    place = Base(revision, found.base, found.fork, found.merged is not None, declared)
    whole = replace(whole, settings=changed_settings(session, session.project, found.merged))
    return _Own(session, tree, base, options, applied).plan(whole, place, told)


def _stricter(session: Session, options: PlanOptions, merged: str | None) -> PlanOptions:
    """Return the options with the stricter limits and grades of base and branch."""
    base, branch_ = session.project, session.declared(merged)
    grades = settings.stricter_grades(base.blast_radius, branch_.blast_radius)
    return replace(
        options,
        limits=limits(settings.stricter_limits(base.safety, branch_.safety)),
        thresholds=thresholds(grades),
    )


@dataclass(frozen=True, slots=True)
class _Own:
    """How the plan of everything becomes that of a branch."""

    session: Session
    tree: Tree
    base: Tree
    options: PlanOptions
    applied: Collection[Address]

    def plan(self, whole: Plan, place: Base, told: Iterable[Diagnostic]) -> Plan:
        """The plan of what is the branch's own."""
        parts = branch.divide(whole.pending, self.tree, self.base, self._immutable)
        ours = {change.address for change in parts.ours}
        kept = [self._whose(one, ours) for one in whole.diagnostics if one.code not in _RECOUNTED]
        refused = safety.check(parts.ours, entries=self.applied, options=self.options)
        grades, changed = self.options.thresholds, len(whole.settings)
        here = self.session.load()
        return replace(
            whole,
            commit=here.commit,
            dirty=here.dirty,
            changes=parts.ours,
            diagnostics=(*told, *kept, *refused),
            radius=blast_radius(parts.ours, self.tree, grades, changed),
            options={**whole.options, "base": place.revision},
            base=replace(place, pending=parts.pending, drift=parts.drift),
        )

    def _whose(self, one: Diagnostic, ours: Collection[Address]) -> Diagnostic:
        """An error about something that the branch does not touch is no error of the branch."""
        if one.severity is not Severity.ERROR or one.address is None:
            return one
        at = Address(one.address)
        untouched = at not in ours and self.tree.rows.get(at) == self.base.rows.get(at)
        return replace(one, severity=Severity.WARNING) if untouched else one

    def _immutable(self, change: Change) -> frozenset[str]:
        fixed = immutable_fields(change.address.kind)
        driver = self.session.connected.get(change.driver)
        return fixed | driver.capabilities.immutable if driver is not None else fixed


def _base_tree(session: Session, commit: str) -> tuple[Tree, int]:
    """What the base declares, and how many errors it has."""
    loaded = session.load(commit)
    errors = sum(one.severity is Severity.ERROR for one in loaded.diagnostics)
    return loaded.tree, errors


def _uncommitted(revision: str) -> Diagnostic:
    return Diagnostic(
        "HR292",
        "what is not committed is left out: the plan is of a merge of HEAD and"
        f" '{revision}', which has commits that HEAD lacks",
        severity=Severity.WARNING,
        hint="commit it first",
    )


def _faulty(revision: str, errors: int) -> Diagnostic:
    number = f"{errors} error{'' if errors == 1 else 's'}"
    return Diagnostic(
        "HR293",
        f"'{revision}' has {number} of its own: what it declares is known in part",
        severity=Severity.WARNING,
        hint=f"hrctl validate --rev {revision}",
    )


def _no_settings(revision: str) -> Diagnostic:
    return Diagnostic(
        "HR312",
        f"'{revision}' has no hrctl.yaml here: the settings that are built in hold for this plan",
        severity=Severity.WARNING,
        note="those of the branch hold once they are merged",
    )


def _not_live() -> Diagnostic:
    return Diagnostic(
        "HR313",
        "no live system was looked at: the plan compares the branch with its base and the ledger",
        severity=Severity.INFO,
        hint="--live also looks at the live systems that the base names",
        note="drift cannot be seen that way",
    )


def _declared_only(revision: str) -> Diagnostic:
    return Diagnostic(
        "HR283",
        f"the ledger is empty: what '{revision}' declares stands for what is live",
        severity=Severity.INFO,
        note="neither drift nor what is not applied yet can be seen that way",
    )
