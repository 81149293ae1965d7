"""The commits of a project, and which of its files each one changed: one `git log`, whole.

git tells the names and blob ids of what changed without opening a single file, so that reading
everything costs no more than looking for a few paths would.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.source import git

_HEAD: Final = "\x01"
_FORMAT: Final = f"tformat:{_HEAD}%H %P%x00%aN%x00%aE%x00%aI%x00%cI%x00%s"
_COMMAND: Final = (
    "-c",
    "log.showRoot=true",
    "-c",
    "log.showSignature=false",
    "log",
    "--topo-order",
    "--raw",
    "--no-renames",
    "--no-abbrev",
    "--no-relative",
    "--diff-merges=first-parent",
    "--encoding=UTF-8",
    "-z",
    f"--format={_FORMAT}",
)
_FILE: Final = "100"  # how the mode of a regular file begins
_FIELDS: Final = 5  # of a commit, behind its id and parents


@dataclass(slots=True)
class Commit:
    """A commit: `changes` are paths and blobs against its first parent.

    `time` is the author's and `committed` the committer's, both RFC 3339. A blob is None where the
    file is gone. Paths are relative to the project's root.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    email: str
    time: str
    committed: str
    subject: str
    changes: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Log:
    """Commits by id, children before parents. `shallow` are those whose parents a clone lacks."""

    commits: dict[str, Commit]
    tip: str
    shallow: frozenset[str]


class LogReader:
    """A `git log` that runs while the caller gets ready for it."""

    def __init__(
        self, root: Path, revision: str = "HEAD", within: str = ".", *, main: bool = False
    ) -> None:
        """Start it; `main`: only the first parents, so that a merge stands for what it brought.

        Raises:
            HrctlError: HR062 outside git.
        """
        self._root = root
        self._revision = revision
        top = toplevel(root)
        prefix = root.relative_to(top).as_posix()
        self._skip = 0 if prefix == "." else len(prefix) + 1
        whole = prefix == within == "."
        command = _COMMAND if whole else (*_COMMAND, "--parents")  # those that are left are joined
        if main:
            command = (*command, "--first-parent")
        limits = () if whole else ("--", within)
        self._process: subprocess.Popen[bytes] | None = git.start(
            root, *command, "--end-of-options", revision, *limits
        )
        self._within = "" if within == "." else f"{within}/"

    def read(self) -> Log:
        """Wait for it to end.

        Raises:
            HrctlError: HR063 without any commit, HR064 and HR065 for a revision that is not there.
        """
        assert self._process is not None  # noqa: S101 - it is read once
        process, self._process = self._process, None
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        output = process.stdout.read()  # in one go; what git says of errors is short
        try:
            git.finish(process, "log")
        except HrctlError:
            git.resolve(self._root, self._revision)  # says more of a revision that is not there
            raise
        commits = {one.id: one for one in self._parsed(output)}
        tip = next(iter(commits), "")
        if not tip:  # no commit touches the folder
            tip = git.resolve(self._root, self._revision)
            commits[tip] = Commit(tip, (), "", "", "", "", "")
        return Log(commits, tip, shallow(self._root))

    def _parsed(self, output: bytes) -> Iterator[Commit]:
        tokens = iter(output.decode("utf-8", "surrogateescape").split("\0"))
        current: Commit | None = None
        for token in tokens:
            if token.startswith(_HEAD):
                if current is not None:
                    yield current
                commit, *parents = token[1:].split()
                author, email, time, committed, subject = (next(tokens) for _ in range(_FIELDS))
                current = Commit(commit, tuple(parents), author, email, time, committed, subject)
            elif current is not None and token:
                path = next(tokens)[self._skip :]
                if is_manifest(path) and path.startswith(self._within):
                    _, mode, _, blob, _ = token.lstrip("\n").split(" ")
                    current.changes.append((path, blob if mode.startswith(_FILE) else None))
        if current is not None:
            yield current


def question(root: Path, within: str, revision: str) -> list[str]:
    """What an answer about the commits up to a revision depends on: the commit comes first.

    Raises:
        HrctlError: HR062 outside git, HR063 to HR065 where the revision is not there.
    """
    top = toplevel(root)
    ends = sorted(shallow(root))
    return [git.resolve(root, revision), root.relative_to(top).as_posix(), within, *ends]


def is_manifest(path: str) -> bool:
    """Whether a path below the project's root may be a file of manifests."""
    return (
        path.endswith((".yaml", ".yml"))
        and not (path.startswith(".") or "/." in path)
        and path != git.PROJECT
    )


def toplevel(root: Path) -> Path:
    """The top of the git working tree that a project lies in.

    Raises:
        HrctlError: HR062, where it is in none.
    """
    top = git.toplevel(root)
    if top is None:
        git.require_commit(root, git.Listing({}, None, dirty=True, in_git=False))
        raise AssertionError  # the line above has raised
    return top


def shallow(root: Path) -> frozenset[str]:
    """The commits at which a shallow clone ends."""
    own = toplevel(root) / ".git"
    if own.is_dir():
        path = own / "shallow"
    else:  # a worktree or a submodule: git knows where its own things lie
        path = root / git.run(root, "rev-parse", "--git-path", "shallow").decode().strip()
    return frozenset(path.read_text().split()) if path.exists() else frozenset()
