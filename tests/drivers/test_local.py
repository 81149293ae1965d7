from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from hrctl.drivers.contract import ContractSecrets, DriverContract, context_for
from hrctl.drivers.local import LocalDriver
from hrctl.model.address import Address
from hrctl.model.values import Body, Json, merge

BODIES: dict[str, Json] = {
    "Component": {"type": "CACHE", "provider": "redis", "capacity": {"memory": "1Gi"}},
    "Config": {"scope": "SERVICE", "entries": {"LEVEL": {"type": "STRING", "value": "info"}}},
    "FeatureFlag": {"type": "BOOLEAN", "variants": {"on": True, "off": False}, "default": "off"},
    "Service": {"type": "API", "replicas": 1, "env": {"TEXT": "äöü €"}, "ports": [{"port": 80}]},
}


class TestLocalContract(DriverContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_driver(self, project: str = "contract") -> LocalDriver:
        return LocalDriver({"path": ".hrctl/registry.db"}, context_for(self.folder, project))

    def sample_body(self, kind: str, n: int) -> Body:
        spec = BODIES.get(kind, {"type": "ANY", "weight": 1.5, "list": [1, None, {"a": []}]})
        return {"metadata": {"labels": {"number": str(n)}}, "spec": spec}

    def changed_body(self, body: Body) -> Body:
        return merge(body, {"spec": {"added": {"deep": [True]}, "type": "OTHER"}})  # type: ignore[no-any-return]

    def tamper(self, address: Address) -> None:
        with sqlite3.connect(self.folder / ".hrctl/registry.db") as other:
            other.execute(
                "UPDATE resources SET body = json_set(body, '$.spec.type', 'TAMPERED')"
                " WHERE address = ?",
                (address,),
            )
        other.close()

    def with_secret(self, body: Body, reference: Json) -> Body:
        return merge(body, {"spec": {"env": {"TOKEN": reference}}})  # type: ignore[no-any-return]
