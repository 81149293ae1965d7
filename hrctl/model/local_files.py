"""The files of the tree that a Service runs: those which its commands and its folder name."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from typing import Final

from hrctl.model.values import Body, Json, lookup

_QUOTES: Final = frozenset("'\"\\")
_COMMANDS: Final = ("/spec/command", "/spec/healthCheck/command")


def named_paths(body: Body) -> set[str]:
    """Return the paths, from the project's folder on, that may be files or folders of the tree.

    Each word of a command counts, what follows a `=` in it, and the words in a quoted one, from the
    project's folder and from that in which the command runs. Whether something is there is not
    known here. Paths stand as they are written: only the links of the tree tell what `..` means.
    """
    written = lookup(body, "/spec/workingDirectory")
    folder = written if isinstance(written, str) else ""
    paths = {folder} if folder else set()
    for word in _words(body):
        for text in spellings(word):
            paths.add(text)
            if folder:
                paths.add(posixpath.join(folder, text))
    return paths


def spellings(word: str) -> Iterator[str]:
    """Yield what may be a path in a word of a command."""
    for part in (word, *(word.split() if " " in word else ())):
        for text in (part, part.partition("=")[2]):
            if text and "\0" not in text:
                yield text


def _words(body: Body) -> Iterator[str]:
    commands: list[Json] = [lookup(body, path) for path in _COMMANDS]
    install = lookup(body, "/spec/install/commands")
    commands += install if isinstance(install, list) else []
    for command in commands:
        if isinstance(command, str):
            if _QUOTES.isdisjoint(command):  # many times faster, and nearly all are such
                yield from command.split()
                continue
            try:
                yield from shlex.split(command)
            except ValueError:  # an open quote; the shell will say so
                yield from command.split()
        elif isinstance(command, list):
            yield from (word for word in command if isinstance(word, str))
