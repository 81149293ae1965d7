"""Changes to manifests before they are on disk: which files get which texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hrctl.cli.files import write_texts
from hrctl.diagnostics import Diagnostic, HrctlError, Related, SafetyError
from hrctl.model.address import Address, ancestors, is_within
from hrctl.model.document import Document
from hrctl.model.registry import Record
from hrctl.model.tree import Tree
from hrctl.model.values import Json
from hrctl.source.edit import REMOVE, Edit, append_document, apply_edits, remove_document

API_VERSION = "hrctl.dev/v1"
PATCHES = "patches.yaml"
_TAKEN = frozenset({"hrctl", "registry"})  # file names that mean something of their own
_SHOWN = 12
NULL = object()  # as the value of a field: write null, which removes what is inherited


@dataclass(slots=True)
class Draft:
    """New texts of files by their paths below `root`; None removes a file."""

    root: Path
    texts: dict[str, str | None] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text of a file as the draft has it; empty where there is none."""
        if path not in self.texts:
            self.before[path] = self.texts[path] = self._on_disk(path)
        return self.texts[path] or ""

    def _on_disk(self, path: str) -> str | None:
        file = self.root / path
        # bytes, since reading as text would turn \r\n into \n
        return file.read_bytes().decode("utf-8") if file.exists() else None

    def change(self, path: str, edit: Callable[[str], str]) -> None:
        """Replace the text of a file; one that becomes empty is removed."""
        new = edit(self.text(path))
        self.texts[path] = new if new.strip() else None

    @property
    def paths(self) -> list[str]:
        """The files whose text differs from what is on disk, sorted."""
        return sorted(path for path, new in self.texts.items() if new != self.before[path])

    def lines(self) -> list[str]:
        """A unified diff of everything."""
        from difflib import unified_diff

        found: list[str] = []
        for path in self.paths:
            old, new = self.before[path], self.texts[path]
            found += unified_diff(
                _lines(old),
                _lines(new),
                f"a/{path}" if old is not None else "/dev/null",
                f"b/{path}" if new is not None else "/dev/null",
                lineterm="",
            )
        return found

    def write(self) -> None:
        """Put the new texts on disk, if every file still is as it was read.

        Raises:
            HrctlError: HR108, where another program has written one; nothing is written then.
        """
        for path, text in self.before.items():
            if self._on_disk(path) != text:
                raise HrctlError.of(
                    "HR108",
                    f"{path} was changed by another program while this edit was made",
                    hint="nothing was changed; run the command again",
                )
        self._put(self.texts, self.paths)

    def restore(self) -> None:
        """Put the old texts back; files and folders that did not exist before are removed.

        A file that another program has written since keeps what it holds.
        """
        self._put(self.before, [one for one in self.paths if self._on_disk(one) == self.texts[one]])

    def _put(self, texts: Mapping[str, str | None], paths: Iterable[str]) -> None:
        paths = list(paths)
        write_texts({self.root / one: text for one in paths if (text := texts[one]) is not None})
        for file in (self.root / one for one in paths if texts[one] is None):
            file.unlink(missing_ok=True)
            with suppress(OSError):  # a folder that is not empty stays, with all above it
                for folder in file.parents:
                    if folder == self.root:
                        break
                    folder.rmdir()


def _lines(text: str | None) -> list[str]:
    lines = (text or "").split("\n")
    return lines[:-1] if not lines[-1] else lines


def manifest(kind: str, name: str, **metadata: Json) -> dict[str, Json]:
    """A manifest with an empty spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": {},
    }


def record_of(tree: Tree, path: str) -> Record:
    """The record of a registry that is declared."""
    return next(record for record in tree.records if record.path == path)


def append(draft: Draft, path: str, document: dict[str, Json], edits: Sequence[Edit] = ()) -> None:
    """Add a document to a file, new or not, and then change it."""
    from hrctl.source.chunks import split

    draft.change(path, lambda text: append_document(text, document))
    last = len(split(draft.text(path))) - 1
    draft.change(path, lambda text: apply_edits(text, last, edits))


def add_resource(
    draft: Draft, tree: Tree, address: Address, group: str, fields: Mapping[str, Json]
) -> None:
    """Write the manifest of a new resource into a file of its own name.

    Args:
        draft: to write into.
        tree: as it is now.
        address: of the new one; that of a Registry ends its own path.
        group: the command group of its kind, for a second name of the file.
        fields: JSON Pointers into the manifest, and values.
    """
    name = address.name
    above = address.registry
    file = f"{name}.yaml" if name not in _TAKEN else f"{name}-{group}.yaml"
    if address.kind == "Registry":
        above = above.rpartition("/")[0]
        file = f"{name}/registry.yaml"
    edits = [Edit(pointer, value) for pointer, value in fields.items()]
    append(draft, beside(tree, above, file), manifest(address.kind, name), edits)


def beside(tree: Tree, registry: str, file: str) -> str:
    """The path of a file in the folder of a registry, declared or yet to be."""
    known = next(path for path in ancestors(registry) if path in tree.registries)
    folder = Path(tree.registries[known].span.path).parent
    return (folder / registry.removeprefix(known).lstrip("/") / file).as_posix()


def change_fields(draft: Draft, tree: Tree, address: Address, fields: Mapping[str, Json]) -> None:
    """Set fields (by their paths in the manifest; None removes, NULL is null) of one resource."""
    edits = [
        Edit(path, REMOVE if value is None else None if value is NULL else value)
        for path, value in fields.items()
    ]
    change_document(draft, tree, address, edits)


def change_document(draft: Draft, tree: Tree, address: Address, edits: Sequence[Edit]) -> None:
    """Change the document of one resource.

    A resource that is an instance of a document above gets a patch in its own registry, so that no
    other instance changes.
    """
    own = own_document(tree, address)
    if own is not None:
        draft.change(own.path, lambda text: apply_edits(text, own.number, edits))
        return
    patch = manifest(address.kind, address.name, patch=True)
    append(draft, beside(tree, address.registry, PATCHES), patch, edits)


def own_document(tree: Tree, address: Address) -> Document | None:
    """The document that is of one resource alone: its own, or its patch in its own registry."""
    record, index = tree.where(address)
    places = record.places(index)
    if is_instance(tree, address):
        handed = {one.place for one in record.handed}
        places = [place for place in places if place in handed][-1:]
    return tree.document(places[0]) if places else None


def is_instance(tree: Tree, address: Address) -> bool:
    """Whether a resource is made by a document above, with `instances`."""
    record, index = tree.where(address)
    return bool(tree.document(record.places(index)[0]).metadata.get("instances"))


def remove_resource(draft: Draft, tree: Tree, address: Address) -> None:
    """Take a resource's own document away.

    Raises:
        HrctlError: HR161, where it is an instance of a document above.
    """
    record, index = tree.where(address)
    place = record.places(index)[0]
    if tree.document(place).metadata.get("instances"):
        raise HrctlError.of(
            "HR161",
            f"{address} is an instance of the document in {place.path}",
            hint="remove that document, and every instance of it goes",
        )
    draft.change(place.path, lambda text: remove_document(text, place.number))


def remove_registry(draft: Draft, tree: Tree, path: str, *, cascade: bool) -> None:
    """Take a registry away; with `cascade` every manifest in its folder and below.

    Raises:
        SafetyError: HR128, where something is in it and `cascade` does not say so.
    """
    own = record_of(tree, path).registry
    inside = list(_inside(tree, path))
    if inside and not cascade:
        shown = tuple(Related(one) for one in inside[:_SHOWN])
        more = len(inside) - len(shown)
        raise SafetyError(
            Diagnostic(
                "HR128",
                f"registry {path} is not empty",
                related=shown,
                note=f"and {more} more" if more else None,
                hint="say --cascade to remove all that is in it",
            )
        )
    if cascade:
        for file in sorted(_files(tree, path)):
            draft.change(file, lambda _: "")
    else:
        draft.change(own.path, lambda text: remove_document(text, own.number))


def _inside(tree: Tree, path: str) -> Iterator[str]:
    """What a registry holds, resources and what it hands down, but not itself."""
    itself = Address.of(path, "Registry", path.rpartition("/")[2])
    yield from (address for address in tree.within(path) if address != itself)
    for record in tree.records:
        if is_within(record.path, path):
            for one in record.handed:
                what = "patch of" if one.metadata.get("patch") else "document for instances of"
                yield f"{what} {one.kind}/{one.name} in {one.path}"


def _files(tree: Tree, path: str) -> set[str]:
    """The files of manifests in the folder of a registry and below it."""
    records = [record for record in tree.records if is_within(record.path, path)]
    folder = Path(records[0].registry.path).parent
    named = {source[0] for record in records for source in record.sources}
    named |= {one.path for record in records for one in (record.registry, *record.handed)}
    return {file for file in named if Path(file).is_relative_to(folder)}
