"""The embedded registry as a driver: every kind, with versions, compare-and-set and batches.

It is what resources go to where nothing else is named. `local_store` documents its table, so that
other programs can read it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Self

from hrctl.database import json_text
from hrctl.diagnostics import Diagnostic, HrctlError
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
from hrctl.drivers.local_store import LocalStore, Write
from hrctl.model.address import Address
from hrctl.model.kinds import OUTSIDE
from hrctl.model.managed import with_live_fields
from hrctl.model.plan import Action, Change
from hrctl.model.values import Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.logic.flags import Evaluation

DEFAULT_PATH: Final = ".hrctl/registry.db"


class LocalDriver:
    """Keeps the project's resources in the SQLite file `path` (of its configuration).

    `store` may be used to read without going through the protocol.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(
        {
            "Component",
            "Config",
            "Engine",
            "FeatureFlag",
            "Node",
            "Plugin",
            "Registry",
            "Route",
            "Service",
        }
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK,
        compare_and_set=True,
        max_batch=1000,
        max_parallel=1,
        renames=True,
        reveals=False,
        records_only=OUTSIDE,
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`path`: the file, from the project's folder on."""
        from pydantic import BaseModel, ConfigDict, Field

        class LocalConfig(BaseModel):
            """The embedded registry of this project."""

            model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
            path: str = Field(
                DEFAULT_PATH, min_length=1, description="the file, from the project's folder on"
            )

        return LocalConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self._owner = context.project
        self._fence = context.fence
        self.store = LocalStore(context.place(config.get("path", DEFAULT_PATH)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.store.__exit__(*exc)

    def scan(self) -> Iterator[Stamp]:
        """Every row."""
        return iter(self.store.stamps())

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The rows of these."""
        return self.store.read(addresses)

    def plan(self, change: Change) -> Change:
        """Nothing to add: every change can be made in place."""
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """All in one transaction; what is stale or cannot be resolved is left out of it.

        Where the store cannot be written every change has failed and none was made.
        """
        started = time.perf_counter()
        writes: dict[int, Write] = {}
        errors: dict[int, Diagnostic] = {}
        for index, change in enumerate(batch):
            try:
                writes[index] = _write(change, secrets)
            except HrctlError as error:
                errors[index] = error.diagnostics[0]
        try:
            self._fence()
            done = dict(zip(writes, self.store.write([*writes.values()], self._owner), strict=True))
        except HrctlError as error:
            done = {}
            errors |= dict.fromkeys(writes, error.diagnostics[0])
        each = (time.perf_counter() - started) / max(len(batch), 1)
        for index, change in enumerate(batch):
            if index in errors:
                yield Outcome(change.address, Result.FAILED, error=errors[index], seconds=each)
            elif done[index].made:
                yield Outcome(change.address, Result.DONE, done[index].version, seconds=each)
            else:
                now = done[index].version
                yield Outcome(
                    change.address, Result.STALE, now, error=_moved(change, now), seconds=each
                )

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """Whether the row is there: nothing runs here that could be unwell."""
        found = {live.address: live.version for live in self.store.read(addresses)}
        for address in addresses:
            version = found.get(address)
            if version is None:
                yield HealthReport(address, "MISSING", detail="not in the embedded registry")
            else:
                yield HealthReport(address, "STORED", detail=f"version {version}")

    def evaluate(
        self, addresses: Sequence[Address], contexts: Sequence[Mapping[str, Json]]
    ) -> Iterator[tuple[Address, list[Evaluation]]]:
        """What each flag's row answers, by hrctl's own evaluation: no application reads it.

        Raises:
            HrctlError: HR255, where a row is no flag.
        """
        from hrctl.logic.flags import (
            ErrorCode,
            Evaluation,
            FlagError,
            Reason,
            compile_flag,
        )

        missing = Evaluation(None, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
        bodies = {row.address: row.body for row in self.store.read(addresses)}
        for address in addresses:
            if address not in bodies:
                yield address, [missing] * len(contexts)
                continue
            try:
                ask = compile_flag(address.name, bodies[address].get("spec") or {})
            except FlagError as error:
                hint = "hrctl apply writes it anew"
                raise HrctlError.of("HR255", str(error), hint=hint) from error
            yield address, list(map(ask, contexts))

    def discover(self) -> Iterable[Live]:
        """The rows that no project owns."""
        return self.store.unowned()


def _write(change: Change, secrets: Secrets) -> Write:
    if change.action is Action.DELETE:
        return Write(change.address, change.expect_version, None)
    body = secrets.resolve(change.after)
    if change.action is Action.CREATE:
        return Write(change.address, None, json_text(body))
    body = json_text(with_live_fields(body, change.applied, change.before))
    return Write(change.address, change.expect_version, body, change.previous_address)


def _moved(change: Change, version: str | None) -> Diagnostic:
    now = f"is at version {version} now" if version else "is gone"
    wanted = f"version {change.expect_version}" if change.expect_version else "nothing there"
    return Diagnostic(
        "HR084",
        f"{change.address} {now}, the plan saw {wanted}",
        address=change.address,
        hint="plan again",
    )
