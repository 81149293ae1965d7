r"""Diagnostics as workflow commands, which GitHub shows beside the lines that they name.

    ::error file=shop/api.yaml,line=9,col=9,endColumn=13,title=HR021 unknown value::unknown ...

In the message ``%``, CR and LF are percent-encoded, in a property ``:`` and ``,`` as well: as
`@actions/core` does it. A step shows ten annotations of a severity and drops the rest in silence,
so the tenth counts those that are not shown, and all of them stand below as text that the
runner is told not to read commands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from hrctl.cli.render.diagnostics import text_lines
from hrctl.cli.render.findings import (
    SEVERITIES,
    Findings,
    clean,
    message_lines,
)
from hrctl.cli.render.text import count
from hrctl.diagnostics import Diagnostic, Severity, Span, catalog

SHOWN: Final = 10  # annotations of one severity in a step
COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}
_WIDTH: Final = 100  # columns of a log


def workflow_commands(findings: Findings) -> str:
    """Every line, the most severe first."""
    return "".join(f"{line}\n" for line in _lines(findings))


def escape_data(text: str) -> str:
    """A message as a command may hold it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """The value of a property as a command may hold it."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _lines(findings: Findings) -> Iterator[str]:
    hidden = False
    for severity in SEVERITIES:
        found = [one for one in findings.diagnostics if one.severity is severity]
        shown = found if len(found) <= SHOWN else found[: SHOWN - 1]
        for one in shown:
            yield _command(findings, one)
        if len(found) > len(shown):
            hidden = True
            yield _count(findings, severity, found[len(shown) :])
    if hidden:
        yield from _all(findings)


def _command(findings: Findings, one: Diagnostic) -> str:
    properties = {"title": f"{one.code} {catalog.read(one.code)['title']}"}
    if one.span is not None:
        properties = {
            "file": clean(findings.path(one.span)),
            "line": str(one.span.line),
            "col": str(one.span.column),
            "endColumn": str(one.span.column + max(one.span.length, 1)),
            **properties,
        }
    given = ",".join(f"{name}={escape_property(value)}" for name, value in properties.items())
    message = escape_data("\n".join(message_lines(one)))
    return f"::{COMMANDS[one.severity]} {given}::{message}"


def _count(findings: Findings, severity: Severity, rest: Sequence[Diagnostic]) -> str:
    """The last one of a severity: how many more there are, and where the first of them is."""
    more = count(len(rest), f"more {_noun(severity)}")
    files = {one.span.path for one in rest if one.span is not None}
    where = f" in {count(len(files), 'file')}" if files else ""
    title = escape_property(f"{findings.command}: {more}")
    return f"::{COMMANDS[severity]} title={title}::{more}{where}; the log lists all of them"


def _noun(severity: Severity) -> str:
    return "note" if severity is Severity.INFO else severity.value


def _all(findings: Findings) -> Iterator[str]:
    """All of them as text in a group of the log, between commands that stop commands.

    Without those a line of a manifest that looks like a command would be one. The token is made
    from the text itself, so that nothing in the text can know it.
    """
    yield f"::group::{escape_data(findings.command)}: all {len(findings.diagnostics)}"
    lines = list(text_lines(findings.diagnostics, _no_line, width=_WIDTH))
    token = sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    yield f"::stop-commands::{token}"
    yield from lines
    yield f"::{token}::"
    yield "::endgroup::"


def _no_line(_span: Span) -> str | None:
    return None
