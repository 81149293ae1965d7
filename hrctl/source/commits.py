"""Commits that are made beside the working tree: through an index of their own, without any hook.

What git objects a draft leaves behind, if nobody points a branch at them, `git gc` takes away.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.source import git
from hrctl.source.log import toplevel

_FILE: Final = "100644"
_GONE: Final = "0" * 40


def draft_commit(
    root: Path, parent: str, files: Mapping[str, str | None], message: str, *, sign: bool = False
) -> str:
    """A commit on top of `parent` with other texts of files; no branch, index or file changes.

    Args:
        root: of the project; paths are relative to it.
        parent: the commit below.
        files: new texts; None removes a file.
        message: of the commit.
        sign: as `commit.gpgSign` of git's configuration says; a draft needs no signature.

    Raises:
        HrctlError: HR066, where git refuses, as without user.name and user.email.
    """
    top = toplevel(root)
    prefix = root.relative_to(top).as_posix()
    prefix = "" if prefix == "." else f"{prefix}/"
    handle, index = tempfile.mkstemp(prefix="hrctl-index-")
    os.close(handle)
    Path(index).unlink()  # git takes an empty file for a broken index
    try:
        _git(top, index, "read-tree", parent)
        lines = []
        for path, text in files.items():
            at = f"{prefix}{path}"
            if text is None:
                lines.append(f"0 {_GONE}\t{at}\0")
                continue
            blob = _git(
                top, index, "hash-object", "-w", "--stdin", f"--path={at}", data=text.encode()
            )
            lines.append(f"{_mode(top, parent, at)} {blob}\t{at}\0")
        data = "".join(lines).encode("utf-8", "surrogateescape")
        _git(top, index, "update-index", "-z", "--index-info", data=data)
        tree = _git(top, index, "write-tree")
    finally:
        for file in (index, f"{index}.lock"):
            Path(file).unlink(missing_ok=True)
    flags = ["-S"] if sign and _signs(root) else []
    return _git(top, index, "commit-tree", *flags, "-p", parent, tree, data=message.encode())


def _mode(top: Path, commit: str, path: str) -> str:
    found = git.run(top, "--literal-pathspecs", "ls-tree", "-z", commit, "--", path)
    mode = found.split(b" ", 1)[0].decode()
    return mode if mode.startswith("100") else _FILE


def _signs(root: Path) -> bool:
    try:
        said = git.run(root, "config", "--type=bool", "--get", "commit.gpgSign")
    except HrctlError:  # it is not set
        return False
    return said.strip() == b"true"


def create_branch(root: Path, name: str, commit: str) -> None:
    """A new branch at a commit.

    Raises:
        HrctlError: HR192, where the name is none, or taken.
    """
    require_free(root, name)
    git.run(root, "update-ref", "-m", "hrctl rollback", f"refs/heads/{name}", commit, _GONE)


def require_free(root: Path, name: str) -> None:
    """Whether a branch of this name can be made.

    Raises:
        HrctlError: HR192.
    """
    try:
        git.run(root, "check-ref-format", "--branch", name)
    except HrctlError:
        raise HrctlError.of("HR192", f"'{name}' is no name for a branch") from None
    try:
        git.run(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}")
    except HrctlError:
        return
    raise HrctlError.of(
        "HR192",
        f"the branch '{name}' is there already",
        hint="choose another name; hrctl adds to no branch that is not checked out",
    )


def dirty(root: Path, paths: list[str]) -> list[str]:
    """Those of the paths that differ from the last commit, in the index or on disk."""
    found = git.run(
        root,
        "--literal-pathspecs",
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--ignore-submodules=all",
        "--untracked-files=all",
        "--ignored=matching",
        "--",
        *paths,
    )
    lines = found.decode("utf-8", "surrogateescape").split("\0")
    prefix = root.relative_to(toplevel(root)).as_posix()
    skip = 0 if prefix == "." else len(prefix) + 1
    return [line[3:][skip:] for line in lines if line]


def _git(top: Path, index: str, *arguments: str, data: bytes = b"") -> str:
    process = subprocess.run(  # noqa: S603 - a fixed program
        git.command(top, *arguments),
        cwd=top,
        env={**git.environment(), "GIT_INDEX_FILE": index},
        input=data,
        capture_output=True,
        check=False,
    )
    if process.returncode:
        said = process.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        reason = next((line for line in said if line.startswith("fatal: ")), said[-1])
        raise HrctlError.of(
            "HR066",
            f"git {arguments[0]} failed: {reason.removeprefix('fatal: ')}",
            hint="nothing was changed",
        )
    return process.stdout.decode().strip()
