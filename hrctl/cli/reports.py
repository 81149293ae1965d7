"""Where results go: `-o FORMAT` to standard output, each `--report FORMAT=FILE` to a file.

A command makes a table of renderers, one for each format, and hands it to `Reports.deliver`. What
goes wrong on the way to its result is delivered by `Reports.telling`, so that a tree with errors
is reported in every format that was asked for.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hrctl import writable
from hrctl.cli.app import FORMATS, REPORTS
from hrctl.cli.console import Console
from hrctl.cli.files import write_text
from hrctl.diagnostics import Diagnostic, HrctlError, Severity

if TYPE_CHECKING:
    from hrctl.cli.render.findings import Findings
    from hrctl.cli.session import Session

Renderers = Mapping[str, Callable[[], str]]  # by format

GITHUB_BYTES = 65_536  # what a comment may hold on GitHub


class Reports:
    """The outputs of one command, checked before anything is done."""

    def __init__(
        self,
        console: Console,
        command: str,
        given: Sequence[str] | None,
        *,
        max_bytes: int = GITHUB_BYTES,
        beside: Sequence[Path | None] = (),
    ) -> None:
        """Take what the command line says.

        Args:
            console: with the format of standard output.
            command: as in ``hrctl plan``.
            given: each as ``FORMAT=FILE``.
            max_bytes: of Markdown.
            beside: files that the command writes besides.

        Raises:
            HrctlError: HR145 for what is no report, HR280 for two outputs to one file, HR146 where
                a file cannot be written; all of them at once.
        """
        self.console = console
        self.command = command
        self.max_bytes = max_bytes
        self.targets: list[tuple[str, Path]] = []
        problems = [one for path in beside if path for one in _refused(path, "the plan file")]
        taken = {_real(path): str(path) for path in beside if path is not None}
        for text in given or ():
            name, _, file = text.partition("=")
            path = Path(file)
            if name not in (*FORMATS, *REPORTS) or not file:
                problems.append(_no_report(text))
            elif (other := taken.setdefault(_real(path), text)) is not text:
                problems.append(_twice(path, other, text))
            elif _is_standard_output(path):
                problems.append(_twice(path, "standard output", text))
            elif (refused := _unwritable(path)) is not None:
                problems.append(refused)
            elif found := _refused(path, "the report"):
                problems.extend(found)
            else:
                self.targets.append((name, path))
        if problems:
            raise HrctlError(*problems)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to deliver."""
        return bool(self.targets) or self.console.output in REPORTS

    def deliver(self, renderers: Renderers) -> None:
        """Print and write every format that was asked for, but text and JSON on standard output.

        Those two the command prints itself, at the same time as it tells what is no data.

        Raises:
            HrctlError: HR146 where a file cannot be written; the others are.
        """
        made: dict[str, str] = {}
        problems: list[Diagnostic] = []
        for name, path in self.targets:
            text = made.setdefault(name, renderers[name]() if name not in made else "")
            try:
                write_text(path, text)
            except HrctlError as error:
                problems.extend(error.diagnostics)
        if self.console.output in REPORTS:
            name = self.console.output
            self.console.data(made[name] if name in made else renderers[name]())
        if problems:
            raise HrctlError(*problems)

    @contextmanager
    def telling(self, session: Session) -> Iterator[None]:
        """Deliver what goes wrong inside, too; the exit code stays what it is."""
        try:
            yield
        except HrctlError as error:
            self.deliver(self._of_error(session, error))
            self.leave(error)
            raise

    def _of_error(self, session: Session, error: HrctlError) -> Renderers:
        return {
            **self.renderers(session, self.findings(error.diagnostics)),
            "text": lambda: _text(error),
            "json": lambda: _json(error.diagnostics),
        }

    def leave(self, error: HrctlError) -> None:
        """End without telling it again where the log itself is the report.

        A runner looks for commands in everything that is printed; what it was told as annotations
        must not come again as text.
        """
        if self.console.output == "github":
            raise typer.Exit(error.exit_code) from error

    def findings(
        self,
        diagnostics: Sequence[Diagnostic],
        *,
        files: Sequence[str] = (),
        strict: bool = False,
    ) -> Findings:
        """Diagnostics of this command, with the place of the project in its repository."""
        from hrctl.cli.render.findings import Findings

        failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        return Findings(self.command, diagnostics, _prefix(), files, frozenset(failing))

    def renderers(self, session: Session, findings: Findings) -> dict[str, Callable[[], str]]:
        """How diagnostics look in every format of `REPORTS`."""

        def github() -> str:
            from hrctl.cli.render.github import workflow_commands

            return workflow_commands(findings)

        def sarif() -> str:
            from hrctl.cli.render.sarif import sarif

            return sarif(findings)

        def junit() -> str:
            from hrctl.cli.render.junit import junit

            return junit(findings)

        def markdown() -> str:
            from hrctl.cli.render.markdown import findings_page

            return findings_page(findings, project=project_name(session), max_bytes=self.max_bytes)

        return {"github": github, "sarif": sarif, "junit": junit, "markdown": markdown}


def project_name(session: Session) -> str | None:
    """The project's name; None where its file is not there or not right."""
    try:
        return session.project.name
    except HrctlError:
        return None


def _prefix() -> str:
    """From the top of the repository to the project, with a slash at its end; or nothing."""
    from hrctl.source import git, project

    start = Path.cwd().resolve()
    root = next((one for one in (start, *start.parents) if (one / project.FILE).is_file()), None)
    top = git.toplevel(root) if root is not None else None
    if root is None or top is None or root == top:
        return ""
    return f"{root.relative_to(top).as_posix()}/"


def _real(path: Path) -> str:
    """One text for all names of a file; a device or a pipe may be written to twice."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return f"{path}#{id(path)}"
    return os.path.realpath(path)


def _is_standard_output(path: Path) -> bool:
    """Whether standard output goes to this very file."""
    try:
        out = os.fstat(sys.stdout.fileno())
        return stat.S_ISREG(out.st_mode) and os.path.samestat(out, path.stat())
    except (OSError, ValueError):  # no such file yet, or no real stream
        return False


def _no_report(text: str) -> Diagnostic:
    formats = ", ".join((*FORMATS, *REPORTS))
    return Diagnostic(
        "HR145",
        f"'{text}' is no report",
        hint="say --report FORMAT=FILE, such as --report sarif=hrctl.sarif",
        note=f"the formats are {formats}",
    )


def _twice(path: Path, first: str, second: str) -> Diagnostic:
    return Diagnostic(
        "HR280",
        f"two outputs go to {path}: {first} and {second}",
        hint="give each a file of its own",
    )


def _refused(path: Path, what: str) -> tuple[Diagnostic, ...]:
    """Return why a commit may decide where the output goes, if it may."""
    try:
        writable.require(path, what)
    except HrctlError as error:
        return error.diagnostics
    return ()


def _unwritable(path: Path) -> Diagnostic | None:
    """Why a file cannot be written, as far as that can be known without writing."""
    if path.is_dir():
        why = "is a directory"
    else:
        folder = next(one for one in path.absolute().parents if one.exists())
        if not folder.is_dir():
            why = f"{folder} is not a directory"
        elif not os.access(path if path.exists() else folder, os.W_OK):
            why = "permission denied"
        else:
            return None
    return Diagnostic("HR146", f"{path} cannot be written: {why}")


def _text(error: HrctlError) -> str:
    from hrctl.cli.render.diagnostics import summary, text_lines
    from hrctl.cli.telling import source_line

    found = error.diagnostics
    lines = [
        *text_lines(found, source_line, width=100),
        summary(found, getattr(error, "files", None)),
    ]
    return "\n".join(lines) + "\n"


def _json(found: Sequence[Diagnostic]) -> str:
    import json

    from hrctl.cli.render.diagnostics import as_json

    content = {"diagnostics": [as_json(one) for one in found]}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
