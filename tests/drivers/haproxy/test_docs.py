"""docs/haproxy.md tells of every field of a Route, and what it calls refused is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hrctl.logic.mesh.haproxy import RETRIES, STATUSES, refusals
from hrctl.model.address import Address
from hrctl.model.kinds.health import HealthCheck
from hrctl.model.kinds.route import CircuitBreaker, Retry, RouteSpec
from tests.drivers.envoy.conftest import Mesh, node_body, route_body

PAGE = Path(__file__).parents[3] / "docs/haproxy.md"
_ROW = re.compile(r"^\| `([\w.]+)` \| (.*) \|$", re.MULTILINE)
_PARTS: dict[str, Any] = {
    "circuitBreaker": CircuitBreaker,
    "retry": Retry,
    "healthCheck": HealthCheck,
}


def rows() -> dict[str, str]:
    text = PAGE.read_text("utf-8")
    return dict(_ROW.findall(text[text.index("## What HAProxy does with each field") :]))


def fields() -> set[str]:
    found = set()
    for name in RouteSpec.model_json_schema()["properties"]:
        part = _PARTS.get(name)
        inner = part.model_json_schema()["properties"] if part else [""]
        found |= {f"{name}.{one}".rstrip(".") for one in inner}
    return found


def test_every_field_is_told_of() -> None:
    assert set(rows()) == fields()


# a spec that asks for what is refused, by the row that says so
REFUSED: dict[str, dict[str, Any]] = {
    "listen": {"listen": "edge.example:80"},
    "match": {"match": [{"path": {"regex": r"/(a)\1"}}]},
    "circuitBreaker.halfOpenRequests": {"circuitBreaker": {"halfOpenRequests": 2}},
    "circuitBreaker.maxRetries": {"circuitBreaker": {"maxRetries": 0}},
    "circuitBreaker.maxEjectionPercent": {"circuitBreaker": {"maxEjectionPercent": 99}},
    "retry.on": {"retry": {"on": ["refused-stream"]}},
    "retry.statusCodes": {"retry": {"statusCodes": [429]}},
    "retry.perTryTimeout": {"retry": {"perTryTimeout": "1s"}, "timeout": "2s"},
    "retry.backoff": {"retry": {"backoff": {"base": "1ms"}}},
    "retry.budget": {"retry": {"budget": {"percent": 10}}},
    "healthCheck.http": {"healthCheck": {"http": "http://other/healthz"}},
    "healthCheck.tcp": {"healthCheck": {"tcp": "other:80"}},
    "healthCheck.command": {"healthCheck": {"command": "true"}},
    "tracing": {"tracing": {"sampling": 1}},
}


def test_what_is_called_refused_is_what_is_tried_here() -> None:
    assert {name for name, said in rows().items() if "Refused" in said} == set(REFUSED)


@pytest.mark.parametrize("field", REFUSED)
def test_refused_fields_are_refused_by_name(field: str) -> None:
    found = refusals("Route", REFUSED[field])
    assert [re.sub(r"\.\d+(\..*)?$", "", one.name) for one in found] == [field]


def test_what_is_not_called_refused_is_taken(mesh: Mesh) -> None:
    """All at once, and HAProxy has no objections to it."""
    shares = [{"subset": "a", "percentage": 0.01}, {"subset": "b", "percentage": 99.99}]
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v1").address)})
    mesh.put(
        {
            f"acme:Route/{kind.lower()}": route_body(
                type=kind,
                listen=mesh.listen,
                hosts=[f"{kind}.example".lower(), "*.wide.example"],
                match=[{"path": {"regex": f"/{kind}/[a-z]+"}, "method": "GET"}],
                destinations=[
                    {"grid": {"balance": "CONSISTENT_HASH", "hashHeader": "x-key"}, "subset": "a"},
                    mesh.to("v2", subset="b", weight=3),
                ],
                loadBalancer="IP_HASH",
                circuitBreaker={"maxConnections": 9, "maxPending": 3, "maxRequests": 20},
                retry={"on": list(RETRIES), "statusCodes": list(STATUSES), "perTryTimeout": "1s"},
                trafficSplit={"rules": shares},
                healthCheck={"http": "/healthz", "timeout": "1s", "healthyThreshold": 2},
            )
            for kind in ("HTTP", "WEBSOCKET", "GRPC")
        }
    )
    health = mesh.driver.health([Address("acme:Route/http")])
    told = [(one.destination, one.status, one.circuit) for one in health]
    assert told == [("a", "HEALTHY", "CLOSED"), ("b", "HEALTHY", "CLOSED")]
    assert mesh.get("/HTTP/x", host="http.example").body in {"v1", "v2"}
