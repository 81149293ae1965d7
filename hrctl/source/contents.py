"""What files of the tree hold, as a digest for each set of paths: of those here or of a commit."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from hrctl.model.values import digest
from hrctl.source import git

Key = TypeVar("Key")
_INDEX: Final = ("ls-files", "-s", "-z")
_CHANGED: Final = ("diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all")


def digests(
    root: Path, revision: str | None, wanted: Mapping[Key, Iterable[str]]
) -> dict[Key, str]:
    """Return a digest of the tracked files that are, or lie below, the paths of each key.

    A key whose paths lead to no such file is left out. Manifests do not count: plans show them.

    Args:
        root: the folder that paths start at.
        revision: a commit; None for the files here.
        wanted: paths by key; what leaves the repository is passed over.
    """
    top = git.toplevel(root)
    if top is None:
        return {}
    prefix = root.relative_to(top).as_posix()
    places = {key: set(_within(prefix, paths)) for key, paths in wanted.items()}
    named = {name for names in places.values() for name in names}
    if revision is None:  # most words of commands name no file, and git need not be asked
        above = f"{top}/"
        named = {name for name in named if os.path.lexists(above + name)}
    if not named:
        return {}
    below: dict[str, list[tuple[str, str]]] = {name: [] for name in named}
    for file in sorted(_files(top, revision).items()):
        path = file[0]
        if not path.endswith((".yaml", ".yml")):
            for place in _ancestors(path):
                if place in below:
                    below[place].append(file)
    found = {}
    for key, names in places.items():
        files: dict[str, str] = dict(file for name in sorted(names & named) for file in below[name])
        if files:
            found[key] = digest(files)
    return found


def _within(prefix: str, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        place = posixpath.normpath(posixpath.join(prefix, path))
        if place != ".." and not place.startswith(("../", "/")):
            yield place


def _ancestors(path: str) -> Iterator[str]:
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    yield "."


def _files(top: Path, revision: str | None) -> dict[str, str]:
    """Return path -> mode and blob id of every tracked file."""
    if revision is not None:
        rows = _rows(git.run(top, "ls-tree", "-r", "-z", "--full-tree", revision))
        return {path: f"{meta[0]} {meta[2]}" for meta, path in rows}
    files = {path: f"{meta[0]} {meta[1]}" for meta, path in _rows(git.run(top, *_INDEX))}
    for path in _lines(git.run(top, *_CHANGED)):
        file = top / path
        if file.is_file() and not file.is_symlink():
            mode = "100755" if os.access(file, os.X_OK) else "100644"
            files[path] = f"{mode} {git.blob_id(file.read_bytes())}"
        elif path in files:
            files[path] = "gone"
    return files


def _rows(output: bytes) -> Iterator[tuple[list[str], str]]:
    for line in _lines(output):
        meta, _, path = line.partition("\t")
        yield meta.split(" "), path


def _lines(output: bytes) -> list[str]:
    return [line for line in output.decode("utf-8", "surrogateescape").split("\0") if line]
