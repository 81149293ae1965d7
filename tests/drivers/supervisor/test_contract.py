"""The conformance tests, against a real supervisord."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from hrctl.drivers.contract import DriverContract, context_for
from hrctl.drivers.supervisor import SupervisorDriver
from hrctl.drivers.supervisor.groupfile import group_name
from hrctl.model.address import Address
from hrctl.model.kinds.service import ServiceSpec
from hrctl.model.values import Body, Json, merge
from tests.drivers.supervisor.conftest import LISTENER, External, free_ports


class TestSupervisor(DriverContract):
    many: ClassVar[int] = 8
    kills: ClassVar[int] = 16
    fences: ClassVar[int] = 8
    root: Path
    port: int

    external: External

    @pytest.fixture(autouse=True)
    def _supervisord(self, external: External, folder: Path) -> None:
        self.external = external
        self.root = folder
        self.port = free_ports(12)

    def make_driver(self, project: str = "contract") -> SupervisorDriver:
        return SupervisorDriver(self.external.config, context_for(self.root, project))

    def sample_body(self, kind: str, n: int) -> Body:
        assert kind == "Service"
        # Most samples only exist, so that the tests are about the protocol; each third one runs.
        wanted: dict[str, Any] = {
            "type": "WORKER",
            "state": "RUNNING" if n % 3 == 1 else "STOPPED",
            "command": LISTENER,
            "ports": [{"name": "main", "port": self.port + n}],
            "stopTimeout": "2s",
            "healthCheck": {"tcp": "main", "interval": "100ms"},
        }
        spec = ServiceSpec.model_validate(wanted).model_dump(mode="json", exclude_none=True)
        return {"metadata": {"labels": {"n": str(n)}}, "spec": spec}

    def changed_body(self, body: Body) -> Body:
        result: Body = merge(body, {"spec": {"env": {"LEVEL": "debug"}}})
        return result

    def require_real(self, address: Address, body: Body) -> None:
        if body["spec"]["state"] != "RUNNING":
            return
        client = self.make_driver().connect()
        assert client is not None
        (process,) = client.groups({group_name(address): 1})[group_name(address)]
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert (b"LEVEL=debug" in environment) == bool(body["spec"].get("env"))

    def leftovers(self) -> list[str]:
        return [str(path) for path in self.root.rglob("*.hrctl-draft")]

    def tamper(self, address: Address) -> None:
        conf = self.make_driver().folders.conf(group_name(address))
        text = conf.read_text(encoding="utf-8")
        conf.write_text(text.replace("stopwaitsecs=2", "stopwaitsecs=7"), encoding="utf-8")

    def with_secret(self, body: Body, reference: Json) -> Body:
        result: Body = merge(body, {"spec": {"env": {"TOKEN": reference}}})
        return result
