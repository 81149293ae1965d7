"""When the schedule of a flag was committed: what its steps are counted from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.source import git, log

STEPS: Final = "/spec/rollout/steps"
UNKNOWN: Final = datetime.max.replace(tzinfo=UTC)  # in commits that a shallow clone lacks
Times = dict[int, datetime | None]


class Schedules:
    """The commit times of lines, each file asked for once. `revision` None is the working tree."""

    def __init__(self, root: Path, tree: Tree, revision: str | None = None) -> None:
        self._root = root
        self._tree = tree
        self._revision = revision
        self._files: dict[str, Times] = {}

    def start(self, address: Address) -> datetime | None:
        """The commit that last changed the steps; None where they are not committed.

        Raises:
            HrctlError: HR064, where it is older than what a shallow clone holds.
        """
        found: list[datetime] = []
        for value in self._tree.explain(address):
            if value.pointer.startswith(STEPS) and value.span is not None:
                time = self._times(value.span.path).get(value.span.line)
                if time is None:
                    return None
                if time is UNKNOWN:
                    raise _too_shallow(address)
                found.append(time)
        return max(found, default=None)

    def _times(self, path: str) -> Times:
        if path not in self._files:
            at = [self._revision] if self._revision else []
            try:
                # -w: who indents a schedule anew does not begin it anew
                said = git.run(
                    self._root, "blame", "--no-textconv", "-w", "--line-porcelain", *at, "--", path
                )
                ends = log.shallow(self._root)
            except HrctlError:  # no repository, or no commit of the file yet
                said, ends = b"", frozenset()
            self._files[path] = _parsed(said.decode("utf-8", "replace"), ends)
        return self._files[path]


def _too_shallow(address: Address) -> HrctlError:
    return HrctlError.of(
        "HR064",
        f"when the schedule of {address} began is not in this shallow clone",
        hint="git fetch --unshallow, or in CI a fetch depth of 0, which is all",
    )


def _parsed(blamed: str, ends: frozenset[str]) -> Times:
    """Line -> when it was committed (None: not yet), of git's --line-porcelain.

    `ends` are the commits at which a shallow clone ends: they have all lines that are older.
    """
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
            if commit in ends:
                found[line] = UNKNOWN
    return found
