"""One registry: from its documents and what it inherits to the rows of its resources.

What comes out, a `Record`, is plain data that depends on nothing but the documents and the `Scope`,
so the cache can keep it; what refers to other registries is resolved later, in `hrctl.model.tree`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hrctl.diagnostics import Severity
from hrctl.model.address import Address
from hrctl.model.document import Document, Finding, Place
from hrctl.model.expansion import Allowance
from hrctl.model.kinds import desugar, kind
from hrctl.model.kinds.meshed import COMPARED, compared
from hrctl.model.scope import LEVELS, Scope, Template, is_handed_down
from hrctl.model.sealed import SecretRow, secrets_in
from hrctl.model.suspects import ALLOW, ENCRYPT, SUSPECT, called
from hrctl.model.values import Json, digest_bytes, merge

# (kind, complete spec-to-be) -> findings on it as (pointer, code, summary, hint, note, at_key)
CheckSpec = Callable[[str, dict[str, Json]], Iterable[Any]]

REGISTRY_FILE: Final = "registry.yaml"


@dataclass(slots=True)
class Record:
    """The rows of one registry, column by column; row `i` is the i-th resource.

    `written[i]` are the documents that it is written in, its own and then its patches: pairs of
    a number in `sources` (path and blob) and a number in that file. `links[i]` lists what the
    resource names: ``[pointer, kind, name or address, output or None]``. `handed` are the
    templates and patches for the registries below; `registry` is its own document.
    `secrets` are the encrypted values in the documents that lie in this registry. `mesh` holds
    what routes and nodes are compared by, `hashes` what each flag pins (None: nothing).
    `inherited` counts instances of templates, and characters that resources inherit.
    """

    path: str
    registry: Document
    parent: str = ""
    addresses: list[str] = field(default_factory=list)
    drivers: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    sources: list[list[str]] = field(default_factory=list)
    written: list[list[int]] = field(default_factory=list)
    links: dict[int, list[list[Any]]] = field(default_factory=dict)
    moves: dict[int, str] = field(default_factory=dict)
    expires: dict[int, str] = field(default_factory=dict)
    mesh: dict[int, dict[str, Any]] = field(default_factory=dict)
    hashes: dict[int, str | None] = field(default_factory=dict)
    inherited: list[int] = field(default_factory=lambda: [0, 0])
    secrets: list[SecretRow] = field(default_factory=list)
    handed: list[Document] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    folder: str = ""

    def places(self, index: int) -> list[Place]:
        """The documents that a resource is written in: its own, then its patches."""
        numbers = self.written[index]
        return [
            Place(self.sources[source][0], self.sources[source][1], number)
            for source, number in zip(numbers[::2], numbers[1::2], strict=True)
        ]

    @property
    def level(self) -> str:
        """The registry's level."""
        return str(self.registry.spec.get("level", ""))


def build(
    scope: Scope,
    folder: str,
    documents: Sequence[Document],
    check_spec: CheckSpec,
    allowance: Allowance,
) -> Record | list[Finding]:
    """Make the record of the registry in a folder; only findings where it has no usable document.

    1. Find its own Registry document, and check its level against the one above.
    2. Sort the rest into plain documents, templates and patches; refuse what has no place here.
    3. A row for each plain document, then for each inherited template of this level, patched.
    4. A spec is checked where it inherits something, or was not valid on its own.

    No row is made of what the `allowance` of the whole tree has no room for.
    """
    own, findings = _own_document(folder, documents)
    if own is None:
        return findings
    path = f"{scope.path}/{own.name}" if scope.path else own.name
    record = Record(path, own, parent=scope.path, folder=folder, findings=findings)
    findings.extend(_check_level(scope, own))
    if folder and folder != "." and folder.rpartition("/")[2] != own.name:
        findings.append(_folder_name(folder, own))
    rest = [one for one in documents if one is not own]
    record.handed = [one for one in rest if is_handed_down(one)]
    findings.extend(_check_handed(scope, own, record.handed))
    inner = scope.below(own, path, record.handed)
    rows = _Rows(record, inner, check_spec, allowance)
    for document in (own, *rest):
        record.secrets += secrets_in(path, document)
        if document.suspects:
            findings.extend(_suspected(document))
        if not is_handed_down(document):
            rows.add(Template(document))
    for template in inner.templates.values():
        if template.level == inner.level and template.base not in record.handed:
            rows.add(template)
    return record


def _own_document(
    folder: str, documents: Sequence[Document]
) -> tuple[Document | None, list[Finding]]:
    """The Registry document of a folder, and findings on any other."""
    own: Document | None = None
    findings = []
    expected = f"{folder}/{REGISTRY_FILE}" if folder else REGISTRY_FILE
    for document in documents:
        if document.kind != "Registry":
            continue
        if document.path != expected:
            findings.append(
                Finding(
                    document.place,
                    "/kind",
                    "HR053",
                    f"a Registry stands in a file named {REGISTRY_FILE}",
                    hint=f"move it to a folder of its own, as {document.name}/{REGISTRY_FILE}",
                )
            )
        elif is_handed_down(document):
            findings.append(_fixed(document))
        elif own is None:
            own = document
        else:
            findings.append(
                Finding(
                    document.place,
                    "/metadata/name",
                    "HR043",
                    f"a second Registry in {expected}",
                    hint="one folder is one registry",
                    related=(("the first one", own.place, "/metadata/name"),),
                )
            )
    return own, findings


def _fixed(document: Document) -> Finding:
    field = "patch" if document.metadata.get("patch") else "instances"
    return Finding(
        document.place,
        f"/metadata/{field}",
        "HR053",
        f"a Registry has no metadata.{field}",
        hint="each registry has a folder and a registry.yaml of its own",
        at_key=True,
    )


def _check_level(scope: Scope, own: Document) -> Iterator[Finding]:
    level = own.spec.get("level")
    if level not in LEVELS:
        return  # the kind's own check has said so
    if not scope.level:
        if level != "ROOT":
            yield Finding(
                own.place,
                "/spec/level",
                "HR042",
                f"registry '{own.name}' is a {level} with no registry above it",
                hint="the outermost registry has level ROOT",
            )
    elif level == "ROOT":
        yield Finding(
            own.place,
            "/spec/level",
            "HR041",
            f"a second ROOT, '{own.name}', within '{scope.path}'",
            hint=f"its level must be deeper than {scope.level}",
            related=_above(scope),
        )
    elif LEVELS.index(level) <= LEVELS.index(scope.level):
        yield Finding(
            own.place,
            "/spec/level",
            "HR042",
            f"{level} registry '{own.name}' within the {scope.level} '{scope.path}'",
            hint=f"a level deeper than {scope.level} goes here",
            note="the order is " + " > ".join(LEVELS),
            related=_above(scope),
        )


def _above(scope: Scope) -> tuple[tuple[str, Place, str], ...]:
    above = scope.documents[-1]
    return ((f"the {scope.level} above it", above.place, "/spec/level"),)


def _folder_name(folder: str, own: Document) -> Finding:
    return Finding(
        own.place,
        "/metadata/name",
        "HR050",
        f"registry '{own.name}' lies in the folder '{folder.rpartition('/')[2]}'",
        hint="give folder and registry the same name",
        severity=Severity.WARNING,
    )


def _suspected(document: Document) -> Iterator[Finding]:
    """Warn of values in plain text that look like a secret."""
    for at, why in document.suspects:
        yield Finding(
            document.place,
            at,
            SUSPECT,
            f"{called(at)} {why}",
            hint=ENCRYPT,
            note=ALLOW,
            at_key=True,
            severity=Severity.WARNING,
        )


def _check_handed(scope: Scope, own: Document, handed: Sequence[Document]) -> Iterator[Finding]:
    """Templates must be for deeper levels, patches for something that is inherited."""
    level = own.spec.get("level")
    here = LEVELS.index(level) if level in LEVELS else 0
    seen: dict[tuple[str, str, bool], Document] = {}
    for document in handed:
        patch = bool(document.metadata.get("patch"))
        key, name = (document.kind, document.name), f"{document.kind}/{document.name}"
        if (first := seen.setdefault((*key, patch), document)) is not document:
            yield _twice(document, first, name)
        if patch:
            yield from _check_patch(document)
            templates = scope.templates_of(document)
            if not any(LEVELS.index(one.level) >= here for one in templates):
                yield _patch_of_nothing(scope, document, templates[-1] if templates else None)
            continue
        target = document.metadata["instances"]
        if (above := scope.templates.get((*key, target))) is not None:
            yield _twice(document, above.base, f"{name} with instances at {target}")
        if LEVELS.index(target) <= here:
            yield Finding(
                document.place,
                "/metadata/instances",
                "HR042",
                f"instances at {target}, from a registry of level {level}",
                hint="instances stand in registries below this one",
            )


def _check_patch(document: Document) -> Iterator[Finding]:
    for name in ("instances", "movedFrom"):
        if name in document.metadata:
            yield Finding(
                document.place,
                f"/metadata/{name}",
                "HR053",
                f"metadata.{name} in a patch",
                hint="it belongs into the document that is patched",
                at_key=True,
            )


def _patch_of_nothing(scope: Scope, document: Document, template: Template | None) -> Finding:
    name = f"{document.kind}/{document.name}"
    if template is None:
        known = sorted(f"{one[0]}/{one[1]}" for one in scope.templates)
        return Finding(
            document.place,
            "/metadata/name",
            "HR044",
            f"patch of {name}, which nothing above hands down",
            hint="a patch changes a document with `instances` of a registry above",
            note="inherited here: " + (", ".join(known[:12]) or "nothing"),
            wanted=document.name,
        )
    return Finding(
        document.place,
        "/metadata/name",
        "HR044",
        f"patch of {name} below its instances, which are at level {template.level}",
        hint="patch it in the registry of that level, or above",
        related=(("the document", template.base.place, "/metadata/instances"),),
    )


def _twice(document: Document, first: Document, address: str) -> Finding:
    return Finding(
        document.place,
        "/metadata/name",
        "HR043",
        f"{address} is declared twice",
        hint="rename one of them",
        related=(("the first one", first.place, "/metadata/name"),),
    )


def over(allowance: Allowance, place: Place, pointer: str) -> Finding:
    """Say that a tree expands too far, and that no more is built."""
    allowance.exhausted = True
    return Finding(
        place,
        pointer,
        "HR343",
        allowance.summary(),
        hint="divide the project, or hand down fewer documents to fewer registries",
    )


class _Rows:
    """Adds rows to a record, one resource each."""

    def __init__(
        self, record: Record, scope: Scope, check_spec: CheckSpec, allowance: Allowance
    ) -> None:
        self._record = record
        self._allowance = allowance
        self._scope = scope
        self._check_spec = check_spec
        self._seen: dict[str, Document] = {}
        self._sources: dict[str, int] = {}

    def add(self, template: Template) -> None:
        """A row for a document with the patches that apply to it."""
        record, scope = self._record, self._scope
        base = template.base
        address = Address.of(record.path, base.kind, base.name)
        first = self._seen.setdefault(address, base)
        if first is not base:
            record.findings.append(_twice(base, first, address))
            return
        index = len(record.addresses)
        driver = scope.driver(base.kind)
        defaults, defaults_digest = scope.defaults(base.kind)
        if not self._has_room(template, scope.defaults_size(base.kind)):
            return
        parts = [base.digest, driver, defaults_digest, *(one.digest for one in template.patches)]
        record.addresses.append(address)
        record.drivers.append(driver)
        record.digests.append(digest_bytes("\0".join(parts).encode()))
        record.lines.append(base.line)
        record.written.append(
            [
                number
                for one in (base, *template.patches)
                for number in (self._source(one), one.number)
            ]
        )
        layered = bool(template.patches or defaults)
        checked = base.complete and not layered
        if checked:
            spec = desugar(base.kind, dict(base.spec))
        else:
            spec = effective_spec(base, template.patches, defaults)
            self._check(address, template, spec)
        self._link(index, base, template, spec)
        if moved := base.metadata.get("movedFrom"):
            record.moves[index] = moved
        if base.kind in COMPARED:
            record.mesh[index] = compared(base.kind, spec)
        if base.kind == "FeatureFlag":
            pinned = spec.get("hash")
            record.hashes[index] = pinned if isinstance(pinned, str) else None
        if isinstance(expires := spec.get("expires"), str):
            record.expires[index] = expires

    def _has_room(self, template: Template, defaults: int) -> bool:
        """Count what a row inherits, and say so once where that is too much."""
        allowance, base = self._allowance, template.base
        instances = 1 if base.metadata.get("instances") else 0
        inherited = (base, *template.patches) if instances else template.patches
        characters = defaults + sum(map(allowance.size, inherited))
        self._record.inherited[0] += instances
        self._record.inherited[1] += characters
        if allowance.exhausted:
            return False
        if allowance.take(instances, characters):
            return True
        field = "/metadata/instances" if instances else "/metadata/name"
        self._record.findings.append(over(allowance, base.place, field))
        return False

    def _source(self, document: Document) -> int:
        found = self._sources.setdefault(document.path, len(self._sources))
        if found == len(self._record.sources):
            self._record.sources.append([document.path, document.blob])
        return found

    def _check(self, address: Address, template: Template, spec: dict[str, Json]) -> None:
        place = (template.patches[-1] if template.patches else template.base).place
        for problem in self._check_spec(template.base.kind, spec):
            self._record.findings.append(
                Finding(
                    place,
                    problem.path,
                    problem.code,
                    problem.summary,
                    problem.hint,
                    problem.note,
                    problem.at_key,
                    address=address,
                )
            )

    def _link(self, index: int, base: Document, template: Template, spec: dict[str, Json]) -> None:
        links = [
            [f"/spec{link.path}", link.kind, link.target, link.output]
            for link in kind(base.kind).links(spec)
        ]
        for document in (*reversed(template.patches), base):  # lists replace, null removes
            if "dependsOn" in document.value:
                wanted = document.value["dependsOn"] or ()
                links += [_dependency(number, text) for number, text in enumerate(wanted)]
                break
        if links:
            self._record.links[index] = links


def _dependency(number: int, text: str) -> list[Any]:
    """A link for an item of `dependsOn`, a whole address or kind and name."""
    registry, _, local = text.rpartition(":")
    named, _, name = local.partition("/")
    return [f"/dependsOn/{number}", named, text if registry else name, None]


def effective_spec(
    base: Document, patches: Sequence[Document], defaults: dict[str, Json]
) -> dict[str, Json]:
    """Inherited defaults, the document, its patches from the outside in: later ones win."""
    spec: dict[str, Json] = merge(defaults, desugar(base.kind, dict(base.spec)))
    for patch in patches:
        spec = merge(spec, desugar(base.kind, dict(patch.spec)))
    return spec
