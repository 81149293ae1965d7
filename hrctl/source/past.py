"""One resource through time: what it was at each commit that could have changed it.

The files of the project are followed from commit to commit by name and blob id alone. Only those
are opened that can bear on the resource: the registry.yaml files up its path, and what its
registries hold under its name; so a history of thousands of commits parses little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from hrctl.diagnostics import Span
from hrctl.model.address import Address
from hrctl.model.assemble import last_word, merged
from hrctl.model.document import Document, Place
from hrctl.model.fields import Key, Leaf, leaves
from hrctl.model.registry import REGISTRY_FILE, Record
from hrctl.model.scope import Scope, Template, is_handed_down
from hrctl.model.tree import Reading, Tree, complete
from hrctl.model.values import Json, canonical
from hrctl.source.log import Commit, Log
from hrctl.source.manifests import Manifests

_SHOWN: Final = ("dependsOn", "lifecycle")


@dataclass(slots=True)
class Files:
    """The files of a commit: path -> blob, and which folders are registries.

    `layouts` counts how often registries came or went.
    """

    blobs: dict[str, str] = field(default_factory=dict)
    registries: set[str] = field(default_factory=set)
    layouts: int = 0

    def change(self, changes: Sequence[tuple[str, str | None]]) -> bool:
        """Go to the next commit; whether a registry.yaml changed."""
        special = False
        for path, blob in changes:
            if blob is None:
                self.blobs.pop(path, None)
            else:
                self.blobs[path] = blob
            folder, _, name = path.rpartition("/")
            if name == REGISTRY_FILE:
                special = True
                self.layouts += (blob is not None) != (folder in self.registries)
                (self.registries.discard if blob is None else self.registries.add)(folder)
        return special

    def copy(self) -> Files:
        """A copy that goes its own way."""
        return Files(dict(self.blobs), set(self.registries), self.layouts)

    def owner(self, path: str) -> str | None:
        """The folder of the registry that a file belongs to."""
        folder = path.rpartition("/")[0]
        return folder if folder in self.registries else self.above(folder)

    def above(self, folder: str) -> str | None:
        """The nearest registry above a folder."""
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self.registries:
                return folder
        return None


class Version:
    """What a resource was: its manifest after inheritance, references as they are written."""

    def __init__(self, tree: Tree, address: Address, path: str) -> None:
        self.tree = tree
        self.address = address
        self.path = path  # of the file with its own document
        record, index = tree.where(address)
        whole = merged(tree, record, index)
        metadata = whole.get("metadata") or {}
        kept = {key: metadata.get(key) for key in ("labels", "annotations")}
        self.value: dict[str, Json] = {
            "metadata": kept,
            "spec": whole.get("spec") or {},
            **{key: whole[key] for key in _SHOWN if whole.get(key)},
            "driver": record.drivers[index],
        }

    def is_own(self, place: Place) -> bool:
        """Whether a document stands in the registry of the resource itself, not above it."""
        registry = self.tree.where(self.address).record.registry
        folder = registry.path.rpartition("/")[0]
        return not folder or place.path.startswith(f"{folder}/")

    @property
    def own_paths(self) -> list[str]:
        """The files with the documents that belong to it alone."""
        record, index = self.tree.where(self.address)
        places = record.places(index)
        return [
            one.path
            for one in places
            if self.is_own(one) and not self.tree.document(one).metadata.get("instances")
        ]

    @cached_property
    def text(self) -> str:
        """What two versions are compared by."""
        return canonical(self.value)

    @cached_property
    def leaves(self) -> Mapping[Key, Leaf]:
        """Its fields."""
        return leaves(self.value)

    @property
    def moved_from(self) -> Address | None:
        """The address that `movedFrom` names."""
        record, index = self.tree.where(self.address)
        return self.tree.moved_from(record, index) if index in record.moves else None

    def foreign_origin(self, path: str) -> Span | None:
        """Where the value at a field path was written, if not in the file of its document."""
        if path == "/driver":
            return None
        record, index = self.tree.where(self.address)
        place, within, _ = last_word(self.tree, record, index, path)
        return None if place.path == self.path else self.tree.locate(place, within)


class Past:
    """The versions of resources at the commits of a log."""

    def __init__(self, log: Log, manifests: Manifests) -> None:
        self.log = log
        self.manifests = manifests
        self._traces: dict[Address, dict[str, Version | None]] = {}

    def trace(self, address: Address) -> Mapping[str, Version | None]:
        """The version at each commit; None where it was not declared."""
        if address not in self._traces:
            self._traces[address] = _Trace(self.log, self.manifests, address).run()
        return self._traces[address]

    def files(self, commit: str) -> Files:
        """The files of a commit."""
        wanted = {commit}
        for one in self.log.commits.values():
            if one.id in wanted:
                wanted.update(one.parents[:1])
        found = Files()
        for one in reversed(self.log.commits.values()):
            if one.id in wanted:
                found.change(one.changes)
        return found


@dataclass(slots=True)
class _State:
    """Where a trace is: the files, the registries of the path, the documents of the name."""

    files: Files = field(default_factory=Files)
    chain: tuple[Document, ...] = ()
    hits: dict[str, tuple[Document, ...]] = field(default_factory=dict)
    version: Version | None = None

    @property
    def folders(self) -> set[str]:
        """Those of the registries of the path."""
        return {one.path.rpartition("/")[0] for one in self.chain}

    def copy(self) -> _State:
        return _State(self.files.copy(), self.chain, dict(self.hits), self.version)


class _Trace:
    """Follows one address from the first commit to the last."""

    def __init__(self, log: Log, manifests: Manifests, address: Address) -> None:
        self._log = log
        self._manifests = manifests
        self._address = address
        self._segments = address.registry.split("/")
        self._made: dict[tuple[Place, ...], Version | None] = {}

    def run(self) -> dict[str, Version | None]:
        """Parents before children; a state is handed on, and copied only where history forks."""
        commits = self._log.commits
        heirs: dict[str, int] = {}
        for one in commits.values():
            for parent in one.parents[:1]:
                heirs[parent] = heirs.get(parent, 0) + 1
        self._prefetch()
        states: dict[str, _State] = {}
        found: dict[str, Version | None] = {}
        for commit in reversed(commits.values()):
            state = self._inherited(commit, states, heirs)
            self._step(state, commit)
            found[commit.id] = state.version
            if heirs.get(commit.id):
                states[commit.id] = state
        return found

    @staticmethod
    def _inherited(commit: Commit, states: dict[str, _State], heirs: dict[str, int]) -> _State:
        parent = commit.parents[0] if commit.parents else ""
        if parent not in states:
            return _State()
        heirs[parent] -= 1
        return states[parent].copy() if heirs[parent] else states.pop(parent)

    def _prefetch(self) -> None:
        """Read at once what will be asked for, as far as the names of folders tell."""
        likely = {""}
        for one in self._log.commits.values():
            for path, _ in one.changes:
                folder, _, name = path.rpartition("/")
                if name == REGISTRY_FILE and folder.rpartition("/")[2] in self._segments:
                    likely.add(folder)
        wanted = [
            blob
            for one in self._log.commits.values()
            for path, blob in one.changes
            if blob is not None and path.rpartition("/")[0] in likely
        ]
        self._manifests.prefetch(wanted)

    def _step(self, state: _State, commit: Commit) -> None:
        if not commit.changes:
            return
        files, layouts = state.files, state.files.layouts
        touched = False
        if files.change(commit.changes):
            chain = self._chain(state)
            touched = chain != state.chain
            moved = [one.path for one in chain] != [one.path for one in state.chain]
            state.chain = chain
            if moved or files.layouts != layouts:
                self._rescan(state)
                touched = True
        folders = state.folders
        for path, blob in commit.changes if folders else ():
            if path in state.hits or files.owner(path) in folders:
                touched = self._scan(state, path, blob) or touched
        if touched:
            state.version = self._version(state) if folders else None

    def _rescan(self, state: _State) -> None:
        """Registries came or went: files may belong to others now."""
        files, folders = state.files, state.folders
        state.hits = {path: one for path, one in state.hits.items() if path in files.blobs}
        for path, blob in files.blobs.items():
            if files.owner(path) not in folders:
                state.hits.pop(path, None)
            elif path not in state.hits:
                self._scan(state, path, blob)

    def _scan(self, state: _State, path: str, blob: str | None) -> bool:
        """Look for the name in a file; whether there is, or was, a document of it."""
        before = state.hits.pop(path, ())
        if blob is not None:
            address = self._address
            now = tuple(self._manifests.named(path, blob, address.kind, address.name))
            if not now and (path, blob) in self._manifests.broken:
                now = before  # what it says is not known until it can be read again
            if now:
                state.hits[path] = now
                return now != before
        return bool(before)

    def _chain(self, state: _State) -> tuple[Document, ...]:
        """The Registry documents up the path, from the root; none where one is missing."""
        chain: list[Document] = []
        above: str | None = None
        for segment in self._segments:
            found = self._registry(state, above, segment)
            if found is None:
                return ()
            chain.append(found)
            above = found.path.rpartition("/")[0]
        return tuple(chain)

    def _registry(self, state: _State, above: str | None, name: str) -> Document | None:
        """The registry of a name directly below another."""
        files = state.files
        guess = f"{above}/{name}" if above else name
        others = sorted(files.registries, key=lambda folder: (folder != guess, folder))
        for folder in others:
            if files.above(folder) == above and (above is None or folder != above):
                found = self._document(state, folder)
                if found is not None and found.name == name:
                    return found
        return None

    def _document(self, state: _State, folder: str) -> Document | None:
        path = f"{folder}/{REGISTRY_FILE}" if folder else REGISTRY_FILE
        blob = state.files.blobs[path]
        for one in self._manifests.all(path, blob):
            if one.kind == "Registry" and not is_handed_down(one):
                return one
        if (path, blob) in self._manifests.broken:  # it is taken to be what it was
            return next((one for one in state.chain if one.path == path), None)
        return None

    def _version(self, state: _State) -> Version | None:
        """The resource as these documents make it; the same ones make the same."""
        documents = [one for path in sorted(state.hits) for one in state.hits[path]]
        key = tuple(one.place for one in (*state.chain, *documents))
        if key not in self._made:
            self._made[key] = self._build(state, documents)
        return self._made[key]

    def _build(self, state: _State, documents: Sequence[Document]) -> Version | None:
        scope = Scope()
        path, leaf = "", state.chain[-1]
        for registry in state.chain:
            folder = registry.path.rpartition("/")[0]
            own = [one for one in documents if state.files.owner(one.path) == folder]
            handed = [one for one in own if is_handed_down(one)]
            path = f"{path}/{registry.name}" if path else registry.name
            scope = scope.below(registry, path, handed)
        plain = [one for one in own if not is_handed_down(one)]
        template = self._template(scope, leaf, plain)
        if template is None:
            return None
        return self._made_of(scope, state.chain, template)

    def _template(self, scope: Scope, leaf: Document, plain: Sequence[Document]) -> Template | None:
        address = self._address
        if address.kind == "Registry":
            return Template(leaf) if leaf.name == address.name else None
        if plain:
            return Template(plain[0])
        return scope.templates.get((address.kind, address.name, scope.level))

    def _made_of(self, scope: Scope, chain: Sequence[Document], template: Template) -> Version:
        address = self._address
        documents = (template.base, *template.patches)
        record = Record(
            scope.path,
            chain[-1],
            addresses=[address],
            drivers=[scope.driver(address.kind)],
            digests=[""],
            lines=[template.base.line],
            sources=[[one.path, one.blob] for one in documents],
            written=[
                [part for number, one in enumerate(documents) for part in (number, one.number)]
            ],
        )
        moved = template.base.metadata.get("movedFrom")
        if isinstance(moved, str):
            record.moves[0] = moved
        records = [record]
        if len(chain) > 1:
            records.insert(0, Record(chain[0].name, chain[0]))
        known = {one.place: one for one in (*documents, *chain)}
        reading = Reading(known.__getitem__, self._locate, complete)
        return Version(Tree(records, {scope.path: scope}, reading), address, template.base.path)

    def _locate(self, place: Place, pointer: str) -> Span:
        from hrctl.source.chunks import split
        from hrctl.source.locate import locate

        chunks = split(self._manifests.text(place.blob) or "")
        return locate(chunks[place.number], place.path, pointer)
