"""The files of a project by name: their documents, and the place of every field in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hrctl.diagnostics import HrctlError, Span
from hrctl.model.document import Document, Place
from hrctl.source import blobs, git
from hrctl.source.cache import Cache
from hrctl.source.chunks import Chunk, split
from hrctl.source.reading import Parsed, Raw, Row, documents, parse_files


class Sources:
    """Files by path and blob id; what they hold comes from memory, the cache, or their bytes.

    `failed` are the paths with errors, `moved` those that changed since they were listed, `packed`
    the rows that the cache does not have yet.
    """

    def __init__(
        self, root: Path, files: Mapping[str, str], cache: Cache, *, from_git: bool
    ) -> None:
        self.files = files
        self.from_git = from_git
        self.failed: set[str] = set()
        self.moved: set[str] = set()
        self.packed: list[tuple[str, bytes]] = []
        self._root = root
        self._cache = cache
        self._rows: dict[str, list[Row]] = {}
        self._old_blobs: dict[str, str] = {}
        self._faulty: set[str] = set()  # blobs
        self._chunks: dict[str, list[Chunk]] = {}

    def remember(self, sources: Iterable[Sequence[str]]) -> None:
        """Note earlier versions of files (path and blob), whose documents may still be the same."""
        self._old_blobs.update((path, blob) for path, blob in sources)

    def parse(self, paths: Sequence[str]) -> Parsed:
        """Make the documents of these files known; what is returned is new."""
        unknown = [path for path in paths if self._is_unknown(path)]
        found = self._cache.files([self.files[path] for path in unknown])
        self._rows.update(found)
        unseen = [path for path in unknown if self.files[path] not in found]
        if not unseen:
            return Parsed()
        parsed = parse_files(self._raw(unseen), len(unseen), self._known(unseen))
        self._rows.update(parsed.rows)
        self.failed |= parsed.failed
        self._faulty |= {self.files[path] for path in parsed.failed}
        self.moved |= parsed.moved
        self.packed += parsed.packed
        return parsed

    def _is_unknown(self, path: str) -> bool:
        blob = self.files[path]
        if blob in self._faulty:  # the same faults in another file are told there, too
            return path not in self.failed
        return blob not in self._rows

    def text(self, path: str) -> bytes:
        """What a file holds."""
        ((_, _, data),) = self._raw([path])
        return data

    def _known(self, paths: Sequence[str]) -> dict[str, Row]:
        """Documents of earlier versions of these files, by the digest of their text."""
        old = [self._old_blobs[path] for path in paths if path in self._old_blobs]
        return {row[2]: row for rows in self._cache.files(old).values() for row in rows}

    def _raw(self, paths: Sequence[str]) -> Iterator[Raw]:
        if self.from_git:
            contents = blobs.read(self._root, [self.files[path] for path in paths])
        else:
            contents = git.read_worktree(self._root, paths)
        for path, data in zip(paths, contents, strict=True):
            yield path, self.files[path], data

    def documents(self, path: str) -> list[Document]:
        """The documents of a file, without those that have errors."""
        blob = self.files[path]
        if blob not in self._rows:
            self.parse([path])
        return documents(path, blob, self._rows[blob])

    def document(self, place: Place) -> Document:
        """The document at a place."""
        rows = self._rows.get(place.blob)
        if rows is None:
            self.parse([place.path])
            rows = self._rows[place.blob]
        number = place.number  # rows are in order, without those that have errors
        row = rows[number] if number < len(rows) and rows[number][0] == number else None
        if row is None:
            row = next((row for row in rows if row[0] == number), None)
        if row is None:
            raise HrctlError.of(
                "HR067", f"{place.path} changed while it was being read", hint="run it again"
            )
        return Document(place.path, place.blob, *row)

    def locate(self, place: Place, pointer: str, *, key: bool = False) -> Span:
        """Where a field of a document is written."""
        from hrctl.source.locate import locate

        chunks = self._chunks.get(place.path)
        if chunks is None:
            chunks = split(self.text(place.path).decode("utf-8-sig", "replace"))
            self._chunks[place.path] = chunks
        if place.number >= len(chunks):
            return Span(place.path)
        return locate(chunks[place.number], place.path, pointer, key=key)
