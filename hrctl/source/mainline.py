"""Many resources on the way of a branch itself: what each one was, and which commit brought it.

A resource is asked about only at the commits where one of its documents changed, or a
registry.yaml. Which those are is found for all names at once: the documents of a file that differ
before and after a commit are cut into words, and the names among them are meant.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from hrctl.model.address import Address
from hrctl.model.registry import REGISTRY_FILE
from hrctl.source.blobs import Blobs
from hrctl.source.chunks import Chunk
from hrctl.source.log import Commit, Log
from hrctl.source.manifests import Manifests
from hrctl.source.past import Past, Version
from hrctl.source.words import cut

_KEPT: Final = 16  # files whose documents are kept by name

Changes = dict[str, str | None]  # path -> blob, None where it is gone


class Mainline:
    """The first parents of a log, for resources with certain names."""

    def __init__(self, log: Log, blobs: Blobs, names: Collection[str]) -> None:
        self._log = log
        self._manifests = _ByName(blobs, frozenset(names))
        self._commits = list(_first_parents(log))  # the latest first
        self._registries: dict[str, Changes] = {}  # by commit
        self._named: defaultdict[str, dict[str, Changes]] = defaultdict(dict)
        self._follow()

    @property
    def is_cut(self) -> bool:
        """Whether a shallow clone ends here, and older commits are not known."""
        return self._commits[-1].id in self._log.shallow

    def versions(self, address: Address) -> Iterator[tuple[Commit, Version | None]]:
        """What a resource was, the latest first; None where it was not declared.

        Each with the commit that brought it to the branch: of what was made on another, the merge.
        Moves are not followed.
        """
        commits = self._reduced(self._named[address.name])
        log = Log({one.id: one for one in commits}, commits[0].id, self._log.shallow)
        found = Past(log, self._manifests).trace(address)
        for newer, older in zip(commits, [*commits[1:], None], strict=True):
            if older is None or found[older.id] is not found[newer.id]:
                yield newer, found[newer.id]

    def _reduced(self, named: dict[str, Changes]) -> list[Commit]:
        """The commits that matter, each the child of the next, with the changes that matter."""
        kept: list[Commit] = []
        for one in self._commits:
            changes = self._registries.get(one.id, {}) | named.get(one.id, {})
            if changes or one is self._commits[0]:
                kept.append(replace(one, changes=list(changes.items())))
        parents: Sequence[tuple[str, ...]] = [*((one.id,) for one in kept[1:]), ()]
        return [replace(one, parents=up) for one, up in zip(kept, parents, strict=True)]

    def _follow(self) -> None:
        """From the first commit to the last: which names the documents that differ have in them."""
        texts: dict[str, frozenset[str]] = {}
        for commit in reversed(self._commits):
            for path, blob in commit.changes:
                if path.rpartition("/")[2] == REGISTRY_FILE:
                    self._registries.setdefault(commit.id, {})[path] = blob
                before = texts.pop(path, frozenset())
                now = frozenset() if blob is None else self._manifests.texts(blob)
                if now:
                    texts[path] = now
                if blob is not None:  # a long history of a large file would fill the memory
                    self._manifests.blobs.forget(blob)
                for name in self._manifests.names(before ^ now):
                    self._named[name].setdefault(commit.id, {})[path] = blob


def _first_parents(log: Log) -> Iterator[Commit]:
    newest = log.commits.get(log.tip)
    while newest is not None:
        yield newest
        newest = log.commits.get(newest.parents[0]) if newest.parents else None


class _ByName(Manifests):
    """Documents of blobs, found by the names that are wanted without looking at all of them.

    Few files are held at a time; nearly all that is asked of one comes at once.
    """

    def __init__(self, blobs: Blobs, wanted: frozenset[str]) -> None:
        super().__init__(blobs)
        self._wanted = {one.encode(): one for one in wanted}
        self._indexes: OrderedDict[str, dict[str, list[tuple[int, Chunk]]]] = OrderedDict()

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Nothing: each file is read when it is asked for."""

    def names(self, texts: Collection[str]) -> list[str]:
        """The names that stand in some of these texts."""
        words = cut("\n".join(texts).encode("utf-8", "surrogatepass")).split()
        return [self._wanted[one] for one in self._wanted.keys() & words]

    def _chunks(self, path: str, blob: str, name: str) -> list[tuple[int, Chunk]]:
        if name.encode() not in self._wanted:
            return super()._chunks(path, blob, name)
        if blob not in self._indexes:
            self._indexes[blob] = self._index(path, blob)
            self.blobs.forget(blob)
            if len(self._indexes) > _KEPT:
                self._indexes.popitem(last=False)
        return self._indexes[blob].get(name, [])

    def _index(self, path: str, blob: str) -> dict[str, list[tuple[int, Chunk]]]:
        found: dict[str, list[tuple[int, Chunk]]] = {}
        for number, chunk in super()._chunks(path, blob, ""):
            for name in self.names([chunk.text]):
                found.setdefault(name, []).append((number, chunk))
        return found
