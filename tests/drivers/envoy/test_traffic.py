"""What the YAML says about traffic is what traffic does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.logic.mesh.simulate import Request, simulate
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import PATIENCE, Answer, eventually, node_body, route_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh


def test_the_most_specific_match_answers(mesh: Mesh) -> None:
    wanted: dict[str, dict[str, Any]] = {
        "all": {},
        "api": {"match": [{"path": {"prefix": "/api"}}]},
        "exact": {"match": [{"path": {"exact": "/api/one"}}]},
        "regex": {"match": [{"path": {"regex": "/api/[0-9]+"}}]},
        "post": {"match": [{"path": {"prefix": "/api"}, "method": "POST"}]},
        "beta": {"match": [{"path": {"prefix": "/api"}, "headers": {"x-beta": "yes"}}]},
    }
    mesh.put(
        {
            f"acme/shop:Route/{name}": route_body(
                listen=mesh.listen, destinations=[mesh.to(name)], **spec
            )
            for name, spec in wanted.items()
        }
    )
    assert mesh.get("/").body == "all"
    assert mesh.get("/api/x").body == "api"
    assert mesh.get("/api/one").body == "exact"
    assert mesh.get("/api/42").body == "regex"
    assert mesh.get("/api/42/x").body == "api"
    assert mesh.get("/api/x", method="POST").body == "post"
    assert mesh.get("/api/x", x_beta="yes").body == "beta"
    assert mesh.get("/api/x", x_beta="no").body == "api"


def test_hosts_tell_routes_apart(mesh: Mesh) -> None:
    for name, hosts in {"a": ["a.example"], "b": ["b.example", "*.b.example"], "any": []}.items():
        mesh.route(name, hosts=hosts, destinations=[mesh.to(name)])
    assert mesh.get(host="a.example").body == "a"
    assert mesh.get(host="a.example:8080").body == "a"
    assert mesh.get(host="x.b.example").body == "b"
    assert mesh.get(host="elsewhere.example").body == "any"


def test_a_listener_that_comes_back_while_it_drains_has_its_new_routes(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    assert mesh.get("/").body == "v1"
    mesh.put({"acme/shop:Route/web": None})
    mesh.route("again", destinations=[mesh.to("v2")])
    assert mesh.get("/").body == "v2"


def test_weights_are_shares(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1", weight=90), mesh.to("v2", weight=10)])
    found = mesh.answers(2000)
    assert found["v1"] + found["v2"] == 2000
    assert 120 <= found["v2"] <= 280
    mesh.route(destinations=[mesh.to("v1", weight=0), mesh.to("v2", weight=10)])
    assert mesh.answers(50) == {"v2": 50}


def test_a_split_by_percentage_is_shared_by_the_weights_of_a_subset(mesh: Mesh) -> None:
    mesh.route(
        destinations=[
            mesh.to("v1", subset="stable", weight=3),
            mesh.to("v2", subset="stable", weight=1),
            mesh.to("v3", subset="canary"),
        ],
        trafficSplit={
            "rules": [
                {"subset": "stable", "percentage": 80},
                {"subset": "canary", "percentage": 20},
            ]
        },
    )
    found = mesh.answers(3000)
    for name, share in {"v1": 0.6, "v2": 0.2, "v3": 0.2}.items():
        assert abs(found[name] / 3000 - share) < 0.05


def test_a_header_leads_to_its_subset(mesh: Mesh) -> None:
    mesh.route(
        destinations=[mesh.to("v1", subset="v1", weight=1), mesh.to("v2", subset="v2", weight=0)],
        trafficSplit={
            "mode": "HEADER",
            "rules": [{"subset": "v2", "name": "x-tester", "value": "yes"}],
        },
    )
    assert mesh.answers(20) == {"v1": 20}
    assert mesh.answers(20, x_tester="yes") == {"v2": 20}


def test_who_has_no_header_goes_to_the_default(mesh: Mesh) -> None:
    """By weight alone half of them would get the subset of those who test."""
    destinations = [mesh.to("v1", subset="v1"), mesh.to("v2", subset="v2")]
    rules = [{"subset": "v2", "name": "x-tester", "value": "yes"}]
    mesh.route(destinations=destinations, trafficSplit={"mode": "HEADER", "rules": rules})
    assert set(mesh.answers(40)) == {"v1", "v2"}
    split = {"mode": "HEADER", "rules": rules, "default": "v1"}
    mesh.route(destinations=destinations, trafficSplit=split)
    assert mesh.answers(40) == {"v1": 40}
    assert mesh.answers(20, x_tester="yes") == {"v2": 20}
    web = "acme/shop:Route/web"
    spec = mesh.driver.bodies()[Address(web)]["spec"]
    for headers, share in (({}, (1.0, 0.0)), ({"x-tester": "yes"}, (0.0, 1.0))):
        assert simulate({web: spec}, Request(headers=headers)).shares == share


def test_a_cookie_keeps_each_visitor_in_one_arm(mesh: Mesh) -> None:
    rules = [{"subset": one, "name": "ab", "value": one} for one in ("a", "b")]
    mesh.route(
        destinations=[mesh.to("v1", subset="a"), mesh.to("v2", subset="b")],
        trafficSplit={"mode": "COOKIE", "rules": rules},
    )
    arms = set()
    for _ in range(20):
        first = mesh.get()
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert cookie == {"v1": "ab=a", "v2": "ab=b"}[first.body]
        again = mesh.answers(5, cookie=f"other=1; {cookie}; last=2")
        assert again == {first.body: 5}
        arms.add(first.body)
    assert arms == {"v1", "v2"}
    rules = [{"subset": "a", "name": "ab", "value": "50%"}]  # which would begin one of its commands
    mesh.route(
        destinations=[mesh.to("v1", subset="a"), mesh.to("v2", weight=0)],
        trafficSplit={"mode": "COOKIE", "rules": rules},
    )
    assert mesh.get().headers["set-cookie"].startswith("ab=50%;")


def test_failures_are_tried_again_elsewhere(mesh: Mesh) -> None:
    dead = mesh.to("v1") | {"address": "127.0.0.1:9"}
    mesh.route(destinations=[mesh.to("v1"), dead])
    assert mesh.answers(40)["503"] > 5
    both = [{"endpoints": [mesh.backend("v1").address, "127.0.0.1:9"], "service": "web"}]
    retry = {"attempts": 3, "on": ["connect-failure"], "backoff": {"base": "1ms", "max": "5ms"}}
    mesh.route(destinations=both, retry=retry)
    assert mesh.answers(40) == {"v1": 40}


def test_status_codes_and_attempts_of_retries(mesh: Mesh) -> None:
    backend = mesh.backend("v1")
    mesh.route(
        destinations=[mesh.to("v1")],
        retry={"attempts": 2, "on": [], "statusCodes": [418], "backoff": {"base": "1ms"}},
    )
    before = int(backend.ask("/count"))
    assert mesh.get("/status/418").status == 418
    assert mesh.get("/status/500").status == 500
    assert int(backend.ask("/count")) - before == 3 + 1


def test_a_timeout_ends_a_slow_request(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")], timeout="100ms")
    assert mesh.get("/slow/3").status == 504
    assert mesh.get("/slow/0").status == 200
    mesh.route(destinations=[mesh.to("v1")])
    assert mesh.get("/slow/0.3").status == 200


def test_each_try_has_its_time(mesh: Mesh) -> None:
    backend = mesh.backend("v1")
    retry = {"attempts": 2, "on": ["5xx"], "perTryTimeout": "100ms", "backoff": {"base": "1ms"}}
    mesh.route(destinations=[mesh.to("v1")], retry=retry)
    before = int(backend.ask("/count"))
    assert mesh.get("/slow/1").status == 504
    assert int(backend.ask("/count")) - before == 3


def test_the_wait_between_tries_doubles_up_to_its_bound(mesh: Mesh) -> None:
    """Envoy waits at random: up to 20 ms, 40, 80, 160, 320, 640; where it is bounded, up to 20.

    So 0.6 s in the mean, by chance 0.3 s at least for nine requests; or 0.06 s. Not more than three
    are tried again at once.
    """
    waits = {}
    for bound in ("20ms", "10s"):
        backoff = {"base": "20ms", "max": bound}
        retry = {"attempts": 6, "on": ["5xx"], "backoff": backoff}
        mesh.route(destinations=[mesh.to("v1")], retry=retry)
        with ThreadPoolExecutor(3) as several:
            waits[bound] = sum(several.map(lambda _: _time_of_a_failure(mesh), range(9))) / 9
    assert waits["10s"] - waits["20ms"] > 0.2, waits


def _time_of_a_failure(mesh: Mesh) -> float:
    started = time.monotonic()
    assert mesh.get("/status/500").status == 500
    return time.monotonic() - started


def test_no_more_requests_at_once_than_allowed(mesh: Mesh) -> None:
    breaker = {"maxRequests": 1, "maxPending": 1, "maxConnections": 1}
    mesh.route(destinations=[mesh.to("v1")], circuitBreaker=breaker)
    seen: list[int] = []

    def ask() -> None:
        seen.append(mesh.get("/slow/0.4").status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert 200 in seen
    assert 503 in seen


def test_a_sick_host_gets_nothing(mesh: Mesh) -> None:
    check = {"http": "/healthz", "interval": "100ms", "unhealthyThreshold": 1}
    endpoints = [mesh.backend(name).address for name in ("v1", "v2")]
    mesh.route(destinations=[{"service": "web", "endpoints": endpoints}], healthCheck=check)
    eventually(lambda: len(mesh.answers(10)) == 2, "both answer")
    mesh.backend("v2").ask("/sick")
    try:
        eventually(lambda: mesh.answers(20) == {"v1": 20}, "the sick one gets nothing")
        (report,) = mesh.driver.health([next(iter(mesh.driver.scan())).address])
        assert report.status == "DEGRADED"
    finally:
        mesh.backend("v2").ask("/well")
    eventually(lambda: len(mesh.answers(20)) == 2, "it is well again")


@pytest.mark.parametrize("strategy", ["ROUND_ROBIN", "LEAST_CONN", "RANDOM", "WEIGHTED", "IP_HASH"])
def test_balancers(mesh: Mesh, strategy: str) -> None:
    endpoints = [mesh.backend(name).address for name in ("v1", "v2", "v3")]
    mesh.route(destinations=[{"service": "web", "endpoints": endpoints}], loadBalancer=strategy)
    found = mesh.answers(300)
    assert sum(found.values()) == 300
    if strategy == "IP_HASH":
        assert len(found) == 1
    else:
        assert set(found) == {"v1", "v2", "v3"}
        assert min(found.values()) > 50


def test_a_stream_is_passed_on(mesh: Mesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mesh.route(type="TCP", destinations=[{"address": f"127.0.0.1:{port}"}])
        with socket.create_connection(("127.0.0.1", mesh.port), timeout=10) as client:
            client.sendall(b"hello")
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(5) == b"hello"
                accepted.sendall(b"world")
                assert client.recv(5) == b"world"


UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
PING = b"\x89\x84abcd\x11\x0b\r\x03"  # a masked frame, as clients send them
PONG = b"\x8a\x04ping"


def test_a_websocket_is_upgraded_and_outlives_changes(mesh: Mesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        chat: dict[str, Any] = {"match": [{"path": {"prefix": "/chat"}}], "timeout": "100ms"}
        mesh.route(type="WEBSOCKET", destinations=[{"address": f"127.0.0.1:{port}"}], **chat)
        with socket.create_connection(("127.0.0.1", mesh.port), timeout=PATIENCE) as client:
            client.sendall(UPGRADE)
            accepted, _ = server.accept()
            with accepted:
                assert b"upgrade: websocket" in accepted.recv(4000).lower()
                accepted.sendall(SWITCHED + PONG)
                assert _until(client, PONG).startswith(b"HTTP/1.1 101")
                mesh.route("pages", destinations=[mesh.to("v1")])
                time.sleep(0.3)  # longer than the timeout, which is for the answer alone
                client.sendall(PING)
                assert accepted.recv(100) == PING
                accepted.sendall(PONG)
                assert client.recv(100) == PONG
        assert mesh.get("/").body == "v1"


def test_only_a_websocket_route_is_upgraded(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    with socket.create_connection(("127.0.0.1", mesh.port), timeout=PATIENCE) as client:
        client.sendall(UPGRADE)
        assert client.recv(4000).startswith(b"HTTP/1.1 403")


def _until(client: socket.socket, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        more = client.recv(4000)
        assert more, seen
        seen += more
    return seen


def test_nodes_are_chosen_by_affinity_and_leave_in_peace(mesh: Mesh) -> None:
    nodes = {
        f"acme:Node/{name}": node_body(
            address=mesh.backend(name).address, region=region, labels={"disk": "ssd"}
        )
        for name, region in {"v1": "eu", "v2": "eu", "v3": "us"}.items()
    }
    mesh.put(nodes)
    affinity = [{"key": "region", "operator": "eq", "values": ["eu"]}]
    mesh.route(destinations=[{"grid": {"affinity": affinity}}])
    assert set(mesh.answers(40)) == {"v1", "v2"}
    slow: list[Answer] = []
    busy = threading.Thread(target=lambda: slow.append(mesh.get("/slow/1.5")))
    busy.start()
    name = eventually(lambda: _busy(mesh, nodes), "a node works")
    draining = nodes[name] | {"spec": nodes[name]["spec"] | {"state": "DRAINING"}}
    mesh.put({name: draining})
    assert mesh.answers(20).keys() == {"v1", "v2"} - {name.rpartition("/")[2]}
    started = time.monotonic()
    mesh.put({name: None})
    busy.join()
    assert time.monotonic() - started > 0.1
    assert [one.status for one in slow] == [200]


def _busy(mesh: Mesh, nodes: Mapping[str, object]) -> str | None:
    rows = {str(address): row for address, row in mesh.driver.metrics([*map(Address, nodes)])}
    return next((name for name, row in rows.items() if row["active"]), None)


def test_metrics_count_requests_and_tell_how_long_they_take(mesh: Mesh) -> None:
    mesh.route("counted", hosts=["a.shop.example"], destinations=[mesh.to("v1")])
    mesh.answers(30, host="a.shop.example")
    for _ in range(3):
        mesh.get("/status/500", host="a.shop.example")
    address = Address("acme/shop:Route/counted")

    def counted() -> dict[str, object] | None:
        ((_, row),) = mesh.driver.metrics([address])
        return row if row["requests"] == 33 and row["p99_ms"] is not None else None

    row = eventually(counted, "all are counted")
    assert (row["successes"], row["failures"]) == (30, 3)
    assert 0 <= row["mean_ms"] <= row["p99_ms"]
