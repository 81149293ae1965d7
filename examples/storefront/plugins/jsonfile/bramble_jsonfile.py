"""A driver of our own: each feature flag is a JSON file, for programs that look into a folder.

`pip install ./plugins/jsonfile`, then in hrctl.yaml ``files: {type: jsonfile, folder: flags}`` and
in a registry ``drivers: {FeatureFlag: files}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import (
    Capabilities,
    Context,
    Live,
    Outcome,
    Ownership,
    Result,
    Secrets,
    Stamp,
)
from hrctl.files import atomic
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Json, digest_bytes

if TYPE_CHECKING:
    from pydantic import BaseModel


class JsonFileDriver:
    """Keeps ``{"address": ..., "owner": ..., "body": ...}`` in one file for each flag."""

    kinds: ClassVar[frozenset[str]] = frozenset({"FeatureFlag"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=100
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`folder`: where the files lie, from the project's folder on."""
        from pydantic import BaseModel, ConfigDict, Field

        class JsonFileConfig(BaseModel):
            """A folder of JSON files."""

            model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
            folder: str = Field(min_length=1, description="the folder, from the project's on")

        return JsonFileConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self._folder: Path = context.root / config["folder"]
        self._owner = context.project
        self._fence = context.fence

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is held open."""

    def scan(self) -> Iterator[Stamp]:
        """Every file."""
        for path in sorted(self._folder.glob("*.json")):
            live = _read(path)
            if live is not None:
                yield Stamp(live.address, live.owner, live.version)

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The files of these."""
        for address in addresses:
            live = _read(self._path(address))
            if live is not None:
                yield live

    def plan(self, change: Change) -> Change:
        """Nothing to add: a file can always be written anew."""
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """One file after the other; each is there in full or not at all."""
        for change in batch:
            path = self._path(change.address)
            live = _read(path)
            if (live.version if live else None) != change.expect_version:
                error = Diagnostic("HR084", f"{path.name} is not as the plan saw it")
                yield Outcome(change.address, Result.STALE, error=error)
            elif change.action is Action.DELETE:
                self._fence()  # before each step: another run may have taken over
                atomic.remove(path)
                yield Outcome(change.address, Result.DONE)
            else:
                yield self._write(path, change, secrets)

    def _write(self, path: Path, change: Change, secrets: Secrets) -> Outcome:
        held = {
            "address": change.address,
            "owner": self._owner,
            "body": secrets.resolve(change.after),
        }
        data = json.dumps(held, indent=2, sort_keys=True).encode() + b"\n"
        self._fence()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(path, data)
        except OSError as error:
            found = Diagnostic("HR083", f"cannot write {path}: {error.strerror}")
            return Outcome(change.address, Result.FAILED, error=found)
        return Outcome(change.address, Result.DONE, _version(path, data))

    def _path(self, address: Address) -> Path:
        return self._folder / (address.replace("/", ".").replace(":", "--") + ".json")


def _read(path: Path) -> Live | None:
    try:
        data = path.read_bytes()
        held = json.loads(data)
        version = _version(path, data)
        return Live(Address(held["address"]), held["body"], version, held["owner"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HrctlError.of(
            "HR080", f"{path} is no flag file: {error}", hint="mend it, or move it away"
        ) from error


def _version(path: Path, data: bytes) -> str:
    """The content, and when it was written: a file that was lost and made anew is another one."""
    return f"{path.stat().st_mtime_ns}-{digest_bytes(data)}"
