"""A project in a folder with a short path, whose supervisord is stopped by its own pid."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.api import Context, Outcome, Result
from hrctl.drivers.supervisor import SupervisorDriver, daemon, procs
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address
from hrctl.model.kinds.service import ServiceSpec
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.values import Body, Json, digest, is_reference

HERE = Path(__file__).parent
SERVER = f"{sys.executable} {HERE / 'server.py'}"


@dataclass
class Keys:
    """Reveals ``{"valueFrom": {"env": NAME}}`` from a mapping."""

    values: Mapping[str, str] = field(default_factory=dict)

    def reveal(self, value: Json) -> Json:
        if is_reference(value):
            return self.values[value["valueFrom"]["env"]]
        if isinstance(value, dict):
            return {key: self.reveal(item) for key, item in value.items()}
        return value

    def resolve(self, value: Json) -> Json:
        return value


def body_of(**spec: Any) -> Body:
    """A complete body, as the tree makes it: the kind's defaults are in it."""
    whole = ServiceSpec.model_validate({"type": "WORKER", **spec})
    return {"metadata": {}, "spec": whole.model_dump(mode="json", exclude_none=True)}


def free_ports(count: int = 1) -> int:
    """The first of so many successive ports that nothing has."""
    for first in range(21000, 29000, count):
        try:
            for number in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("", number))
        except OSError:
            continue
        return first
    raise AssertionError


@dataclass
class Project:
    """A driver, and short ways to call it."""

    root: Path
    driver: SupervisorDriver
    keys: Keys = field(default_factory=Keys)

    @property
    def folders(self) -> Folders:
        return self.driver.folders

    def again(self) -> Project:
        """The same project, as the next command sees it."""
        driver = SupervisorDriver(self.driver.config, self.driver.context)
        return replace(self, driver=driver.__enter__())

    def version(self, address: Address) -> str | None:
        return {stamp.address: stamp.version for stamp in self.driver.scan()}.get(address)

    def change(self, action: Action, address: Address, body: Body | None = None) -> Change:
        return Change(
            address,
            action,
            Reason.EDITED,
            self.driver.context.instance,
            after=body,
            expect_version=self.version(address),
            digest=digest(body),
        )

    def apply(self, *changes: Change) -> dict[Address, Outcome]:
        outcomes = list(self.driver.apply(changes, self.keys))
        assert {one.address for one in outcomes} == {one.address for one in changes}
        return {one.address: one for one in outcomes}

    def put(self, address: Address, **spec: Any) -> Outcome:
        """Apply one Service; it must end well."""
        outcome = self.try_put(address, **spec)
        assert outcome.result is Result.DONE, outcome.error
        assert outcome.version == self.version(address)
        return outcome

    def try_put(self, address: Address, **spec: Any) -> Outcome:
        action = Action.CREATE if self.version(address) is None else Action.UPDATE
        return self.apply(self.change(action, address, body_of(**spec)))[address]

    def live(self, address: Address) -> dict[str, Any]:
        """The live spec."""
        (live,) = self.driver.read([address])
        spec: dict[str, Any] = live.body["spec"]
        return spec

    def pid(self, address: Address, replica: int = 0) -> int:
        rows = [row for _, row in self.driver.metrics([address]) if row["replica"] == replica]
        pid = rows[0]["pid"]
        assert isinstance(pid, int)
        return pid


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hr", dir="/tmp"))  # a socket needs a short path
    yield path
    shutil.rmtree(path)


def end(driver: SupervisorDriver) -> None:
    """By its own process id, whatever state it is in."""
    if not driver.down():
        pid = daemon.daemon_pid(driver.folders)
        if pid is not None:
            procs.end_group(pid, timeout=15)
    daemon.end_orphans(driver.folders)


@pytest.fixture
def make(folder: Path) -> Iterator[Callable[..., Project]]:
    made: list[SupervisorDriver] = []

    def one(root: Path = folder, instance: str = "procs", **config: Any) -> Project:
        whole = SupervisorDriver.config_model().model_validate(config).model_dump(mode="json")
        context = Context(instance, "acme", root, root / ".hrctl")
        driver = SupervisorDriver(whole, context).__enter__()
        made.append(driver)
        return Project(root, driver)

    yield one
    for driver in made:
        if driver.folders.embedded:
            end(driver)


@pytest.fixture
def project(make: Callable[..., Project]) -> Project:
    return make()


@pytest.fixture
def api() -> Address:
    return Address("acme/shop/prod:Service/api")
