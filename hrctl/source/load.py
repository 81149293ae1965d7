"""From a project's files to its tree: `load` is where a command meets what is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from hrctl.diagnostics import Diagnostic, Related, Severity, Span
from hrctl.model.document import Finding, Place
from hrctl.model.registry import REGISTRY_FILE, Record, build
from hrctl.model.scope import Scope
from hrctl.model.tree import Tree
from hrctl.model.tree import build as build_tree
from hrctl.model.values import digest_bytes
from hrctl.source import git
from hrctl.source.cache import Cache, fresh, pack, unpack
from hrctl.source.project import FILE, Project
from hrctl.source.records import from_plain, to_plain
from hrctl.source.sources import Sources

_DAY: Final = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A tree with all that was found on the way; `tree` is partial where there are errors.

    Bodies are read when they are wanted, so it holds the cache open: close it, or use `with`.
    """

    tree: Tree
    diagnostics: tuple[Diagnostic, ...]
    commit: str | None
    dirty: bool
    in_git: bool
    files: int
    documents: int
    cache: Cache

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
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
    files = {path: blob for path, blob in listing.files.items() if path != FILE}
    cache = Cache(project.state_dir / "cache.db").__enter__()
    sources = Sources(root, files, cache, from_git=revision is not None)
    loading = _Loading(sources, cache, project.manifests)
    tree = loading.run()
    diagnostics = [*listing.diagnostics, *loading.diagnostics()]
    loading.keep()
    return Loaded(
        tree,
        tuple(sorted(set(diagnostics), key=_order)),
        listing.commit,
        listing.dirty,
        listing.in_git,
        len(files),
        sum(len(record.addresses) for record in tree.records),
        cache,
    )


def _order(one: Diagnostic) -> tuple[bool, Span, str]:
    return one.severity is not Severity.ERROR, one.span or Span(""), one.code


def read_line(project: Project, span: Span) -> str | None:
    """The line of a file that a span names, for a caret."""
    try:
        text = (project.root / span.path).read_text("utf-8", errors="replace")
    except OSError:
        return None
    lines = text.splitlines()
    return lines[span.line - 1] if 0 < span.line <= len(lines) else None


class _Loading:
    """One pass over the registries of a project."""

    def __init__(self, sources: Sources, cache: Cache, manifests: str) -> None:
        self._sources = sources
        self._cache = cache
        self._manifests = "" if manifests == "." else manifests.strip("/")
        self._records: list[Record] = []
        self._scopes: dict[str, Scope] = {}
        self._findings: list[Finding] = []
        self._plain: list[Diagnostic] = []
        self._fresh: set[str] = set()
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
            files = groups[folder]
            above = scopes[_above(folder, groups)]
            self._registry(folder, above, files, scopes)
        self._check_roots()
        self._tree = build_tree(
            self._records,
            self._scopes,
            self._sources.document,
            self._sources.locate,
            frozenset(self._fresh),
        )
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
                    self._sources.remember(from_plain(plain).sources)
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
        if plain is not None:
            record = from_plain(plain)
        else:
            made = self._build(folder, above, paths)
            if isinstance(made, list):
                self._findings += made
                scopes[folder] = above
                return
            record = made
            self._fresh.add(record.path)
            if not self._sources.failed.intersection(paths) and not any(
                one.severity is Severity.ERROR for one in record.findings
            ):
                self._new.append((folder or ".", key, pack(to_plain(record))))
        self._findings += record.findings
        self._records.append(record)
        scope = above.below(record.registry, record.path, record.handed)
        scopes[folder] = self._scopes[record.path] = scope

    def _build(self, folder: str, above: Scope, paths: list[str]) -> Record | list[Finding]:
        self._plain += self._sources.parse(paths).diagnostics
        documents = [one for path in paths for one in self._sources.documents(path)]
        made = build(above, folder, documents, _check_spec)
        registry_file = f"{folder}/{REGISTRY_FILE}" if folder else REGISTRY_FILE
        if isinstance(made, list) and not made and registry_file not in self._sources.failed:
            self._plain.append(
                Diagnostic(
                    "HR040",
                    f"{registry_file} declares no Registry",
                    span=Span(registry_file),
                    hint="kind: Registry makes the folder a registry",
                )
            )
        return made

    def _check_roots(self) -> None:
        """Exactly one outermost registry."""
        roots = [record for record in self._records if not record.parent]
        if not roots and not self._sources.failed and not self._findings:
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
        tree = self._tree
        findings = [*self._findings, *(tree.findings if tree else ())]
        failed = self._sources.failed
        made = [
            self._placed(one)
            for one in findings
            # what was not read can be neither referred to nor missed
            if not (failed and one.code in {"HR044", "HR045", "HR047"})
        ]
        return [*self._plain, *made, *self._stale_flags()]

    def _placed(self, one: Finding) -> Diagnostic:
        place, pointer = one.place, one.pointer
        if self._tree is not None and one.address is not None and one.pointer:
            place, pointer = self._last_word(one)
        return Diagnostic(
            one.code,
            one.summary,
            span=self._sources.locate(place, pointer, key=one.at_key),
            severity=one.severity,
            address=one.address,
            related=tuple(
                Related(message, self._sources.locate(at, field))
                for message, at, field in one.related
            ),
            hint=one.hint,
            note=one.note,
        )

    def _last_word(self, one: Finding) -> tuple[Place, str]:
        from hrctl.model.address import Address
        from hrctl.model.assemble import last_word

        assert self._tree is not None  # noqa: S101 - the caller has looked
        try:
            record, index = self._tree.where(Address(one.address or ""))
        except KeyError:
            return one.place, one.pointer
        return last_word(self._tree, record, index, one.pointer)[:2]

    def _stale_flags(self) -> Iterable[Diagnostic]:
        today = datetime.now(UTC).strftime(_DAY)
        for record in self._records:
            for index, expires in record.expires.items():
                if expires < today:
                    place = record.places(index)[0]
                    yield Diagnostic(
                        "HR032",
                        f"the flag '{place_name(record, index)}' expired on {expires}",
                        span=self._sources.locate(place, "/spec/expires"),
                        severity=Severity.WARNING,
                        address=record.addresses[index],
                        hint="take the flag out of code and tree, or give it more time",
                    )

    def keep(self) -> None:
        """Write to the cache what the next run need not do again."""
        packed = self._sources.packed
        gone: list[str] = []
        if not self._sources.from_git:
            current = {record.folder or "." for record in self._records}
            gone = [name for name in self._cached if name != FILE and name not in current]
        records = [] if self._sources.from_git else self._new
        if packed or records or gone:
            self._cache.store(packed, records, gone, len(self._sources.files))


def place_name(record: Record, index: int) -> str:
    """The name in an address of a record."""
    return record.addresses[index].rpartition("/")[2]


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
