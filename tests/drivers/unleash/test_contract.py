"""The conformance tests of all drivers, on a real Unleash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from hrctl.drivers.api import Driver, Result
from hrctl.drivers.contract import DriverContract, context_for
from hrctl.drivers.unleash import UnleashDriver
from hrctl.model.address import Address
from hrctl.model.validate import complete
from hrctl.model.values import Body, Json
from tests.drivers.unleash.server import ADMIN, Unleash


class TestUnleash(DriverContract):
    many: ClassVar[int] = 20
    kills: ClassVar[int] = 10
    file_kills: ClassVar[int] = 8
    fences: ClassVar[int] = 6

    @pytest.fixture(autouse=True)
    def _server(self, tmp_path: Path, unleash: Unleash, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)
        self.root, self.unleash = tmp_path, unleash

    def make_driver(self, project: str = "contract") -> Driver:
        config = {
            "url": self.unleash.url,
            "token": {"valueFrom": {"env": "UNLEASH_TOKEN"}},
            "environments": {"contract": "development"},
        }
        return UnleashDriver(config, context_for(self.root, project))

    def sample_body(self, kind: str, n: int) -> Body:
        rollout = {"strategy": "GRADUAL", "percentage": n % 100}
        spec = {"type": "BOOLEAN", "status": "ROLLOUT", "rollout": rollout, "hash": "unleash"}
        return {"metadata": {"labels": {"n": str(n)}}, "spec": complete(kind, spec)}

    def changed_body(self, body: Body) -> Body:
        return {**body, "spec": {**body["spec"], "status": "DISABLED"}}

    def with_secret(self, body: Body, reference: Json) -> Body:
        """A flag has no place for one: it stays a reference, which nobody reveals."""
        variants = {"on": {"token": reference}, "off": {}}
        return {**body, "spec": {**body["spec"], "type": "OBJECT", "variants": variants}}

    def tamper(self, address: Address) -> None:
        path = f"/api/admin/projects/default/features/{address.name}/environments/development/off"
        self.unleash.call("POST", path)

    def test_names_do_not_collide(self) -> None:
        """An environment of Unleash has one flag of a name: the second is refused."""
        with self.make_driver() as driver:
            first = self.create("FeatureFlag", 1)
            self.done(driver, first)
            other = Address.of("acme/other/contract", "FeatureFlag", first.address.name)
            (outcome,) = self.apply(driver, [replace(first, address=other)])
            assert outcome.result is Result.FAILED
            assert outcome.error
            assert outcome.error.code == "HR267"
            assert str(first.address) in outcome.error.summary
