"""What files of the tree hold, as a digest for each set of paths: of those here or of a commit."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    root: Path, revision: str | None, wanted: Mapping[Key, Iterable[str]], *, folders: bool = True
) -> dict[Key, str]:
    """Return a digest of the tracked files that are, or lie below, the paths of each key.

    A key whose paths lead to no such file is left out. A link counts with what it leads to.
    Manifests count like any other file: a program may read what hrctl does not.

    Args:
        root: the folder that relative paths start at.
        revision: a commit; None for the files here.
        wanted: paths by key, as they are written; what leaves the repository is passed over.
        folders: whether what lies below a folder counts.
    """
    top = git.toplevel(root)
    if top is None:
        return {}
    prefix = root.relative_to(top).as_posix()
    places = {key: set(_within(top, prefix, paths)) for key, paths in wanted.items()}
    named = {name for names in places.values() for name in names}
    if revision is None:  # most words of commands name no file, and git need not be asked
        above = f"{top}/"
        named = {name for name in named if os.path.lexists(above + name)}
    if not named:
        return {}
    files = _files(top, revision)
    links = Links(top, _link_texts(top, files, revision))
    reached = {name: links.reached(name) for name in named}
    below: dict[str, list[tuple[str, str]]] = {
        place: [] for places in reached.values() for place in places
    }
    for path, state in sorted(files.items()):
        for place in _ancestors(path) if folders else (path,):
            if place in below:
                below[place].append((path, state))
    found = {}
    for key, names in places.items():
        reachable = {place for name in names & named for place in reached[name]}
        counted: dict[str, str] = dict(file for place in sorted(reachable) for file in below[place])
        if counted:
            found[key] = digest(counted)
    return found


def _within(top: Path, prefix: str, paths: Iterable[str]) -> Iterator[str]:
    """Yield each path from the top of the repository on; not normalized, since links may follow."""
    for path in paths:
        if not path.startswith("/"):
            yield f"{prefix}/{path}"
        elif path.startswith(f"{top}/"):
            yield path[len(str(top)) + 1 :]


def _link_texts(top: Path, files: Mapping[str, str], revision: str | None) -> dict[str, str]:
    """Return path -> what is written in it, of every tracked link that is there."""
    links = [path for path, state in files.items() if state.startswith("120000 ")]
    if revision is not None:
        written = read(top, [files[path].partition(" ")[2] for path in links])
        return {path: os.fsdecode(text) for path, text in zip(links, written, strict=True)}
    # a sparse checkout leaves links out, and a file system without links has files in their places
    return {path: str((top / path).readlink()) for path in links if (top / path).is_symlink()}


class Links:
    """The tracked links of a repository, followed as the kernel follows them."""

    def __init__(self, top: Path, texts: Mapping[str, str]) -> None:
        self._top = str(top)
        self._texts = texts
        self._ordered = sorted(texts)

    def reached(self, path: str) -> set[str]:
        """Return the place of a path and of all links on its way, and what those below lead to."""
        reached: set[str] = set()
        fresh = set(self._walk(path))
        while fresh:
            reached |= fresh
            below = {link for place in fresh for link in self._below(place)} - reached
            fresh = {place for link in below for place in self._walk(link)} - reached
        return reached

    def _below(self, place: str) -> Sequence[str]:
        if place == ".":
            return self._ordered
        first = bisect_left(self._ordered, f"{place}/")
        return self._ordered[first : bisect_left(self._ordered, f"{place}0")]  # 0 follows the slash

    def _walk(self, path: str) -> Iterator[str]:
        """Yield each link on the way, and the place at its end; nothing more outside."""
        parts, place = deque(path.split("/")), list[str]()
        followed = 0
        while parts:
            part = parts.popleft()
            if part in {"", "."}:
                continue
            if part == "..":
                if not place:
                    return
                place.pop()
                continue
            place.append(part)
            here = "/".join(place)
            text = self._texts.get(here)
            if text is None:
                continue
            yield here
            followed += 1
            if followed > _LINKS:
                return
            place.pop()
            if text.startswith("/"):
                if not text.startswith(f"{self._top}/"):
                    return
                text, place = text[len(self._top) + 1 :], []
            parts.extendleft(reversed(text.split("/")))
        yield "/".join(place) or "."


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
