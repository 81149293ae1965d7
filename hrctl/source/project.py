"""The project file `hrctl.yaml`: found upwards from a folder, checked once, then cached."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from hrctl import writable
from hrctl.diagnostics import Diagnostic, HrctlError, Span
from hrctl.model.kinds import OUTSIDE
from hrctl.model.values import Json, digest_bytes, pointer
from hrctl.source.cache import Cache, pack
from hrctl.source.state import claim, locate

if TYPE_CHECKING:
    from hrctl.source.chunks import Chunk

FILE: Final = "hrctl.yaml"


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """A named driver instance; `config` has been checked by its driver and is complete.

    `kinds` are those that the driver holds.
    """

    type: str
    config: Mapping[str, Json]
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Project:
    """A project: `root` is the folder of hrctl.yaml, `manifests` that of the manifests below it.

    `safety`, `blast_radius` and `secrets` are as in the file, with the defaults filled in.
    """

    name: str
    root: Path
    manifests: str
    ledger: str
    drivers: Mapping[str, DriverSpec]
    safety: Mapping[str, int] = field(default_factory=dict)
    blast_radius: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    parallelism: int = 10
    ignore: tuple[str, ...] = ()
    state_dir: Path = field(kw_only=True)
    document: Mapping[str, Json] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Json]:
        """Return the complete document as it could be written, to compare it with another."""
        spec: Any = self.document["spec"]
        drivers = {
            name: {"type": one["type"], **one["config"]} for name, one in spec["drivers"].items()
        }
        return {"metadata": self.document["metadata"], "spec": {**spec, "drivers": drivers}}

    def records_only(self, driver: str, kind: str) -> bool:
        """Return whether a driver instance keeps the declaration of a kind, and nothing else."""
        spec = self.drivers.get(driver)
        return spec is not None and spec.type == "local" and kind in OUTSIDE

    def without_ignored(self, files: Mapping[str, str]) -> dict[str, str]:
        """Return the files, paths and blob ids, that no glob of `spec.ignore` matches."""
        if not self.ignore:
            return dict(files)
        from hrctl.model.recipients import matches

        return {
            path: blob
            for path, blob in files.items()
            if not any(matches(glob, path) for glob in self.ignore)
        }

    @property
    def ledger_path(self) -> Path:
        """The file of a ledger in SQLite.

        Raises:
            HrctlError: HR321 or HR322, where a commit decides about that file; HR324, where its
                relative path leaves the project.
        """
        written = self.ledger.removeprefix("sqlite:")
        return writable.place(written, "the ledger", self.root, self.state_dir)


def find(start: Path) -> Project:
    """The project that a folder lies in, like git finds its repository.

    Raises:
        HrctlError: HR060, where no folder upwards has an hrctl.yaml; HR061 and others, where
            that is not right; HR310, where a link leads to it.
    """
    named, start = _as_named(start), start.resolve()
    if named != start:
        _refuse_linked_folder(named)
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return load(folder)
    raise HrctlError.of(
        "HR060",
        f"no {FILE} in {start} or above it",
        hint="hrctl init begins a project, -C DIR names the folder of one",
    )


def _as_named(start: Path) -> Path:
    """Return a folder with the links that the shell, or -C, went through."""
    named = Path(os.environ.get("PWD") or start)
    try:
        same = named.is_absolute() and named.samefile(start)
    except OSError:  # PWD is of a folder that is gone
        same = False
    return named if same else start.absolute()


def _refuse_linked_folder(named: Path) -> None:
    """Refuse a folder behind a link that the repository tracks; a link of the user's own is fine.

    Raises:
        HrctlError: HR310.
    """
    from hrctl.source import git

    top = git.toplevel(named)
    while top is not None and named != top:
        path = named.relative_to(top).as_posix()
        if named.is_symlink() and git.tracks_link(top, path):
            raise linked(path)
        named = named.parent


def load(root: Path) -> Project:
    """The project in this folder.

    Raises:
        HrctlError: with all that is wrong with the file; HR310, where it is a link.
    """
    if (root / FILE).is_symlink():
        raise linked(FILE)
    try:
        data = (root / FILE).read_bytes()
    except OSError as error:
        raise HrctlError.of("HR067", f"{FILE} cannot be read: {error.strerror}") from error
    return _of(root, data)


def at(root: Path, revision: str) -> Project | None:
    """Return the project in this folder as a commit has it; None where it has no such file.

    Raises:
        HrctlError: with all that is wrong with the file there; HR310, where it is a link.
    """
    data = _committed(root, revision)
    if data is None:
        return None
    try:
        return _of(root, data)
    except HrctlError as error:
        note = f"this is the file of '{revision}'"
        raise HrctlError(*(replace(one, note=note) for one in error.diagnostics)) from error


def place(root: Path, path: str, revision: str | None = None) -> Span:
    """Return where a setting stands in the file here, or in that of a commit.

    One that stands nowhere is at the nearest setting around it.
    """
    from hrctl.source.chunks import split
    from hrctl.source.locate import locate

    data = (root / FILE).read_bytes() if revision is None else _committed(root, revision)
    return Span(FILE, 1) if data is None else locate(split(data.decode())[0], FILE, path)


def _committed(root: Path, revision: str) -> bytes | None:
    """Return the file as a commit has it.

    Raises:
        HrctlError: HR310, where it is a link.
    """
    from hrctl.source import git

    entry = git.run(root, "ls-tree", "-z", revision, "--", FILE).decode()
    if not entry:
        return None
    mode, _, blob = entry.partition("\t")[0].split(" ")
    if mode == "120000":
        raise linked(f"{FILE} of '{revision}'")
    return git.run(root, "cat-file", "blob", blob)


def built_in(here: Project) -> Project:
    """Return a project of the same name and folder whose settings are those that are built in."""
    head = "apiVersion: hrctl.dev/v1\nkind: Project\n"
    return _of(here.root, f"{head}metadata: {{name: {here.name}}}\n".encode())


def _of(root: Path, data: bytes) -> Project:
    key = digest_bytes(data)
    state_dir = locate(root)
    with Cache(state_dir / "cache.db") as cache:
        found = cache.record(FILE, key)
        if found is None:
            found = _check(data)
            cache.store((), [(FILE, key, pack(found))], (), 0)
    claim(state_dir, found["metadata"]["name"])
    return _project(root, found, state_dir)


def linked(path: str) -> HrctlError:
    """Refuse a project file behind a symbolic link: the link decides what it says, unreviewed."""
    return HrctlError.of(
        "HR310",
        f"{path} is a symbolic link, so the settings would come from another place",
        hint=f"put the file itself there; -C DIR names a folder that holds {FILE}",
    )


def _project(root: Path, document: Mapping[str, Any], state_dir: Path) -> Project:
    spec = document["spec"]
    return Project(
        name=document["metadata"]["name"],
        root=root,
        manifests=spec["root"],
        ledger=spec["ledger"],
        drivers={
            name: DriverSpec(one["type"], one["config"], frozenset(one["kinds"]))
            for name, one in spec["drivers"].items()
        },
        safety=spec["safety"],
        blast_radius=spec["blastRadius"],
        secrets=spec["secrets"],
        parallelism=spec["parallelism"],
        ignore=tuple(spec["ignore"]),
        state_dir=state_dir,
        document=document,
    )


def _check(data: bytes) -> dict[str, Any]:
    """The complete project document; imports pydantic and every driver that is named.

    Raises:
        HrctlError: with all that is wrong with it.
    """
    from hrctl.source.chunks import split
    from hrctl.source.parse import decode, parse_chunk

    text, found = decode(data, FILE)
    if text is None:
        raise HrctlError(*found)
    chunks = split(text)
    if len(chunks) != 1:
        what = f"holds {len(chunks)} documents, and must hold one" if chunks else "is empty"
        span = Span(FILE, chunks[1].line if chunks else 1)
        raise HrctlError.of("HR061", f"{FILE} {what}", span=span)
    value, found = parse_chunk(chunks[0], FILE)
    if value is None or found:
        raise HrctlError(*found)
    return _Checking(chunks[0]).completed(value)


class _Checking:
    """Collects what is wrong with a project document."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._diagnostics: list[Diagnostic] = []

    def completed(self, value: dict[str, Json]) -> dict[str, Json]:
        """The document with every default filled in, and each driver's block by its own model."""
        from hrctl.model.kinds.project import Project as Model
        from hrctl.model.validate import check_project

        self._take(check_project(value))
        self._stop()
        made = Model.model_validate(value).model_dump(by_alias=True, mode="json")
        made["spec"]["root"] = self._folder(made["spec"]["root"])
        named = (value.get("spec") or {}).get("drivers", {})
        made["spec"]["drivers"] = {
            name: self._instance(name, block)
            for name, block in {"local": {"type": "local"}, **named}.items()
        }
        self._stop()
        return made

    def _stop(self) -> None:
        if self._diagnostics:
            raise HrctlError(*self._diagnostics)

    def _span(self, path: str, *, key: bool = False) -> Span:
        from hrctl.source.locate import locate

        return locate(self._chunk, FILE, path, key=key)

    def _take(self, problems: Iterable[Any]) -> None:
        self._diagnostics.extend(
            Diagnostic(
                one.code,
                one.summary,
                span=self._span(one.path, key=one.at_key),
                hint=one.hint,
                note=one.note,
                severity=one.severity,
            )
            for one in problems
        )

    def _folder(self, written: str) -> str:
        """`spec.root` in its one form; it must lie in the project, and not be hidden."""
        folder = PurePosixPath(written)
        if folder.is_absolute() or any(part.startswith(".") for part in folder.parts):
            self._diagnostics.append(
                Diagnostic(
                    "HR061",
                    f"'{written}' in spec.root is no folder of manifests",
                    span=self._span("/spec/root"),
                    hint="name a folder below that of hrctl.yaml; hidden ones are passed over",
                )
            )
        return str(folder)

    def _instance(self, name: str, block: Mapping[str, Json]) -> dict[str, Json]:
        """A driver's block, checked by the driver's own model and completed."""
        from hrctl.drivers.discovery import load_driver
        from hrctl.model.validate import check_model

        config = {key: item for key, item in block.items() if key != "type"}
        try:
            driver = load_driver(str(block["type"]))
            model = driver.config_model()
        except HrctlError as error:
            span = self._span(pointer(["spec", "drivers", name, "type"]))
            self._diagnostics.extend(
                replace(one, span=one.span or span) for one in error.diagnostics
            )
            return {}
        problems = check_model(model, config, ("spec", "drivers", name), code="HR061")
        self._take(problems)
        if problems:
            return {}
        made: dict[str, Json] = model.model_validate(config).model_dump(by_alias=True, mode="json")
        return {"type": block["type"], "config": made, "kinds": sorted(driver.kinds)}
