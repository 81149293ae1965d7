"""What differs from the commit: which files, and whether one of them lost what it declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from hrctl.source import blobs, git
from hrctl.source.parse import parse_file

_GONE: Final = "000000"  # the mode of what is not there
# By how a line of `git status` begins: fields before the path; which are mode and blob of HEAD.
_LINES: Final = {"1": (8, 3, 6), "u": (10, 4, 8)}

Name = tuple[str, str, str]  # folder, kind, name


def since_commit(root: Path, within: str = ".") -> dict[str, str | None]:
    """Every manifest that differs from the commit: path -> its blob there (None: it is new).

    Those that were deleted are among them. Outside git, nothing differs.
    """
    top = git.toplevel(root)
    if top is None:
        return {}
    prefix = "" if within == "." else f"{within}/"
    patterns = [f"{prefix}{pattern}" for pattern in git.PATTERNS]
    output = git.run(
        root,
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--",
        *patterns,
    )
    skip = "" if root == top else f"{root.relative_to(top).as_posix()}/"
    found: dict[str, str | None] = {}
    for line in output.decode("utf-8", "surrogateescape").split("\0"):
        if (at := _LINES.get(line[:1])) is not None:
            count, mode, blob = at
            fields = line.split(" ", count)
            path = fields[-1].removeprefix(skip)
            found[path] = fields[blob] if fields[mode] != _GONE else None
        elif line.startswith("? "):
            found[line[2:].removeprefix(skip)] = None
    return found


def loses_names(root: Path, paths: Iterable[str], before: Mapping[str, str | None]) -> bool:
    """Whether a resource of the commit is declared in these files, or in those deleted, no more.

    Then what refers to it may be anywhere. A resource that moved to another folder counts as lost.

    Args:
        root: the project's folder.
        paths: files, relative to it.
        before: what `since_commit` gave.
    """
    gone = [path for path in before if not (root / path).is_file()]
    old = [(path, blob) for path in {*paths, *gone} if (blob := before.get(path)) is not None]
    if not old:
        return False
    texts = blobs.read(root, [blob for _, blob in old])
    lost: set[Name] = set()
    for (path, _), data in zip(old, texts, strict=True):
        lost |= _names(path, data)
    there = [path for path in before if (root / path).is_file()]
    for path, data in zip(there, git.read_worktree(root, there), strict=True):
        lost -= _names(path, data)
    return bool(lost)


def _names(path: str, data: bytes) -> set[Name]:
    """What a file declares; of a document that cannot be read, nothing."""
    folder = path.rpartition("/")[0]
    found: set[Name] = set()
    for _, document in parse_file(data, path)[0]:
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if str(document.get("apiVersion", "")).startswith("hrctl.dev/"):
            found.add((folder, str(document.get("kind")), str(name)))
    return found
