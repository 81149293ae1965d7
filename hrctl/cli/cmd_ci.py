"""`hrctl ci`: comments and issues, and what was approved in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hrctl.cli.app import Group, console_of
from hrctl.cli.exits import Exit
from hrctl.diagnostics import HrctlError

if TYPE_CHECKING:
    from hrctl.cli.forge.api import Forge, Text

_MARKER: Final = re.compile(r"<!-- hrctl:\S+ -->")
_APPROVAL: Final = re.compile(r"^Approval: `(sha256:[0-9a-f]{64})`", re.MULTILINE)
_NOTHING: Final = re.compile(r"^### hrctl plan: no changes", re.MULTILINE)
_PLAN: Final = "<!-- hrctl:plan"
_LABEL: Final = "hrctl-drift"
_SHORT: Final = 12  # characters of a commit in a message

Page = Annotated[Path, typer.Argument(metavar="FILE", help="Markdown that hrctl wrote.")]


def comment(ctx: typer.Context, file: Page) -> int:
    """Comment a plan on the pull or merge request that this CI run is for.

    The comment that is there already is updated in place: it is found by its first line, among
    those that the same account wrote.

    Examples:
      hrctl plan --base origin/main --report markdown=plan.md
      hrctl ci comment plan.md
    """
    body = _read(file)
    forge = forge_of(os.environ)
    request = forge.current_request()
    if request is None:
        raise HrctlError.of(
            "HR298",
            "this run of the CI is for no pull or merge request",
            hint="run it on pull requests, as the files of examples/ci do",
        )
    mine = _own(forge.comments(request), forge.author, _marker(body, file))
    if mine is None:
        where, verb = forge.add_comment(request, body), "commented"
    else:
        where, verb = forge.change_comment(request, mine.number, body), "updated"
    return _done(ctx, verb, where)


def approved(
    ctx: typer.Context,
    *,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="SHA", help="Which commit; default: that of this run."),
    ] = None,
) -> int:
    """Print the digest of the plan that was reviewed in the request which a commit came from.

    The request must have been merged as that very commit, into the branch that this run of the CI
    is for, and the commit must be checked out. The digest stands in the comment that
    `hrctl ci comment` wrote, so only a comment of the same account counts, and the last one of
    them.

    Examples:
      hrctl ci approved > approved.txt
      hrctl apply --approved approved.txt --keep-drift
    """
    forge = forge_of(os.environ)
    request = _merged(forge, commit or forge.commit)
    marker = _plan_marker()
    mine = [one.body for one in forge.comments(request) if one.author == forge.author]
    planned = [body for body in mine if body.startswith(marker)]
    digest = _digest_in(planned[-1]) if planned else None
    if digest is None:
        raise HrctlError.of(
            "HR300",
            f"request {request} has no comment of {forge.author} with a digest",
            hint="`hrctl ci comment` writes it when the request is planned",
        )
    console = console_of(ctx)
    if console.json_output:
        console.json({"request": request, "approval": digest})
    else:
        console.data(digest)
    return Exit.DONE


def _merged(forge: Forge, commit: str) -> int:
    """Return the request that made the commit which is checked out, on the branch of this run.

    Raises:
        HrctlError: HR300, where the commit came from no request; HR326, where another commit is
            checked out; HR327, where the request was meant for another branch.
    """
    from hrctl import repository

    here = repository.run(Path.cwd(), "rev-parse", "--verify", "HEAD").decode().strip()
    if here != commit:
        raise HrctlError.of(
            "HR326",
            f"commit {here[:_SHORT]} is checked out, not {commit[:_SHORT]} which was to be applied",
            hint="check out the commit that this run of the CI is for",
        )
    merged = forge.merged_request(commit)
    if merged is None:
        raise HrctlError.of(
            "HR300",
            f"commit {commit[:_SHORT]} came from no merged request",
            hint="`hrctl plan` shows what it would change, `hrctl apply` asks before it does",
        )
    if not forge.branch or merged.target != forge.branch:
        applied = f"'{forge.branch}'" if forge.branch else "no branch"
        raise HrctlError.of(
            "HR327",
            f"request {merged.number} was merged into '{merged.target}', and what is applied is"
            f" {applied}",
            hint="run it on pushes to the branch that requests are reviewed for",
        )
    return merged.number


def issue(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Markdown that hrctl wrote.")
    ] = None,
    *,
    close: Annotated[bool, typer.Option("--close", help="Close it, where one is open.")] = False,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Of a new one.")] = (
        "hrctl: drift"
    ),
    label: Annotated[
        str, typer.Option("--label", metavar="NAME", help="That it is found again by.")
    ] = _LABEL,
) -> int:
    """Keep one issue: open it, or bring the open one up to date, or close it.

    Examples:
      hrctl drift --report markdown=drift.md
      hrctl ci issue drift.md
      hrctl ci issue --close
    """
    if (file is None) is not close:
        raise HrctlError.of("HR145", "an issue wants a FILE, or --close", hint="one of the two")
    forge = forge_of(os.environ)
    if file is None:
        mine = _own(forge.issues(label), forge.author, "<!-- hrctl:")
        if mine is None:
            return _done(ctx, "closed", None)
        return _done(ctx, "closed", forge.change_issue(mine.number, None, close=True))
    body = _read(file)
    mine = _own(forge.issues(label), forge.author, _marker(body, file))
    if mine is None:
        return _done(ctx, "opened", forge.add_issue(title, body, label))
    return _done(ctx, "updated", forge.change_issue(mine.number, body, close=False))


def forge_of(environ: Mapping[str, str]) -> Forge:
    """The forge whose CI this runs in.

    Raises:
        HrctlError: HR298 where it is none that is known, or where there is no token.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        from hrctl.cli.forge.github import GitHub

        return GitHub(environ, _token(environ, "GITHUB_TOKEN", "${{ github.token }}"))
    if environ.get("GITLAB_CI") == "true":
        from hrctl.cli.forge.gitlab import GitLab

        return GitLab(environ, _token(environ, "HRCTL_GITLAB_TOKEN", "a project access token"))
    raise HrctlError.of(
        "HR298",
        "this is neither GitHub Actions nor GitLab CI",
        hint="elsewhere, hand on what --report and --digest write: examples/ci/hrctl-ci.sh",
    )


def _token(environ: Mapping[str, str], name: str, what: str) -> str:
    token = environ.get(name, "").strip()
    if not token:
        raise HrctlError.of("HR298", f"{name} is not set", hint=f"put {what} into it")
    return token


def _digest_in(body: str) -> str | None:
    """What was approved by a comment; None where its plan was none, but an error."""
    found = _APPROVAL.search(body)
    if found is not None:
        return found.group(1)
    if _NOTHING.search(body) is None:
        return None
    from hrctl.model import approval

    return approval.digest(())


def _plan_marker() -> str:
    """How the comment begins: that of the project here, where this is one."""
    from hrctl.source import project

    try:
        return f"{_PLAN}:{project.find(Path.cwd()).name} -->"
    except HrctlError:
        return _PLAN


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or "it is not UTF-8").lower()
        raise HrctlError.of("HR067", f"{file} cannot be read: {why}") from error


def _marker(body: str, file: Path) -> str:
    """The hidden first line that hrctl's Markdown has."""
    found = _MARKER.match(body)
    if found is None:
        raise HrctlError.of(
            "HR298",
            f"{file} has no mark to be found again by",
            hint="write it with --report markdown=FILE",
        )
    return found.group()


def _own(texts: Iterable[Text], author: str, marker: str) -> Text | None:
    """The first of ours with this mark. What others wrote is never taken for ours."""
    return next((o for o in texts if o.author == author and o.body.startswith(marker)), None)


def _done(ctx: typer.Context, verb: str, where: str | None) -> int:
    console = console_of(ctx)
    if console.json_output:
        console.json({"done": verb if where else None, "where": where})
    elif where:
        console.data(f"{verb.capitalize()} {where}")
    else:
        console.data("There is none open.")
    return Exit.DONE


CI = Group(
    """Comments and issues of GitHub and GitLab, from inside of their CI.

    docs/ci.md has workflows and pipelines ready to copy.

    Examples:
      hrctl ci comment plan.md
      hrctl ci approved
      hrctl ci issue drift.md
    """,
    {"comment": comment, "approved": approved, "issue": issue},
)
