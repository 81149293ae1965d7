"""Two revisions of a project: the documents in which they differ, and nothing else is parsed.

git names the files that differ; of these only the documents are read whose text is not the same on
both sides, and the registry.yaml files up the path, for the addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from hrctl.model.address import Address
from hrctl.model.document import Document
from hrctl.model.kinds import desugar
from hrctl.model.registry import REGISTRY_FILE
from hrctl.model.values import Json, canonical
from hrctl.source import git
from hrctl.source.lineage import registry_path
from hrctl.source.log import is_manifest
from hrctl.source.manifests import Manifests
from hrctl.source.past import Files

_ASKED: Final = 500  # paths to a command line; above, the whole tree is listed


class Side(NamedTuple):
    """One of the two: a commit, or None for the working tree; and its files, as far as needed."""

    commit: str | None
    files: Files


class Role(NamedTuple):
    """What a document is: a resource, an `instances` document, or a `patch`, and where."""

    address: Address
    patch: bool


@dataclass(frozen=True, slots=True)
class Declared:
    """A document at one side, in the form that is compared."""

    role: Role
    document: Document
    value: Mapping[str, Json]

    @property
    def instances(self) -> str | None:
        """The level at which it has instances."""
        found: str | None = self.document.metadata.get("instances")
        return found


@dataclass(frozen=True, slots=True)
class Pair:
    """A document at both sides; None where it is not there. `files` tells the paths."""

    old: Declared | None
    new: Declared | None
    is_declared_move: bool = False  # by movedFrom

    @property
    def role(self) -> Role:
        """Of the new one, else of the old."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - one of them is there
        return found.role

    @property
    def is_moved(self) -> bool:
        """Whether it has another address."""
        return self.old is not None and self.new is not None and self.old.role != self.new.role


def changed_paths(
    root: Path, old: str, new: str | None, within: str, manifests: Manifests
) -> dict[str, tuple[str | None, str | None]]:
    """Path -> its blobs at both sides; `new` is None for the working tree."""
    if new is not None:
        return _between(root, old, new, within)
    before = git.list_revision(root, old, within).files
    after = git.list_worktree(root, within).files
    found = {}
    for path in sorted({**before, **after}):
        pair = before.get(path), after.get(path)
        if pair[0] != pair[1] and path != git.PROJECT:
            if pair[1] is not None:
                manifests.blobs.keep(pair[1], (root / path).read_bytes())
            found[path] = pair
    return found


def _between(
    root: Path, old: str, new: str, within: str
) -> dict[str, tuple[str | None, str | None]]:
    output = git.run(
        root, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--relative", old, new, "--", within
    )
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    found = {}
    for meta, path in zip(fields[::2], fields[1::2], strict=False):
        mode_old, mode_new, blob_old, blob_new, _ = meta[1:].split(" ")
        if is_manifest(path):
            found[path] = (
                blob_old if mode_old.startswith("100") else None,
                blob_new if mode_new.startswith("100") else None,
            )
    return found


def sides(
    root: Path,
    old: str,
    new: str | None,
    paths: Mapping[str, tuple[str | None, str | None]],
    manifests: Manifests,
) -> tuple[Side, Side]:
    """Both sides with the files that differ, and every registry.yaml above them."""
    wanted = _registries_above(paths)
    before = Files()
    before.change([*_at(root, old, wanted).items(), *((p, pair[0]) for p, pair in paths.items())])
    after = Files()
    if new is not None:
        there = _at(root, new, wanted)
    else:
        there = {}
        for path in wanted:
            if (root / path).is_file():
                data = (root / path).read_bytes()
                there[path] = git.blob_id(data)
                manifests.blobs.keep(there[path], data)
    after.change([*there.items(), *((p, pair[1]) for p, pair in paths.items())])
    return Side(old, before), Side(new, after)


def _registries_above(paths: Iterable[str]) -> list[str]:
    folders = {path.rpartition("/")[0] for path in paths}
    for folder in list(folders):
        while folder:
            folder = folder.rpartition("/")[0]  # noqa: PLW2901 - it climbs
            folders.add(folder)
    return [f"{folder}/{REGISTRY_FILE}" if folder else REGISTRY_FILE for folder in folders]


def _at(root: Path, commit: str, paths: list[str]) -> dict[str, str]:
    """Those of the paths that a commit has, with their blobs."""
    few = paths if len(paths) <= _ASKED else []
    output = git.run(
        root, "--literal-pathspecs", "ls-tree", "-r", "-z", commit, *(["--", *few] if few else [])
    )
    found = {}
    wanted = set(paths)
    for line in output.decode("utf-8", "surrogateescape").split("\0"):
        meta, _, path = line.partition("\t")
        if path in wanted and meta.startswith("100"):
            found[path] = meta.split(" ")[2]
    return found


def pairs(
    before: Side,
    after: Side,
    paths: Mapping[str, tuple[str | None, str | None]],
    manifests: Manifests,
) -> list[Pair]:
    """The documents that differ, by address; what moved is one pair."""
    manifests.blobs.fetch(blob for pair in paths.values() for blob in pair if blob is not None)
    old: dict[Role, Declared] = {}
    new: dict[Role, Declared] = {}
    for path, (was, now) in paths.items():
        same_text = manifests.texts(was) & manifests.texts(now) if was and now else frozenset()
        if path.rpartition("/")[2] == REGISTRY_FILE:
            same_text = frozenset()  # another name is another address for all that is in it
        for side, blob, found in ((before, was, old), (after, now, new)):
            if blob is not None:
                for one in _declared(side.files, path, blob, manifests, same_text):
                    found.setdefault(one.role, one)
    kept = [
        Pair(old.get(role), one)
        for role, one in new.items()
        if role not in old or canonical(old[role].value) != canonical(one.value)
    ]
    kept += [Pair(old[role], None) for role in old if role not in new]
    return _moved(kept)


def _declared(
    files: Files, path: str, blob: str, manifests: Manifests, skip: frozenset[str]
) -> Iterator[Declared]:
    registry = registry_path(files, manifests, files.owner(path))
    for document in manifests.all(path, blob, skip):
        home = registry or "(no registry)"
        address = Address.of(home, document.kind, document.name)
        role = Role(address, bool(document.metadata.get("patch")))
        yield Declared(role, document, _compared(document))


def _compared(document: Document) -> dict[str, Json]:
    metadata = document.metadata
    kept = {key: metadata.get(key) for key in ("labels", "annotations", "instances")}
    return {
        "metadata": kept,
        "spec": desugar(document.kind, dict(document.spec)),
        **{key: document.value.get(key) for key in ("dependsOn", "lifecycle")},
    }


def _moved(found: list[Pair]) -> list[Pair]:
    """Join what went with what came.

    Where it says `movedFrom`; where it says the same elsewhere; and where it stands in the same
    file under the same name, as when its registry got another one.
    """
    gone = {one.old.role: one.old for one in found if one.new is None and one.old is not None}
    came = [one.new for one in found if one.old is None and one.new is not None]
    joined: dict[Role, Pair] = {}
    for one in came:
        named = _named_origin(one)
        origin = gone.pop(Role(named, one.role.patch), None) if named else None
        if origin is not None:
            joined[one.role] = Pair(origin, one, is_declared_move=True)
    for likeness in (_content, _place):
        left: dict[str, list[Declared]] = {}
        for one in gone.values():
            left.setdefault(likeness(one), []).append(one)
        for one in came:
            alike = left.get(likeness(one), ()) if one.role not in joined else ()
            if len(alike) == 1 and alike[0].role in gone:
                joined[one.role] = Pair(gone.pop(alike[0].role), one)
    return [joined.get(one.role, one) for one in found if one.new is not None or one.role in gone]


def _content(one: Declared) -> str:
    return f"{one.role.address.kind}\0{one.role.patch}\0{canonical(one.value)}"


def _place(one: Declared) -> str:
    name = "" if one.role.address.kind == "Registry" else one.role.address.name
    return f"{one.document.path}\0{one.role.address.kind}\0{one.role.patch}\0{name}"


def _named_origin(one: Declared) -> Address | None:
    """The address in `movedFrom`, as `Tree.moved_from` reads it."""
    text = one.document.metadata.get("movedFrom")
    if not isinstance(text, str):
        return None
    home = one.role.address.registry
    if ":" not in text:
        return Address(f"{home}:{text}")
    root = home.partition("/")[0]
    if text.partition(":")[0] == root or text.startswith(f"{root}/"):
        return Address(text)
    return Address(f"{root}/{text}")
