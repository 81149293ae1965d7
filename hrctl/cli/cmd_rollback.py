"""`hrctl rollback`: what was declared earlier comes back, as a commit of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.options import Wait
from hrctl.cli.session import InvalidTree, Session
from hrctl.cli.verbs import edits
from hrctl.cli.verbs.draft import Draft
from hrctl.cli.verbs.edits import Message
from hrctl.diagnostics import Diagnostic, HrctlError, Related, Severity
from hrctl.model.address import Address, Selector
from hrctl.source import git

if TYPE_CHECKING:
    from hrctl.model.plan import Plan
    from hrctl.model.tree import Tree
    from hrctl.source.manifests import Manifests

_SHOWN = 12
_TARGETS = 200  # resources; a plan of more is a plan of everything


@dataclass(frozen=True, slots=True)
class Goal:
    """What to go back to: a commit, and how it was named."""

    commit: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say."""

    branch: str | None
    message: str | None
    apply: bool
    yes: bool
    wait: str | None


def rollback(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    to: Annotated[str, typer.Argument(metavar="REV|RUN", help="A commit, or a run of the ledger.")],
    what: Annotated[
        str | None,
        typer.Argument(metavar="[ADDRESS|PATH]", help="Only this resource, file or folder."),
    ] = None,
    *,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="Commit to a new branch; touch no file."),
    ] = None,
    message: Message = None,
    apply: Annotated[bool, typer.Option("--apply", help="Then apply it, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --apply: do not ask.")] = False,
    wait: Wait = None,
) -> int:
    """Bring back what was declared at a commit, or what a run applied, as a new commit.

    Files come back byte for byte, of one resource its own documents with their comments. History is
    never rewritten, and hooks are not run. What a plan of it would do is shown. Files that differ
    from the last commit are never overwritten, and nothing protected is deleted.

    Examples:
      hrctl rollback HEAD~1
      hrctl rollback v1.4 acme/shop/prod:Service/api --apply
      hrctl rollback 20260311-101502-3f9a commerce/shop --branch undo-it
    """
    console = console_of(ctx)
    if branch is not None and apply:
        raise HrctlError.of(
            "HR145",
            "--branch and --apply do not go together",
            hint="what is on another branch is applied from there",
        )
    with Session(console) as session:
        return roll_back(session, to, what, Asked(branch, message, apply, yes, wait))


def roll_back(session: Session, to: str, what: str | None, asked: Asked) -> int:
    """See `rollback`.

    Returns:
        The exit code.
    """
    from hrctl.source.log import toplevel

    root = session.project.root
    toplevel(root)
    if asked.branch is None:
        session.lock_edits()
    head = git.resolve(root, "HEAD")
    goal = goal_of(session, to)
    texts = _texts(session, goal, head, what)
    subject = f"Roll back {what + ' ' if what else ''}to {goal.name}"
    return bring_in(session, head, texts, subject, asked, what or session.project.name)


def goal_of(session: Session, to: str) -> Goal:
    """The commit that a revision or a run names.

    Raises:
        HrctlError: HR064, HR065; HR193 for a run that applied no commit.
    """
    root = session.project.root
    run = session.ledger.run(to)
    if run is None:
        commit = git.resolve(root, to)
        return Goal(commit, commit[:7] if commit.startswith(to) else f"{to} ({commit[:7]})")
    if run.commit is None:
        raise HrctlError.of("HR193", f"run {to} applied no commit")
    return Goal(git.resolve(root, run.commit), f"{run.commit[:7]}, as run {to} applied it")


def _texts(session: Session, goal: Goal, head: str, what: str | None) -> dict[str, str | None]:
    from hrctl.source.blobs import Blobs
    from hrctl.source.manifests import Manifests
    from hrctl.source.restore import whole_files
    from hrctl.source.revisions import changed_paths

    root = session.project.root
    with Blobs(root) as blobs:
        manifests = Manifests(blobs)
        if what is not None and ":" in what and not os.path.lexists(what):
            return _texts_of(session, Address.parse(what), goal, manifests)
        paths: Mapping[str, Any] = changed_paths(
            root, goal.commit, head, session.project.manifests, manifests
        )
        if what is not None:
            from hrctl.cli.cmd_diff import within

            paths = within(root, what, paths, (goal.commit, head))
        require_clean(root, paths)
        return whole_files(root, paths, manifests)


def _texts_of(
    session: Session, address: Address, goal: Goal, manifests: Manifests
) -> dict[str, str | None]:
    """The files of one resource, with its documents as they were."""
    from hrctl.cli.tracing import unknown
    from hrctl.source.lineage import steps
    from hrctl.source.log import LogReader
    from hrctl.source.past import Past
    from hrctl.source.restore import one_resource

    root, within = session.project.root, session.project.manifests
    past = Past(LogReader(root, "HEAD", within).read(), manifests)
    before = past
    if goal.commit not in past.log.commits:
        before = Past(LogReader(root, goal.commit, within).read(), manifests)
    now = past.trace(address)[past.log.tip]
    then = before.trace(address).get(goal.commit, before.trace(address).get(before.log.tip))
    if then is None:
        lived = list(steps(root, past, address))
        if not lived and now is None:
            raise unknown(session, address)
        for step in lived:
            old = step.moved_from
            if old is not None and before.trace(old).get(goal.commit) is not None:
                raise HrctlError.of(
                    "HR194",
                    f"{address} was {old} at {goal.name}",
                    hint="roll back the whole of what moved, by its files or folder",
                )
    places = [one for version in (then, now) if version is not None for one in version.own_paths]
    require_clean(root, dict.fromkeys(places))
    return one_resource(root, address, then, now, manifests)


def require_clean(root: Path, paths: Mapping[str, Any]) -> None:
    """Refuse to touch files that differ from the last commit.

    Raises:
        HrctlError: HR195.
    """
    from hrctl.source.commits import dirty

    found = dirty(root, list(paths)) if paths else []
    if found:
        raise HrctlError(
            Diagnostic(
                "HR195",
                f"{len(found)} of the files to roll back differ from the last commit"
                if len(found) > 1
                else f"{found[0]} differs from the last commit",
                related=tuple(Related(one) for one in found[:_SHOWN]) if len(found) > 1 else (),
                hint="commit or stash it first, so that nothing is lost",
            )
        )


def bring_in(  # noqa: PLR0913, PLR0917 - what is written, and what is said of it
    session: Session,
    head: str,
    texts: Mapping[str, str | None],
    subject: str,
    asked: Asked,
    name: str,
) -> int:
    """Check a change of files as a commit, show what it does, and then make it.

    Raises:
        HrctlError: whatever is in the way; nothing has changed then.
    """
    from hrctl.source.commits import create_branch, draft_commit, require_free

    console, root = session.console, session.project.root
    draft = Draft(root)
    for path, text in texts.items():
        draft.text(path)
        draft.texts[path] = text
    if not draft.paths:
        return _nothing(session, name)
    if asked.branch is not None:
        require_free(root, asked.branch)
    message = asked.message or subject
    files = {path: draft.texts[path] for path in draft.paths}
    sign = asked.branch is not None
    commit = draft_commit(root, head, files, message, sign=sign)
    changed = _checked(session, head, commit)
    if not console.json_output:
        console.lines(edits.painted(console, draft.lines()))
    plan = _plan(session, commit, changed)
    _show_plan(session, plan)
    if asked.branch is not None:
        create_branch(root, asked.branch, commit)
        console.note(f"Committed {commit[:7]} to {asked.branch}: {message}")
    else:
        commit = _commit_here(session, draft, message)
    _tell(session, commit, draft, asked, plan)
    if not asked.apply:
        return Exit.DONE
    session.unlock_edits()
    targets = [*changed] if len(changed) <= _TARGETS else []
    with Session(console) as after:
        then = edits.Then(commit=True, apply=True, yes=asked.yes, wait=asked.wait)
        return edits.apply_committed(after, draft, edits.Wish(subject, targets, then), commit)


def _nothing(session: Session, name: str) -> int:
    if session.console.json_output:
        session.console.json({"commit": None, "files": [], "branch": None, "plan": None})
    else:
        session.console.note(f"{name} is so already.")
    return Exit.DONE


def _checked(session: Session, head: str, commit: str) -> list[Address]:
    """The resources that are other ones at the commit.

    Raises:
        InvalidTree: where its tree has errors.
        HrctlError: HR196, where something protected would go.
    """
    loaded = session.load(commit)
    if any(one.severity is Severity.ERROR for one in loaded.diagnostics):
        raise InvalidTree(loaded.files, *loaded.diagnostics)
    before, after = session.load(head).tree, loaded.tree
    gone = sorted(before.rows.keys() - after.rows.keys() - after.moves.keys())
    held = _protected(session, before, gone)
    if held:
        raise HrctlError(
            Diagnostic(
                "HR196",
                f"this rollback would delete {held[0]}, which is protected"
                if len(held) == 1
                else f"this rollback would delete {len(held)} protected resources",
                related=tuple(Related(one) for one in held[:_SHOWN]) if len(held) > 1 else (),
                hint="roll back less, or take lifecycle.protect away in a commit before",
            )
        )
    both = before.rows.keys() & after.rows.keys()
    other = {one for one in both if before.rows[one] != after.rows[one]}
    return sorted({*gone, *(after.rows.keys() - before.rows.keys()), *other})


def _protected(session: Session, tree: Tree, gone: Sequence[Address]) -> list[Address]:
    """Those that are protected, as declared or as applied."""
    held = {one for one in gone if tree.resource(one).lifecycle.protect}
    held |= {one.address for one in session.ledger.entries(gone) if one.lifecycle.protect}
    return sorted(held)


def _plan(session: Session, commit: str, changed: Sequence[Address]) -> Plan | None:
    """What a plan of the commit would do with what changed; None where none can be made."""
    from hrctl.cli import options as given
    from hrctl.cli.planning import make_plan
    from hrctl.reconcile.options import PlanOptions

    few = len(changed) <= _TARGETS
    targets = tuple(Selector(one) for one in changed) if few else ()
    wanted = PlanOptions(targets=targets, cascade=True, limits=given.limits(session.project.safety))
    try:
        return make_plan(session, wanted, commit)
    except HrctlError as error:
        from hrctl.cli.telling import report

        session.console.note("No plan can be made of it here:")
        found = [replace(one, severity=Severity.WARNING) for one in error.diagnostics]
        report(session.console, found)
        return None


def _show_plan(session: Session, plan: Plan | None) -> None:
    from hrctl.cli.planning import show_plan

    if plan is None or session.console.json_output:
        return
    session.console.data("")
    show_plan(session.console, plan)
    errors = [one for one in plan.diagnostics if one.severity is Severity.ERROR]
    if errors:
        from hrctl.cli.telling import report

        session.console.note("An apply of it will be refused as it stands:")
        report(session.console, errors)


def _commit_here(session: Session, draft: Draft, message: str) -> str:
    """Write the files and commit them on what is checked out; put them back where that fails."""
    paths = draft.paths
    with session.drafts_noted(paths):
        draft.write()
    try:
        commit = edits.commit_files(session, paths, message)
    except BaseException as error:
        draft.restore()
        git.run(session.project.root, "--literal-pathspecs", "reset", "-q", "--", *paths)
        if isinstance(error, HrctlError):
            found = (replace(one, hint="nothing was changed") for one in error.diagnostics)
            raise HrctlError(*found) from error
        raise
    if not git.run(session.project.root, "branch", "--show-current").strip():
        session.console.note("HEAD is detached: the commit is on no branch.")
    return commit or ""


def _tell(session: Session, commit: str, draft: Draft, asked: Asked, plan: Plan | None) -> None:
    console = session.console
    if not console.json_output:
        if asked.branch is None and not asked.apply:
            console.note("`hrctl apply` makes it so.")
        return
    from hrctl.model import planfile

    done = {
        "commit": commit,
        "branch": asked.branch,
        "files": draft.paths,
        "diff": "".join(f"{line}\n" for line in draft.lines()),
        "plan": planfile.to_object(plan) if plan is not None else None,
    }
    if asked.apply:
        console.event({"event": "rolled-back", **done})
    else:
        console.json(done)
