r"""Every command that README.md and docs/ show is run, and its output compared.

How a page is written, so that it can be tested:

- A ```` ```console ```` block is a terminal: lines after ``$ `` are commands (``\`` at the end goes
  on), the lines below are their output. ``...`` in a line stands for any text, a line of only
  ``...`` for any lines; a command without output below may print anything. ``console exits=1``
  tells the exit code of the last command; all others end with 0.
- A ```` ```diff ```` block is an edit of the project, applied with `git apply`.
- A ```` ```yaml file=path ```` block is a file, written as it stands.
- A comment ``<!-- run`` holds commands that the reader need not see, up to ``-->``.
- ```` ```sh ```` holds what cannot run here; each line of it must stand in `RUN_ELSEWHERE`.

The blocks of a page run in order, in one shell, in one new folder. Run as a program, this module
writes the output that commands really have into the pages: ``python tests/docs/test_commands.py
README.md``; outputs that are right stay as they are.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path

import pytest

from tests.processes import remove

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
FENCE = re.compile(
    r"^(?:```|<!-- )(?P<info>[a-z]+[^\n]*)\n(?P<body>.*?)^(?:```|-->)$", re.MULTILINE | re.DOTALL
)

# What a page shows without a test running it here, and what does run it.
RUN_ELSEWHERE = {
    "make demo": ".ci/run",
    "make demo-down": ".ci/run",
    "make lint": ".ci/run",
    "make test": ".ci/run",
    'pip install "hrctl[all]"': "pyproject.toml",
}


@dataclass(frozen=True)
class Command:
    """One command of a console block; `shown` is the output below it, None where there is none."""

    text: str
    shown: str | None
    exits: int
    line: int


def _commands(body: str, line: int, exits: int) -> list[Command]:
    found: list[tuple[str, list[str], int]] = []
    lines = enumerate(body.splitlines(), line)
    for number, text in lines:
        if text.startswith("$ "):
            command = text[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines)[1]
            found.append((command, [], number))
        elif found:
            found[-1][1].append(text)
        else:
            pytest.fail(f"line {number}: a console block starts with a command")
    return [
        Command(
            text,
            "\n".join(shown).rstrip() or None,
            exits if index == len(found) - 1 else 0,
            number,
        )
        for index, (text, shown, number) in enumerate(found)
    ]


class Shell:
    """One bash that lives as long as its page."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._marks = count(1)
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What it prints on both streams, and its exit code."""
        mark = f"--end-{next(self._marks)}--"
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null 2>&1\necho {mark}$?\n")
        self._bash.stdin.flush()
        output = ""
        for line in self._bash.stdout:
            before, found, code = line.partition(mark)
            output += before
            if found:
                return output.rstrip(), int(code)
        pytest.fail(f"the shell ended in: {command}")

    def close(self) -> None:
        """End it."""
        self._bash.communicate(timeout=30)


@contextmanager
def page_shell() -> Iterator[Shell]:
    """A shell in a new folder; supervisors that a page leaves running there are ended."""
    # pages talk to sockets by their paths, which must be short
    folder = Path(tempfile.mkdtemp(prefix="docs-", dir="/tmp"))
    try:
        home, work = folder / "home", folder / "work"
        home.mkdir()
        work.mkdir()
        home.joinpath(".gitconfig").write_text(
            "[user]\nname = Robin\nemail = robin@example.org\n[init]\ndefaultBranch = main\n"
        )
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environ = kept | {"PATH": path, "HOME": str(home), "COLUMNS": "80", "TERM": "dumb"}
        shell = Shell(work, environ)
        try:
            yield shell
        finally:
            shell.close()
            _end_supervisors(work)
    finally:
        remove(folder)


def _end_supervisors(folder: Path) -> None:
    for file in folder.rglob(".hrctl/**/*.pid"):
        pid = int(file.read_text())
        try:
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                os.kill(pid, 0)
                time.sleep(0.1)
        except ProcessLookupError:
            continue


def _pattern(shown: str) -> re.Pattern[str]:
    lines = []
    for line in shown.splitlines():
        if line.strip() == "...":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append("[^\n]*".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n")
    return re.compile("".join(lines))


# What differs from run to run: durations, ids of commits and runs, times, who runs it where.
VARYING = [
    (re.compile(r" in \d+\.\d s\b"), ""),
    (re.compile(r"\b\d+(?:\.\d+)? ms\b"), "<latency>"),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "<run>"),
    (re.compile(r"\b(?:[0-9a-f]{12}|[0-9a-f]{7})\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*"), "<time>"),
    (re.compile(r"\[\d\d/\w{3}/\d{4} [\d:]+\]"), "<time>"),
    (re.compile(r"\b[\w.-]+@[\w.-]+"), "<who>"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
]
PROGRESS = re.compile(r"(?:[+~!-]|-/\+|<=) +\S+:\S+ (?:created|updated|replaced|deleted|adopted)$")


def _settled(text: str) -> str:
    """Without what varies; lines of progress, which come as changes end, in one order."""
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    lines: list[str] = []
    for is_progress, group in groupby(text.splitlines(), lambda one: bool(PROGRESS.match(one))):
        found = list(group)
        lines += sorted(found) if is_progress else found
    return "\n".join(lines)


def _matches(shown: str, output: str) -> bool:
    settled = _settled(output)
    return _pattern(_settled(shown)).fullmatch(settled + "\n" if settled else "") is not None


def _run_elsewhere(body: str, line: int) -> None:
    for text in filter(None, map(str.strip, body.splitlines())):
        command = text.partition("  #")[0].strip()
        assert command in RUN_ELSEWHERE, f"line {line}: nothing runs `{command}`"
        where = ROOT / RUN_ELSEWHERE[command]
        needle = "\nall = [" if where.suffix == ".toml" else f"\n{command}"
        assert needle in where.read_text(), f"line {line}: {where.name} does not run `{command}`"


def _is_edit(info: str) -> bool:
    return info in {"diff", "run"} or "file=" in info


def _edit(shell: Shell, info: str, body: str, line: int) -> None:
    if info == "run":
        commands = body.splitlines()
    elif info == "diff":
        commands = [f"git apply --whitespace=nowarn --unidiff-zero - <<'EOF'\n{body}EOF"]
    else:
        path = info.partition("file=")[2].strip()
        commands = [f"mkdir -p \"$(dirname '{path}')\" && cat >'{path}' <<'EOF'\n{body}EOF"]
    for command in commands:
        output, code = shell.run(command)
        assert code == 0, f"line {line}: {command}\n{output}"


def _blocks(text: str) -> Iterator[tuple[str, str, int]]:
    for found in FENCE.finditer(text):
        yield found["info"].strip(), found["body"], text.count("\n", 0, found.start()) + 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_does_what_the_page_shows(page: Path) -> None:
    with page_shell() as shell:
        for info, body, line in _blocks(page.read_text(encoding="utf-8")):
            if info == "sh":
                _run_elsewhere(body, line)
            elif _is_edit(info):
                _edit(shell, info, body, line)
            elif info.split()[0] == "console":
                exits = int(info.partition("exits=")[2] or 0)
                for command in _commands(body, line, exits):
                    output, code = shell.run(command.text)
                    place = f"{page.name}:{command.line}: $ {command.text}\n{output}"
                    assert code == command.exits, place
                    if command.shown is not None:
                        assert _matches(command.shown, output), f"{place}\n--\n{command.shown}"


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a\nb", "a\nb", True),
        ("a\nb", "a\nb\nc", False),
        ("a ... c", "a bb c", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...", "a", True),
        ("a\n...\nd", "a\nb", False),
        ("1.5", "125", False),
        ("done, in 0.1 s.", "done, in 12.5 s.", True),
        ("id 1a2b3c4", "id 9f8e7d6", True),
        (
            "+   a:Kind/b created\n-   a:Kind/c deleted",
            "-   a:Kind/c deleted\n+   a:Kind/b created",
            True,
        ),
        ("+   a:Kind/b created", "+   a:Kind/c created", False),
    ],
)
def test_the_comparison_itself(shown: str, output: str, same: bool) -> None:  # noqa: FBT001 - a case
    assert _matches(shown, output) is same


def _rewrite(page: Path) -> None:
    """Put real output below the commands of a page."""
    text = page.read_text(encoding="utf-8")
    pieces = []
    end = 0
    with page_shell() as shell:
        for found in FENCE.finditer(text):
            info, body = found["info"].strip(), found["body"]
            if _is_edit(info):
                _edit(shell, info, body, 0)
            elif info.split()[0] == "console":
                exits = int(info.partition("exits=")[2] or 0)
                lines = []
                for command in _commands(body, 0, exits):
                    output, code = shell.run(command.text)
                    if code != command.exits:
                        sys.stderr.write(f"$ {command.text}\n{output}\nexit code {code}\n")
                    shown = command.shown
                    if shown is not None and not _matches(shown, output):
                        shown = output
                    lines += [f"$ {command.text}", *([] if shown is None else [shown])]
                pieces += [text[end : found.start("body")], "\n".join(lines), "\n"]
                end = found.end("body")
    page.write_text("".join([*pieces, text[end:]]), encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _rewrite(Path(argument))
