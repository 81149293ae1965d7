"""`apply --rollback-on-failure`: where an apply fails half way, what it changed goes back."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.model.plan import Plan
from hrctl.reconcile.events import Event, Report, RunStarted

if TYPE_CHECKING:
    from hrctl.reconcile.restore import Before

_FAILED = frozenset({"partial", "failed"})


class Restoring:
    """Notes what was applied when a run begins, and brings that back where the run fails."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._session = session
        self._plan = plan
        self._before: Before | None = None

    def watch(self, event: Event) -> None:
        """Take note as the run begins: earlier intents are settled then, and nothing is done."""
        if isinstance(event, RunStarted):
            from hrctl.reconcile.restore import before

            self._before = before(self._plan, self._session.ledger)

    def after(self, report: Report) -> int:
        """Bring back what a run that failed has changed, and tell.

        Returns:
            The exit code: 1 where nothing is left of the run, 6 where something is.
        """
        console = self._session.console
        if report.status == "interrupted":
            console.note("The run was interrupted, and did not fail: nothing is brought back.")
        if report.status not in _FAILED or self._before is None:
            return report.exit_code
        try:
            plan = self._plan_back(self._before, report)
            if plan is None:
                self._event("rollback-finished", of=report.run, status="nothing-to-do")
                self._say("Nothing had changed, so there is nothing to bring back.")
                return Exit.ERROR
            back = self._carry_out(plan, report)
        except HrctlError:
            self._say(f"What run {report.run} changed could not be brought back:")
            raise
        self._event("rollback-finished", of=report.run, status=back.status, run=back.run)
        self._tell(report, back)
        return Exit.ERROR if back.status == "done" else Exit.PARTIAL

    def _plan_back(self, before: Before, report: Report) -> Plan | None:
        from hrctl.cli import runs
        from hrctl.cli.planning import plan_source
        from hrctl.reconcile.restore import plan_back, touched

        session = self._session
        commit = before.commit_of(touched(self._plan, report))
        source = replace(plan_source(session), commit=commit, removed_note=lambda _: None)
        names = {change.driver for change in self._plan.changes} | set(session.ledger.instances())
        return plan_back(
            before,
            self._plan,
            report,
            session.ledger,
            session.drivers(names),
            run=runs.new_run(),
            source=source,
        )

    def _carry_out(self, plan: Plan, report: Report) -> Report:
        from hrctl.cli.carrying import run_plan
        from hrctl.reconcile import safety

        self._event("rollback-started", of=report.run, changes=len(plan.changes))
        self._say(f"Bringing back what was applied before run {report.run}:")
        safety.refuse(plan)
        return run_plan(self._session, plan)

    def _event(self, name: str, **more: object) -> None:
        if self._session.console.json_output:
            self._session.console.event({"event": name, **more})

    def _say(self, text: str) -> None:
        if not self._session.console.json_output:
            self._session.console.data(text)

    def _tell(self, report: Report, back: Report) -> None:
        """Both runs: what failed has been told; here, what became of the rest."""
        console = self._session.console
        if console.json_output:
            return
        from hrctl.cli.render.progress import report_lines
        from hrctl.cli.render.style import paint

        brush = paint(color=console.color(sys.stdout))
        lines = list(report_lines(back, width=console.width, brush=brush))
        all_ = len(back.results) - len(back.of("noted"))
        done = len(back.of("done"))
        if back.status == "done":
            left = f"run {report.run} has left nothing."
            lines = [f"Rolled back: {done} of {all_} changes by run {back.run}; {left}"]
        else:
            left = "`hrctl plan` shows what is left."
            lines[-1] = f"Rolled back in part: {done} of {all_} changes by run {back.run}; {left}"
        console.lines(lines)
