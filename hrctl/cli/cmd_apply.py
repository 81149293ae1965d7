"""`hrctl apply` and `hrctl destroy`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import typer

from hrctl.cli import options as given
from hrctl.cli.app import console_of
from hrctl.cli.approved import Approved, check, read
from hrctl.cli.carrying import run_plan
from hrctl.cli.confirm import confirm
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.planning import make_plan, require_commit, show_drift_kept, show_plan, tell_findings
from hrctl.cli.session import Session
from hrctl.cli.waiting import Waiting
from hrctl.diagnostics import HrctlError, SafetyError
from hrctl.model.plan import Plan
from hrctl.model.radius import Grade
from hrctl.reconcile.events import Report
from hrctl.reconcile.options import PlanOptions


def apply(  # noqa: PLR0913  # each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    file: given.PlanFile = None,
    *,
    yes: given.Yes = False,
    wait: given.Wait = None,
    target: given.Targets = None,
    exclude: given.Excludes = None,
    parallelism: given.Parallelism = None,
    refresh_only: given.RefreshOnly = False,
    context: given.Context = 0,
    approved: given.Approved = None,
    fail_on: given.FailOn = None,
    adopt: given.Adopt = False,
    overwrite: given.Overwrite = False,
    keep_drift: given.KeepDrift = False,
    cascade: given.Cascade = False,
    force: given.Force = None,
    allow_deletes: given.AllowDeletes = None,
    allow_updates: given.AllowUpdates = None,
    rollback_on_failure: given.RollbackOnFailure = False,
) -> int:
    """Make the live systems as declared.

    Shows the plan and asks first. With FILE exactly that plan is carried out, and refused where
    the commit, the ledger or a live version has moved on since; options that shape a plan go with
    the `hrctl plan` that saves it. With --approved a plan is carried out, without a question, if it
    changes what was approved and nothing else, whatever the commit. A failure stops only what
    depends on it. The first Ctrl-C lets what runs finish, the second leaves at once, and the next
    run settles what was pending. Leaves with 6 where only a part was applied. With
    --rollback-on-failure a failed run is undone: what it changed is brought back to what was
    applied before, and the exit code is 1; 6 where that did not do either.

    Examples:
      hrctl apply
      hrctl apply --yes --target acme/shop/prod
      hrctl apply shop.plan
      hrctl apply --approved "$(cat approved.txt)" --keep-drift
      hrctl apply --yes -o json | jq -c 'select(.event == "change-finished")'
    """
    console = console_of(ctx)
    conditions = Conditions(
        given.grade(fail_on), None if approved is None else read(approved), rollback_on_failure
    )
    with Session(console) as session:
        require_commit(session)
        wanted = PlanOptions(
            targets=given.selectors(target),
            excludes=given.selectors(exclude),
            refresh_only=refresh_only,
            adopt=adopt,
            overwrite=overwrite,
            keep_drift=keep_drift,
            cascade=cascade,
            force=given.forced(force),
            limits=given.limits(session.project.safety),
            allow_deletes=allow_deletes,
            allow_updates=allow_updates,
        )
        plan = make_plan(session, wanted) if file is None else _saved(session, file, wanted)
        again = None if file is not None else lambda later: make_plan(later, wanted)
        waiting = Waiting.of(wait, again)
        return carry_out(
            session, plan, "Apply these changes?", yes, parallelism, context, conditions, waiting
        )


def destroy(  # noqa: PLR0913  # each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    *,
    yes: given.Yes = False,
    wait: given.Wait = None,
    target: given.Targets = None,
    exclude: given.Excludes = None,
    parallelism: given.Parallelism = None,
    context: given.Context = 0,
    force: given.Force = None,
) -> int:
    """Remove everything that was applied from the live systems.

    The declarations stay; `hrctl apply` makes it all again. What is protected must be named with
    --force, and what `lifecycle.deletion: retain` says to keep is only forgotten.

    Examples:
      hrctl destroy
      hrctl destroy --target acme/shop/dev --yes
    """
    console = console_of(ctx)
    with Session(console) as session:
        require_commit(session)
        wanted = PlanOptions(
            targets=given.selectors(target),
            excludes=given.selectors(exclude),
            destroy=True,
            cascade=True,
            force=given.forced(force),
            limits=given.limits(session.project.safety),
        )
        plan = make_plan(session, wanted)
        waiting = Waiting.of(wait, lambda later: make_plan(later, wanted))
        code = carry_out(
            session, plan, "Destroy all of this?", yes, parallelism, context, waiting=waiting
        )
        if code == Exit.DONE:
            _stop_empty(session, plan)
        return code


def _stop_empty(session: Session, plan: Plan) -> None:
    """Servers of hrctl's own that hold nothing any more have nothing left to do."""
    from hrctl.drivers.api import Embedded

    for driver in session.drivers({change.driver for change in plan.changes}).values():
        if isinstance(driver, Embedded) and not any(True for _ in driver.scan()):
            driver.down()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be so for a plan to be applied, and what if it fails.

    Attributes:
        limit: the grade that the blast radius must stay below.
        approved: what was approved, and is not asked about again.
        rollback_on_failure: whether a run that fails is undone.
    """

    limit: Grade | None = None
    approved: Approved | None = None
    rollback_on_failure: bool = False


def _saved(session: Session, file: Path, wanted: PlanOptions) -> Plan:
    """A plan from its file, if all that it was made from is still so, and nothing else is asked."""
    from hrctl.cli import planfiles
    from hrctl.reconcile import staleness

    if wanted != PlanOptions(limits=wanted.limits):
        raise HrctlError.of(
            "HR145",
            f"options that shape a plan cannot change the saved plan {file}",
            hint="give them to `hrctl plan --out`, which makes the plan",
        )
    plan = planfiles.read(file)
    if plan.base is not None or "drift" in plan.options:
        what = "the changes of a branch" if plan.base is not None else "drift"
        raise HrctlError.of(
            "HR145",
            f"{file} holds {what} alone, as parts of changes that cannot be applied",
            hint="`hrctl plan --out FILE` saves what can",
        )
    staleness.check(
        plan,
        session.ledger,
        session.drivers(plan.drivers),
        commit=session.load().commit,
        tree_digest=session.tree().digest,
        driver_versions=session.versions(),
    )
    _refuse_by_limits_of_today(session, plan, wanted)
    return plan


def _refuse_by_limits_of_today(session: Session, plan: Plan, wanted: PlanOptions) -> None:
    """Refuse a saved plan that goes beyond `safety` of hrctl.yaml as it is now.

    What the plan was allowed when it was made (`--allow-deletes`, `--force`, ...) still counts.

    Raises:
        SafetyError: HR120 and others, where a limit has become stricter.
    """
    from hrctl.diagnostics import SafetyError
    from hrctl.model.address import Address
    from hrctl.reconcile import safety

    given_then = PlanOptions(
        destroy=plan.destroy,
        cascade=bool(plan.options.get("cascade")),
        force=frozenset(map(Address, plan.options.get("force", ()))),
        limits=wanted.limits,
        allow_deletes=plan.options.get("allow_deletes"),
        allow_updates=plan.options.get("allow_updates"),
    )
    if plan.options.get("refresh_only"):
        return
    applied = {stamp[0] for stamp in session.ledger.stamps()}
    refused = safety.check(plan.changes, entries=applied, options=given_then)
    if refused:
        raise SafetyError(*refused)


def carry_out(  # noqa: PLR0913, PLR0917  # what is asked, and what was already answered
    session: Session,
    plan: Plan,
    question: str,
    yes: bool,  # noqa: FBT001  # as given on the command line
    parallelism: int | None,
    context: int,
    conditions: Conditions | None = None,
    waiting: Waiting | None = None,
) -> int:
    """Show a plan, ask, and apply it; what was approved is not asked about again.

    Returns:
        The exit code.
    """
    conditions = conditions or Conditions()
    with ExitStack() as opened:
        while True:
            try:
                return _attempt(
                    session, plan, question, yes, parallelism, context, conditions, waiting
                )
            except SafetyError as error:
                if waiting is None or waiting.again is None or not waiting.plans_again(error):
                    raise
            session.console.note("Another run has changed what this plan was made from. A new one:")
            opened.close()
            session = opened.enter_context(session.successor())
            plan = waiting.again(session)


def _attempt(  # noqa: PLR0913, PLR0917  # what is asked, and what was already answered
    session: Session,
    plan: Plan,
    question: str,
    yes: bool,  # noqa: FBT001  # as given on the command line
    parallelism: int | None,
    context: int,
    conditions: Conditions,
    waiting: Waiting | None,
) -> int:
    from hrctl.reconcile import safety

    console = session.console
    _show(console, plan, context)
    safety.refuse(plan, safety.too_far(plan, conditions.limit))
    if (plan.pending or plan.settings) and conditions.approved is not None:
        check(plan, conditions.approved)
        yes = True
    if plan.pending:
        if session.load().dirty:
            console.note("The working tree differs from the commit; what is on disk is applied.")
        confirm(console, question, yes=yes)
    if not plan.changes and not plan.settings:
        return Exit.DONE
    wait = waiting.seconds if waiting is not None else 0.0
    if not conditions.rollback_on_failure:
        report = run_plan(session, plan, parallelism, wait=wait)
        _tell(console, plan, report)
        return report.exit_code
    from hrctl.cli.restoring import Restoring

    restoring = Restoring(session, plan)
    report = run_plan(session, plan, parallelism, restoring.watch, wait=wait)
    _tell(console, plan, report)
    return restoring.after(report)


def _show(console: Console, plan: Plan, context: int) -> None:
    if console.json_output:
        from hrctl.model import planfile

        console.event({"event": "plan", "plan": planfile.to_object(plan)})
        tell_findings(console, plan)
    else:
        show_plan(console, plan, context=context)
        show_drift_kept(console, plan)


def _tell(console: Console, plan: Plan, report: Report) -> None:
    """The summary; nothing where only the ledger was brought up to date."""
    if console.json_output or (not plan.pending and report.status == "done"):
        return
    from hrctl.cli.render.progress import report_lines
    from hrctl.cli.render.style import paint

    brush = paint(color=console.color(sys.stdout))
    console.data("\n".join(report_lines(report, width=console.width, brush=brush)))
