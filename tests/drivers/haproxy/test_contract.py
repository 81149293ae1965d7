"""The conformance tests, against a real HAProxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrctl.drivers.contract import context_for
from hrctl.drivers.haproxy import HaproxyDriver
from tests.drivers.envoy import test_contract

if TYPE_CHECKING:
    from hrctl.drivers.api import Driver
    from hrctl.model.address import Address
    from hrctl.model.values import Body


class TestHaproxy(test_contract.TestEnvoy):
    """What Envoy's driver is asked, with the same bodies."""

    def make_driver(self, project: str = "contract") -> Driver:
        context = self.mesh.driver.context
        return HaproxyDriver({}, context_for(context.root, project, context.instance))

    def observe(self, driver: Any) -> object:
        names = driver.place.applied().get("backends", ())
        return driver.place.present(), driver.runtime.state(names, driver.place.settings.table)

    def require_real(self, address: Address, body: Body) -> None:
        driver: Any = self.make_driver()
        with driver:
            text = driver.place.settings.config.read_text("utf-8")
            assert f"timeout server {body['spec']['timeout'][:-1]}000ms" in text
            assert driver.place.applied()["loaded"], f"HAProxy has not loaded {address}"

    def tamper(self, address: Address) -> None:
        assert address.kind == "Route"
        path = self.mesh.driver.place.settings.config
        text = path.read_text("utf-8")
        path.write_text(text.replace("timeout server 5000ms", "timeout server 6000ms"), "utf-8")
