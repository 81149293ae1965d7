"""`hrctl plan` and `hrctl drift`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from hrctl.cli import options as given
from hrctl.cli.app import FORMATS, console_of, reports
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.planning import make_plan
from hrctl.cli.planreport import PlanReport, show_digest
from hrctl.cli.render.text import count
from hrctl.cli.reports import GITHUB_BYTES, Reports
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError, Severity
from hrctl.model.plan import Plan
from hrctl.reconcile import safety
from hrctl.reconcile.options import PlanOptions

_NO_DRIFT = "no drift"


@reports
def plan(  # noqa: PLR0913  # each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    *,
    out: given.Out = None,
    target: given.Targets = None,
    exclude: given.Excludes = None,
    detailed_exitcode: given.DetailedExitcode = False,
    refresh_only: given.RefreshOnly = False,
    offline: given.Offline = False,
    since: given.Since = None,
    base: given.BaseRev = None,
    live: given.Live = False,
    context: given.Context = 0,
    report: given.Report = None,
    max_bytes: given.MaxBytes = GITHUB_BYTES,
    digest: given.Digest = False,
    fail_on: given.FailOn = None,
    adopt: given.Adopt = False,
    overwrite: given.Overwrite = False,
    keep_drift: given.KeepDrift = False,
    cascade: given.Cascade = False,
    force: given.Force = None,
    allow_deletes: given.AllowDeletes = None,
    allow_updates: given.AllowUpdates = None,
) -> int:
    """Show what an apply would do: declared, applied and live compared, field by field.

    Nothing is changed, neither live nor in the ledger. + is created, ~ updated, -/+ replaced,
    - deleted, <= taken into the ledger, ! brought back to what was applied.

    Examples:
      hrctl plan
      hrctl plan --target acme/shop/prod --out shop.plan
      hrctl plan --detailed-exitcode -o json
      hrctl plan --since main
      hrctl plan --base origin/main -o markdown
      hrctl plan --exclude 'acme/*/dev:*' --context 3
      hrctl plan -o github --report markdown=comment.md --fail-on high
      hrctl apply --approved "$(hrctl plan --digest)"
    """
    console = console_of(ctx)
    out_reports = Reports(console, "hrctl plan", report, max_bytes=max_bytes, beside=[out])
    limit = given.grade(fail_on)
    if digest and console.output not in FORMATS:
        raise HrctlError.of("HR145", f"--digest prints text or json, not {console.output}")
    if live and base is None:
        raise HrctlError.of(
            "HR145", "--live goes with --base", hint="a plan without is live anyway"
        )
    with Session(console, base) as session:
        with out_reports.telling(session):
            wanted = PlanOptions(
                targets=given.selectors(target),
                excludes=given.selectors(exclude),
                refresh_only=refresh_only,
                offline=offline,
                adopt=adopt,
                overwrite=overwrite,
                keep_drift=keep_drift,
                cascade=cascade,
                force=given.forced(force),
                limits=given.limits(session.project.safety),
                allow_deletes=allow_deletes,
                allow_updates=allow_updates,
            )
            found = _made(session, wanted, since, out, live=live)
        refusals = safety.too_far(found, limit)
        shown = PlanReport(session, out_reports, found, refusals, context=context)
        if digest:
            show_digest(console, found)
            shown.deliver()
        else:
            shown.show()
        _save(console, found, out)
        return _left(shown, detailed=detailed_exitcode)


def _made(
    session: Session,
    wanted: PlanOptions,
    since: str | None,
    out: Path | None,
    *,
    live: bool,
) -> Plan:
    """The plan against ledger and live systems, an earlier commit, or the base of the branch."""
    base = session.base
    if since is None and base is None:
        return make_plan(session, wanted)
    one, what = ("--since", "since a commit") if base is None else ("--base", "on a branch")
    if out is not None:
        raise HrctlError.of(
            "HR145",
            f"{one} and --out do not go together: what changed {what} cannot be applied",
            hint=f"leave out {one} to save a plan, or take its -o json",
        )
    if since is not None and base is not None:
        raise HrctlError.of(
            "HR145",
            "--since and --base do not go together",
            hint="--base leaves out what the base changed meanwhile, --since does not",
        )
    if since is not None:
        from hrctl.cli.since import plan_since

        return plan_since(session, since, wanted)
    from hrctl.cli.base import plan_base

    return plan_base(session, base or "HEAD", wanted, live=live)


def _save(console: Console, found: Plan, out: Path | None) -> None:
    if out is None:
        return
    from hrctl.cli.planfiles import save

    save(found, out)
    console.note(f"Saved to {out}. `hrctl apply {out}` carries out exactly this plan.")


def _left(shown: PlanReport, *, detailed: bool) -> int:
    """The exit code; a plan's errors come last, so that they are what one sees.

    Raises:
        HrctlError: where the plan is refused.
    """
    try:
        safety.refuse(shown.plan, shown.refusals)
    except HrctlError as error:
        shown.reports.leave(error)
        raise
    return Exit.CHANGES if detailed and shown.plan.changes_something else Exit.DONE


@reports
def drift(  # noqa: PLR0913  # each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    *,
    target: given.Targets = None,
    exclude: given.Excludes = None,
    detailed_exitcode: given.DetailedExitcode = False,
    context: given.Context = 0,
    report: given.Report = None,
    max_bytes: given.MaxBytes = GITHUB_BYTES,
) -> int:
    """Show what was changed in the live systems since the last apply.

    What was edited in the declarations is left out; `hrctl plan` shows both. `hrctl apply` brings
    back what was applied, `hrctl apply --keep-drift` leaves it.

    Examples:
      hrctl drift
      hrctl drift --detailed-exitcode
      hrctl drift --target acme/shop/prod -o json
      hrctl drift --detailed-exitcode -o markdown --report github=/dev/stderr
    """
    console = console_of(ctx)
    out = Reports(console, "hrctl drift", report, max_bytes=max_bytes)
    with Session(console) as session:
        with out.telling(session):
            found = make_plan(
                session,
                PlanOptions(
                    targets=given.selectors(target),
                    excludes=given.selectors(exclude),
                    cascade=True,
                    limits=given.limits(session.project.safety),
                ),
            )
            found = _drift_of(session, found)
        shown = PlanReport(session, out, found, strict=True, context=context, nothing=_NO_DRIFT)
        if found.changes or console.output != "text":
            shown.show()
        else:
            if not _errors(found):
                console.data(f"No drift. {count(found.resources, 'resource')} declared.")
            shown.deliver()
        return _left(shown, detailed=detailed_exitcode)


def _drift_of(session: Session, found: Plan) -> Plan:
    """The part of a plan that brings back what was changed, without the limits of applies.

    What nobody could look at stays an error: it has not been seen to be as it was.
    """
    from hrctl.cli.render.planned import drifted_part
    from hrctl.reconcile.radius import blast_radius

    only = tuple(one for change in found.pending if (one := drifted_part(change)) is not None)
    kept = tuple(one for one in found.diagnostics if one.code not in safety.SAFETY_CODES)
    limits = given.thresholds(session.project.blast_radius)
    radius = blast_radius(only, session.tree(), limits)
    options = {**found.options, "drift": True}  # parts of changes: never to be applied
    return replace(
        found, changes=only, settings=(), diagnostics=kept, radius=radius, options=options
    )


def _errors(found: Plan) -> bool:
    return any(one.severity is Severity.ERROR for one in found.diagnostics)
