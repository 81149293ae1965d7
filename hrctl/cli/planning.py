"""Making a plan of a session, and showing it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from hrctl.cli.console import Console
from hrctl.cli.options import thresholds
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.drivers.api import Driver
from hrctl.model.address import Address
from hrctl.model.plan import Change, Plan
from hrctl.reconcile.options import PlanOptions, PlanSource


def make_plan(session: Session, options: PlanOptions, revision: str | None = None) -> Plan:
    """The plan of what is declared here, or at a commit, against ledger and live systems.

    An instance that does not answer is an error in the plan, which shows what the others say; one
    that the targets have no need of is left alone.
    """
    from hrctl.reconcile import planner, selection

    if session.base is None:
        options = replace(options, thresholds=thresholds(session.project.blast_radius))
    tree = session.tree(revision)
    drivers: Mapping[str, Driver] = {}
    absent: dict[str, tuple[Diagnostic, ...]] = {}
    if not options.offline:
        named = session.named(revision)
        wanted = selection.instances(named, tree, session.ledger, options)
        absent = dict.fromkeys(named - wanted, ())
        absent |= _unreviewed(session, wanted)
        drivers, unreachable = session.connect(wanted)
        absent |= unreachable
    source = plan_source(session, absent, revision)
    plan = planner.plan(tree, session.ledger, drivers, options, source)
    compared = session.base is not None or revision is not None or options.destroy
    return plan if compared else _with_settings(session, plan, options)


def _with_settings(session: Session, plan: Plan, options: PlanOptions) -> Plan:
    """Add the settings of the project that the last apply did not have: they are approved, too."""
    from hrctl.cli.settings import since_last_apply

    changed, findings = since_last_apply(session)
    if not changed:
        return replace(plan, diagnostics=(*plan.diagnostics, *findings)) if findings else plan
    from hrctl.reconcile.radius import blast_radius

    radius = blast_radius(plan.changes, session.tree(), options.thresholds, len(changed))
    return replace(plan, settings=changed, radius=radius)


def _unreviewed(session: Session, wanted: Iterable[str]) -> dict[str, tuple[Diagnostic, ...]]:
    """Return the instances that only the branch configures: nobody reviewed where they lead."""
    if session.base is None:
        return {}
    return {
        name: (
            Diagnostic(
                "HR314",
                f"'{session.base}' does not configure the driver instance {name}, so it is not"
                " connected",
                hint="plan without --live, or have the settings merged first",
            ),
        )
        for name in sorted({*wanted} - session.project.drivers.keys())
    }


def plan_source(
    session: Session,
    absent: Mapping[str, tuple[Diagnostic, ...]] | None = None,
    revision: str | None = None,
) -> PlanSource:
    """What a plan says of where it comes from."""
    loaded = session.load(revision)
    return PlanSource(
        project=session.project.name,
        commit=loaded.commit,
        dirty=loaded.dirty,
        removed_note=_removed_note(session) if loaded.commit else _no_note,
        driver_versions=session.versions(),
        decrypt=session.decrypt,
        absent=absent or {},
        settings=lambda: session.driver_settings(revision),
        contents=_contents(session, revision),
    )


def _contents(
    session: Session, revision: str | None
) -> Callable[[Iterable[Change]], Mapping[Address, str]]:
    def ask(changes: Iterable[Change]) -> Mapping[Address, str]:
        from hrctl.model.local_files import named_paths

        wanted = {
            change.address: named_paths(change.after)
            for change in changes
            if change.address.kind == "Service" and change.after is not None
        }
        if not wanted:
            return {}
        from hrctl.source.contents import digests

        return digests(session.project.root, revision, wanted)

    return ask


def _no_note(_address: Address) -> str | None:
    return None


def _removed_note(session: Session) -> Callable[[Address], str | None]:
    def ask(address: Address) -> str | None:
        from hrctl.cli.history import removal

        return removal(session.project.root, address)

    return ask


def require_commit(session: Session) -> str:
    """The commit that is applied.

    Raises:
        HrctlError: HR062 outside a repository, HR063 in one without a commit.
    """
    loaded = session.load()
    if loaded.commit is not None:
        return loaded.commit
    if not loaded.in_git:
        raise HrctlError.of(
            "HR062",
            f"{session.project.root} is in no git repository, and what is applied must be in one",
            hint="git init, git add, git commit",
        )
    raise HrctlError.of(
        "HR063", "the git repository has no commit yet", hint="commit what is to be applied"
    )


def show_plan(console: Console, plan: Plan, *, context: int = 0) -> None:
    """The plan as text on standard output, what it has to say besides on standard error."""
    from hrctl.cli.render.style import paint
    from hrctl.cli.render.text import plan_lines

    brush = paint(color=console.color(sys.stdout))
    refused = any(one.severity is Severity.ERROR for one in plan.diagnostics)
    if plan.changes_something or not refused:  # "no changes" would be no answer to a wrong question
        console.log(plan_lines(plan, width=console.width, context=context, paint=brush))
    tell_findings(console, plan)


def tell_findings(console: Console, plan: Plan) -> None:
    """The warnings of a plan, and why it is not complete; errors are raised by who needs it."""
    warnings = [one for one in plan.diagnostics if one.severity is not Severity.ERROR]
    if warnings and not console.quiet and console.output != "github":
        from hrctl.cli.telling import report

        sys.stdout.flush()
        report(console, warnings)


def show_drift_kept(console: Console, plan: Plan) -> None:
    """One line for what `--keep-drift` and `lifecycle.ignore` leave as it is."""
    if plan.kept:
        from hrctl.cli.render.text import count

        console.note(f"{count(len(plan.kept), 'resource')} drifted and left so.")
