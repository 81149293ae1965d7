"""The driver `flagd`: each flag is an entry of a JSON file that applications read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from hrctl.diagnostics import Diagnostic, FieldError, HrctlError
from hrctl.drivers import hashes
from hrctl.drivers.api import (
    Capabilities,
    Context,
    HealthReport,
    Live,
    Outcome,
    Ownership,
    Result,
    Secrets,
    Stamp,
)
from hrctl.drivers.flagd import flagfile
from hrctl.drivers.flagd.marks import ADDRESS, PROJECT, Definition, marks, owner_of, version
from hrctl.model.address import Address
from hrctl.model.kinds import DEFAULT_HASH, TEXT_HASH
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.logic.flags.evaluation import Evaluation


class FlagdDriver:
    """Flag definitions in one file, or in a folder with a file for each registry."""

    kinds: ClassVar[frozenset[str]] = frozenset({"FeatureFlag"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=20_000, reveals=False
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`file` or `folder`."""
        from hrctl.drivers.flagd.config import FlagdConfig

        return FlagdConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self._context = context
        self._evaluators = config.get("evaluators", "all")
        self._bare_text = self._evaluators != "cbor"
        file = config.get("file")
        self._file: Path | None = context.place(file) if file else None
        self._folder: Path = context.root if file else context.place(config["folder"])
        self._read: dict[Path, flagfile.Document] = {}
        self._planned: dict[tuple[Path, str], Address] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is held open."""

    def scan(self) -> Iterator[Stamp]:
        """Every flag that bears hrctl's marks; in a folder also those of others."""
        for path in self._paths():
            self._read[path] = document = flagfile.read(path)
            for name, found in document["flags"].items():
                address = self._address(path, name, found)
                if address is not None:
                    held = marks(found)
                    owner = held[PROJECT] if held else None
                    yield Stamp(address, owner, version(found))

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The flags of these."""
        from hrctl.drivers.flagd.definition import live_body

        files: dict[Path, flagfile.Document] = {}
        for address in addresses:
            path = self._path(address)
            if path not in files:
                files[path] = flagfile.read(path)
            found = files[path]["flags"].get(address.name)
            if found is not None and self._address(path, address.name, found) == address:
                held = marks(found)
                yield Live(
                    address,
                    live_body(address.name, found),
                    version(found),
                    held[PROJECT] if held else None,
                )

    def plan(self, change: Change) -> Change:
        """The change as it is, where flagd can express it and nobody else has the key.

        Raises:
            HrctlError: HR251, where the key is another's; HR252, for a hash that flagd lacks.
        """
        spec = (change.after or {}).get("spec") or {}
        found = hashes.refused(change.address.name, spec.get("hash"), "flagd")
        if found is not None:
            raise FieldError(replace(found, address=change.address), hashes.FIELD)
        if spec.get("hash") == TEXT_HASH and self._evaluators != "text":
            raise FieldError(_hashes_cbor(change.address), hashes.FIELD)
        if change.action is Action.CREATE:
            path, name = self._path(change.address), change.address.name
            taken = self._taken(self._read.get(path), change.address)
            other = self._planned.setdefault((path, name), change.address)
            if taken is None and other != change.address:
                taken = self._key_taken(change.address, f"this project ({other})")
            if taken is not None:
                raise HrctlError(taken)
        return change

    def apply(
        self,
        batch: Sequence[Change],
        secrets: Secrets,  # noqa: ARG002 - a flag's values stand in the clear
    ) -> Iterator[Outcome]:
        """Every file is read, changed and replaced once."""
        by_path: dict[Path, list[Change]] = {}
        for change in batch:
            by_path.setdefault(self._path(change.address), []).append(change)
        for path, changes in by_path.items():
            begin = time.perf_counter()
            try:
                with flagfile.locked(path):
                    outcomes = self._apply(path, changes)
            except (OSError, HrctlError) as error:
                found = _refused(path, error)
                outcomes = [Outcome(one.address, Result.FAILED, error=found) for one in changes]
            each = (time.perf_counter() - begin) / len(changes)
            for one in outcomes:
                yield Outcome(one.address, one.result, one.version, error=one.error, seconds=each)

    def _apply(self, path: Path, changes: list[Change]) -> list[Outcome]:
        document = flagfile.read(path)
        outcomes = [self._change(path, document, change) for change in changes]
        if any(one.result is Result.DONE for one in outcomes):
            self._context.fence()
            flagfile.write(path, document)
        return outcomes

    def _change(self, path: Path, document: flagfile.Document, change: Change) -> Outcome:
        address, flags = change.address, document["flags"]
        found = flags.get(address.name)
        taken = self._taken(document, address)
        if taken is not None:
            return Outcome(address, Result.FAILED, error=taken)
        now = version(found) if found is not None else None
        if now != change.expect_version:
            moved = f"{address} is not in {path.name} as the plan saw it"
            error = Diagnostic("HR084", moved, address=address, hint="plan again")
            return Outcome(address, Result.STALE, now, error=error)
        if change.action is Action.DELETE:
            del flags[address.name]
            return Outcome(address, Result.DONE)
        body = change.after or {}
        try:
            made = self._define(address, body)
        except HrctlError as error:
            return Outcome(address, Result.FAILED, error=error.diagnostics[0])
        flags[address.name] = made
        return Outcome(address, Result.DONE, version(made))

    def _define(self, address: Address, body: Body) -> Definition:
        from hrctl.drivers.flagd.definition import define, kept, marked

        if not all(
            {"attribute", "all"} & one.keys() for one in body["spec"].get("targeting") or ()
        ):
            raise HrctlError(_unkept(address))
        text = kept(body)
        start = None
        if (body["spec"].get("rollout") or {}).get("steps"):
            committed = self._context.committed
            start = (committed(address) if committed else None) or datetime.now(UTC)
            start = start.replace(microsecond=0)
        made = define(address.name, body, start, bare_text=self._bare_text)
        return marked(made, self._context.project, address, body, text, start)

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """Whether applications find the flag, and as what."""
        for live in self.read(addresses):
            yield HealthReport(live.address, str(live.body["spec"].get("status")))

    def evaluate(
        self, addresses: Sequence[Address], contexts: Sequence[Mapping[str, Json]]
    ) -> Iterator[tuple[Address, list[Evaluation]]]:
        """The answers of flagd's own evaluator on the file as it is."""
        from hrctl.drivers.flagd.evaluator import answers

        documents: dict[Path, dict[str, Json]] = {}
        for address in addresses:
            path = self._path(address)
            if path not in documents:
                documents[path] = flagfile.read(path)
            yield address, list(answers(documents[path], address.name, contexts))

    def _paths(self) -> list[Path]:
        if self._file is not None:
            return [self._file]
        return sorted(path for path in self._folder.glob("*.json") if path.name[0] != ".")

    def _path(self, address: Address) -> Path:
        if self._file is not None:
            return self._file
        return self._folder / (address.registry.replace("/", ".") + ".json")

    def _address(self, path: Path, name: str, found: Definition) -> Address | None:
        """What a flag is called here; None for one of others that no registry could have."""
        held = marks(found)
        if held is not None:
            text = held[ADDRESS]
        elif self._file is None:
            text = f"{path.stem.replace('.', '/')}:FeatureFlag/{name}"
        else:
            return None
        try:
            return Address.parse(text)
        except HrctlError:  # a key or a mark that people wrote
            return None

    def _taken(self, document: flagfile.Document | None, address: Address) -> Diagnostic | None:
        """HR251, where the key of a flag is another's."""
        found = document["flags"].get(address.name) if document else None
        if found is None or document is None:
            return None
        held = marks(found)
        here = self._address(self._path(address), address.name, found)
        if here == address and (held is None or held[PROJECT] == self._context.project):
            return None
        return self._key_taken(address, owner_of(found, document))

    def _key_taken(self, address: Address, owner: str) -> Diagnostic:
        where = self._path(address)
        return Diagnostic(
            "HR251",
            f"the flag '{address.name}' in {where} belongs to {owner}",
            address=address,
            hint="give one of them another name, or write them to different files",
        )


def _hashes_cbor(address: Address) -> Diagnostic:
    """Return HR252, for a hash that evaluators which take CBOR do not have."""
    return Diagnostic(
        "HR252",
        f"{address} goes by hash {TEXT_HASH}, which evaluators that hash CBOR do not have",
        address=address,
        hint=f"write `hash: {DEFAULT_HASH}`, or `evaluators: text` in the driver's block"
        " where every application hashes bare text",
    )


def _unkept(address: Address) -> Diagnostic:
    """HR252, for drift that no field says and that other changes would have to leave alone."""
    return Diagnostic(
        "HR252",
        f"{address} cannot keep the targeting that people wrote beside other changes",
        address=address,
        hint="leave --keep-drift out, or undo in the file what no field of a flag can say",
    )


def _refused(path: Path, error: OSError | HrctlError) -> Diagnostic:
    if isinstance(error, HrctlError):
        return error.diagnostics[0]
    return Diagnostic("HR083", f"cannot write {path}: {error.strerror}")
