"""What files of the tree hold, as a digest for each set of paths: of those here or of a commit."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from hrctl.model.values import digest
from hrctl.source import git
from hrctl.source.blobs import read

Key = TypeVar("Key")
_INDEX: Final = ("ls-files", "-s", "-z")
_LINKS: Final = 40  # on the way of a path, as many as Linux follows
_CHANGED: Final = ("diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all")


def digests(
    root: Path, revision: str | None, wanted: Mapping[Key, Iterable[str]]
) -> dict[Key, str]:
    """Return a digest of the tracked files that are, or lie below, the paths of each key.

    A key whose paths lead to no such file is left out. A link counts with what it leads to.
    Manifests below a path do not count, as plans show them; a file that is itself named does.

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
    files = _files(top, revision)
    targets = _link_targets(top, files, revision)
    reached = {name: _through_links(name, targets) for name in named}
    below: dict[str, list[tuple[str, str]]] = {
        place: [] for places in reached.values() for place in places
    }
    for path, state in sorted(files.items()):
        manifest = path.endswith((".yaml", ".yml"))
        for place in (path,) if manifest else _ancestors(path):
            if place in below:
                below[place].append((path, state))
    found = {}
    for key, names in places.items():
        reachable = {place for name in names & named for place in reached[name]}
        counted: dict[str, str] = dict(file for place in sorted(reachable) for file in below[place])
        if counted:
            found[key] = digest(counted)
    return found


def _within(prefix: str, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        place = posixpath.normpath(posixpath.join(prefix, path))
        if place != ".." and not place.startswith(("../", "/")):
            yield place


def _link_targets(top: Path, files: Mapping[str, str], revision: str | None) -> dict[str, str]:
    """Return path -> the place in the repository that it leads to, of every tracked link."""
    links = [path for path, state in files.items() if state.startswith("120000 ")]
    if revision is None:
        texts = [os.fsencode((top / path).readlink()) for path in links]
    else:
        texts = list(read(top, [files[path].partition(" ")[2] for path in links]))
    return {
        path: place
        for path, text in zip(links, texts, strict=True)
        for place in _within(posixpath.dirname(path), [os.fsdecode(text)])
    }


def _through_links(name: str, targets: Mapping[str, str]) -> set[str]:
    """Return a place and those that the links on its way, at it and below it lead to."""
    reached, fresh = {name}, {name}
    for _ in range(_LINKS if targets else 0):
        fresh = {
            posixpath.normpath(target + place[len(link) :])
            if place == link or place.startswith(f"{link}/")
            else target
            for place in fresh
            for link, target in targets.items()
            if place in {".", link} or place.startswith(f"{link}/") or link.startswith(f"{place}/")
        } - reached
        if not fresh:
            break
        reached |= fresh
    return reached


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
        if file.is_symlink():
            files[path] = f"120000 {git.blob_id(os.fsencode(file.readlink()))}"
        elif file.is_file():
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
