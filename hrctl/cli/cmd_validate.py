"""`hrctl validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hrctl.cli import options as given
from hrctl.cli.app import console_of, reports
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.narrow import Told, jobs, of_all, of_files, of_secrets
from hrctl.cli.render.style import Paint, plain
from hrctl.cli.reports import GITHUB_BYTES, Reports
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError, Severity
from hrctl.source import project


@reports
def validate(  # noqa: PLR0913  # as many options as there are
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Tell only of these files and folders, and of what depends on them.",
            show_default=False,
        ),
    ] = None,
    *,
    rev: Annotated[
        str | None, typer.Option("--rev", metavar="REV", help="A commit instead of the files here.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Also of the files that differ from the commit.")
    ] = False,
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Tell only of secrets, and look for them in plain text."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    report: given.Report = None,
    max_bytes: given.MaxBytes = GITHUB_BYTES,
) -> int:
    """Check every manifest of the project and tell all that is wrong, each with its place.

    With files, or with --changed: what is wrong in them, and in all that inherits from what they
    declare or refers to it. No live system and no ledger is looked at.

    Examples:
      hrctl validate
      hrctl validate --rev main
      hrctl validate --changed
      hrctl validate --secrets shop/services.yaml
      hrctl validate -o json | jq -r '.diagnostics[].code'
      hrctl validate -o github --report sarif=hrctl.sarif --report junit=hrctl.xml
    """
    console = console_of(ctx)
    if not files and not changed:
        out = Reports(console, "hrctl validate", report, max_bytes=max_bytes)
        return _Validation(console, out, rev, strict, secrets).run(None)
    if rev is not None:
        raise HrctlError.of(
            "HR145",
            "--rev does not go with files or --changed, which mean the files here",
            hint="leave one of them out",
        )
    meant = _of_one_project(console, jobs(files or (), changed=changed))
    report = [_absolute(one) for one in report or ()]
    exits = []
    for root, paths in meant.items():
        with chdir(root):
            out = Reports(console, "hrctl validate", report, max_bytes=max_bytes)
            exits.append(_Validation(console, out, None, strict, secrets).run(paths))
    return max(exits, default=Exit.DONE)


def _of_one_project(
    console: Console, meant: dict[Path, frozenset[str]]
) -> dict[Path, frozenset[str]]:
    """The same, where the output can hold it; with no files at all, the project here and none."""
    if not meant:
        here = Path.cwd()
        root = next((one for one in (here, *here.parents) if (one / project.FILE).is_file()), None)
        if root is not None:
            return {root: frozenset()}
        console.note("there is no manifest among the files, so nothing was checked")
    elif len(meant) > 1 and console.output != "text":
        names = ", ".join(os.path.relpath(root) for root in meant)
        raise HrctlError.of(
            "HR297", f"files of several projects: {names}", hint="give those of one at a time"
        )
    return meant


def _absolute(report: str) -> str:
    name, mark, path = report.partition("=")
    return f"{name}{mark}{Path(path).absolute()}" if path else report


@dataclass(frozen=True, slots=True)
class _Validation:
    """One project, told in the formats that were asked for."""

    console: Console
    out: Reports
    rev: str | None
    strict: bool
    secrets: bool

    def run(self, paths: frozenset[str] | None) -> int:
        with Session(self.console) as session:
            with self.out.telling(session):
                told = self._told(session, paths)
            findings = self.out.findings(told.diagnostics, files=told.paths, strict=self.strict)
            if self.console.output == "text":
                brush = self.console.brush(sys.stdout)
                self.console.log(_lines(session, told, self.console.width, brush))
                if told.elsewhere:
                    self.console.note(_elsewhere(told))
            elif self.console.json_output:
                self.console.json(_object(told))
            self.out.deliver(
                {
                    **self.out.renderers(session, findings),
                    "text": lambda: "\n".join(_lines(session, told, 100)) + "\n",
                    "json": lambda: _json(told),
                }
            )
            failed = any(one.severity in findings.failing for one in told.diagnostics)
        return Exit.ERROR if failed else Exit.DONE

    def _told(self, session: Session, paths: frozenset[str] | None) -> Told:
        loaded = session.load(self.rev)
        told = of_all(loaded) if paths is None else of_files(session.project, loaded, paths)
        return of_secrets(session.project, told) if self.secrets else told


def _elsewhere(told: Told) -> str:
    from hrctl.cli.render.text import count

    return f"{count(told.elsewhere, 'error')} elsewhere; `hrctl validate` tells all of them."


def _lines(session: Session, told: Told, width: int, brush: Paint = plain) -> list[str]:
    from hrctl.cli.render.diagnostics import summary, text_lines
    from hrctl.cli.render.text import count

    if told.diagnostics:
        lines = text_lines(told.diagnostics, session.read_line, width=width, paint=brush)
        return [*lines, summary(told.diagnostics, None if told.narrowed else len(told.paths))]
    resources, files = count(told.resources, "resource"), count(len(told.paths), "file")
    if told.narrowed:
        return [f"{files}, {resources} reached: all valid."]
    return [f"{resources} in {files}, all valid."]


def _object(told: Told) -> Mapping[str, Any]:
    from hrctl.cli.render.diagnostics import as_json

    return {
        "files": len(told.paths),
        "documents": told.documents,
        "valid": not any(one.severity is Severity.ERROR for one in told.diagnostics),
        "diagnostics": [as_json(one) for one in told.diagnostics],
        **({"elsewhere": told.elsewhere} if told.narrowed else {}),
    }


def _json(told: Told) -> str:
    import json

    return json.dumps(_object(told), indent=2, ensure_ascii=False) + "\n"
