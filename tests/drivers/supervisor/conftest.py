"""A project in a folder with a short path, whose supervisord is stopped by its own pid."""

from __future__ import annotations

import atexit
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.api import Context, Outcome, Result
from hrctl.drivers.supervisor import SupervisorDriver, daemon, procs
from hrctl.drivers.supervisor.client import Client, Code, RpcFaultError
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address
from hrctl.model.kinds.service import ServiceSpec
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.values import Body, Json, digest, is_reference
from tests.processes import remove

HERE = Path(__file__).parent
SERVER = f"{sys.executable} -I -S {HERE / 'server.py'}"
LISTENER = f"{sys.executable} -I -S {HERE / 'listener.py'}"


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


def _untaken() -> Iterator[int]:
    """Ports by blocks, whose first one is held, so that no other run of tests has the same.

    Proxies share ports of one user: what two of them listen at would be answered by either.
    """
    blocks = range(21000, 31000, 100)
    for number in range(len(blocks)):
        block = blocks[(number + os.getpid()) % len(blocks)]
        guard = socket.socket()
        try:
            guard.bind(("", block))
        except OSError:
            guard.close()
        else:
            atexit.register(guard.close)
            yield from range(block + 1, block + blocks.step)


_tried = _untaken()


def free_ports(count: int = 1) -> int:
    """The first of so many successive ports that nothing has; each time others."""
    while True:
        first, *more = itertools.islice(_tried, count)
        try:
            for number in (first, *more):
                with socket.socket() as probe:
                    probe.bind(("", number))
        except OSError:
            continue
        if [first, *more] == list(range(first, first + count)):
            return first


def listening(**more: Any) -> dict[str, Any]:
    """The spec of a service that is up at once."""
    port = free_ports(more.get("replicas", 1))
    return {
        "command": LISTENER,
        "ports": [{"name": "main", "port": port}],
        "healthCheck": {"tcp": "main", "interval": "100ms"},
        "stopTimeout": "2s",
        **more,
    }


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
    remove(path)


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


@dataclass
class External:
    """A supervisord that is not hrctl's: the folder that it includes, and its socket."""

    folder: Path
    client: Client

    @property
    def config(self) -> dict[str, Any]:
        return {
            "mode": "external",
            "socket": str(self.client.path),
            "configDir": str(self.folder / "conf.d"),
            "username": "me",
            "password": {"valueFrom": {"env": "SUPERVISOR_PASSWORD"}},
        }

    def clear(self) -> None:
        """Whatever a test left there."""
        for path in (self.folder / "conf.d").iterdir():
            path.unlink()
        daemon.stop_all(self.client)
        for group in self.client.processes():
            self._remove(group)
        self.client.reload()

    def _remove(self, group: str) -> None:
        """Stop and remove a group, whose programs may be about to be started again."""
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.call("removeProcessGroup", group)
            except RpcFaultError as fault:
                if fault.code != Code.STILL_RUNNING or time.monotonic() > deadline:
                    raise
                self.client.call("stopProcessGroup", group)
            else:
                return


@pytest.fixture(scope="session")
def supervisord() -> Iterator[External]:
    """One for all tests; `external` gives it empty to each."""
    folder = Path(tempfile.mkdtemp(prefix="hx", dir="/tmp"))
    (folder / "conf.d").mkdir()
    conf = folder / "supervisord.conf"
    conf.write_text(
        f"[unix_http_server]\nfile={folder}/s\nusername=me\npassword=open\n"
        f"[supervisord]\nlogfile={folder}/log\npidfile={folder}/pid\nsilent=true\nuser=root\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        "[include]\nfiles=conf.d/*.conf\n",
        encoding="utf-8",
    )
    if os.getuid() != 0:
        conf.write_text(conf.read_text().replace("user=root\n", ""))
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)]
    with subprocess.Popen(command, cwd=folder) as process:
        while not daemon.answers(folder / "s"):
            assert process.poll() is None
            time.sleep(0.05)
        client = Client(folder / "s", username="me", password="open")  # noqa: S106  # of the tests
        yield External(folder, client)
        process.terminate()
    remove(folder)


@pytest.fixture
def external(
    supervisord: External, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[External]:
    monkeypatch.setenv("SUPERVISOR_PASSWORD", "open")
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "SUPERVISOR_PASSWORD")
    yield supervisord
    supervisord.clear()
    assert folder.is_dir(), "the folder goes after what works in it"


@pytest.fixture
def project(make: Callable[..., Project]) -> Project:
    return make()


@pytest.fixture
def api() -> Address:
    return Address("acme/shop/prod:Service/api")
