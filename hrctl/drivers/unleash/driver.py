"""The driver `unleash`: each flag is a feature, in one of Unleash's projects and environments."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Final, Self

from hrctl.diagnostics import Diagnostic, FieldError, HrctlError
from hrctl.drivers import hashes
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
from hrctl.drivers.unleash.client import Client, Lost, Refusal
from hrctl.drivers.unleash.places import Place, Places
from hrctl.drivers.unleash.server import Server
from hrctl.drivers.unleash.token import Token
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hrctl.drivers.unleash.feature import Feature
    from hrctl.drivers.unleash.strategies import Strategy
    from hrctl.drivers.unleash.writing import Writer
    from hrctl.logic.flags.evaluation import Evaluation

_FEW: Final = 8  # features that are read one by one; more are read with all others
Key = tuple[str, str]  # a feature's name and an environment


class UnleashDriver:
    """Flags in an Unleash, through its Admin API."""

    kinds: ClassVar[frozenset[str]] = frozenset({"FeatureFlag"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK,
        compare_and_set=True,
        max_batch=50,
        max_parallel=4,  # as many connections as an Unleash has to its database, by default
        reveals=False,
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        """`url`, `token`, `caFile`, `tags`, `projects` and `environments`."""
        from hrctl.drivers.unleash.config import UnleashConfig

        return UnleashConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self._context = context
        ca_file = config.get("caFile")
        self._client = Client(
            config["url"],
            Token(config["token"], context.secret, context.root),
            context.root / ca_file if ca_file else None,
            context.fence,
        )
        self._tags = tuple(config.get("tags") or ())
        self._server = Server(self._client, self._tags)
        self._places = Places(config)
        self._seen: dict[Key, Feature] = {}
        self._names: set[str] = set()  # of features that were there when last looked
        self._written: set[str] = set()  # names, whose tags and parents are as is wanted
        self._planned: dict[Key, Address] = {}
        self._locks: dict[str, Lock] = {}
        self._writer: Writer | None = None

    def __enter__(self) -> Self:
        """See that Unleash is there, takes the token, and has what the mappings name."""
        try:
            self._projects = self._server.projects()
            environments = self._server.environments()
            self._places.require(self._projects, environments, self._client.url)
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def scan(self) -> Iterator[Stamp]:
        """Every feature in reach that bears hrctl's marks.

        One request lists each project in reach, and one has the strategies of an environment.
        """
        from hrctl.drivers.unleash.owners import address_of

        self._look(self._places.environments)
        for one in self._seen.values():
            address, marks = address_of(one), one.marks
            if address is not None and marks is not None:
                yield Stamp(address, marks["project"], one.version)

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """The flags of these."""
        from hrctl.drivers.unleash.feature import live_body
        from hrctl.drivers.unleash.owners import address_of

        places = {address: self._places.of(address) for address in addresses}
        if len(addresses) > _FEW:
            self._look(sorted({one.environment for one in places.values()}))
        for address, place in places.items():
            if len(addresses) > _FEW:
                one = self._seen.get((address.name, place.environment))
            else:
                one = self._server.feature(address.name, *place)
            if one is not None and one.marks is not None and address_of(one) == address:
                yield Live(address, live_body(one), one.version, one.marks["project"])

    def unmarked(self, addresses: Sequence[Address]) -> Iterator[Live]:
        """What the last scan saw in the places of these, without a mark for their environment.

        It is people's, who made it in Unleash; or this project's, where people overwrote the
        description and the tag still says so.
        """
        from hrctl.drivers.unleash.feature import live_body
        from hrctl.drivers.unleash.owners import unmarked

        for address in addresses:
            try:
                place = self._places.of(address)
            except HrctlError:  # `plan` tells
                continue
            one = self._seen.get((address.name, place.environment))
            if one is None or one.project != place.project:
                continue
            owner = unmarked(one, self._context.project)
            if owner is not None:
                yield Live(address, live_body(one), one.version, owner or None)

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
            from hrctl.drivers.unleash.owners import taken

            key = change.address.name, place.environment
            other = self._planned.setdefault(key, change.address)
            if other != change.address:
                raise HrctlError(taken(change.address, f"this project ({other})", self._client.url))
            refused = self._foreign(change, place, self._seen.get(key))
            if refused is not None:
                raise HrctlError(refused)
        return change

    def apply(
        self,
        batch: Sequence[Change],
        secrets: Secrets,  # noqa: ARG002 - a flag's values stand in the clear
    ) -> Iterator[Outcome]:
        """Each change reads what is there just before it writes; it takes two to five requests.

        Several batches may be under way at once; of two changes of one feature, which have its
        description in common, one waits for the other.
        """
        for change in batch:
            begin = time.perf_counter()
            address = change.address
            try:
                with self._locks.setdefault(address.name, Lock()):
                    outcome = self._change(change)
            except HrctlError as error:
                outcome = Outcome(address, Result.FAILED, error=error.diagnostics[0])
            except Lost as lost:
                (cause,) = self._client.lost(lost).diagnostics
                outcome = Outcome(address, Result.FAILED, error=cause)
            except Refusal as refusal:
                said = f"Unleash refuses {address}: {refusal.said} ({refusal.status})"
                refused = Diagnostic("HR083", said, address=address)
                outcome = Outcome(address, Result.FAILED, error=refused)
            yield replace(outcome, seconds=time.perf_counter() - begin)

    def _change(self, change: Change) -> Outcome:
        from hrctl.drivers.unleash.writing import Exists, Moved

        address, place = change.address, self._places.of(change.address)
        found = None
        if change.action is not Action.CREATE or address.name in self._names:
            found = self._server.feature(address.name, *place)
            self._recall(found)
        refused = self._refused(change, place, found)
        if refused is not None:
            return refused
        try:
            if change.action is not Action.DELETE:
                return self._write(change, place, found)
            if found is not None:
                self._writing().remove(found)
                self._written.add(address.name)
            return Outcome(address, Result.DONE)
        except Moved:
            return _stale(change, None)
        except Exists:
            return self._after_all(change, place)

    def _after_all(self, change: Change, place: Place) -> Outcome:
        """A create of a name that is taken: it was made just now, or archived some day."""
        from hrctl.drivers.unleash.owners import taken
        from hrctl.drivers.unleash.writing import Exists, Moved

        name = change.address.name
        found = self._server.feature(name, *place)
        refused = self._refused(change, place, found)
        if refused is not None:
            return refused
        if found is None:
            found = self._writing().revived(name, place)
        if found is None:
            owner = "another of Unleash's projects, where it is archived"
            error = taken(change.address, owner, self._client.url)
            return Outcome(change.address, Result.FAILED, error=error)
        try:
            return self._write(change, place, found)
        except (Moved, Exists):
            return _stale(change, None)

    def _write(self, change: Change, place: Place, found: Feature | None) -> Outcome:
        from hrctl.drivers.unleash.marks import marked

        wanted = self._expressed(change)
        mark = marked(self._context.project, change.address, change.after or {})
        written = self._writing().write(change.address.name, place, found, mark, wanted)
        self._names.add(change.address.name)
        self._written.add(change.address.name)
        return Outcome(change.address, Result.DONE, written.version)

    def _refused(self, change: Change, place: Place, found: Feature | None) -> Outcome | None:
        """Where it is another's, or not as the plan saw it."""
        foreign = self._foreign(change, place, found)
        if foreign is not None:
            return Outcome(change.address, Result.FAILED, error=foreign)
        now, expected = None, change.expect_version
        if found is not None and (found.marks is not None or expected is not None):
            now = found.version
        if change.address.name in self._written:  # in another environment, a moment ago
            from hrctl.drivers.unleash.feature import without_common

            now, expected = without_common(now), without_common(expected)
        return _stale(change, now) if now != expected else None

    def _foreign(self, change: Change, place: Place, found: Feature | None) -> Diagnostic | None:
        """HR267, where the key is another's. What is people's a change may take that knows it."""
        from hrctl.drivers.unleash.owners import foreign, taken

        if found is None:
            return None
        knows = change.action is not Action.CREATE
        owner = foreign(change.address, place, found, self._context.project, knows=knows)
        return None if owner is None else taken(change.address, owner, self._client.url)

    def health(self, addresses: Sequence[Address]) -> Iterator[HealthReport]:
        """The status of each, as it is live."""
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

    def _look(self, environments: Sequence[str]) -> None:
        """Read everything in some environments."""
        overview = self._server.overview(self._places.projects.intersection(self._projects))
        for key in [key for key in self._seen if key[1] in environments]:
            del self._seen[key]
        for environment in environments:
            for one in self._server.features(environment, overview):
                self._seen[one.name, environment] = one
        self._names = {name for name, _ in self._seen}

    def _recall(self, found: Feature | None) -> None:
        """The tags of a feature, if a scan saw them."""
        if found is not None and found.tags is None:
            seen = self._seen.get((found.name, found.environment))
            found.tags = seen.tags if seen is not None else None

    def _writing(self) -> Writer:
        from hrctl.drivers.unleash.writing import Writer

        if self._writer is None:
            self._writer = Writer(self._server, self._context.project)
        return self._writer

    def _expressed(self, change: Change) -> list[Strategy]:
        from hrctl.drivers.unleash import limits
        from hrctl.drivers.unleash.refusals import refused
        from hrctl.drivers.unleash.strategies import NotExpressible, strategies
        from hrctl.drivers.unleash.tags import tags_of

        spec = (change.after or {}).get("spec") or {}
        found = hashes.refused(change.address.name, spec.get("hash"), "unleash")
        if found is not None:
            raise FieldError(replace(found, address=change.address), hashes.FIELD)
        if any({"strategy", "parent"} & rule.keys() for rule in spec.get("targeting") or ()):
            raise HrctlError(_unkept(change))
        if (one := refused(spec)) is not None:
            said = f"{change.address} uses {one.words}"
            told = Diagnostic("HR252", said, address=change.address, hint=one.hint)
            raise FieldError(told, one.field)
        try:
            wanted = strategies(change.address.name, change.after or {})
            tags_of(change.after or {}, self._tags)
        except NotExpressible as error:
            raise FieldError(
                Diagnostic(
                    "HR252",
                    f"{change.address} uses {error}: Unleash has no such thing",
                    address=change.address,
                    hint="declare it another way, or bind the flag to another driver",
                ),
                error.field,
            ) from error
        limits.require(wanted, self._server.limits, change)
        if any(one.get("segments") for one in wanted):
            from hrctl.drivers.unleash.segments import require

            require(wanted, self._server.segments().values(), change, self._client.url)
        return wanted


def _unkept(change: Change) -> Diagnostic:
    """HR252, for drift that no field says and that other changes would have to leave alone."""
    return Diagnostic(
        "HR252",
        f"{change.address} cannot keep what people made of it in Unleash beside other changes",
        address=change.address,
        hint="leave --keep-drift out, or undo in Unleash what no field of a flag can say",
    )


def _stale(change: Change, now: str | None) -> Outcome:
    moved = f"{change.address} is not in Unleash as the plan saw it"
    error = Diagnostic("HR084", moved, address=change.address, hint="plan again")
    return Outcome(change.address, Result.STALE, now, error=error)
