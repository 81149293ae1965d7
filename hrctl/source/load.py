"""From a project's files to its tree: `load` is where a command meets what is declared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from hrctl.diagnostics import Diagnostic, Severity, Span
from hrctl.model.address import Address
from hrctl.model.document import Finding
from hrctl.model.expansion import Allowance
from hrctl.model.registry import REGISTRY_FILE, Record, build, over
from hrctl.model.scope import LEVELS, Scope
from hrctl.model.tree import Reading, Tree
from hrctl.model.tree import build as build_tree
from hrctl.model.values import digest_bytes
from hrctl.source import git
from hrctl.source.cache import Cache, fresh, pack, unpack
from hrctl.source.project import FILE, Project
from hrctl.source.records import from_plain, to_plain
from hrctl.source.report import (
    Report,
    arranged,
    check_drivers,
    check_hashes,
    check_recipients,
    idle_rules,
)
from hrctl.source.sources import Sources
from hrctl.source.specs import Specs

_NEAR: Final = 8  # lines: an entry of a Config has as many fields
_SECRET: Final = re.compile(r"\bSECRET\b")
_CALLED: Final = re.compile(
    r"(?i)(passw|secret|token|credential|private|api[-_]?key)[-\w]*[\"']?\s*:(?!\s*\{\s*valueFrom)"
)
_BREAK: Final = re.compile(r"\r\n?|\n")  # the line ends of YAML; `splitlines` knows more


@dataclass(frozen=True, slots=True)
class Loaded:
    """A tree with all that was found on the way; `tree` is partial where there are errors.

    `paths` are those of the files that were read, `files` of them.

    Bodies are read when they are wanted, so it holds the cache open: close it, or use `with`.
    """

    tree: Tree
    diagnostics: tuple[Diagnostic, ...]
    commit: str | None
    dirty: bool
    in_git: bool
    files: int
    documents: int
    paths: Sequence[str]
    cache: Cache
    specs: Specs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.specs.keep(self.documents)
        self.cache.close()


def load(project: Project, revision: str | None = None) -> Loaded:
    """Read a project as it lies there, or as a commit has it.

    1. Ask git (or the folder) for names and blob ids.
    2. Group the files by the registry that they belong to; a folder with registry.yaml is one.
    3. From the root down: take a registry's record from the cache where its files and all that it
       inherits are the same; else parse what is unseen and build it.
    4. Join the records: references, cycles, digests.
    5. Give every finding its place, sort them, and keep what is new for the next run.

    Raises:
        HrctlError: where git or the file system does not answer; never for faults of manifests,
            which are `Loaded.diagnostics`.
    """
    root = project.root
    if revision is None:
        listing = git.list_worktree(root, project.manifests)
    else:
        listing = git.list_revision(root, revision, project.manifests)
    files = project.without_ignored(listing.files)
    files.pop(FILE, None)
    cache = Cache(project.state_dir / "cache.db").__enter__()
    try:
        sources = Sources(root, files, cache, from_git=revision is not None)
        specs = Specs(cache)
        loading = _Loading(sources, cache, project, specs)
        tree = loading.run()
        diagnostics = arranged([*listing.diagnostics, *loading.diagnostics()])
        loading.keep()
    except BaseException:
        cache.close()
        raise
    return Loaded(
        tree,
        diagnostics,
        listing.commit,
        listing.dirty,
        listing.in_git,
        len(files),
        sum(len(record.addresses) for record in tree.records),
        tuple(files),
        cache,
        specs,
    )


def read_line(project: Project, span: Span) -> str | None:
    """The line of a file that a span names, for a caret.

    None where a value in the clear may stand in it that nobody must read in a log: at a field that
    is called like one, and near an entry of type SECRET.
    """
    try:
        text = (project.root / span.path).read_text("utf-8", errors="replace")
    except OSError:
        return None
    text = text.removeprefix("\ufeff")
    lines = _BREAK.split(text) if "\r" in text else text.split("\n")
    if not 0 < span.line <= len(lines):
        return None
    near = lines[max(0, span.line - 1 - _NEAR) : span.line + _NEAR]
    above = lines[max(0, span.line - 3) : span.line]
    if any(map(_SECRET.search, near)) or any(map(_CALLED.search, above)):
        return None
    return lines[span.line - 1]


class _Loading:
    """One pass over the registries of a project."""

    def __init__(self, sources: Sources, cache: Cache, project: Project, specs: Specs) -> None:
        self._specs = specs
        self._sources = sources
        self._cache = cache
        self._instances = project.drivers
        self._rules: list[dict[str, Any]] = project.secrets["recipients"]
        self._manifests = "" if project.manifests == "." else project.manifests.strip("/")
        self._records: list[Record] = []
        self._scopes: dict[str, Scope] = {}
        self._findings: list[Finding] = []
        self._allowance = Allowance()
        self._plain: list[Diagnostic] = []
        self._fresh: set[str] = set()
        self._shrunk: set[str] = set()  # fresh ones that lost a resource, or may have
        self._before: dict[str, Record] = {}  # by folder: what the cache had, where files differ
        self._broken: set[str] = set()  # folders whose registry cannot be built
        self._new: list[tuple[str, str, bytes]] = []
        self._cached: Mapping[str, tuple[str, bytes]] = {}
        self._tree: Tree | None = None

    def run(self) -> Tree:
        """All registries, parents before children, then the tree of them."""
        groups = self._groups()
        self._cached = {} if self._sources.from_git else self._cache.records()
        self._read_ahead(groups)
        scopes: dict[str | None, Scope] = {None: Scope()}
        for folder in sorted(groups, key=lambda one: (one.count("/") + bool(one), one)):
            outer = _above(folder, groups)
            if outer in self._broken or self._allowance.exhausted:
                self._broken.add(folder)  # what it inherits is not known
            else:
                self._registry(folder, scopes[outer], groups[folder], scopes)
        self._check_roots()
        self._tree = build_tree(
            self._records,
            self._scopes,
            Reading(self._sources.document, self._sources.locate, self._specs.complete),
            frozenset(self._fresh),
            frozenset(self._shrunk),
        )
        self._findings += self._tree.findings
        return self._tree

    def _groups(self) -> dict[str, list[str]]:
        """Folder of a registry -> the paths of its files; files outside of any are told."""
        files = self._sources.files
        end = f"/{REGISTRY_FILE}"
        folders = {path[: -len(end)] for path in files if path.endswith(end)}
        if REGISTRY_FILE in files:
            folders.add("")
        groups: dict[str, list[str]] = {folder: [] for folder in folders}
        owners: dict[str, str | None] = {}
        stray = []
        for path in files:
            folder = path.rpartition("/")[0]
            owner = owners.get(folder, folder)
            if folder not in owners:
                owner = folder if folder in folders else _above(folder, groups)
                owners[folder] = owner
            if owner is None:
                stray.append(path)
            else:
                groups[owner].append(path)
        self._check_stray(stray)
        return groups

    def _check_stray(self, paths: Sequence[str]) -> None:
        parsed = self._sources.parse(paths)
        self._plain += parsed.diagnostics
        for path in paths:
            self._findings += [
                Finding(
                    document.place,
                    "/kind",
                    "HR049",
                    f"{document.kind}/{document.name} lies in no registry",
                    hint=f"a {REGISTRY_FILE} in its folder, or above, makes one",
                )
                for document in self._sources.documents(path)
            ]

    def _read_ahead(self, groups: Mapping[str, list[str]]) -> None:
        """Parse what no record of the cache can spare, all of it at once."""
        wanted = []
        for folder, paths in groups.items():
            key, row = self._cached.get(folder or ".", ("", b""))
            if not key.startswith(self._files_key(paths)):
                wanted += paths
                if key and (plain := unpack(row)) is not None:
                    before = self._before[folder] = from_plain(plain)
                    self._sources.remember(before.sources)
                    self._sources.remember((one.path, one.blob) for one in before.handed)
        if wanted:
            self._plain += self._sources.parse(wanted).diagnostics

    def _files_key(self, paths: Sequence[str]) -> str:
        files = self._sources.files
        return digest_bytes("\0".join([f"{path}\0{files[path]}" for path in paths]).encode())

    def _registry(
        self, folder: str, above: Scope, paths: list[str], scopes: dict[str | None, Scope]
    ) -> None:
        """The record of one registry, from the cache where it may be."""
        key = f"{self._files_key(paths)}:{above.digest}"
        plain = fresh(self._cached, folder or ".", key)
        record = from_plain(plain) if plain is not None else None
        if record is not None and not self._is_current(record):
            self._before[folder] = record
            record = None
        if record is not None and not self._allowance.take(*record.inherited):
            record.findings = [over(self._allowance, record.registry.place, "/metadata/name")]
        elif record is None:
            made = self._build(folder, above, paths)
            if made is None:
                self._broken.add(folder)
                return
            record = made
            self._note(record, key, paths)
        self._findings += record.findings
        # told above; what lies below would be misjudged
        if record.level not in LEVELS or self._allowance.exhausted:
            self._broken.add(folder)
            return
        self._records.append(record)
        scope = above.below(record.registry, record.path, record.handed)
        scopes[folder] = scope
        self._scopes.setdefault(record.path, scope)

    def _is_current(self, record: Record) -> bool:
        """Whether the files that it took documents from, those above included, are the same.

        What it inherits may be, and yet stand at another place of a file that was edited.
        """
        files = self._sources.files
        return all(files.get(path) == blob for path, blob in record.sources)

    def _note(self, record: Record, key: str, paths: Sequence[str]) -> None:
        """A record that was built just now: what checks it asks for, and whether it is kept."""
        self._fresh.add(record.path)
        before = self._before.get(record.folder)
        if before is None or not set(before.addresses) <= set(record.addresses):
            self._shrunk.add(record.path)
        if (
            not self._allowance.exhausted
            and self._sources.failed.isdisjoint(paths)
            and self._sources.moved.isdisjoint(source[0] for source in record.sources)
            and self._sources.moved.isdisjoint(paths)
            and not any(one.severity is Severity.ERROR for one in record.findings)
        ):
            self._new.append((record.folder or ".", key, pack(to_plain(record))))

    def _build(self, folder: str, above: Scope, paths: list[str]) -> Record | None:
        """None, and why, where its registry.yaml is of no use."""
        self._plain += self._sources.parse(paths).diagnostics
        documents = [one for path in paths for one in self._sources.documents(path)]
        made = build(above, folder, documents, _check_spec, self._allowance)
        if isinstance(made, Record):
            if folder == self._manifests:  # where spec.root points; that folder's name is free
                made.findings = [one for one in made.findings if one.code != "HR050"]
            return made
        self._findings += made
        registry_file = f"{folder}/{REGISTRY_FILE}" if folder else REGISTRY_FILE
        if not made and registry_file not in self._sources.failed:
            self._plain.append(
                Diagnostic(
                    "HR040",
                    f"{registry_file} declares no Registry",
                    span=Span(registry_file),
                    hint="kind: Registry makes the folder a registry",
                )
            )
        return None

    def _check_roots(self) -> None:
        """Exactly one outermost registry of level ROOT; others have been told by their level."""
        outermost = [record for record in self._records if not record.parent]
        roots = [record for record in outermost if record.level == "ROOT"]
        if not outermost and not (self._sources.failed or self._findings or self._plain):
            self._plain.append(
                Diagnostic(
                    "HR040",
                    f"no registry of level ROOT in {self._manifests or 'the project'}",
                    hint=f"hrctl init writes a first {REGISTRY_FILE}",
                )
            )
        for other in roots[1:]:
            self._findings.append(
                Finding(
                    other.registry.place,
                    "/metadata/name",
                    "HR041",
                    f"a second ROOT, '{other.path}'",
                    hint="a project has one; put the other in a folder below it",
                    related=(("the first one", roots[0].registry.place, "/metadata/name"),),
                )
            )

    def diagnostics(self) -> list[Diagnostic]:
        """Everything that was found, each with its place."""
        assert self._tree is not None  # noqa: S101 - `run` comes first
        for record in self._records:
            self._findings += check_drivers(record, self._instances)
            self._findings += check_hashes(record, self._instances)
            self._findings += check_recipients(record, self._rules)
        if any(record.mesh for record in self._records):
            from hrctl.logic.mesh import check

            listens = {name: one.config.get("listen") for name, one in self._instances.items()}
            types = {name: one.type for name, one in self._instances.items()}
            self._findings += check.check(self._tree, frozenset(self._fresh), listens, types)
        if not self._broken:
            self._plain += idle_rules(self._records, self._rules)
        report = Report(self._tree, self._sources, self._unread())
        return [*self._plain, *report.placed(self._findings), *report.stale_flags()]

    def _unread(self) -> list[str]:
        """The files whose documents are not in the tree, though they may be declared well."""
        if not self._sources.failed and not self._broken:
            return []
        broken = tuple(f"{folder}/" if folder else "" for folder in self._broken)
        return [
            path
            for path in self._sources.files
            if path in self._sources.failed or path.startswith(broken)
        ]

    def keep(self) -> None:
        """Write to the cache what the next run need not do again."""
        packed = self._sources.packed
        if self._sources.from_git:
            if packed:
                self._cache.store(packed, [], [], len(self._sources.files))
            return
        # a wrong reference is looked for where something is new, so it must be new again next time
        again = {
            self._tree.where(Address(one.address)).record.folder or "."
            for one in self._findings
            if self._tree is not None
            and one.code in {"HR047", "HR212", "HR215"}
            and one.address is not None
        }
        gone = [name for name in self._cached if name in again]
        if not self._broken:
            current = {record.folder or "." for record in self._records}
            gone += [name for name in self._cached if name != FILE and name not in current]
        records = [one for one in self._new if one[0] not in again]
        if packed or records or gone:
            self._cache.store(packed, records, gone, len(self._sources.files))


def _above(folder: str, folders: Mapping[str, Any]) -> str | None:
    """The nearest folder above that is a registry (None: there is none)."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in folders:
            return folder
    return None


def _check_spec(kind: str, spec: dict[str, Any]) -> list[Any]:
    from hrctl.model.validate import check_spec

    return [one for one in check_spec(kind, spec) if one.code != "HR032"]
