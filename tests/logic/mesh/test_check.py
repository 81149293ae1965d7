"""Routes that get in each other's way, and destinations that nobody serves, with both places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

HEAD = "apiVersion: hrctl.dev/v1\n"
FILES = {
    "hrctl.yaml": f"{HEAD}kind: Project\nmetadata: {{name: acme}}\n"
    "spec: {drivers: {edge: {type: envoy}}}\n",
    "registry.yaml": f"{HEAD}kind: Registry\nmetadata: {{name: acme}}\n"
    "spec: {level: ROOT, drivers: {Route: edge, Node: edge}}\n",
    "one.yaml": f"{HEAD}kind: Registry\nmetadata: {{name: one}}\nspec: {{level: DOMAIN}}\n",
}


def route(name: str, **spec: Any) -> str:
    whole = {"type": "HTTP", "destinations": [{"address": "127.0.0.1:1"}], **spec}
    return f"{HEAD}kind: Route\nmetadata: {{name: {name}}}\nspec: {json.dumps(whole)}\n"


def project(folder: ProjectFolder, **files: str) -> ProjectFolder:
    named = {f"{name}.yaml": text for name, text in files.items()}
    return folder.write({**{k: v for k, v in FILES.items() if k != "one.yaml"}, **named})


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({}, True),
        ({"match": [{"path": {"prefix": "/"}}]}, True),
        ({"hosts": ["a.example"]}, False),
        ({"listen": "127.0.0.1:9"}, False),
        ({"listen": "127.0.0.1:10000"}, True),
        ({"match": [{"path": {"prefix": "/a"}}]}, False),
        ({"match": [{"path": {"prefix": "/"}, "method": "GET"}]}, False),
        ({"match": [{"path": {"prefix": "/"}, "headers": {"a": "b"}}]}, False),
        ({"type": "TCP", "listen": "127.0.0.1:9"}, False),
    ],
)
def test_two_routes_want_the_same(
    folder: ProjectFolder,
    other: dict[str, Any],
    found: bool,  # noqa: FBT001 - expected
) -> None:
    project(folder, a=route("a"), b=route("b", **other))
    for _ in range(2):  # from the cache too
        told = folder.told()
        assert told == (["b.yaml:4:7 HR214"] if found and not other else told)
        assert any("HR214" in one for one in told) == found
    if found:
        (one,) = (one for one in folder.load().diagnostics if one.code == "HR214")
        assert [str(each.span) for each in one.related] == ["a.yaml:4:7"]


def test_a_route_behind_an_expression_gets_nothing(folder: ProjectFolder) -> None:
    general = {"hosts": ["a.example", "b.example"], "match": [{"path": {"regex": "/api/.*"}}]}
    special = {
        "hosts": ["b.example"],
        "match": [{"method": "GET"}, {"path": {"prefix": "/api/v1"}}],
    }
    project(folder, a=route("a", **general), b=route("b", **special))
    for _ in range(2):
        assert [one for one in folder.told() if "HR214" in one] == ["b.yaml:4:123 HR214"]
    (one,) = (one for one in folder.load().diagnostics if one.code == "HR214")
    assert one.summary == (
        "acme:Route/b would never get a request for b.example: acme:Route/a takes all that it wants"
    )
    assert [str(each.span) for each in one.related] == ["a.yaml:4:117"]


def test_routes_that_tie_are_a_warning(folder: ProjectFolder) -> None:
    first = route("a", match=[{"method": "POST"}])
    project(folder, a=first, b=route("b", match=[{"headers": {"x-tester": "yes"}}]))
    (one,) = (one for one in folder.load().diagnostics if one.code == "HR216")
    assert str(one.severity) == "warning"
    assert "acme:Route/b and acme:Route/a alike go to the latter" in one.summary
    both = {"headers": {"x-tester": "yes"}, "method": "POST"}
    folder.write({"b.yaml": route("b", match=[{"headers": {"x-tester": "yes"}}, both])})
    assert not [one for one in folder.load().diagnostics if one.code == "HR216"]


def test_a_service_without_a_port_serves_nobody(folder: ProjectFolder) -> None:
    service = (
        f"{HEAD}kind: Service\nmetadata: {{name: job}}\nspec: {{type: WORKER, command: work}}\n"
    )
    project(folder, a=route("a", destinations=[{"service": "job"}]), job=service)
    for _ in range(2):
        assert [one for one in folder.told() if "HR215" in one]
    folder.write({"job.yaml": service.replace("work}", "work, ports: [{name: http, port: 80}]}")})
    assert folder.told() == []
    folder.write({"job.yaml": service})
    assert [one for one in folder.told() if "HR215" in one]


def test_a_grid_without_a_node_is_a_warning(folder: ProjectFolder) -> None:
    rule = {"key": "region", "operator": "eq", "values": ["eu"]}
    project(folder, a=route("a", destinations=[{"grid": {"affinity": [rule]}}]))
    (one,) = (one for one in folder.load().diagnostics if one.code == "HR215")
    assert str(one.severity) == "warning"
    node = f"{HEAD}kind: Node\nmetadata: {{name: n}}\nspec: {{type: WORKER, address: '1.2.3.4:5'"
    folder.write({"n.yaml": node + ", region: eu}\n"})
    assert folder.told() == []


def test_what_envoy_cannot_do_is_told_where_it_stands(folder: ProjectFolder) -> None:
    check = {"interval": "1s", "tcp": "http"}
    spec = json.dumps({"type": "WORKER", "address": "127.0.0.1:1", "healthCheck": check})
    node = f"{HEAD}kind: Node\nmetadata: {{name: n}}\nspec: {spec}\n"
    project(folder, a=route("a", circuitBreaker={"halfOpenRequests": 1}), n=node)
    for _ in range(2):  # from the cache too
        assert folder.told() == ["a.yaml:4:89 HR212", "n.yaml:4:86 HR212"]
    one = folder.load().diagnostics[0]
    assert one.summary == "acme:Route/a: Envoy cannot do circuitBreaker.halfOpenRequests"
    assert "failureThreshold" in str(one.note)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({"type": "TCP"}, {}, True),  # at the driver's own address
        ({"type": "TCP", "listen": "127.0.0.1:9"}, {}, False),
        ({"type": "TCP"}, {"type": "TCP"}, True),
        ({"type": "TCP", "hosts": ["a.b"]}, {"type": "TCP", "hosts": ["A.b:443"]}, True),
        ({"type": "TCP", "hosts": ["a.b"]}, {"type": "TCP", "hosts": ["*.b"]}, False),
        ({"type": "TCP", "hosts": ["a.b"]}, {"type": "TCP"}, False),
        # one place in two ways; and two that only overlap
        ({"listen": "localhost:9"}, {"listen": "127.0.0.1:9"}, True),
        ({"listen": "[::1]:9"}, {"listen": "[0:0::1]:9"}, True),
        ({"listen": "0.0.0.0:9"}, {"listen": "127.0.0.1:9"}, False),
    ],
)
def test_routes_that_cannot_share_a_listener(
    folder: ProjectFolder,
    one: dict[str, Any],
    other: dict[str, Any],
    clash: bool,  # noqa: FBT001 - expected
) -> None:
    project(folder, a=route("a", **one), b=route("b", **other))
    for _ in range(2):  # from the cache too
        found = [each for each in folder.load().diagnostics if each.code == "HR213"]
        assert len(found) == clash
    for each in found:
        places = {one.path for one in (each.span, *(other.span for other in each.related)) if one}
        assert places == {"a.yaml", "b.yaml"}
        assert "acme:Route/a" in each.summary
        assert "acme:Route/b" in each.summary
