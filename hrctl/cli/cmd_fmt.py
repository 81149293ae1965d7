"""`hrctl fmt`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError

_OURS = re.compile(r"^[\"']?apiVersion[\"']?:\s*[\"']?hrctl\.dev/", re.MULTILINE)
_SUFFIXES = {".yaml", ".yml"}


def fmt(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files, or folders with all below. Default: the whole project.",
            show_default=False,
        ),
    ] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; leave with 1 where a file would change.")
    ] = False,
) -> int:
    """Put manifests into canonical layout: order of keys, indentation. Comments are kept.

    What a manifest says is never changed. Files of another apiVersion are passed over.

    Examples:
      hrctl fmt
      hrctl fmt --check
      hrctl fmt services/api.yaml
    """
    console = console_of(ctx)
    files = list(_given(paths)) if paths else _of_project(ctx)
    changed: list[Path] = []
    problems: list[Diagnostic] = []
    for path in files:
        try:
            if _format(path, check=check):
                changed.append(path)
        except HrctlError as error:
            problems += error.diagnostics
    if console.json_output:
        console.json({"changed": [str(path) for path in changed], "files": len(files)})
    else:
        for path in changed:
            console.data(str(path))
        verb = "would be formatted" if check else "formatted"
        console.note(f"{len(changed)} of {len(files)} files {verb}.")
    if problems:
        raise HrctlError(*problems)
    return Exit.ERROR if check and changed else Exit.DONE


def _format(path: Path, *, check: bool) -> bool:
    """Format one file; whether it was, or would be, changed.

    Raises:
        HrctlError: with what keeps it from being read or written.
    """
    from hrctl.cli.files import write_text
    from hrctl.source.layout import format_text
    from hrctl.source.parse import decode

    try:
        data = path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HrctlError.of("HR067", f"{path} cannot be read: {why}") from error
    text, problems = decode(data, str(path))
    if text is None:
        raise HrctlError(*problems)
    if not _OURS.search(text):
        return False
    made = format_text(text, str(path))
    if made == text:
        return False
    if not check:
        write_text(path, made)
    return True


def _given(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if _is_manifest(one.relative_to(path)))
        elif path.exists():
            yield path
        else:
            raise HrctlError(Diagnostic("HR067", f"{path} cannot be read: no such file"))


def _is_manifest(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix in _SUFFIXES and not hidden


def _of_project(ctx: typer.Context) -> list[Path]:
    """Every YAML file of the project, as seen from the current folder."""
    import os

    from hrctl.source import git
    from hrctl.source.project import FILE

    with Session(console_of(ctx)) as session:
        project = session.project
        root = project.root
        files = project.without_ignored(git.list_worktree(root, project.manifests).files)
    names = sorted({FILE, *files})
    return [Path(os.path.relpath(root / name)) for name in names]
