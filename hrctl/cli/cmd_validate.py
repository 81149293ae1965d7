"""`hrctl validate`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hrctl.cli import options as given
from hrctl.cli.app import console_of, reports
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.render.style import Paint, plain
from hrctl.cli.reports import GITHUB_BYTES, Reports
from hrctl.cli.session import Session
from hrctl.diagnostics import Severity
from hrctl.source.load import Loaded


@reports
def validate(
    ctx: typer.Context,
    *,
    rev: Annotated[
        str | None, typer.Option("--rev", metavar="REV", help="A commit instead of the files here.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    report: given.Report = None,
    max_bytes: given.MaxBytes = GITHUB_BYTES,
) -> int:
    """Check every manifest of the project and tell all that is wrong, each with its place.

    No live system and no ledger is looked at.

    Examples:
      hrctl validate
      hrctl validate --rev main
      hrctl validate -o json | jq -r '.diagnostics[].code'
      hrctl validate -o github --report sarif=hrctl.sarif --report junit=hrctl.xml
    """
    console = console_of(ctx)
    out = Reports(console, "hrctl validate", report, max_bytes=max_bytes)
    with Session(console) as session:
        with out.telling(session):
            loaded = session.load(rev)
        findings = out.findings(loaded.diagnostics, files=loaded.paths, strict=strict)
        if console.output == "text":
            _text(console, session, loaded)
        elif console.json_output:
            console.json(_object(loaded))
        out.deliver(
            {
                **out.renderers(session, findings),
                "text": lambda: "\n".join(_lines(session, loaded, 100)) + "\n",
                "json": lambda: _json(loaded),
            }
        )
        failed = any(one.severity in findings.failing for one in loaded.diagnostics)
    return Exit.ERROR if failed else Exit.DONE


def _text(console: Console, session: Session, loaded: Loaded) -> None:
    brush = console.brush(sys.stdout)
    console.lines(_lines(session, loaded, console.width, brush))


def _lines(session: Session, loaded: Loaded, width: int, brush: Paint = plain) -> list[str]:
    from hrctl.cli.render.diagnostics import summary, text_lines
    from hrctl.cli.render.text import count

    found = loaded.diagnostics
    if found:
        lines = text_lines(found, session.read_line, width=width, paint=brush)
        return [*lines, summary(found, loaded.files)]
    resources = count(len(loaded.tree.rows), "resource")
    return [f"{resources} in {count(loaded.files, 'file')}, all valid."]


def _object(loaded: Loaded) -> Mapping[str, Any]:
    from hrctl.cli.render.diagnostics import as_json

    return {
        "files": loaded.files,
        "documents": loaded.documents,
        "valid": not any(one.severity is Severity.ERROR for one in loaded.diagnostics),
        "diagnostics": [as_json(one) for one in loaded.diagnostics],
    }


def _json(loaded: Loaded) -> str:
    import json

    return json.dumps(_object(loaded), indent=2, ensure_ascii=False) + "\n"
