"""The project file `hrctl.yaml`: found upwards from a folder, checked once, then cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.values import Json, digest_bytes
from hrctl.source.cache import Cache, pack

FILE: Final = "hrctl.yaml"
STATE: Final = ".hrctl"
Report = Callable[[Iterable[Any]], None]


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """A named driver instance; `config` has been checked by its driver and is complete."""

    type: str
    config: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Project:
    """A project: `root` is the folder of hrctl.yaml, `manifests` that of the manifests below it.

    `safety` and `secrets` are as in the file, with the defaults filled in.
    """

    name: str
    root: Path
    manifests: str
    ledger: str
    drivers: Mapping[str, DriverSpec]
    safety: Mapping[str, int] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    parallelism: int = 10

    @property
    def state_dir(self) -> Path:
        """Where hrctl keeps its ledger, cache and embedded servers."""
        return self.root / STATE

    @property
    def ledger_path(self) -> Path:
        """The file of a ledger in SQLite."""
        return self.root / self.ledger.removeprefix("sqlite:")


def find(start: Path) -> Project:
    """The project that a folder lies in, like git finds its repository.

    Raises:
        HrctlError: HR060, where no folder upwards has an hrctl.yaml; HR061 and others, where
            that is not right.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return load(folder)
    raise HrctlError.of(
        "HR060",
        f"no {FILE} in {start} or above it",
        hint="hrctl init begins a project, -C DIR names the folder of one",
    )


def load(root: Path) -> Project:
    """The project in this folder.

    Raises:
        HrctlError: with all that is wrong with the file.
    """
    try:
        data = (root / FILE).read_bytes()
    except OSError as error:
        raise HrctlError.of("HR067", f"{FILE} cannot be read: {error.strerror}") from error
    key = digest_bytes(data)
    with Cache(root / STATE / "cache.db") as cache:
        found = cache.record(FILE, key)
        if found is None:
            found = _check(data)
            cache.store((), [(FILE, key, pack(found))], (), 0)
    return _project(root, found)


def _project(root: Path, document: Mapping[str, Any]) -> Project:
    spec = document["spec"]
    return Project(
        name=document["metadata"]["name"],
        root=root,
        manifests=spec["root"],
        ledger=spec["ledger"],
        drivers={
            name: DriverSpec(one["type"], one["config"]) for name, one in spec["drivers"].items()
        },
        safety=spec["safety"],
        secrets=spec["secrets"],
        parallelism=spec["parallelism"],
    )


def _check(data: bytes) -> dict[str, Any]:
    """The complete project document; imports pydantic and every driver that is named."""
    from hrctl.model.kinds.project import Project as Model
    from hrctl.model.validate import check_project
    from hrctl.source.chunks import Chunk, split
    from hrctl.source.locate import locate
    from hrctl.source.parse import decode, parse_chunk

    text, found = decode(data, FILE)
    chunks = split(text) if text is not None else []
    if text is not None and len(chunks) != 1:
        raise HrctlError.of("HR061", f"{FILE} holds {len(chunks)} documents, and must hold one")
    chunk = chunks[0] if chunks else Chunk("", 1)
    value, problems = parse_chunk(chunk, FILE) if chunks else (None, [])
    if value is None:
        raise HrctlError(*found, *problems)
    diagnostics = list(problems)

    def report(problems: Iterable[Any]) -> None:
        diagnostics.extend(
            Diagnostic(
                one.code,
                one.summary,
                span=locate(chunk, FILE, one.path, key=one.at_key),
                hint=one.hint,
                note=one.note,
                severity=one.severity,
            )
            for one in problems
        )

    report(check_project(value))
    if not diagnostics:
        made = Model.model_validate(value).model_dump(by_alias=True, mode="json")
        instances = {"local": {"type": "local"}, **(value.get("spec") or {}).get("drivers", {})}
        made["spec"]["drivers"] = {
            name: _instance(name, block, report, diagnostics) for name, block in instances.items()
        }
    if diagnostics:
        raise HrctlError(*diagnostics)
    return made


def _instance(
    name: str, block: Mapping[str, Json], report: Report, diagnostics: list[Diagnostic]
) -> dict[str, Json]:
    """A driver's block, checked by the driver's own model and completed."""
    from hrctl.drivers.discovery import load_driver
    from hrctl.model.validate import check_model

    config = {key: item for key, item in block.items() if key != "type"}
    try:
        model = load_driver(str(block["type"])).config_model()
    except HrctlError as error:
        diagnostics.extend(error.diagnostics)
        return {}
    problems = check_model(model, config, ("spec", "drivers", name), code="HR061")
    report(problems)
    if problems:
        return {}
    made: dict[str, Json] = model.model_validate(config).model_dump(by_alias=True, mode="json")
    return {"type": block["type"], "config": made}
