"""What a tree must come to, computed from docs/hierarchy.md alone and without any of hrctl's code.

A value is a leaf: a path of names with a scalar or a list. Layers are laid over one another leaf by
leaf, where hrctl merges maps; so the two share no idea but the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LEVELS = ("ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT")
Path = tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A document in a file of its own; `content` is the manifest without apiVersion and kind."""

    file: str
    kind: str
    name: str
    content: Mapping[str, Any]
    instances: str | None = None
    patch: bool = False


@dataclass(frozen=True)
class Folder:
    """A registry with its documents and those below it."""

    name: str
    level: str
    file: str
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    documents: Sequence[Written] = ()
    children: Sequence[Folder] = ()


class Leaf(NamedTuple):
    """A final value, and the file and the layer that it comes from."""

    value: Any
    file: str
    layer: str


Leaves = dict[Path, Leaf]


@dataclass
class Expected:
    """What must come out: the leaves of each address, and the codes of all errors."""

    resources: dict[str, Leaves] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def expected(root: Folder) -> Expected:
    """Compute all resources of a tree."""
    found = Expected()
    for chain in _chains((root,)):
        _registry(chain, found)
    return found


def _chains(above: tuple[Folder, ...]) -> Iterator[tuple[Folder, ...]]:
    yield above
    for child in above[-1].children:
        yield from _chains((*above, child))


def _registry(chain: tuple[Folder, ...], found: Expected) -> None:
    here = chain[-1]
    path = "/".join(folder.name for folder in chain)
    for document in here.documents:
        if document.patch and not _patched(chain, document):
            found.errors.append("HR044")
        if document.instances and any(
            _alike(document, other) and other.instances == document.instances
            for folder in chain[:-1]
            for other in folder.documents
        ):
            found.errors.append("HR043")
    own = [(at, one) for at, one in _bases(chain)]
    for at, base in own:
        address = f"{path}:{base.kind}/{base.name}"
        if address in found.resources:
            found.errors.append("HR043")
            continue
        found.resources[address] = _leaves(chain, at, base)


def _bases(chain: tuple[Folder, ...]) -> Iterator[tuple[int, Written]]:
    """The documents that make a resource in the last registry, with the depth they stand at."""
    last = len(chain) - 1
    for document in chain[last].documents:
        if not document.instances and not document.patch:
            yield last, document
    for at, folder in enumerate(chain[:last]):
        for document in folder.documents:
            if document.instances == chain[last].level:
                yield at, document


def _alike(one: Written, other: Written) -> bool:
    return (one.kind, one.name) == (other.kind, other.name)


def _patched(chain: tuple[Folder, ...], patch: Written) -> bool:
    """Whether something that is inherited has instances here or below."""
    here = LEVELS.index(chain[-1].level)
    return any(
        _alike(document, patch)
        and document.instances is not None
        and LEVELS.index(document.instances) >= here
        for folder in chain[:-1]
        for document in folder.documents
    )


def _leaves(chain: tuple[Folder, ...], at: int, base: Written) -> Leaves:
    found: Leaves = {}
    for folder in chain:
        if base.kind in folder.defaults:
            _lay(found, {"spec": folder.defaults[base.kind]}, folder.file, "defaults")
    _lay(found, base.content, base.file, "document")
    if base.instances:
        for folder in chain[at + 1 :]:
            for document in folder.documents:
                if document.patch and _alike(document, base):
                    _lay(found, document.content, document.file, "patch")
    return {
        path: Leaf(_resolved(chain, leaf.value), leaf.file, leaf.layer)
        for path, leaf in found.items()
        if leaf.value != []
    }


def _lay(found: Leaves, content: Mapping[str, Any], file: str, layer: str) -> None:
    for path, value in _flat(content, ()):
        for other in [one for one in found if one[: len(path)] == path or path[: len(one)] == one]:
            del found[other]
        if value is not None:
            found[path] = Leaf(value, file, layer)


def _flat(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and "valueFrom" not in value:
        for key, item in value.items():
            yield from _flat(item, (*path, key))
    else:
        yield path, value


def _resolved(chain: tuple[Folder, ...], value: Any) -> Any:
    """A reference to the Config that is nearest, upwards."""
    if not isinstance(value, Mapping):
        return value
    source = value["valueFrom"]
    for folder in reversed(chain):
        for document in folder.documents:
            if (document.kind, document.name) == ("Config", source["config"]):
                return document.content["spec"]["entries"][source["key"]]["value"]
    raise AssertionError(f"no {source['config']}")
