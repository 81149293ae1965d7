"""What `plan` and `drift` print and write, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hrctl.cli.console import Console
from hrctl.cli.planning import show_drift_kept, show_plan, tell_findings
from hrctl.cli.reports import Renderers, Reports, project_name
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic
from hrctl.model.plan import Plan

_WIDTH = 100  # columns of a text that goes to a file


@dataclass(frozen=True, slots=True)
class PlanReport:
    """A plan on its way out.

    Attributes:
        refusals: why the command fails although the plan itself would be applied.
        strict: whether what was found makes the command fail, as drift does.
        context: how many unchanged fields the text shows around each changed one.
        nothing: the verdict where there are no changes, if it is another than usual.
    """

    session: Session
    reports: Reports
    plan: Plan
    refusals: Sequence[Diagnostic] = ()
    strict: bool = False
    context: int = 0
    nothing: str | None = None

    def show(self) -> None:
        """Print the plan as text or JSON, where that was asked for, then write the reports."""
        console = self.reports.console
        if console.output == "text":
            show_plan(console, self.plan, context=self.context)
            show_drift_kept(console, self.plan)
        elif console.json_output:
            console.data(self._json())
        self.deliver()

    def deliver(self) -> None:
        """Write the reports, and print what is neither text nor JSON."""
        console = self.reports.console
        if self.reports.wanted:
            self.reports.deliver(self._renderers())
        if console.output != "text":
            tell_findings(console, self.plan)

    def _renderers(self) -> Renderers:
        from hrctl.cli.render.planned import plan_findings

        found = [*self._warnings(), *self.refusals, *plan_findings(self.plan)]
        findings = self.reports.findings(found, strict=self.strict)
        return {
            **self.reports.renderers(self.session, findings),
            "text": self._text,
            "json": self._json,
            "sarif": lambda: self._sarif(found),
            "markdown": self._markdown,
        }

    def _warnings(self) -> Sequence[Diagnostic]:
        """Those of the manifests; an error would have been raised."""
        return self.session.load().diagnostics

    def _text(self) -> str:
        from hrctl.cli.render.text import plan_lines

        lines = plan_lines(self.plan, width=_WIDTH, context=self.context)
        return "\n".join(lines) + "\n"

    def _json(self) -> str:
        from hrctl.model import planfile

        return planfile.to_json(self.plan)

    def _sarif(self, found: Sequence[Diagnostic]) -> str:
        """Without ordinary changes: a list of findings is no list of what is done."""
        from hrctl.cli.render.planned import PLANNED
        from hrctl.cli.render.sarif import sarif

        kept = [one for one in found if one.code != PLANNED]
        return sarif(self.reports.findings(kept, strict=self.strict))

    def _markdown(self) -> str:
        from hrctl.cli.render.comment import plan_comment

        return plan_comment(
            self.plan,
            command=self.reports.command,
            project=project_name(self.session),
            max_bytes=self.reports.max_bytes,
            warnings=self._warnings(),
            refusals=self.refusals,
            nothing=self.nothing,
        )


def show_digest(console: Console, plan: Plan) -> None:
    """Print what an approval is bound to; as JSON with that of each change."""
    from hrctl.model import approval

    if console.json_output:
        console.json(
            {
                "approval": approval.plan_digest(plan),
                "changes": {one.address: approval.change_digest(one) for one in plan.pending},
                "settings": {one.path: approval.setting_digest(one) for one in plan.settings},
            }
        )
    else:
        console.data(approval.plan_digest(plan))
