"""The driver `unleash`: each flag is a feature, in one of Unleash's projects and environments."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import (
    Capabilities,
    Context,
    Count,
    HealthReport,
    Live,
    Outcome,
    Ownership,
    Result,
    Secrets,
    Stamp,
)
from hrctl.drivers.unleash.client import Client, Refusal
from hrctl.drivers.unleash.places import Places
from hrctl.drivers.unleash.server import Server
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.unleash.feature import Feature
    from hrctl.logic.flags.evaluation import Evaluation


class UnleashDriver:
    """Flags in an Unleash, through its Admin API."""

    kinds: ClassVar[frozenset[str]] = frozenset({"FeatureFlag"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=100, reveals=False
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`url`, `token`, `projects` and `environments`."""
        from hrctl.drivers.unleash.config import UnleashConfig

        return UnleashConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self._context = context
        self._client = Client(config["url"], config["token"]["valueFrom"]["env"])
        self._server = Server(self._client)
        self._places = Places(config)
        self._seen: dict[tuple[str, str], Feature] = {}
        self._planned: dict[tuple[str, str], Address] = {}

    def __enter__(self) -> Self:
        """See that Unleash is there, takes the token, and has what the mappings name."""
        try:
            projects, environments = self._server.projects(), self._server.environments()
            self._places.require(projects, environments, self._client.url)
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def scan(self) -> Iterator[Stamp]:
        """Every feature in reach that bears hrctl's marks; one request for each environment."""
        for environment in self._places.environments:
            for one in self._server.features(environment):
                self._seen[one.name, environment] = one
                address, marks = _address(one), one.marks
                if address is not None and marks is not None:
                    yield Stamp(address, marks["project"], one.version)

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The flags of these."""
        from hrctl.drivers.unleash.feature import live_body

        found = self._found(addresses)
        for address in addresses:
            one = found.get(address)
            if one is not None and one.marks is not None and _address(one) == address:
                yield Live(address, live_body(one), one.version, one.marks["project"])

    def plan(self, change: Change) -> Change:
        """The change as it is, where Unleash can express it and nobody else has the key.

        Raises:
            HrctlError: HR252, for what Unleash does not have; HR266, for a registry without an
                environment; HR267, where the key is another's.
        """
        place = self._places.of(change.address)
        if change.action is Action.DELETE:
            return change
        self._expressed(change)
        if change.action is Action.CREATE:
            key = change.address.name, place.environment
            other = self._planned.setdefault(key, change.address)
            if other != change.address:
                raise HrctlError(_taken(change.address, f"this project ({other})", self._client))
            refused = self._foreign(change.address, self._seen.get(key))
            if refused is not None:
                raise HrctlError(refused)
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        """One request reads what is there; each change then takes a few."""
        try:
            found = self._found([one.address for one in batch])
        except HrctlError as error:
            for one in batch:
                yield Outcome(one.address, Result.FAILED, error=error.diagnostics[0])
            return
        written: set[str] = set()
        for change in batch:
            begin = time.perf_counter()
            name = change.address.name
            try:
                # all environments share one description: a change before this may have written it
                held = self._found([change.address]) if name in written else found
                written.add(name)
                outcome = self._change(change, held.get(change.address), secrets)
            except HrctlError as error:
                outcome = Outcome(change.address, Result.FAILED, error=error.diagnostics[0])
            except Refusal as refusal:
                said = f"Unleash refuses {change.address}: {refusal.said} ({refusal.status})"
                error_ = Diagnostic("HR083", said, address=change.address)
                outcome = Outcome(change.address, Result.FAILED, error=error_)
            seconds = time.perf_counter() - begin
            yield Outcome(
                outcome.address,
                outcome.result,
                outcome.version,
                error=outcome.error,
                seconds=seconds,
            )

    def _change(self, change: Change, found: Feature | None, secrets: Secrets) -> Outcome:
        from hrctl.drivers.unleash.feature import marked

        address = change.address
        taken = self._foreign(address, found)
        if taken is not None:
            return Outcome(address, Result.FAILED, error=taken)
        here = found if found is not None and found.marks is not None else None
        now = here.version if here is not None else None
        if now != change.expect_version:
            moved = f"{address} is not in Unleash as the plan saw it"
            error = Diagnostic("HR084", moved, address=address, hint="plan again")
            return Outcome(address, Result.STALE, now, error=error)
        if change.action is Action.DELETE:
            if here is None:
                return Outcome(address, Result.DONE)
            self._server.remove(here)
            return Outcome(address, Result.DONE)
        body = change.after or {}
        if "valueFrom" in json.dumps(body):
            body = secrets.resolve(body)
        wanted = self._expressed(change, body)
        place = self._places.of(address)
        mark = marked(self._context.project, address, body)
        written = self._server.write(address.name, place, found, mark, wanted)
        return Outcome(address, Result.DONE, written.version)

    def _expressed(self, change: Change, body: Body | None = None) -> list[dict[str, Json]]:
        from hrctl.drivers.unleash.strategies import NotExpressible, strategies

        try:
            return strategies(change.address.name, body or change.after or {})
        except NotExpressible as error:
            raise HrctlError(
                Diagnostic(
                    "HR252",
                    f"{change.address} uses {error}, which Unleash does not have",
                    change.span,
                    address=change.address,
                    hint="say it otherwise, or bind the flag to a driver that has it",
                )
            ) from error

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """Whether applications find the flag, and as what."""
        for live in self.read(addresses):
            yield HealthReport(live.address, str(live.body["spec"].get("status")))

    def evaluate(
        self, addresses: Sequence[Address], contexts: Sequence[Mapping[str, Json]]
    ) -> Iterator[tuple[Address, list[Evaluation]]]:
        """The answers of Unleash's playground."""
        from hrctl.drivers.unleash.playground import answers

        return answers(self._client, self._places, addresses, contexts)

    def evaluations(self, addresses: Sequence[Address]) -> Iterator[Count]:
        """What applications have reported."""
        from hrctl.drivers.unleash.metrics import counts

        return counts(self._client, self._places, addresses)

    def _found(self, addresses: Sequence[Address]) -> dict[Address, Feature]:
        """What is there of these keys, whoever's it is."""
        by_place: dict[str, dict[str, list[Address]]] = {}
        for address in addresses:
            environment = self._places.of(address).environment
            by_place.setdefault(environment, {}).setdefault(address.name, []).append(address)
        return {
            address: one
            for environment, wanted in by_place.items()
            for one in self._server.features(environment, list(wanted))
            for address in wanted[one.name]
        }

    def _foreign(self, address: Address, found: Feature | None) -> Diagnostic | None:
        """HR267, where the key is another's: a project's, a registry's, or that of people."""
        from hrctl.drivers.unleash.feature import all_marks

        if found is None:
            return None
        place = self._places.of(address)
        mine = self._context.project
        if found.project != place.project:
            return _taken(address, f"Unleash's project '{found.project}'", self._client)
        for held in [found.marks] if found.marks else all_marks(found.description).values():
            if held["project"] != mine or (found.marks and held["address"] != address):
                owner = f"project '{held['project']}' ({held['address']})"
                return _taken(address, owner, self._client)
        if not all_marks(found.description):
            return _taken(address, "people, who made it in Unleash", self._client)
        if not found.marks and (found.enabled or found.found):
            who = f"people, who use it in the environment '{found.environment}'"
            return _taken(address, who, self._client)
        return None


def _address(feature: Feature) -> Address | None:
    """What a feature is called here; None for one without marks, or with marks people wrote."""
    if feature.marks is None:
        return None
    try:
        return Address.parse(feature.marks["address"])
    except HrctlError:
        return None


def _taken(address: Address, owner: str, client: Client) -> Diagnostic:
    return Diagnostic(
        "HR267",
        f"the flag '{address.name}' in Unleash at {client.url} belongs to {owner}",
        address=address,
        hint="give one of them another name",
    )
