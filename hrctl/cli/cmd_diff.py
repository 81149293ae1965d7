"""`hrctl diff`: what two revisions declare differently, without any live system."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrctl.cli.app import console_of, prints
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.source import git

if TYPE_CHECKING:
    from hrctl.cli.difference import Difference
    from hrctl.source.manifests import Manifests

Paths = Mapping[str, tuple[str | None, str | None]]


@prints("markdown")
def diff(
    ctx: typer.Context,
    old: Annotated[
        str, typer.Argument(metavar="REV1", help="A commit, branch or tag; A..B names two.")
    ],
    new: Annotated[
        str | None, typer.Argument(metavar="[REV2]", help="Default: the working tree.")
    ] = None,
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="Only this file or folder.")
    ] = None,
    *,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Leave with 2 where there are differences.")
    ] = False,
) -> int:
    """Show what two revisions declare differently, by resource and field.

    Lists are compared by the `name` of their elements; resources and values that moved are shown as
    moved, and layout and comments count for nothing. Documents are compared as they are written:
    what a changed default makes of each resource is what `hrctl plan --since` shows.

    Examples:
      hrctl diff HEAD~1
      hrctl diff v1.2 v1.3 commerce/shop
      hrctl diff main..change -o markdown
    """
    console = console_of(ctx)
    with Session(console) as session:
        first, second, only = _arguments(session.project.root, old, new, path)
        found = _difference(session, first, second, only)
    _tell_unreadable(console, found)
    if console.json_output:
        from hrctl.cli.difference import as_json

        console.json(as_json(found))
    elif console.output == "markdown":
        from hrctl.cli.render.difference import markdown

        console.data(markdown(found))
    else:
        from hrctl.cli.render.difference import text_lines

        brush = console.brush(sys.stdout)
        console.lines(text_lines(found, width=console.width, paint=brush))
    return Exit.CHANGES if detailed_exitcode and found.items else Exit.DONE


def _arguments(
    root: Path, old: str, new: str | None, path: str | None
) -> tuple[str, str | None, str | None]:
    """Both revisions and the path; what stands second may be either."""
    first, dots, second = old.partition("..")
    if dots:
        if path is not None:
            raise HrctlError.of(
                "HR145", "REV1..REV2 and REV2 do not go together", hint="name the two once"
            )
        return _range(root, first or "HEAD", second or "HEAD", new)
    if new is not None and path is None and not _is_revision(root, new):
        if _exists(new):
            return old, None, new
        git.resolve(root, new)  # raises: neither a revision nor a file
    return old, new, path


def _range(
    root: Path, first: str, second: str, path: str | None
) -> tuple[str, str | None, str | None]:
    """``A..B``, and ``A...B`` from where the two parted."""
    if second.startswith("."):
        second = second[1:] or "HEAD"
        commits = git.resolve(root, first), git.resolve(root, second)
        first = git.run(root, "merge-base", *commits).decode().strip()
    return first, second, path


def _is_revision(root: Path, text: str) -> bool:
    try:
        git.resolve(root, text)
    except HrctlError:
        return False
    return True


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _difference(session: Session, old: str, new: str | None, path: str | None) -> Difference:
    from hrctl.cli.difference import Difference, items
    from hrctl.source.blobs import Blobs
    from hrctl.source.log import toplevel
    from hrctl.source.manifests import Manifests
    from hrctl.source.revisions import changed_paths, pairs, sides

    root, manifests_folder = session.project.root, session.project.manifests
    toplevel(root)
    first = git.resolve(root, old)
    second = git.resolve(root, new) if new is not None else None
    with Blobs(root) as blobs:
        manifests = Manifests(blobs)
        paths: Paths = changed_paths(root, first, second, manifests_folder, manifests)
        if path is not None:
            paths = within(root, path, paths, (first, second))
        before, after = sides(root, first, second, paths, manifests)
        found = items(pairs(before, after, paths, manifests))
        return Difference(old, new, found, _unreadable(manifests))


def within(root: Path, path: str, paths: Paths, commits: tuple[str, str | None]) -> Paths:
    """Those that are the path, or lie below it.

    Raises:
        HrctlError: HR067, where neither revision has such a path.
    """
    wanted = Path(os.path.relpath(Path.cwd() / path, root)).as_posix()
    if wanted == ".":
        return paths
    found = {one: pair for one, pair in paths.items() if f"{one}/".startswith(f"{wanted}/")}
    known = bool(found) or _exists(path)
    for commit in () if wanted.startswith("..") else commits:
        if commit is not None and not known:
            known = bool(git.run(root, "--literal-pathspecs", "ls-tree", commit, "--", wanted))
    if not known:
        raise HrctlError.of(
            "HR067",
            f"there is no '{path}', neither here nor there",
            hint="a resource is named by its whole address, as acme/shop/prod:Service/api",
        )
    return found


def _unreadable(manifests: Manifests) -> list[str]:
    return sorted({path for path, _ in manifests.broken})


def _tell_unreadable(console: Console, found: Difference) -> None:
    if not found.unreadable or console.quiet:
        return
    from hrctl.cli.telling import report

    report(
        console,
        [
            Diagnostic(
                "HR191",
                f"{path} holds a document that cannot be read; it is left out",
                severity=Severity.WARNING,
                hint="hrctl validate tells what is wrong with the files here",
            )
            for path in found.unreadable
        ],
    )
