"""The git repository around a folder, and how git is started: without anything of the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError

# Nothing runs that a folder below may have brought along: no hook, no watcher of files, and nothing
# that is configured by a bare repository which a branch committed as ordinary files.
_CONFIG: Final = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "safe.bareRepository=explicit"),
)
# Versions 2 and 3 of an index hold whole names; 4 shortens them.
_PLAIN_INDEX: Final = (b"\0\0\0\2", b"\0\0\0\3")
# Set inside of git's hooks, where they speak of another folder, or for pathspecs of another sort.
_FOREIGN: Final = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    }
)


def toplevel(root: Path) -> Path | None:
    """The top of the git working tree that `root` lies in (None: in none)."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
    return None


def command(root: Path, *arguments: str) -> list[str]:
    """Return the words of a git command for the repository that `root` lies in.

    The repository is named, since git, which looks for one itself, takes each folder on its way up
    that looks like a bare repository. It is the nearest folder with a `.git`, which is a name that
    git lets nobody commit.

    Raises:
        HrctlError: HR066, where git trusts neither the owner of the repository nor its folder.
    """
    top = toplevel(root)
    place = () if top is None else _place(top)
    return ["git", *_CONFIG, *place, *arguments]


@cache
def _place(top: Path) -> tuple[str, ...]:
    """Name the repository of a working tree to git, if it belongs to whom git would trust.

    A repository that is named is not asked for its owner any more. Another user's repository is
    therefore shown to git first, which knows `safe.directory`.
    """
    folder = top / ".git"
    if any(path.stat().st_uid != os.geteuid() for path in (top, folder)):
        finish(_start(top, ["git", *_CONFIG, "rev-parse", "--git-dir"]), "rev-parse")
    return f"--git-dir={folder}", f"--work-tree={top}"


def start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start git in the folder; no hook, pager, prompt or optional lock is involved.

    Raises:
        HrctlError: HR066, where there is no git.
    """
    return _start(root, command(root, *arguments))


def _start(folder: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - fixed program, arguments are never shell text
            words,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise HrctlError.of("HR066", "git was not found", hint="install git") from None


def environment() -> dict[str, str]:
    """That of every git which hrctl starts."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def finish(process: subprocess.Popen[bytes], what: str) -> bytes:
    """What a started git prints; HR066 where it fails."""
    output, errors = process.communicate()
    if process.returncode:
        lines = errors.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        reason = next((line for line in lines if line.startswith("fatal: ")), lines[-1])
        advice = lines[-1].strip()
        raise HrctlError.of(
            "HR066",
            f"git {what} failed: {reason.removeprefix('fatal: ')}",
            hint=advice if advice.startswith("git ") else None,
        )
    return output


def run(root: Path, *arguments: str) -> bytes:
    """What a git command prints.

    Raises:
        HrctlError: HR066, with git's last word.
    """
    return finish(start(root, *arguments), next(one for one in arguments if one[0] != "-"))


def tracks(path: Path) -> bool:
    """Return whether the repository around has a path, or something below it, in its index.

    The index is searched for the name first, which takes a fraction of a millisecond; git is asked
    only where the name is in it, or where names in it are not written out in full.
    """
    top = toplevel(path.parent)
    if top is None:
        return False
    name = path.relative_to(top).as_posix()
    path_of_index = _index(top)
    try:
        index = path_of_index.read_bytes()
    except FileNotFoundError:  # nothing was ever added
        return False
    split = any(path_of_index.parent.glob("sharedindex.*"))
    plain = index[4:8] in _PLAIN_INDEX and not split and sys.platform == "linux"
    if plain and os.fsencode(name) not in index:
        return False
    return bool(run(top, "ls-files", "-z", "--", f":(top,literal,icase){name}"))


def _index(top: Path) -> Path:
    own = top / ".git"
    if own.is_dir():
        return own / "index"
    return top / os.fsdecode(run(top, "rev-parse", "--git-path", "index").rstrip(b"\n"))
