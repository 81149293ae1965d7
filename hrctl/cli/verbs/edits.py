"""Verbs that change what is wanted: they edit YAML, show the difference, commit and apply.

A changed file is checked with the whole tree before anything else happens, and with --apply it is
planned before it is committed; where either has errors the files are put back as they were.
"""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.interrupt import interruptible
from hrctl.cli.options import Wait
from hrctl.cli.session import InvalidTree, Session
from hrctl.diagnostics import HrctlError, SafetyError, Severity
from hrctl.model.address import Address, Selector
from hrctl.model.values import Json
from hrctl.source import git

if TYPE_CHECKING:
    from hrctl.cli.verbs.draft import Draft
    from hrctl.model.plan import Plan

Commit = Annotated[bool, typer.Option("--commit", help="Commit the edited files, and no others.")]
Message = Annotated[
    str | None, typer.Option("-m", "--message", metavar="TEXT", help="The commit's message.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Apply just this, after asking.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --apply: do not ask.")]

_STYLES = {"+++": "bold", "---": "bold", "@@ ": "cyan"}
_SIGNS = {"+": "green", "-": "red"}


@dataclass(frozen=True, slots=True)
class Then:
    """What is to happen to an edit that is written, as the options say."""

    commit: Commit = False
    message: Message = None
    apply: Apply = False
    yes: Yes = False
    wait: Wait = None


def edit_session(ctx: typer.Context) -> Session:
    """Open a session that edits: no other command writes manifests until it has written its own.

    Raises:
        LockedError: HR360, where another command edits for too long.
    """
    session = Session(console_of(ctx))
    session.lock_edits()
    return session


def editing(verb: Callable[..., int]) -> Callable[..., int]:
    """A verb with an option for each field of `Then`, which it is given as `then`."""
    signature = inspect.signature(verb, eval_str=True)
    options = inspect.signature(Then, eval_str=True).parameters
    own = [one for one in signature.parameters.values() if one.name != "then"]
    added = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in options.values()]

    @wraps(verb)
    def command(*args: object, **given: Any) -> int:
        then = Then(**{name: given.pop(name) for name in options})
        return verb(*args, **given, then=then)

    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return command


@dataclass(frozen=True, slots=True)
class Wish:
    """An edit in words, and what then.

    `subject` is the commit's message where none is given; `targets` are what an apply is
    limited to; `cascade` lets registries go with what is in them. `told` is said in place of the
    difference, where that may show what was a secret in the clear. Errors of the codes `tolerated`
    may stay in the tree, as they may have been there before. `also` is told to programs beside.
    """

    subject: str
    targets: Sequence[str]
    then: Then
    cascade: bool = False
    told: tuple[str, ...] | None = None
    tolerated: frozenset[str] = frozenset()
    also: Mapping[str, Json] = field(default_factory=dict)


def finish(session: Session, draft: Draft, wish: Wish) -> int:
    """Show the difference, write it, check the tree, then commit and apply as wished.

    Returns:
        The exit code.

    Raises:
        HrctlError: HR062 or HR063 before anything is written, where git is needed and not there.
    """
    console = session.console
    if wish.then.commit or wish.then.apply:
        _require_git(session, wish)
    lines = draft.lines() if wish.told is None else list(wish.told if draft.paths else ())
    if not lines and not console.json_output:
        console.note(f"{wish.targets[0]} is so already.")
    elif not console.json_output:
        console.lines(painted(console, lines) if wish.told is None else lines)
    beside = _changed(session, draft.paths) if wish.then.commit else []
    progress = _Progress(console, draft, wish)
    with interruptible(), ExitStack() as opened:
        edited = opened.enter_context(Session(console))
        if lines and not _write(edited, draft, wish.tolerated):
            return Exit.ERROR
        plan = _foreseen(edited, draft, wish) if wish.then.apply else None
        with progress.reported():
            progress.commit = commit = _commit(session, draft, wish)
            if commit is not None and beside:
                console.note(
                    f"{', '.join(beside)} had other changes, which are in this commit, too."
                )
            _tell(console, draft, wish, lines, commit)
            if plan is None:
                return Exit.DONE
            if commit is not None:  # the tree is that of another commit now
                opened.close()
                edited = opened.enter_context(edited.successor())
                plan = _plan(edited, wish.targets, cascade=wish.cascade)
            session.unlock_edits()
            code = _carry_out(edited, plan, wish)
            if code != Exit.DONE:
                progress.report()
            return code


@dataclass(slots=True)
class _Progress:
    """How far an edit on disk came: nothing more, committed, or applied."""

    console: Console
    draft: Draft
    wish: Wish
    commit: str | None = None

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Report it where an exception ends the command."""
        try:
            yield
        except BaseException:  # Ctrl-C, too
            self.report()
            raise

    def report(self) -> None:
        """Say what stands, and which command does the rest."""
        if not self.draft.paths:
            return
        then, wish = self.wish.then, self.wish
        what = f"is committed as {self.commit[:7]}" if self.commit is not None else "stands"
        missing = ["committed"] if then.commit and self.commit is None else []
        missing += ["applied"] if then.apply else []
        if not missing:
            return
        finish = "run the same command again"
        if missing == ["applied"]:
            words = [*(f"--target={one}" for one in wish.targets), *(["--cascade"] * wish.cascade)]
            finish = shlex.join(["hrctl", "apply", *words])
        files = ", ".join(self.draft.paths)
        self.console.note(f"The edit of {files} {what}; it is not {' and not '.join(missing)}.")
        self.console.note(f"To finish: {finish}")


def _foreseen(edited: Session, draft: Draft, wish: Wish) -> Plan:
    """What is to be applied. Where it cannot be told, or must not be, the edit is taken back.

    So a system that is down leaves neither an edit nor a commit. What an option of `hrctl apply`
    can lift is left to the apply.
    """
    from hrctl.reconcile import safety

    try:
        plan = _plan(edited, wish.targets, cascade=wish.cascade)
        with suppress(SafetyError):
            safety.refuse(plan)
    except HrctlError as error:
        from hrctl.cli.telling import report

        try:  # told while the files are there, so that the lines can be shown
            report(edited.console, error.diagnostics)
        finally:
            draft.restore()
        if draft.paths:
            edited.console.note("Nothing was changed.")
        raise typer.Exit(error.exit_code) from error
    except BaseException:  # Ctrl-C, too
        draft.restore()
        raise
    return plan


def _changed(session: Session, paths: Sequence[str]) -> list[str]:
    """Which of these files are not as the last commit has them."""
    return [path for path in paths if _git(session, "status", "--porcelain", "--", path)]


def _commit(session: Session, draft: Draft, wish: Wish) -> str | None:
    paths = _uncommitted(session, draft, wish.targets) if wish.then.commit else []
    return commit_files(session, paths, wish.then.message or wish.subject) if paths else None


def _tell(
    console: Console, draft: Draft, wish: Wish, lines: Sequence[str], commit: str | None
) -> None:
    """To programs, what was done."""
    if not console.json_output:
        return
    done = {
        "targets": list(wish.targets),
        "files": draft.paths,
        "diff": "".join(f"{line}\n" for line in lines) if wish.told is None else None,
        "commit": commit,
        **wish.also,
    }
    if wish.then.apply:  # what follows is one event a line
        console.event({"event": "edited", **done})
    else:
        console.json(done)


def _uncommitted(session: Session, draft: Draft, targets: Sequence[str]) -> list[str]:
    """What to commit: the files that changed; where it was so already, those that git has not so.

    Such an edit was made a moment ago by the same command without --commit. Where the last commit
    has the resource as it is, other changes of its file are left alone.
    """
    from hrctl.cli.verbs.draft import own_document

    if draft.paths:
        return draft.paths
    tree = session.tree()
    addresses = [Address(one) for one in targets if one in tree.rows]
    documents = [own_document(tree, one) for one in addresses if not _committed(session, one)]
    paths = sorted({one.path for one in documents if one is not None})
    return _changed(session, paths)


def _committed(session: Session, address: Address) -> bool:
    """Whether the last commit has the resource as it is here."""
    try:
        before = session.tree("HEAD").rows.get(address)
    except HrctlError:  # there is no commit yet, or one with errors
        return False
    return before is not None and before.digest == session.tree().rows[address].digest


def _require_git(session: Session, wish: Wish) -> None:
    from hrctl.cli.planning import require_commit

    loaded = session.load()
    if not loaded.in_git or not wish.then.commit:  # else this may be the first commit
        require_commit(session)


def _write(edited: Session, draft: Draft, tolerated: frozenset[str]) -> bool:
    """Put the draft on disk; where the tree then has errors, tell them and take it back."""
    console = edited.console
    try:
        with edited.drafts_noted(draft.paths):
            draft.write()
        _check(edited, tolerated)
    except InvalidTree as error:
        from hrctl.cli.telling import report

        try:  # told while the files are there, so that the lines can be shown
            report(console, error.diagnostics, files=error.files)
        finally:
            draft.restore()
        console.note("Nothing was changed.")
        return False
    except BaseException:  # Ctrl-C and a full disk, too
        draft.restore()
        raise
    return True


def _check(edited: Session, tolerated: frozenset[str]) -> None:
    """Read the tree with the edit; an apply goes on from there."""
    loaded = edited.load()
    found = [one for one in loaded.diagnostics if one.code not in tolerated]
    if any(one.severity is Severity.ERROR for one in found):
        raise InvalidTree(loaded.files, *found)


def painted(console: Console, lines: Sequence[str]) -> list[str]:
    """The lines of a unified diff, in colour where there is any."""
    from hrctl.cli.render.values import printable

    brush = console.brush(sys.stdout)
    return [
        brush(printable(line), _STYLES.get(line[:3]) or _SIGNS.get(line[:1], "")) for line in lines
    ]


def commit_files(session: Session, paths: Sequence[str], message: str) -> str | None:
    """Commit these files and no others; the user's index keeps what else it holds.

    Returns:
        The commit, None where git knew none of the files that went.
    """
    known = _git(session, "ls-files", "-z", "--", *paths).split("\0")
    paths = [path for path in paths if path in known or (session.project.root / path).exists()]
    if not paths:
        session.console.note("Git does not know the files, so there is nothing to commit.")
        return None
    _git(session, "add", "--", *paths)
    _git(session, "commit", "--quiet", "--no-verify", f"--message={message}", "--", *paths)
    commit = _git(session, "rev-parse", "HEAD").strip()
    session.console.note(f"Committed {commit[:7]}: {message}")
    return commit


def _git(session: Session, *arguments: str) -> str:
    """Run git without hooks in the project's folder; paths are taken as they are written.

    Raises:
        HrctlError: HR066, where it fails.
    """
    from git import Git, GitCommandError  # imports for longer than most commands run

    root = session.project.root
    command = git.command(root, "--literal-pathspecs", *arguments)
    try:
        output: str = Git(root).execute(command, strip_newline_in_stdout=False)
    except GitCommandError as error:
        # GitPython quotes both streams in its own layout
        said = f"{error.stderr}\n{error.stdout}".replace("stderr: ", "").replace("stdout: ", "")
        lines = [line.strip(" '") for line in said.splitlines() if line.strip(" '")]
        reason = (lines or ["no reason given"])[-1].removeprefix("fatal: ")
        raise HrctlError.of(
            "HR066",
            f"git {arguments[0]} failed: {reason}",
            hint="the files are changed; commit them by hand",
        ) from error
    return output


def apply_committed(session: Session, draft: Draft, wish: Wish, commit: str) -> int:
    """Plan and apply the targets (none: everything) of an edit that is committed, after asking."""
    progress = _Progress(session.console, draft, wish, commit)
    with progress.reported():
        code = _carry_out(session, _plan(session, wish.targets, cascade=wish.cascade), wish)
        if code != Exit.DONE:
            progress.report()
        return code


def _plan(session: Session, targets: Sequence[str], *, cascade: bool) -> Plan:
    from hrctl.cli import options as given
    from hrctl.cli.planning import make_plan
    from hrctl.reconcile.options import PlanOptions

    wanted = PlanOptions(
        targets=tuple(Selector(one) for one in targets),
        cascade=cascade,
        limits=given.limits(session.project.safety),
    )
    return make_plan(session, wanted)


def _carry_out(session: Session, plan: Plan, wish: Wish) -> int:
    from hrctl.cli.cmd_apply import carry_out
    from hrctl.cli.waiting import Waiting

    def again(later: Session) -> Plan:
        return _plan(later, wish.targets, cascade=wish.cascade)

    waiting = Waiting.of(wish.then.wait, again)
    return carry_out(session, plan, "Apply this?", wish.then.yes, None, 0, waiting=waiting)
