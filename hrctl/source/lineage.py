"""The changes that made a resource what it is, newest first, followed through moves and renames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hrctl.model.address import Address
from hrctl.model.fields import FieldDiff, compare_leaves
from hrctl.source import git
from hrctl.source.log import Commit
from hrctl.source.manifests import Manifests
from hrctl.source.past import Files, Past, Version


@dataclass(frozen=True, slots=True)
class Step:
    """A commit that changed a resource: what it was, and what it became (None: not declared).

    Where it moved, `old` is of another address. A merge has `others`: what it was at its further
    parents.
    """

    commit: Commit
    old: Version | None
    new: Version | None
    others: tuple[Version, ...] = ()

    def fields(self) -> list[FieldDiff]:
        """Return the fields that the commit itself changed.

        What a merge took from a side as it was there, a commit of that side changed.
        """
        new = self.new.leaves if self.new else {}
        own = compare_leaves(self.old.leaves if self.old else {}, new)
        for other in self.others:
            differing = {field.key for field in compare_leaves(other.leaves, new)}
            own = [field for field in own if field.key in differing]
        return own

    @property
    def moved_from(self) -> Address | None:
        """The address that it had before, where that is another one."""
        if self.old is None or self.new is None or self.old.address == self.new.address:
            return None
        return self.old.address


def steps(
    root: Path, past: Past, address: Address, tips: Sequence[str] | None = None
) -> Iterator[Step]:
    """Each change of a resource that led to what it is at the tips (default: the log's).

    At a merge only the sides that it took something from are followed; the merge is a change
    itself where it is like none of them.
    """
    return _Lineage(root, past).steps(address, tips or [past.log.tip])


class _Lineage:
    def __init__(self, root: Path, past: Past) -> None:
        self._root = root
        self._past = past
        self._seen: set[Address] = set()

    def steps(self, address: Address, tips: Sequence[str]) -> Iterator[Step]:
        self._seen.add(address)
        versions = self._past.trace(address)
        active = set(tips)
        for commit in self._past.log.commits.values():
            if commit.id not in active:
                continue
            new = versions[commit.id]
            parents = [one for one in commit.parents if one in versions]
            alike = [one for one in parents if _same(versions[one], new)]
            if alike:
                active.add(alike[0])
                continue
            active.update(parents)
            declared = [one for parent in parents if (one := versions[parent]) is not None]
            old = declared[0] if declared else None
            if new is None and old is None:
                continue
            if old is None and new is not None and parents:
                yield from self._beginning(commit, parents, new)
                continue
            step = Step(commit, old, new, tuple(declared[1:]))
            if not step.others or new is None or step.fields():
                yield step

    def _beginning(self, commit: Commit, parents: Sequence[str], new: Version) -> Iterator[Step]:
        """The first change at this address, and where it moved here, those at the old one."""
        for address in self._origins(commit, parents[0], new):
            old = self._past.trace(address).get(parents[0])
            if old is not None and address not in self._seen:
                yield Step(commit, old, new)
                yield from self.steps(address, parents)
                return
        yield Step(commit, None, new)

    def _origins(self, commit: Commit, parent: str, new: Version) -> Iterator[Address]:
        """The addresses that it may have had: as it says itself, and as git sees files renamed."""
        if new.moved_from is not None:
            yield new.moved_from
        before = _renamed(self._root, commit, parent, new.path)
        if before is not None:
            files = self._past.files(parent)
            registry = registry_path(files, self._past.manifests, files.owner(before))
            if registry:
                yield Address.of(registry, new.address.kind, new.address.name)


def _same(one: Version | None, other: Version | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or one.text == other.text


def registry_path(files: Files, manifests: Manifests, folder: str | None) -> str | None:
    """The path of the registry in a folder, None where it cannot be read."""
    names = []
    while folder is not None:
        path = f"{folder}/registry.yaml" if folder else "registry.yaml"
        found = [one for one in manifests.all(path, files.blobs[path]) if one.kind == "Registry"]
        if not found:
            return None
        names.append(found[0].name)
        folder = files.above(folder) if folder else None
    return "/".join(reversed(names)) or None


def _renamed(root: Path, commit: Commit, parent: str, path: str) -> str | None:
    """The path that a file had before a commit, as git finds renames."""
    if not any(blob is None for _, blob in commit.changes):
        return None  # nothing went that could have come here
    output = git.run(
        root,
        "diff-tree",
        "-r",
        "-z",
        "--find-renames",
        "--diff-filter=R",
        "--name-status",
        "--relative",
        parent,
        commit.id,
    )
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    for before, after in zip(fields[1::3], fields[2::3], strict=False):
        if after == path:
            return before
    return None
