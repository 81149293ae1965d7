"""When the schedule of a flag was committed: what its steps are counted from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.source import git

STEPS: Final = "/spec/rollout/steps"
Times = dict[int, datetime | None]


class Schedules:
    """The commit times of lines, each file asked for once. `revision` None is the working tree."""

    def __init__(self, root: Path, tree: Tree, revision: str | None = None) -> None:
        self._root = root
        self._tree = tree
        self._revision = revision
        self._files: dict[str, Times] = {}

    def start(self, address: Address) -> datetime | None:
        """The commit that last changed the steps; None where they are not committed."""
        found: list[datetime] = []
        for value in self._tree.explain(address):
            if value.pointer.startswith(STEPS) and value.span is not None:
                time = self._times(value.span.path).get(value.span.line)
                if time is None:
                    return None
                found.append(time)
        return max(found, default=None)

    def _times(self, path: str) -> Times:
        if path not in self._files:
            at = [self._revision] if self._revision else []
            try:
                said = git.run(self._root, "blame", "--line-porcelain", *at, "--", path)
            except HrctlError:  # no repository, or no commit of the file yet
                said = b""
            self._files[path] = _parsed(said.decode("utf-8", "replace"))
        return self._files[path]


def _parsed(blamed: str) -> Times:
    """Line -> when it was committed (None: not yet), of git's --line-porcelain."""
    found: Times = {}
    line, commit = 0, ""
    for text in blamed.split("\n"):
        if text.startswith("\t"):
            continue
        words = text.split(" ")
        if len(words) >= 3 and len(words[0]) in {40, 64} and words[2].isdigit():  # noqa: PLR2004
            commit, line = words[0], int(words[2])
        elif words[0] == "committer-time" and words[1].isdigit():
            committed = bool(commit.strip("0"))
            found[line] = datetime.fromtimestamp(int(words[1]), UTC) if committed else None
    return found
