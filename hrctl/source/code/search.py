"""One scan over all files of code for all keys of flags: where each stands, and who asks for what.

A key stands where the characters around it are of no longer key or name: no letter, digit, ``_`` or
``-``. Each file is cut into such words once, by `bytes.translate` and `bytes.split`, and the set of
keys is met with them; only files that hold one are looked at line by line. So the time does not
grow with the number of keys.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hrctl.diagnostics import Span
from hrctl.source.code.calls import Calls
from hrctl.source.code.files import unreadable

LARGEST: Final = 5_000_000  # bytes of a file that is searched: what is larger, nobody wrote
KEPT: Final = 20  # places of a key that are kept
_KEY: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_CUT: Final = bytes(one if one in _KEY or one == ord("\n") else ord(" ") for one in range(256))
_WORD: Final = re.compile(rb"[^ \n]+")
_IGNORE: Final = re.compile(rb"hrctl:[ \t]*ignore\b")

Progress = Callable[[int, int], None]  # files done, of how many


@dataclass(slots=True)
class Places:
    """Where a key stands: how often, and the first places."""

    count: int = 0
    first: list[Span] = field(default_factory=list)

    def add(self, span: Span) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < KEPT:
            self.first.append(span)


@dataclass(slots=True)
class Found:
    """What a search found.

    `references` are the places of the keys that were looked for, `asked` those of the keys that
    calls name, whatever they are. `large` are files that were not searched.
    """

    references: dict[str, Places] = field(default_factory=dict)
    asked: dict[str, Places] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    large: list[tuple[str, int]] = field(default_factory=list)


def search(  # noqa: PLR0913 - what is looked for, where, and how it is told
    paths: Sequence[Path],
    keys: Collection[str],
    root: Path,
    *,
    calls: Sequence[str] = (),
    written: bytes = b"",
    progress: Progress | None = None,
) -> Found:
    """Look for keys, and for calls that ask for any, in files.

    Args:
        paths: in the order in which places are told.
        keys: of flags.
        root: what places are told from.
        calls: names of functions of the user's that ask for a flag, the key first.
        written: what stands in files of hrctl's own making, which do not count.
        progress: told after each file.

    Raises:
        HrctlError: HR261, where a file cannot be read.
    """
    scan = _Scan(keys, Calls(calls), root, written)
    for number, path in enumerate(paths, 1):
        scan.file(path)
        if progress is not None:
            progress(number, len(paths))
    return scan.found


class _Scan:
    def __init__(self, keys: Collection[str], calls: Calls, root: Path, written: bytes) -> None:
        self.found = Found()
        self._keys = frozenset(one.encode() for one in keys)
        self._calls = calls
        self._wanted = self._keys | calls.words
        self._root = root
        self._written = written

    def file(self, path: Path) -> None:
        data = self._read(path)
        if data is None:
            return
        self.found.files += 1
        self.found.bytes += len(data)
        words = data.translate(_CUT)
        there = self._wanted.intersection(words.split())
        if not there or (self._written and self._written in data):
            return
        name = os.path.relpath(path, self._root)
        if b"\r" in data:  # every line end of an editor counts
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            words = data.translate(_CUT)
        lines = data.split(b"\n")
        if keys := there & self._keys:
            self._refer(name, lines, words, keys)
        if not there.isdisjoint(self._calls.words):
            self._ask(name, data, lines)

    def _read(self, path: Path) -> bytes | None:
        """The content; None for a link, a folder, what is gone, binary or large."""
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                return None
            if about.st_size > LARGEST:
                self.found.large.append((os.path.relpath(path, self._root), about.st_size))
                return None
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        return None if b"\0" in data else data

    def _refer(self, name: str, lines: list[bytes], words: bytes, keys: frozenset[bytes]) -> None:
        for number, (line, cut) in enumerate(zip(lines, words.split(b"\n"), strict=True), 1):
            if keys.isdisjoint(cut.split()) or _IGNORE.search(line):
                continue
            for key, at in _keys_in(cut, keys):
                span = Span(name, number, _column(line, at), len(key))
                self.found.references.setdefault(key.decode(), Places()).add(span)

    def _ask(self, name: str, data: bytes, lines: list[bytes]) -> None:
        for raw, at in self._calls.keys(data):
            start = data.rfind(b"\n", 0, at) + 1
            number = data.count(b"\n", 0, at) + 1
            line = lines[number - 1]
            if not _IGNORE.search(line):
                key = raw.decode("utf-8", "replace")
                span = Span(name, number, _column(line, at - start), len(key))
                self.found.asked.setdefault(key, Places()).add(span)


def _keys_in(cut: bytes, keys: Collection[bytes]) -> Iterator[tuple[bytes, int]]:
    for word in _WORD.finditer(cut):
        if word[0] in keys:
            yield word[0], word.start()


def _column(line: bytes, at: int) -> int:
    """From 1, in characters."""
    return len(line[:at].decode("utf-8", "replace")) + 1
