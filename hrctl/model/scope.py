"""What a registry hands down to those below it: defaults, drivers, templates and their patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hrctl.model.document import Document
from hrctl.model.kinds import desugar
from hrctl.model.values import Json, canonical, digest, digest_bytes, merge

LEVELS: Final = ("ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT")
Key = tuple[str, str, str]  # kind, name, and the level of the instances


@dataclass(frozen=True, slots=True)
class Template:
    """A document with `instances`, and the patches that have come to it on the way down."""

    base: Document
    patches: tuple[Document, ...] = ()

    @property
    def level(self) -> str:
        """The level of the registries that get an instance."""
        level: str = self.base.metadata["instances"]
        return level


@dataclass(slots=True)
class Scope:
    """Everything inherited at one registry, itself included.

    `documents` are the Registry documents from the root down to here. `digest` stands for all
    that a registry below can inherit.
    """

    path: str = ""
    level: str = ""
    drivers: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    templates: Mapping[Key, Template] = field(default_factory=dict)
    digest: str = ""
    _defaults: dict[str, tuple[dict[str, Json], str]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def defaults(self, kind: str) -> tuple[dict[str, Json], str]:
        """The merged partial spec for a kind, and its digest ("" where there is none)."""
        found = self._defaults.get(kind)
        if found is None:
            merged: dict[str, Json] = {}
            for document in self.documents:
                partial = (document.spec.get("defaults") or {}).get(kind)
                if partial:
                    merged = merge(merged, desugar(kind, partial))
            found = (merged, digest(merged) if merged else "")
            self._defaults[kind] = found
        return found

    def templates_of(self, document: Document) -> list[Template]:
        """Return the inherited templates of a document's kind and name, the highest level first."""
        keys = ((document.kind, document.name, level) for level in LEVELS)
        return [self.templates[key] for key in keys if key in self.templates]

    def defaults_size(self, kind: str) -> int:
        """The characters of the merged partial spec for a kind."""
        size = self._sizes.get(kind)
        if size is None:
            merged = self.defaults(kind)[0]
            size = self._sizes[kind] = len(canonical(merged)) if merged else 0
        return size

    def driver(self, kind: str) -> str:
        """The driver instance that a kind is bound to here."""
        return self.drivers.get(kind, "local")

    def below(self, registry: Document, path: str, documents: Sequence[Document]) -> Scope:
        """The scope of a child registry with these templates and patches of its own."""
        # most registries hand down nothing of their own: they share what they inherit
        templates = dict(self.templates) if documents else {}
        for document in documents:
            if document.metadata.get("patch"):
                for template in self.templates_of(document):
                    key = (document.kind, document.name, template.level)
                    patched = (*templates[key].patches, document)
                    templates[key] = Template(template.base, patched)
        for document in documents:
            if not document.metadata.get("patch"):
                template = Template(document)
                templates[document.kind, document.name, template.level] = template
        spec = registry.spec
        own = [one.digest for one in documents]
        return Scope(
            path=path,
            level=str(spec.get("level", "")),
            drivers={**self.drivers, **(spec.get("drivers") or {})},
            documents=(*self.documents, registry),
            templates=templates if documents else self.templates,
            digest=digest_bytes("\0".join([self.digest, path, registry.digest, *own]).encode()),
        )


def is_handed_down(document: Document) -> bool:
    """Whether a document acts on the registries below: a template, or a patch."""
    metadata: Mapping[str, Any] = document.metadata
    return bool(metadata.get("instances") or metadata.get("patch"))
