"""How far a tree may expand: what registries inherit multiplies with their number.

A few kilobytes of templates below a few kilobytes of registries stand for millions of resources.
The limits are far above what a tree needs that people look after, and are reached before the memory
is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hrctl.model.document import Document
from hrctl.model.values import Json, canonical

MAX_INSTANCES: Final = 200_000  # resources that documents with `instances` make
MAX_CHARACTERS: Final = 100_000_000  # of all that resources inherit: templates, patches, defaults
MAX_REFERRED: Final = 1_000_000  # characters and values that the references of a resource stand for


@dataclass(slots=True)
class Referred:
    """How much the references of one resource stand for: each can double what is behind it."""

    left: int = MAX_REFERRED

    def take(self, value: Json) -> bool:
        """Count a value that a reference stands for. Return whether there was room for it."""
        waiting = [value]
        while waiting and self.left >= 0:
            item = waiting.pop()
            self.left -= 1 + (len(item) if isinstance(item, str | list | dict) else 0)
            if isinstance(item, dict):
                waiting += item.values()
            elif isinstance(item, list):
                waiting += item
        return self.left >= 0

    def summary(self) -> str:
        """Say which limit is passed."""
        return f"references stand for more than {MAX_REFERRED:,} characters and values"


@dataclass(slots=True)
class Allowance:
    """What is left for the registries of a tree."""

    instances: int = MAX_INSTANCES
    characters: int = MAX_CHARACTERS
    exhausted: bool = False  # and reported
    _sizes: dict[str, int] = field(default_factory=dict)

    def take(self, instances: int, characters: int) -> bool:
        """Take what a resource inherits. Return whether that much was left."""
        self.instances -= instances
        self.characters -= characters
        return self.instances >= 0 and self.characters >= 0

    def size(self, document: Document) -> int:
        """Return the characters of a document, with each alias counted as what it stands for."""
        size = self._sizes.get(document.digest)
        if size is None:
            size = self._sizes[document.digest] = len(canonical(dict(document.value)))
        return size

    def summary(self) -> str:
        """Say which limit is passed."""
        if self.instances < 0:
            return f"more than {MAX_INSTANCES:,} instances of documents in the whole tree"
        return f"resources inherit more than {MAX_CHARACTERS:,} characters in the whole tree"
