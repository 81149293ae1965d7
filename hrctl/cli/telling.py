"""Diagnostics told to whoever ran the command, in the form that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hrctl.cli.console import Console
from hrctl.cli.render.diagnostics import ReadLine, as_json, summary, text_lines
from hrctl.cli.render.style import paint
from hrctl.diagnostics import Diagnostic, HrctlError, Severity, Span


def report(
    console: Console,
    found: Sequence[Diagnostic],
    read_line: ReadLine | None = None,
    *,
    files: int | None = None,
) -> None:
    """Tell diagnostics on standard error: text, or one JSON object with -o json.

    With -o github they are annotations, which belong to standard output.
    """
    if not found:
        return
    if console.output == "github":
        from hrctl.cli.render.findings import Findings
        from hrctl.cli.render.github import workflow_commands

        console.data(workflow_commands(Findings("hrctl", found)))
        return
    if console.json_output:
        import json

        console.error(json.dumps({"diagnostics": [as_json(one) for one in found]}))
        return
    brush = paint(color=console.color(sys.stderr))
    lines = list(text_lines(found, read_line or source_line, width=console.width, paint=brush))
    if any(one.severity is not Severity.INFO for one in found):
        lines.append(summary(found, files))
    else:
        lines.pop()  # the empty line before a summary
    for line in lines:
        console.error(line)


def source_line(span: Span) -> str | None:
    """The line of a manifest of the project around here; None where there is no such."""
    try:
        from hrctl.source.load import read_line
        from hrctl.source.project import find

        return read_line(find(Path.cwd()), span)
    except HrctlError:
        return None  # what is told right now may well be that there is no project
