"""A plan as diagnostics: what a reviewer should look at, at the line that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hrctl.cli.render.values import Secrets, show
from hrctl.diagnostics import Diagnostic, Severity
from hrctl.model.danger import Danger, dangers, is_destroyed
from hrctl.model.plan import Action, Change, Plan, Reason, SettingChange

PLANNED: Final = "HR291"  # an ordinary change: a note in a log, nothing to be listed as a finding
_CODES: Final = {Danger.DATA_LOSS: "HR286", Danger.PUBLIC: "HR287", Danger.PROTECTED: "HR288"}
_DONE: Final = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.ADOPT: "taken into the ledger",
    Action.FORGET: "forgotten",
}


def plan_findings(plan: Plan) -> list[Diagnostic]:
    """What the plan itself has found, then one for each change and each of its dangers."""
    found = [*plan.diagnostics, *map(_setting, plan.settings)]
    for change in plan.pending:
        found += _of(change)
    found += [_drift(change, "left as it is") for change in plan.kept]
    found += [_drift(change, "brought back") for change in (plan.base.drift if plan.base else ())]
    return found


def _setting(changed: SettingChange) -> Diagnostic:
    secrets = Secrets()
    values = f"{show(changed.before, secrets)} -> {show(changed.after, secrets)}"
    return Diagnostic(
        "HR311",
        f"the setting {changed.name} of the project changes: {values}",
        changed.span,
        Severity.WARNING,
    )


def drifted_part(change: Change) -> Change | None:
    """The part of a change that someone else's hand made necessary."""
    if change.drifted:
        return change
    fields = tuple(one for one in change.fields if one.reason in {Reason.DRIFTED, Reason.CONFLICT})
    return replace(change, reason=Reason.DRIFTED, fields=fields) if fields else None


def _of(change: Change) -> Iterator[Diagnostic]:
    for one in dangers(change):
        yield Diagnostic(
            _CODES[one.danger],
            f"{change.address} {_done(change)}: {one.text}",
            change.span,
            Severity.WARNING,
            change.address,
        )
    drift = drifted_part(change)
    if drift is not None:
        yield _drift(drift, "brought back")
    if change.drifted:
        return
    if is_destroyed(change):
        note = change.note or change.reason.value
        yield Diagnostic(
            "HR289",
            f"{change.address} {_done(change)} ({note})",
            change.span,
            Severity.WARNING,
            change.address,
        )
    else:
        summary = f"{change.address} {_done(change)} ({change.reason.value})"
        yield Diagnostic(PLANNED, summary, change.span, Severity.INFO, change.address)


def _done(change: Change) -> str:
    return f"would be {_DONE[change.action]}"


def _drift(change: Change, what: str) -> Diagnostic:
    if change.reason is Reason.LOST:
        summary = f"{change.address} is gone from the live system and would be {what}"
    else:
        fields = ", ".join(one.path.removeprefix("/spec/") for one in change.fields)
        where = f" in {fields}" if fields else ""
        summary = f"{change.address} was changed behind hrctl's back{where} and would be {what}"
    return Diagnostic("HR290", summary, change.span, Severity.WARNING, change.address)
