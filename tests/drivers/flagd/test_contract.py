"""The conformance tests of all drivers, on a folder and on one file that is shared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hrctl.drivers.api import Driver, Result
from hrctl.drivers.contract import DriverContract, context_for
from hrctl.drivers.flagd import FlagdDriver
from hrctl.model.address import Address
from hrctl.model.validate import complete
from hrctl.model.values import Body, Json


class TestFolder(DriverContract):
    config: ClassVar[dict[str, Any]] = {"folder": "flags"}

    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def make_driver(self, project: str = "contract") -> Driver:
        return FlagdDriver(self.config, context_for(self.root, project))

    def sample_body(self, kind: str, n: int) -> Body:
        rollout = {"strategy": "GRADUAL", "percentage": n % 100}
        spec = {"type": "BOOLEAN", "status": "ROLLOUT", "rollout": rollout, "owner": "shop"}
        return {"metadata": {"labels": {"n": str(n)}}, "spec": complete(kind, spec)}

    def changed_body(self, body: Body) -> Body:
        return {**body, "spec": {**body["spec"], "status": "DISABLED"}}

    def with_secret(self, body: Body, reference: Json) -> Body:
        """A flag has no place for one: it stays a reference, which nobody reveals."""
        variants = {"on": {"token": reference}, "off": {}}
        return {**body, "spec": {**body["spec"], "type": "OBJECT", "variants": variants}}

    def tamper(self, address: Address) -> None:
        (path,) = self.root.glob("flags*/*.json")
        document = json.loads(path.read_text())
        document["flags"][address.name]["state"] = "DISABLED"
        path.write_text(json.dumps(document))


class TestFile(TestFolder):
    config: ClassVar[dict[str, Any]] = {"file": "flags/all.json", "evaluators": "cbor"}

    @pytest.fixture(autouse=True)
    def _shared(self, _root: None) -> None:
        (self.root / "flags").mkdir()
        others = {"theirs": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a"}}
        document = {"flags": others, "$evaluators": {"x": {"var": "y"}}, "extra": [1]}
        (self.root / "flags/all.json").write_text(json.dumps(document))

    def test_names_do_not_collide(self) -> None:
        """One file has one flag of a name: the second is refused."""
        with self.make_driver() as driver:
            first = self.create("FeatureFlag", 1)
            self.done(driver, first)
            other = Address.of("acme", "FeatureFlag", first.address.name)
            change = replace(first, address=other)
            (outcome,) = self.apply(driver, [change])
            assert outcome.result is Result.FAILED
            assert outcome.error
            assert outcome.error.code == "HR251"
            assert str(first.address) in outcome.error.summary
