"""Settings of `hrctl.yaml` that differ, each with its place in that file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.model import settings
from hrctl.model.local_files import spellings
from hrctl.model.values import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    same = git.has_blob(root, last.commit, project.FILE, (root / project.FILE).read_bytes())
    if same or not git.has_commit(root, last.commit):
        return (), ()
    try:
        before = project.at(root, last.commit)
    except HrctlError as error:  # that version of hrctl took what this one refuses
        return (), (_unreadable(last.commit, error),)
    return () if before is None else changed_settings(session, before), ()


def files_of_drivers(declared: Project, revision: str | None) -> dict[str, str]:
    """Return instance -> digest of the tracked files that its block names, of those that name any.

    Such as the certificates that it trusts, or the command that it reloads with.
    """
    from hrctl.source.contents import digests

    wanted = {name: set(_named_by(spec.config)) for name, spec in declared.drivers.items()}
    return digests(declared.root, revision, wanted, folders=False)


def require_reviewed_files(project: Project, name: str, base: str, commit: str) -> None:
    """Refuse an instance that would read files of the branch which the base has otherwise.

    Raises:
        HrctlError: HR328.
    """
    here, there = (files_of_drivers(project, at).get(name) for at in (None, commit))
    if here != there:
        raise HrctlError.of(
            "HR328",
            f"a file that the driver instance {name} names is not as '{base}' has it, so it is not"
            " connected",
            hint="plan without --live, or have the file merged first",
        )


def _named_by(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield from spellings(value)
    elif isinstance(value, list):
        for item in value:
            yield from _named_by(item)
    elif isinstance(value, dict):
        yield from _named_by(list(value.values()))


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
