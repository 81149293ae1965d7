"""The conformance tests, against a real Envoy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hrctl.drivers.api import Driver
from hrctl.drivers.contract import DriverContract, context_for
from hrctl.drivers.envoy import EnvoyDriver
from hrctl.drivers.envoy.snapshot import rds
from hrctl.model.address import Address
from hrctl.model.values import Body, Json, merge
from tests.drivers.envoy.conftest import Mesh, node_body, route_body

LEFT = {"journal.json"}
DRAFT = ".hrctl-draft"


class TestEnvoy(DriverContract):
    many: ClassVar[int] = 40
    kills: ClassVar[int] = 10
    file_kills: ClassVar[int] = 8
    fences: ClassVar[int] = 6
    mesh: Mesh

    @pytest.fixture(autouse=True)
    def _envoy(self, mesh: Mesh) -> Iterator[None]:
        self.mesh = mesh
        yield
        for owner in ("contract", "another"):
            driver = self.make_driver(owner)
            with driver:
                mesh.put({one.address: None for one in driver.scan()})

    def make_driver(self, project: str = "contract") -> Driver:
        context = self.mesh.driver.context
        return EnvoyDriver({}, context_for(context.root, project, context.instance))

    def sample_body(self, kind: str, n: int) -> Body:
        labels = {"metadata": {"labels": {"n": str(n)}}}
        if kind == "Node":
            made: Body = {
                **node_body(address=f"127.0.0.1:{20000 + n}", drainTimeout="1s"),
                **labels,
            }
            return made
        made = route_body(
            listen=self.mesh.listen,
            hosts=[f"h{n}.example"],
            timeout="5s",
            destinations=[{"address": "127.0.0.1:20001", "weight": 1, "subset": "v1"}],
        )
        return {**made, **labels}

    def observe(self, driver: Any) -> object:
        return driver.place.present()  # a scan would finish what the journal holds

    def require_real(self, address: Address, body: Body) -> None:
        driver: Any = self.make_driver()
        wanted = [f"h{body['metadata']['labels']['n']}.example", f'"{body["spec"]["timeout"]}"']
        with driver:
            deadline = time.monotonic() + 10
            while True:
                dump = json.dumps(driver.admin.json("/config_dump?resource=dynamic_route_configs"))
                if all(part in dump for part in wanted):
                    return
                assert time.monotonic() < deadline, f"Envoy does not have {wanted} of {address}"
                time.sleep(0.05)

    def leftovers(self) -> list[str]:
        home = self.mesh.driver.place.home
        return [str(path) for path in home.rglob("*") if path.name in LEFT or DRAFT in path.name]

    def changed_body(self, body: Body) -> Body:
        change = {"weight": 7} if "address" in body["spec"] else {"timeout": "9s"}
        result: Body = merge(body, {"spec": change})
        return result

    def tamper(self, address: Address) -> None:
        assert address.kind == "Route"
        path: Path = self.mesh.driver.place.settings.folder / rds(self.mesh.listen)
        path.write_text(
            path.read_text("utf-8").replace('"timeout":"5s"', '"timeout":"6s"'), "utf-8"
        )

    def with_secret(self, body: Body, reference: Json) -> Body:
        result: Body = merge(body, {"metadata": {"annotations": {"token": reference}}})
        return result

    def a_kind(self, driver: Driver) -> str:
        assert "Route" in driver.kinds
        return "Route"
