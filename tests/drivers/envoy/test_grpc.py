"""Real gRPC calls through Envoy, by the library that applications use."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from tests.drivers.envoy import http2_server
from tests.drivers.envoy.conftest import HERE, PATIENCE, eventually
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

Start = Callable[[str], str]


@pytest.fixture(scope="module")
def servers() -> Iterator[Start]:
    """Starts a gRPC backend of a name, once; gives its address."""
    running: dict[str, tuple[str, subprocess.Popen[bytes]]] = {}

    def start(name: str) -> str:
        if name not in running:
            port = free_ports()
            command = [sys.executable, str(HERE / "grpc_server.py"), str(port), name]
            running[name] = (f"127.0.0.1:{port}", subprocess.Popen(command))

            def listens() -> bool:
                try:
                    socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                except OSError:
                    return False
                return True

            eventually(listens, f"the gRPC backend {name} listens")
        return running[name][0]

    yield start
    for _, process in running.values():
        process.kill()
        process.wait()


@pytest.fixture
def channel(mesh: Mesh) -> Iterator[Any]:
    """A channel to Envoy."""
    with ExitStack() as stack:
        yield stack.enter_context(grpc.insecure_channel(mesh.listen))


def call(channel: Any, method: str, request: bytes = b"", **metadata: str) -> bytes:
    """One call that sends and gets one message."""
    made = channel.unary_unary(f"/shop.Cart/{method}")
    answer: bytes = made(
        request,
        timeout=PATIENCE,
        wait_for_ready=True,
        metadata=[(key.replace("_", "-"), value) for key, value in metadata.items()],
    )
    return answer


def test_calls_and_streams_pass(mesh: Mesh, servers: Start, channel: Any) -> None:
    mesh.route(type="GRPC", destinations=[{"address": servers("v1")}])
    assert call(channel, "Name") == b"v1"
    counted = channel.unary_stream("/shop.Cart/Count")(b"100", timeout=PATIENCE)
    assert list(counted) == [b"%d" % number for number in range(100)]
    sent = [b"a", b"b" * 100_000, b""]
    assert list(channel.stream_stream("/shop.Cart/Echo")(iter(sent), timeout=PATIENCE)) == sent
    assert mesh.get("/shop.Cart/Name").status == 404  # no gRPC call


def test_calls_are_led_by_method_metadata_and_share(
    mesh: Mesh, servers: Start, channel: Any
) -> None:
    mesh.route(
        "shares",
        type="GRPC",
        destinations=[
            {"address": servers("v1"), "weight": 3},
            {"address": servers("v2"), "weight": 1},
        ],
    )
    mesh.route(
        "testers",
        type="GRPC",
        match=[{"path": {"exact": "/shop.Cart/Name"}, "headers": {"x-tester": "yes"}}],
        destinations=[{"address": servers("v2")}],
    )
    # what is no gRPC call goes elsewhere, though the routes match the same paths
    mesh.route("pages", match=[{"path": {"prefix": "/"}}], destinations=[mesh.to("page")])
    found = [call(channel, "Name") for _ in range(200)]
    assert set(found) == {b"v1", b"v2"}
    assert 20 <= found.count(b"v2") <= 85
    assert {call(channel, "Name", x_tester="yes") for _ in range(20)} == {b"v2"}


def test_a_status_is_tried_again_where_the_route_says_so(
    mesh: Mesh, servers: Start, channel: Any
) -> None:
    one = {"address": servers("v1")}
    retry = {"attempts": 2, "on": ["unavailable", "resource-exhausted"], "backoff": {"base": "1ms"}}
    mesh.route(type="GRPC", destinations=[one], retry=retry)
    assert call(channel, "Fail", b"UNAVAILABLE 2 a") == b"3"
    assert call(channel, "Fail", b"RESOURCE_EXHAUSTED 1 b") == b"2"
    for request in (b"UNAVAILABLE 3 c", b"INTERNAL 1 d"):  # too often; not among what is named
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, "Fail", request)
        assert caught.value.code() is grpc.StatusCode[request.decode().split()[0]]
    assert call(channel, "Fail", b"UNAVAILABLE 3 c") == b"4"
    assert call(channel, "Fail", b"INTERNAL 1 d") == b"2"


def test_a_deadline_of_the_route_ends_a_call(mesh: Mesh, servers: Start, channel: Any) -> None:
    mesh.route(type="GRPC", destinations=[{"address": servers("v1")}], timeout="200ms")

    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "Slow", b"10")
    assert caught.value.code() in {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
    assert call(channel, "Slow", b"0") == b"0"


def test_failed_calls_count_as_failures(mesh: Mesh, servers: Start, channel: Any) -> None:
    mesh.route("counted", type="GRPC", destinations=[{"address": servers("v1")}])
    for _ in range(5):
        call(channel, "Name")
    for number in range(3):
        with pytest.raises(grpc.RpcError):
            call(channel, "Fail", b"NOT_FOUND 1 count%d" % number)

    def counted() -> Any:
        ((_, row),) = mesh.driver.metrics([Address("acme/shop:Route/counted")])
        return row if row["requests"] == 8 and row["p99_ms"] is not None else None

    row = eventually(counted, "all are counted")
    assert (row["successes"], row["failures"]) == (5, 3)


def test_failed_calls_open_the_circuit(mesh: Mesh, servers: Start, channel: Any) -> None:
    """What failed by its gRPC status counts, though HTTP's says 200; a refusal does not."""
    breaker = {"failureThreshold": 3, "openFor": "20s"}
    one = {"service": "calls", "port": "main", "endpoints": [servers("v1")]}
    mesh.route(type="GRPC", destinations=[one], circuitBreaker=breaker, healthCheck={"tcp": "main"})

    def circuit() -> str | None:
        (report,) = mesh.driver.health([Address("acme/shop:Route/web")])
        found: str | None = report.circuit
        return found

    for status in ("NOT_FOUND", "UNAVAILABLE"):
        assert circuit() == "CLOSED"
        for number in range(3):
            with pytest.raises(grpc.RpcError):
                call(channel, "Fail", b"%s 1 circuit%d" % (status.encode(), number))
    eventually(lambda: circuit() == "OPEN", "the circuit opens")
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/shop.Cart/Name")(b"", timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_health_check_speaks_http2_as_calls_do(mesh: Mesh) -> None:
    """The backend cuts off who does not; the other one speaks HTTP/1.1 only."""
    check = {"http": "/healthz", "interval": "100ms", "unhealthyThreshold": 1}
    with http2_server.Server(("127.0.0.1", 0), http2_server.Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        there = {"address": f"127.0.0.1:{server.server_address[1]}", "subset": "there"}
        older = mesh.to("v1", subset="older")
        mesh.route("calls", type="GRPC", destinations=[there, older], healthCheck=check)

        def told() -> bool:
            found = mesh.driver.health([Address("acme/shop:Route/calls")])
            return [one.status for one in found] == ["HEALTHY", "UNHEALTHY"]

        eventually(told, "the one that speaks HTTP/2 is well, the other one is not")
        server.shutdown()
