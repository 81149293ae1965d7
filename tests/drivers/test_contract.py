"""The contract passes a sound driver in memory, and catches each way to break it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from pydantic import BaseModel, ConfigDict

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
from hrctl.drivers.contract import DriverContract, context_for, differences
from hrctl.drivers.fence import Fence
from hrctl.files import atomic
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json, merge


class ShelfConfig(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid")


@dataclass
class Server:
    """The live system: what several driver objects reach."""

    things: MutableMapping[Address, tuple[str, int, Body]] = field(default_factory=dict)
    clock: int = 0

    def put(self, address: Address, owner: str, body: Body) -> str:
        self.clock = time.time_ns() if isinstance(self.things, Stored) else self.clock + 1
        self.things[address] = (owner, self.clock, body)
        return str(self.clock)


class Stored(MutableMapping[Address, tuple[str, int, Body]]):
    """Things in a file, which outlive the process that puts them there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict[Address, Any]:
        text = self.path.read_text() if self.path.exists() else "{}"
        return {Address(key): tuple(thing) for key, thing in json.loads(text).items()}

    def _write(self, things: dict[Address, Any]) -> None:
        atomic.write(self.path, json.dumps(things).encode())

    def __getitem__(self, address: Address) -> tuple[str, int, Body]:
        return self._read()[address]  # type: ignore[no-any-return]

    def __setitem__(self, address: Address, thing: tuple[str, int, Body]) -> None:
        self._write({**self._read(), address: thing})

    def __delitem__(self, address: Address) -> None:
        things = self._read()
        del things[address]
        self._write(things)

    def __iter__(self) -> Iterator[Address]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class Shelf:
    """Sound: keeps bodies with their references."""

    kinds: ClassVar[frozenset[str]] = frozenset({"Service", "Config"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        ownership=Ownership.MARK, compare_and_set=True, max_batch=7
    )

    @classmethod
    def config_model(cls) -> type[BaseModel]:
        return ShelfConfig

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        self.config = config
        self.owner = context.project
        self.fence = context.fence
        self.root = context.root
        self.server = Server()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def scan(self) -> Iterator[Stamp]:
        for address, (owner, version, _) in self.server.things.items():
            yield Stamp(address, owner, str(version))

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        for address in addresses:
            if address in self.server.things:
                owner, version, body = self.server.things[address]
                yield Live(address, body, str(version), owner)

    def plan(self, change: Change) -> Change:
        return change

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        for change in batch:
            yield self.one(change, secrets)

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        there = self.server.things.get(change.address)
        expected = None if change.action is Action.CREATE else change.expect_version
        if (str(there[1]) if there else None) != expected:
            error = Diagnostic("HR084", "moved")
            return Outcome(change.address, Result.STALE, error=error)
        if change.action is Action.DELETE:
            self.fence()
            self.server.things.pop(change.address, None)
            return Outcome(change.address, Result.DONE)
        try:
            body = self.settle(change.after or {}, secrets)
        except HrctlError as error:
            return Outcome(change.address, Result.FAILED, error=error.diagnostics[0])
        self.fence()
        version = self.server.put(change.address, self.owner, body)
        return Outcome(change.address, Result.DONE, version)

    def settle(self, body: Body, secrets: Secrets) -> Body:
        return secrets.resolve(body)  # type: ignore[no-any-return]


class Stubborn(Shelf):
    """Does not look at the version that is expected."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        there = self.server.things.get(change.address)
        return super().one(replace(change, expect_version=there and str(there[1])), secrets)


class Overwriting(Shelf):
    """Creates over what is there."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        if change.action is Action.CREATE:
            self.server.things.pop(change.address, None)
        return super().one(change, secrets)


class Frozen(Shelf):
    """Leaves the version as it was when something changes."""

    def scan(self) -> Iterator[Stamp]:
        return (stamp._replace(version="1") for stamp in super().scan())


class Restless(Shelf):
    """Gives another version at each look."""

    def scan(self) -> Iterator[Stamp]:
        self.server.clock += 1
        for stamp in super().scan():
            yield stamp._replace(version=f"{stamp.version}.{self.server.clock}")


class Forgetful(Shelf):
    """Drops a field."""

    def settle(self, body: Body, secrets: Secrets) -> Body:
        spec = dict(super().settle(body, secrets)["spec"])
        spec.pop("replicas", None)
        return {"spec": spec}


class Merging(Shelf):
    """Keeps fields that are no longer wanted."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        if change.after and change.address in self.server.things:
            old = self.server.things[change.address][2]["spec"]
            after = {"spec": old | change.after["spec"]}
            change = replace(change, after=after)
        return super().one(change, secrets)


class Revealing(Shelf):
    """Keeps secrets in the clear and gives them back."""

    def settle(self, body: Body, secrets: Secrets) -> Body:
        return secrets.reveal(body)  # type: ignore[no-any-return]


class Telling(Shelf):
    """Says a secret in an error."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        outcome = super().one(change, secrets)
        if outcome.error and change.after and "HR084" in str(outcome.error):
            text = json.dumps(secrets.reveal(change.after))
            return replace(outcome, error=Diagnostic("HR084", f"moved: {text}"))
        return outcome


class Silent(Shelf):
    """Leaves out the outcomes of what did not work."""

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        return (one for one in super().apply(batch, secrets) if one.result is Result.DONE)


class Raising(Shelf):
    """Gives up the whole batch for one missing key."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        secrets.reveal(change.after)
        return super().one(change, secrets)


class Immortal(Shelf):
    """Says that it deleted, and did not."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        if change.action is Action.DELETE:
            return Outcome(change.address, Result.DONE)
        return super().one(change, secrets)


class Greedy(Shelf):
    """Takes everything for its own."""

    def scan(self) -> Iterator[Stamp]:
        return (stamp._replace(owner=self.owner) for stamp in super().scan())


class Inventive(Shelf):
    """Gives bodies for what is not there."""

    def read(self, addresses: Sequence[Address]) -> Iterator[Live]:
        for address in addresses:
            yield next(super().read([address]), Live(address, {}, "0"))


class Local(Shelf):
    """Lets names of two registries collide."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        short = Address.of("acme", change.address.kind, change.address.name)
        return replace(super().one(replace(change, address=short), secrets), address=change.address)


class Reusing(Shelf):
    """Counts versions from one again after a delete."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        outcome = super().one(change, secrets)
        if change.action is Action.DELETE and outcome.result is Result.DONE:
            self.server.clock = 0
        return outcome


class Renaming(Shelf):
    """Claims to rename, and makes a copy."""

    capabilities = replace(Shelf.capabilities, renames=True)

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        if change.previous_address:
            change = replace(change, action=Action.CREATE, expect_version=None)
        return super().one(change, secrets)


class Quadratic(Shelf):
    """Looks at everything for each change."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        time.sleep(0.0005 * len(self.server.things))
        return super().one(change, secrets)


class Sharing(Shelf):
    """Gives its own things away as unowned."""

    def discover(self) -> Iterable[Live]:
        return self.read(list(self.server.things))


class Unmarked(Shelf):
    """Gives a version when it deletes, and none when it creates."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        return replace(super().one(change, secrets), version=None)


class Fenceless(Shelf):
    """Goes on whoever holds the lease."""

    def __init__(self, config: Mapping[str, Json], context: Context) -> None:
        super().__init__(config, context)
        self.fence = Fence()


class Late(Shelf):
    """Asks for the lease when everything is done."""

    def apply(self, batch: Sequence[Change], secrets: Secrets) -> Iterator[Outcome]:
        fence, self.fence = self.fence, Fence()
        outcomes = list(super().apply(batch, secrets))
        fence()
        yield from outcomes


class Hasty(Shelf):
    """Writes down what is wanted first, and then acts; nothing tells that it did not."""

    def one(self, change: Change, secrets: Secrets) -> Outcome:
        outcome = super().one(change, secrets)
        acted = self.root / "acted"
        done = json.loads(acted.read_text()) if acted.exists() else {}
        done[change.address] = change.after
        atomic.write(acted, json.dumps(done).encode())
        return outcome


class ShelfContract(DriverContract):
    """The contract for one class of shelf; pytest does not collect it by its name."""

    many = 80

    def __init__(self, cls: type[Shelf] = Shelf) -> None:
        self.cls = cls
        self.server = Server()
        self.folder = Path("nowhere")

    def make_driver(self, project: str = "contract") -> Any:
        driver = self.cls({}, context_for(self.folder, project))
        driver.server = self.server
        return driver

    def sample_body(self, kind: str, n: int) -> Body:
        return {"spec": {"kind": kind, "replicas": 1 + n % 2, "env": {"A": "a"}}}

    def changed_body(self, body: Body) -> Body:
        return merge(body, {"spec": {"replicas": 9, "more": True}})  # type: ignore[no-any-return]

    def tamper(self, address: Address) -> None:
        self.server.put(address, "contract", {"spec": {"replicas": 77}})

    def with_secret(self, body: Body, reference: Json) -> Body:
        return merge(body, {"spec": {"env": {"TOKEN": reference}}})  # type: ignore[no-any-return]


class TestSoundShelf(ShelfContract):
    """The same through pytest, as a third party would."""

    many = 8  # each change writes the whole file
    __init__ = object.__init__  # pytest collects no class that has its own

    @pytest.fixture(autouse=True)
    def _server(self, tmp_path: Path) -> None:
        self.cls, self.folder, self.server = Shelf, tmp_path, Server(Stored(tmp_path / "things"))


@pytest.mark.parametrize(
    ("cls", "caught_by"),
    [
        (Stubborn, "test_stale_update_is_refused"),
        (Stubborn, "test_stale_delete_is_refused"),
        (Overwriting, "test_create_over_something_is_refused"),
        (Frozen, "test_update_is_seen"),
        (Frozen, "test_tampering_is_seen"),
        (Restless, "test_version_stands_still"),
        (Forgetful, "test_create_is_seen"),
        (Merging, "test_update_removes_what_is_no_longer_wanted"),
        (Revealing, "test_secrets_stay_secret"),
        (Telling, "test_secrets_stay_secret"),
        (Silent, "test_batch_has_one_outcome_for_each_change"),
        (Raising, "test_missing_key_fails_only_its_own_change"),
        (Immortal, "test_delete_makes_it_vanish"),
        (Greedy, "test_other_projects_keep_their_own"),
        (Inventive, "test_read_of_nothing_is_empty"),
        (Local, "test_names_do_not_collide"),
        (Reusing, "test_version_is_never_used_again"),
        (Renaming, "test_rename"),
        (Quadratic, "test_many"),
        (Sharing, "test_discover_gives_what_nobody_owns"),
        (Unmarked, "test_create_is_seen"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_each_defect_is_caught(cls: type[Shelf], caught_by: str) -> None:
    with pytest.raises(AssertionError):
        getattr(ShelfContract(cls), caught_by)()


class HastyContract(ShelfContract):
    """Looks at what a hasty shelf acted on."""

    def require_real(self, address: Address, body: Body) -> None:
        acted = json.loads((self.folder / "acted").read_text())
        assert acted.get(address) == body, "it did not act"


@pytest.mark.parametrize(
    ("contract", "cls", "caught_by"),
    [
        (ShelfContract, Fenceless, "test_lost_lease_stops_the_driver"),
        (ShelfContract, Late, "test_lost_lease_stops_the_driver"),
        (HastyContract, Hasty, "test_kill_between_any_two_calls"),
    ],
)
def test_each_defect_at_a_crash_is_caught(
    contract: type[ShelfContract], cls: type[Shelf], caught_by: str, tmp_path: Path
) -> None:
    tested = contract(cls)
    tested.folder, tested.server = tmp_path, Server(Stored(tmp_path / "things"))
    with pytest.raises(AssertionError):
        getattr(tested, caught_by)()


def test_hooks_that_are_missing_skip(tmp_path: Path) -> None:
    class Bare(ShelfContract):
        tamper = DriverContract.tamper
        with_secret = DriverContract.with_secret

    for name in ("test_tampering_is_seen", "test_secrets_stay_secret"):
        with pytest.raises(pytest.skip.Exception):
            getattr(Bare(), name)()
    assert context_for(tmp_path).state_dir == tmp_path / ".hrctl"


@pytest.mark.parametrize(
    ("desired", "live", "applied", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None, []),
        ({"a": 1}, {"a": 1, "b": 2}, {"b": 2}, ["/b"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, None, ["/a/b"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, None, ["/a/1"]),
        ({"a": [1, 2]}, {"a": [1]}, None, ["/a"]),
        ({"a": {}}, {}, None, []),
        ({"a": {"valueFrom": {"env": "X"}}}, {}, None, []),
        ({"a/b": 1}, {}, None, ["/a~1b"]),
    ],
)
def test_differences(desired: Json, live: Json, applied: Json, found: list[str]) -> None:
    assert differences(desired, live, applied) == found
