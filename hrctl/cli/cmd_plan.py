"""`hrctl plan` and `hrctl drift`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from hrctl.cli import options as given
from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.planning import make_plan, show_drift_kept, show_plan, tell_findings
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError, Severity
from hrctl.model.plan import Change, Plan, Reason
from hrctl.reconcile.options import PlanOptions


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
    context: given.Context = 0,
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
      hrctl plan --exclude 'acme/*/dev:*' --context 3
    """
    console = console_of(ctx)
    with Session(console) as session:
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
        found = _made(session, wanted, since, out)
        return _finish(ctx, found, out, context, detailed=detailed_exitcode)


def _made(session: Session, wanted: PlanOptions, since: str | None, out: Path | None) -> Plan:
    """The plan against ledger and live systems, or against an earlier commit."""
    if since is None:
        return make_plan(session, wanted)
    if out is not None:
        raise HrctlError.of(
            "HR145",
            "--since and --out do not go together: what changed since a commit cannot be applied",
            hint="leave out --since to save a plan, or take its -o json",
        )
    from hrctl.cli.since import plan_since

    return plan_since(session, since, wanted)


def _finish(
    ctx: typer.Context, found: Plan, out: Path | None, context: int, *, detailed: bool
) -> int:
    """Show and save a plan; its errors come last, so that they are what one sees."""
    from hrctl.reconcile import safety

    console = console_of(ctx)
    if console.json_output:
        from hrctl.model import planfile

        console.data(planfile.to_json(found))
        tell_findings(console, found)
    else:
        show_plan(console, found, context=context)
        show_drift_kept(console, found)
    if out is not None:
        from hrctl.cli.planfiles import save

        save(found, out)
        console.note(f"Saved to {out}. `hrctl apply {out}` carries out exactly this plan.")
    safety.refuse(found)
    return Exit.CHANGES if detailed and found.pending else Exit.DONE


def drift(
    ctx: typer.Context,
    *,
    target: given.Targets = None,
    exclude: given.Excludes = None,
    detailed_exitcode: given.DetailedExitcode = False,
    context: given.Context = 0,
) -> int:
    """Show what was changed in the live systems since the last apply.

    What was edited in the declarations is left out; `hrctl plan` shows both. `hrctl apply` brings
    back what was applied, `hrctl apply --keep-drift` leaves it.

    Examples:
      hrctl drift
      hrctl drift --detailed-exitcode
      hrctl drift --target acme/shop/prod -o json
    """
    from hrctl.reconcile.safety import SAFETY_CODES

    console = console_of(ctx)
    with Session(console) as session:
        found = make_plan(
            session,
            PlanOptions(
                targets=given.selectors(target),
                excludes=given.selectors(exclude),
                cascade=True,
                limits=given.limits(session.project.safety),
            ),
        )
    unanswered = [
        one
        for one in found.diagnostics
        if one.severity is Severity.ERROR and one.code not in SAFETY_CODES
    ]
    only = tuple(one for change in found.pending if (one := _drifted(change)) is not None)
    found = replace(found, changes=only)
    if console.json_output:
        from hrctl.model import planfile

        console.data(planfile.to_json(found))
    elif only:
        show_plan(console, found, context=context)
    elif not unanswered:
        from hrctl.cli.render.text import count

        console.data(f"No drift. {count(found.resources, 'resource')} declared.")
    if unanswered:  # what nobody could look at has not been seen to be as it was
        raise HrctlError(*unanswered)
    return Exit.CHANGES if detailed_exitcode and only else Exit.DONE


def _drifted(change: Change) -> Change | None:
    """The part of a change that someone else's hand made necessary."""
    if change.drifted:
        return change
    fields = tuple(one for one in change.fields if one.reason in {Reason.DRIFTED, Reason.CONFLICT})
    return replace(change, fields=fields) if fields else None
