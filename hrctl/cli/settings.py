"""Settings of `hrctl.yaml` that differ, each with its place in that file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.model import settings

if TYPE_CHECKING:
    from hrctl.cli.session import Session
    from hrctl.diagnostics import Span
    from hrctl.model.plan import SettingChange
    from hrctl.source.project import Project


def changed_settings(
    session: Session, before: Project, revision: str | None = None
) -> tuple[SettingChange, ...]:
    """Return what `before` says otherwise than the files here, or than those of a commit."""
    after = session.declared(revision)
    if before.document == after.document:
        return ()
    changed = settings.changed_settings(before.settings, after.settings)
    return tuple(replace(one, span=_place(session, one.path, revision)) for one in changed)


def since_last_apply(
    session: Session,
) -> tuple[tuple[SettingChange, ...], tuple[Diagnostic, ...]]:
    """Return the settings that differ from those of the last run, and what stands in the way.

    What a commit says that is in no clone any more is not known, and nothing differs from it.
    """
    last = next(iter(session.ledger.runs(1)), None)
    loaded, root = session.load(), session.project.root
    if last is None or last.commit is None or (last.commit == loaded.commit and not loaded.dirty):
        return (), ()
    from hrctl.source import git, project

    if not git.has_commit(root, last.commit):
        return (), ()
    try:
        before = project.at(root, last.commit)
    except HrctlError as error:  # that version of hrctl took what this one refuses
        return (), (_unreadable(last.commit, error),)
    return () if before is None else changed_settings(session, before), ()


def _unreadable(commit: str, error: HrctlError) -> Diagnostic:
    return Diagnostic(
        "HR318",
        f"the settings of the last apply are not compared: {error.diagnostics[0].summary}",
        severity=Severity.INFO,
        note=f"hrctl.yaml of {commit[:12]} is not right for this version of hrctl",
    )


def _place(session: Session, path: str, revision: str | None) -> Span:
    from hrctl.source.project import place

    return place(session.checkout.root, path, revision)
