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
from hrctl.source.code.calls import Calls, says_unleash
from hrctl.source.code.files import is_ours, unreadable
from hrctl.source.words import cut

LARGEST: Final = 5_000_000  # bytes of a file that is searched: what is larger, nobody wrote
KEPT: Final = 20  # places of a key that are kept
_WORD: Final = re.compile(rb"[^ \n]+")
_EDGES: Final = (b"", b" ", b"\n")
_FEW: Final = 32  # words that are looked for one by one
_QUOTED: Final = (b'""', b"''", b"``")
_IGNORE: Final = re.compile(rb"hrctl:[ \t]*ignore\b")

Progress = Callable[[int, int], None]  # files done, of how many


@dataclass(slots=True)
class Places:
    """Where a key stands: how often, and the first places, those between quotes before others."""

    count: int = 0
    quoted: list[Span] = field(default_factory=list)
    bare: list[Span] = field(default_factory=list)

    def add(self, span: Span, *, quoted: bool) -> None:
        """One more."""
        self.count += 1
        kept = self.quoted if quoted else self.bare
        if len(kept) < KEPT:
            kept.append(span)

    @property
    def first(self) -> list[Span]:
        """Those that are kept."""
        return [*self.quoted, *self.bare][:KEPT]


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


def search(
    paths: Sequence[Path],
    keys: Collection[str],
    root: Path,
    *,
    calls: Sequence[str] = (),
    progress: Progress | None = None,
) -> Found:
    """Look for keys, and for calls that ask for any, in files.

    Args:
        paths: in the order in which places are told.
        keys: of flags.
        root: what places are told from.
        calls: names of functions of the user's that ask for a flag, by their first text.
        progress: told after each file.

    Raises:
        HrctlError: HR261, where a file cannot be read.
    """
    scan = _Scan(keys, Calls(calls), root)
    for number, path in enumerate(paths, 1):
        scan.file(path)
        if progress is not None:
            progress(number, len(paths))
    return scan.found


class _Scan:
    def __init__(self, keys: Collection[str], calls: Calls, root: Path) -> None:
        self.found = Found()
        self._keys = frozenset(one.encode() for one in keys)
        self._calls = calls
        self._wanted = self._keys | calls.words
        self._root = root

    def file(self, path: Path) -> None:
        data = self._read(path)
        if data is None:
            return
        self.found.files += 1
        self.found.bytes += len(data)
        words = cut(data)
        there = self._wanted.intersection(words.split())
        if not there or is_ours(path, data):
            return
        if b"\r" in data:  # every line end of an editor counts
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            words = cut(data)
        self._text(self._name(path), data, words, there)

    def _text(self, name: str, data: bytes, words: bytes, there: frozenset[bytes]) -> None:
        """What stands in a file that holds some of the words that are wanted."""
        unleash = None
        lines = _Lines(name, data)
        for at, word in _hits(words, there):
            if word in self._keys and not lines.ignored(at):
                around = data[at - 1 : at] + data[at + len(word) : at + len(word) + 1]
                places = self.found.references.setdefault(word.decode(), Places())
                places.add(lines.span(at, word), quoted=around in _QUOTED)
            if word in self._calls.words:
                if unleash is None:
                    unleash = says_unleash(data)
                asked = self._calls.key(data, at, word, unleash=unleash)
                if asked is not None and not lines.ignored(asked[1]):
                    span = lines.span(asked[1], asked[0])
                    key = asked[0].decode("utf-8", "replace")
                    self.found.asked.setdefault(key, Places()).add(span, quoted=True)

    def _name(self, path: Path) -> str:
        """From the root, and as text that every report can hold."""
        return os.fsencode(os.path.relpath(path, self._root)).decode("utf-8", "backslashreplace")

    def _read(self, path: Path) -> bytes | None:
        """The content; None for a link, a folder, what is gone, binary or large."""
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                return None
            if about.st_size > LARGEST:
                self.found.large.append((self._name(path), about.st_size))
                return None
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        return None if b"\0" in data else data


class _Lines:
    """Where the bytes of a text are, asked for from its beginning to its end."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data
        self._at = 0
        self._number = 1

    def span(self, at: int, text: bytes) -> Span:
        """The place of a text that begins at a byte."""
        start = self._data.rfind(b"\n", 0, at) + 1
        if start < self._at:  # back, behind a call of several lines
            self._at, self._number = 0, 1
        self._number += self._data.count(b"\n", self._at, start)
        self._at = start
        column = len(self._data[start:at].decode("utf-8", "replace")) + 1
        return Span(self._name, self._number, column, len(text.decode("utf-8", "replace")))

    def ignored(self, at: int) -> bool:
        """Whether the line says that it does not count."""
        start = self._data.rfind(b"\n", 0, at) + 1
        end = self._data.find(b"\n", at)
        return _IGNORE.search(self._data, start, end if end >= 0 else len(self._data)) is not None


def _hits(words: bytes, wanted: Collection[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where each of the wanted words stands in a text that is cut into words, in order."""
    if len(wanted) <= _FEW:
        return iter(sorted(hit for word in wanted for hit in _each(words, word)))
    return ((one.start(), one[0]) for one in _WORD.finditer(words) if one[0] in wanted)


def _each(words: bytes, word: bytes) -> Iterator[tuple[int, bytes]]:
    at = words.find(word)
    while at >= 0:
        end = at + len(word)
        if words[at - 1 : at] in _EDGES and words[end : end + 1] in _EDGES:
            yield at, word
        at = words.find(word, end)
