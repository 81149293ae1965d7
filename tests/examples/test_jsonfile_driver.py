"""The storefront's own driver passes the conformance tests."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.contract import DriverContract, context_for
from hrctl.model.address import Address

SOURCE = Path(__file__).parents[2] / "examples/storefront/plugins/jsonfile/bramble_jsonfile.py"


def _driver_class() -> Any:
    spec = importlib.util.spec_from_file_location("bramble_jsonfile", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.JsonFileDriver


class TestJsonFileDriver(DriverContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def make_driver(self, project: str = "contract") -> Any:
        return _driver_class()({"folder": "flags"}, context_for(self.root, project))

    def sample_body(self, kind: str, n: int) -> dict[str, Any]:
        assert kind == "FeatureFlag"
        return {"metadata": {}, "spec": {"type": "BOOLEAN", "default": "on" if n % 2 else "off"}}

    def changed_body(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "spec": {**body["spec"], "status": "ENABLED"}}

    def tamper(self, address: Address) -> None:
        (path,) = (self.root / "flags").glob(f"*.{address.name}.json")
        held = json.loads(path.read_text())
        held["body"]["spec"]["default"] = "other"
        path.write_text(json.dumps(held))

    def with_secret(self, body: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
        return {**body, "spec": {**body["spec"], "owner": reference}}
