"""`hrctl validate`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import Severity


def validate(
    ctx: typer.Context,
    *,
    rev: Annotated[
        str | None, typer.Option("--rev", metavar="REV", help="A commit instead of the files here.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
) -> int:
    """Check every manifest of the project and tell all that is wrong, each with its place.

    No live system and no ledger is looked at.

    Examples:
      hrctl validate
      hrctl validate --rev main
      hrctl validate -o json | jq -r '.diagnostics[].code'
    """
    console = console_of(ctx)
    with Session(console) as session:
        loaded = session.load(rev)
        bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        failed = any(one.severity in bad for one in loaded.diagnostics)
        if console.json_output:
            _json(console, session, rev)
        else:
            _text(console, session, rev)
    return Exit.ERROR if failed else Exit.DONE


def _text(console: Console, session: Session, rev: str | None) -> None:
    from hrctl.cli.render.diagnostics import summary, text_lines
    from hrctl.cli.render.style import paint
    from hrctl.cli.render.text import count

    loaded = session.load(rev)
    if loaded.diagnostics:
        brush = paint(color=console.color(sys.stdout))
        lines = text_lines(loaded.diagnostics, session.read_line, width=console.width, paint=brush)
        console.data("\n".join([*lines, summary(loaded.diagnostics, loaded.files)]))
    else:
        resources = count(len(loaded.tree.rows), "resource")
        console.data(f"{resources} in {count(loaded.files, 'file')}, all valid.")


def _json(console: Console, session: Session, rev: str | None) -> None:
    from hrctl.cli.render.diagnostics import as_json

    loaded = session.load(rev)
    console.json(
        {
            "files": loaded.files,
            "documents": loaded.documents,
            "valid": not any(one.severity is Severity.ERROR for one in loaded.diagnostics),
            "diagnostics": [as_json(one) for one in loaded.diagnostics],
        }
    )
