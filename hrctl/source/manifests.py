"""Documents of earlier commits: read for what they say, not judged.

What is in history cannot be put right any more, so nothing is checked beyond what inheritance
needs: a document is taken if it is a map with a kind and a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, Final

from hrctl.model.document import Document
from hrctl.model.kinds import KINDS
from hrctl.model.values import digest_bytes
from hrctl.source.blobs import Blobs
from hrctl.source.chunks import Chunk, split
from hrctl.source.reading import first_line

_OURS: Final = "hrctl.dev/"
_NOT_READ: Final = object()


class Manifests:
    """The documents of blobs; each text is parsed once, wherever and whenever it stood.

    `broken` are the paths of files, with their blobs, that hold what is no YAML.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self.broken: set[tuple[str, str]] = set()
        self._values: dict[str, Any] = {}

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Read at once what will be asked for."""
        self.blobs.fetch(blobs)

    def text(self, blob: str) -> str | None:
        """The text of a blob, None where it is not UTF-8."""
        try:
            return self.blobs.get(blob).decode().removeprefix("\ufeff")
        except UnicodeDecodeError:
            return None

    def texts(self, blob: str) -> frozenset[str]:
        """The texts of a file's documents."""
        return frozenset(chunk.text.strip() for chunk in split(self.text(blob) or ""))

    def all(self, path: str, blob: str, skip: frozenset[str] = frozenset()) -> Iterator[Document]:
        """The documents of a file, without those whose texts are in `skip`."""
        return self._documents(path, blob, "", skip)

    def named(self, path: str, blob: str, kind: str, name: str) -> Iterator[Document]:
        """Those of a kind and a name; of the others nothing is parsed."""
        found = self._documents(path, blob, name)
        return (one for one in found if one.kind == kind and one.name == name)

    def _documents(
        self, path: str, blob: str, name: str, skip: frozenset[str] = frozenset()
    ) -> Iterator[Document]:
        for number, chunk in self._chunks(path, blob, name):
            if skip and chunk.text.strip() in skip:
                continue
            value = self._value(chunk, path, blob)
            if value is not None:
                digest = digest_bytes(chunk.text.encode("utf-8", "surrogatepass"))
                line = first_line(chunk)
                yield Document(path, blob, number, line, digest, digest, False, value)

    def _chunks(self, path: str, blob: str, name: str) -> list[tuple[int, Chunk]]:
        """The documents of a file in which a name stands, by number."""
        if name.encode() not in self.blobs.get(blob):
            return []
        text = self.text(blob)
        if text is None:
            self.broken.add((path, blob))
            return []
        return [(number, one) for number, one in enumerate(split(text)) if name in one.text]

    def _value(self, chunk: Chunk, path: str, blob: str) -> dict[str, Any] | None:
        found = self._values.get(chunk.text, _NOT_READ)
        if found is _NOT_READ:
            found = self._values[chunk.text] = _read(chunk, path)
        if found is False:
            self.broken.add((path, blob))
            return None
        taken: dict[str, Any] | None = found
        return taken


def _read(chunk: Chunk, path: str) -> dict[str, Any] | bool | None:
    """The document; None where it is none of ours, False where it cannot be read."""
    import yaml

    from hrctl.source.quick import DoubtError, quick

    try:
        return _ours(quick(chunk.text))
    except (DoubtError, yaml.YAMLError, ValueError):
        from hrctl.source.parse import parse_chunk  # the careful way, which takes long to import

        value, problems = parse_chunk(chunk, path)
        return False if problems else _ours(value)


def _ours(value: Any) -> dict[str, Any] | None:
    """The document, if it is one that the tree could hold."""
    if not isinstance(value, dict) or not str(value.get("apiVersion")).startswith(_OURS):
        return None
    metadata, spec = value.get("metadata"), value.get("spec")
    if value.get("kind") not in KINDS or not isinstance(metadata, dict):
        return None
    if not isinstance(metadata.get("name"), str) or not isinstance(spec, dict | NoneType):
        return None
    if value["kind"] == "Registry" and not _hands_down(spec or {}):
        return None
    return value


def _hands_down(spec: dict[str, Any]) -> bool:
    """Whether what a registry hands down has the shape that inheritance counts on."""
    defaults, drivers = spec.get("defaults") or {}, spec.get("drivers") or {}
    if not isinstance(defaults, dict) or not isinstance(drivers, dict):
        return False
    return all(isinstance(one, dict | NoneType) for one in defaults.values())
