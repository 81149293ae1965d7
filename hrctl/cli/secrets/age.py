"""When ciphertexts were last changed, by git."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.source import git
from hrctl.source.armour import line_of

_AT_ONCE: Final = 4
_HEAD: Final = re.compile(rb"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?")
_NOWHERE: Final = re.compile(r"0+")
_UNITS: Final = ((86400 * 365, "year"), (86400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Changed:
    """The line of a ciphertext, and the commit that it came with (None: none, or no git)."""

    line: int | None = None
    commit: str | None = None
    time: str | None = None  # RFC 3339, UTC
    ago: str = "-"


def changes(session: Session, secrets: Sequence[tuple[str, str]]) -> list[Changed]:
    """When each of these (file, ciphertext) was changed: one git process for a file."""
    root = session.project.root
    lines: dict[str, dict[str, int]] = {}
    texts: dict[str, str] = {}
    for path, age in secrets:
        if path not in texts:
            texts[path] = (root / path).read_text("utf-8", "replace")
            lines[path] = {}
        if (line := line_of(texts[path], age)) is not None:
            lines[path][age] = line
    if not session.load().in_git:
        return [Changed(lines[path].get(age)) for path, age in secrets]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(
            zip(
                lines,
                pool.map(lambda path: _blamed(session, path, lines[path]), lines),
                strict=True,
            )
        )
    return [found[path].get(age, Changed()) for path, age in secrets]


def _blamed(session: Session, path: str, lines: dict[str, int]) -> dict[str, Changed]:
    if not lines:
        return {}
    ranges = [f"-L{line + 1},{line + 1}" for line in sorted(set(lines.values()))]
    try:
        output = git.run(
            session.project.root, "blame", "--no-textconv", "--porcelain", *ranges, "--", path
        )
    except HrctlError:
        return {age: Changed(line) for age, line in lines.items()}  # git does not know the file
    commits: dict[int, str] = {}
    times: dict[str, int] = {}
    current = ""
    for one in output.split(b"\n"):
        if head := _HEAD.fullmatch(one):
            current = head[1].decode()
            commits[int(head[2])] = current
        elif one.startswith(b"committer-time "):
            times[current] = int(one.split()[1])
    return {age: _changed(line, commits.get(line + 1), times) for age, line in lines.items()}


def _changed(line: int, commit: str | None, times: dict[str, int]) -> Changed:
    if commit is None or _NOWHERE.fullmatch(commit):
        return Changed(line, None, None, "not committed")
    at = times[commit]
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return Changed(line, commit, stamp, ago(time.time() - at))


def ago(seconds: float) -> str:
    """``3 days ago``."""
    for size, unit in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"
