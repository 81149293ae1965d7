"""Which host of a destination gets a request: balancers, strategies of the grid, checks."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from tests.drivers.envoy.conftest import PATIENCE, eventually, node_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

NAMES = ("v1", "v2", "v3")


def test_a_client_always_comes_to_the_same_host_and_others_to_other_ones(mesh: Mesh) -> None:
    endpoints = [mesh.backend(name).address for name in NAMES]
    mesh.route(destinations=[{"service": "web", "endpoints": endpoints}], loadBalancer="IP_HASH")
    hosts = {}
    for number in range(1, 25):
        seen = {_from(mesh, f"127.0.0.{number}") for _ in range(3)}
        assert len(seen) == 1
        hosts[number] = seen.pop()
    assert set(hosts.values()) == set(NAMES)


def _from(mesh: Mesh, client: str) -> str:
    connection = http.client.HTTPConnection(
        "127.0.0.1", mesh.port, timeout=PATIENCE, source_address=(client, 0)
    )
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_a_busy_node_gets_less(mesh: Mesh) -> None:
    """Who looks at requests under way leads others to the idle node: of two at random."""
    shares = {}
    for strategy in ("ROUND_ROBIN", "LEAST_CONNECTIONS"):
        mesh.put({"acme:Node/v1": node_body(address=mesh.backend("v1").address)})
        mesh.route(destinations=[{"grid": {"balance": strategy}}])
        held = [threading.Thread(target=mesh.get, args=("/slow/2.5",)) for _ in range(3)]
        for one in held:
            one.start()
        eventually(lambda: _active(mesh) == 3, "the first node is busy")
        mesh.put({"acme:Node/v2": node_body(address=mesh.backend("v2").address)})
        shares[strategy] = mesh.answers(100)["v1"] / 100
        for one in held:
            one.join()
        mesh.put({"acme:Node/v2": None})
    assert 0.4 <= shares["ROUND_ROBIN"] <= 0.6
    assert shares["LEAST_CONNECTIONS"] < 0.4


def _active(mesh: Mesh) -> int:
    ((_, row),) = mesh.driver.metrics([Address("acme:Node/v1")])
    return int(row["active"])


def test_nodes_share_by_their_weights_where_they_count(mesh: Mesh) -> None:
    weights = {"v1": 6, "v2": 3, "v3": 1}
    mesh.put(
        {
            f"acme:Node/{name}": node_body(address=mesh.backend(name).address, weight=weight)
            for name, weight in weights.items()
        }
    )
    mesh.route(destinations=[{"grid": {"balance": "WEIGHTED"}}])
    found = mesh.answers(600)
    for name, weight in weights.items():
        assert abs(found[name] / 600 - weight / 10) < 0.04, found
    for strategy in ("ROUND_ROBIN", "RANDOM"):
        mesh.route(destinations=[{"grid": {"balance": strategy}}])
        found = mesh.answers(600)
        assert all(abs(found[name] / 600 - 1 / 3) < 0.09 for name in weights), found


RULES: list[tuple[dict[str, Any], set[str]]] = [
    ({"key": "zone", "operator": "eq", "values": ["a"]}, {"v1", "v2"}),
    ({"key": "zone", "operator": "ne", "values": ["a"]}, {"v3"}),
    ({"key": "disk", "operator": "in", "values": ["ssd", "tape"]}, {"v1", "v3"}),
    ({"key": "disk", "operator": "exists"}, {"v1", "v3"}),
    ({"key": "type", "values": ["STORAGE"]}, {"v2"}),
]


def test_each_rule_of_affinity_chooses_its_nodes(mesh: Mesh) -> None:
    specs: dict[str, dict[str, Any]] = {
        "v1": {"zone": "a", "labels": {"disk": "ssd"}},
        "v2": {"zone": "a", "type": "STORAGE"},
        "v3": {"zone": "b", "labels": {"disk": "tape"}},
    }
    mesh.put(
        {
            f"acme:Node/{name}": node_body(address=mesh.backend(name).address, **spec)
            for name, spec in specs.items()
        }
    )
    for rule, wanted in RULES:
        mesh.route(destinations=[{"grid": {"affinity": [rule]}}])
        assert set(mesh.answers(30)) == wanted, rule


def test_a_node_that_stays_busy_goes_when_its_time_is_up(mesh: Mesh) -> None:
    for name in ("v1", "v2"):
        body = node_body(address=mesh.backend(name).address, drainTimeout="500ms")
        mesh.put({f"acme:Node/{name}": body})
    affinity = [{"key": "type", "values": ["WORKER"]}]
    mesh.route(destinations=[{"grid": {"affinity": affinity}}])
    busy = threading.Thread(target=mesh.get, args=("/slow/5",))
    busy.start()
    name = eventually(lambda: _busy(mesh), "a node works")
    started = time.monotonic()
    mesh.put({f"acme:Node/{name}": None})
    took = time.monotonic() - started
    assert took >= 0.5
    assert busy.is_alive()  # it went although this runs
    assert name not in mesh.answers(20)
    busy.join()


def _busy(mesh: Mesh) -> str | None:
    addresses = [Address(f"acme:Node/{name}") for name in ("v1", "v2")]
    rows = {address.name: row for address, row in mesh.driver.metrics(addresses)}
    return next((name for name, row in rows.items() if row["active"]), None)


@pytest.mark.parametrize("kind", ["Route", "Node"])
def test_a_check_of_a_port_asks_that_port(mesh: Mesh, kind: str) -> None:
    """Which need not be the one that requests go to."""
    check: dict[str, Any] = {"interval": "100ms", "unhealthyThreshold": 1}
    with socket.create_server(("127.0.0.1", 0)) as checked:
        check["tcp"] = checked.getsockname()[1]
        more: dict[str, Any] = {"healthCheck": check} if kind == "Node" else {}
        mesh.put({"acme:Node/v1": node_body(address=mesh.backend("v1").address, **more)})
        asks: dict[str, Any] = {"healthCheck": check} if kind == "Route" else {}
        mesh.route(destinations=[{"grid": {}}], **asks)
        eventually(lambda: mesh.get("/").status == 200, "the port takes connections")
    eventually(lambda: mesh.get("/").status == 503, "the port is closed")


def test_streams_are_shared_by_weight(mesh: Mesh) -> None:
    to = [mesh.to("v1", weight=7.5), mesh.to("v2", weight=2.5), mesh.to("v3", weight=0)]
    mesh.route(type="TCP", destinations=to)
    found = Counter(mesh.get("/").body for _ in range(300))  # a connection each
    assert set(found) == {"v1", "v2"}
    assert abs(found["v1"] / 300 - 0.75) < 0.12


def test_streams_are_told_apart_by_the_server_name_of_tls(mesh: Mesh) -> None:
    """Whatever the case, and a port beside the name."""
    names = {"a": ["A.example:443"], "b": ["*.b.example"], "rest": ["*"]}
    with ExitStack() as stack:
        servers = {}
        for name, hosts in names.items():
            servers[name] = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = servers[name].getsockname()[1]
            to = [{"address": f"127.0.0.1:{port}"}]
            mesh.route(name, type="TCP", hosts=hosts, destinations=to)
        for asked, name in {
            "a.example": "a",
            "x.b.example": "b",
            "elsewhere.example": "rest",
        }.items():
            with socket.create_connection(("127.0.0.1", mesh.port), timeout=PATIENCE) as client:
                client.sendall(_hello(asked))
                servers[name].settimeout(PATIENCE)
                accepted, _ = servers[name].accept()
                with accepted:
                    assert asked.encode() in accepted.recv(4000)


def _hello(name: str) -> bytes:
    """The first message of TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    made = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        made.do_handshake()
    return outgoing.read()
