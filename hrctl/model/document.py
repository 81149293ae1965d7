"""One YAML document as the tree sees it, and what can be found wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hrctl.diagnostics import Severity


class Place(NamedTuple):
    """A document: its file, the blob with this content, and its number in the file, from 0."""

    path: str
    blob: str
    number: int


class Document(NamedTuple):
    """A parsed document that has passed on its own; it is what the cache keeps of it.

    `text_digest` is that of its text, `digest` that of its values. `complete` tells that its
    spec is valid without anything inherited. `line` is the line of the file that it begins on.
    `suspects` are the values in it that look like a secret: pairs of a pointer and why.
    """

    path: str
    blob: str
    number: int
    line: int
    text_digest: str
    digest: str
    complete: bool
    value: Mapping[str, Any]
    suspects: Sequence[Sequence[str]] = ()

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.path, self.blob, self.number)

    @property
    def kind(self) -> str:
        """Its kind; it is one of the nine."""
        kind: str = self.value["kind"]
        return kind

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata; the name is there."""
        metadata: Mapping[str, Any] = self.value["metadata"]
        return metadata

    @property
    def name(self) -> str:
        """Its name."""
        name: str = self.metadata["name"]
        return name

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its own spec, without what it inherits."""
        return self.value.get("spec") or {}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a document, before anyone has looked up line and column.

    `pointer` is the field within the document, `related` are other places with a word on each.
    `wanted` is the name of what is missing: where a file that says it could not be read, the
    finding is in doubt.
    """

    place: Place
    pointer: str
    code: str
    summary: str
    hint: str | None = None
    note: str | None = None
    at_key: bool = False
    severity: Severity = Severity.ERROR
    address: str | None = None
    related: tuple[tuple[str, Place, str], ...] = ()  # message, place, pointer
    wanted: str | None = None
