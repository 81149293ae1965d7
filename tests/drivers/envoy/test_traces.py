"""Spans of real requests through Envoy, and of a backend that makes its own."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hrctl.cli.verbs.mesh_traces import lines, tree
from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.place import Place
from hrctl.drivers.envoy.receiver import KEPT, BadRequestError, Spans, decoded
from hrctl.drivers.envoy.traces import provide
from hrctl.drivers.supervisor.client import Client
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually, route_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")


def exported(trace: str, parent: str, name: str) -> bytes:
    """One span as an application exports it."""
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    attribute = part.resource.attributes.add(key="service.name")
    attribute.value.string_value = "cart"
    now = time.time_ns()
    part.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(trace),
        span_id=os.urandom(8),
        parent_span_id=bytes.fromhex(parent),
        name=name,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
    )
    data: bytes = request.SerializeToString()
    return data


def post(port: int, body: Any, **headers: str) -> int:
    """Send to a receiver; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        named = {"content-type": "application/x-protobuf"} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        connection.request("POST", "/v1/traces", body, named)
        return connection.getresponse().status
    finally:
        connection.close()


class App(BaseHTTPRequestHandler):
    """A backend that goes on with the trace of its request."""

    home: Any = None

    def do_GET(self) -> None:
        given = self.headers.get("traceparent", "")
        if given.endswith("01"):
            _, trace, parent, _ = given.split("-")
            body = exported(trace, parent, "SELECT cart")
            token = (self.home / "traces.token").read_text().strip()
            port = int((self.home / "traces.port").read_text())
            assert post(port, iter([body]), authorization=f"Bearer {token}") == 200
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Sink(BaseHTTPRequestHandler):
    """Another receiver."""

    got: list[bytes]

    def do_POST(self) -> None:
        self.got.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


def read(mesh: Mesh, address: Address = WEB, tail: int = 100) -> list[dict[str, Any]]:
    return list(mesh.driver.traces(address, tail=tail, follow=False))


def test_spans_of_envoy_and_of_the_application_are_one_tree(mesh: Mesh, serve: Any) -> None:
    App.home = mesh.driver.place.home
    place = {"address": serve(App)}
    mesh.route(destinations=[place], tracing={"sampling": 100})
    for _ in range(3):
        assert mesh.get().status == 200

    def whole() -> Any:
        found = read(mesh)
        return len(found) == 3 and all(len(one["spans"]) == 3 for one in found) and found

    for trace in eventually(whole, "three traces of three spans"):
        told = list(tree(trace["spans"]))
        assert [depth for depth, _ in told] == [0, 1, 2]
        served, routed, own = (span for _, span in told)
        assert served["name"] == WEB
        assert routed["parent_id"] == served["span_id"]
        assert own["parent_id"] == routed["span_id"]
        assert (own["name"], own["service"]) == ("SELECT cart", "cart")
        assert served["duration_ms"] >= routed["duration_ms"] > 0
        assert place["address"] in routed["attributes"].values()
    assert len(read(mesh, tail=2)) == 2
    followed = mesh.driver.traces(WEB, tail=1, follow=True)
    assert len(next(followed)["spans"]) == 3
    known = {one["trace_id"] for one in read(mesh)}
    mesh.get()
    assert next(followed)["trace_id"] not in known


def test_sampling_is_the_share_that_leaves_a_trace(mesh: Mesh) -> None:
    never, half = Address("acme/shop:Route/never"), Address("acme/shop:Route/half")
    mesh.put(
        {
            str(one): route_body(
                listen=mesh.listen,
                destinations=[mesh.to("v1")],
                match=[{"path": {"prefix": path}}],
                tracing={"sampling": share},
            )
            for one, path, share in ((never, "/never", 0), (half, "/half", 50), (WEB, "/", 100))
        }
    )
    mesh.answers(200, "/never")
    mesh.answers(200, "/half")
    before = len(read(mesh))
    mesh.get("/")
    eventually(lambda: len(read(mesh)) > before, "a request after all others has its trace")
    eventually(lambda: 60 <= len(read(mesh, half, 1000)) <= 140, "about half have one")
    assert not read(mesh, never)


def test_nothing_is_received_where_nothing_is_traced(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    assert not mesh.driver.place.folders.conf("traces").exists()
    with pytest.raises(HrctlError, match="no spans are received") as caught:
        read(mesh)
    assert caught.value.diagnostics[0].code == "HR230"


def test_spans_are_handed_on_and_what_is_no_span_is_refused(mesh: Mesh, serve: Any) -> None:
    Sink.got = []
    mesh.route(destinations=[mesh.to("v1")], tracing={})
    place = Place.of({"traces": serve(Sink)}, mesh.driver.context)
    note = place.home / "traces.port"
    before = note.read_text()
    provide(place, mesh.driver.bodies())
    assert note.read_text() == before
    send = partial(post, int(before), authorization=f"Bearer {token_of(place)}")
    body = exported("ab" * 16, "cd" * 8, "x")
    assert send(body) == 200
    eventually(lambda: body in Sink.got, "it is handed on")
    packed = gzip.compress(exported("ef" * 16, "cd" * 8, "x"))
    assert send(packed, content_encoding="gzip") == 200
    assert send(packed + packed, content_encoding="gzip") == 200
    assert send(b"\xff\xff nonsense") == 400
    assert send(b"not gzip", content_encoding="gzip") == 400
    assert send(packed[:-3], content_encoding="gzip") == 400
    assert send(b"{}", content_type="application/json") == 415
    assert send(b"", content_length=str(2**40)) == 413
    assert send(b"zz\r\n", transfer_encoding="chunked") == 400


def token_of(place: Place) -> str:
    return (place.home / "traces.token").read_text().strip()


def receiver_of(place: Place) -> int:
    """The process that receives spans."""
    assert place.folders is not None
    told = Client(place.folders.socket()).call("getProcessInfo", "traces:traces")
    assert isinstance(told, dict)
    return int(told["pid"])


def test_who_cannot_read_the_token_sends_nothing(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")], tracing={})
    place = mesh.driver.place
    port, token = int((place.home / "traces.port").read_text()), token_of(place)
    body = exported("ab" * 16, "cd" * 8, str(WEB))
    assert post(port, body) == 401
    assert post(port, body, authorization="Bearer ") == 401
    assert post(port, body, authorization=f"Basic {token}") == 401
    assert post(port, body, authorization=f"Bearer {token}x") == 401
    assert post(port, b"", content_length=str(2**40)) == 401, "before anything is read"
    assert read(mesh) == []
    assert (place.home / "traces.token").stat().st_mode & 0o777 == 0o600
    assert post(port, body, authorization=f"Bearer {token}") == 200
    assert len(read(mesh)) == 1


def test_a_small_request_does_not_become_a_large_one(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")], tracing={})
    place = mesh.driver.place
    send = partial(
        post,
        int((place.home / "traces.port").read_text()),
        authorization=f"Bearer {token_of(place)}",
        content_encoding="gzip",
    )
    status = Path(f"/proc/{receiver_of(place)}/status")

    def largest() -> int:
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])

    assert send(gzip.compress(exported("ab" * 16, "cd" * 8, "x"))) == 200
    before = largest()
    bomb = gzip.compress(bytes(2**20)) * 3000  # 3 MB that stand for 3 GB
    assert len(bomb) < 4 * 2**20
    assert send(bomb) == 413
    assert send(gzip.compress(bytes(64 * 2**20))) == 413
    assert largest() - before < 64 * 1024


def test_a_request_has_no_more_spans_than_are_kept() -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(KEPT + 1):
        scope.spans.add()
    with pytest.raises(BadRequestError, match="more than 10,000 spans"):
        decoded(request.SerializeToString())


def test_a_span_is_cut_to_a_size() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="n" * 10_000)
    for number in range(1000):
        span.attributes.add(key=f"{number}").value.string_value = "v" * 10_000
    (kept,) = decoded(request.SerializeToString())
    assert len(kept["name"]) == 1024
    assert len(kept["attributes"]) == 128
    assert {len(value) for value in kept["attributes"].values()} == {1024}


def test_the_oldest_spans_go() -> None:
    spans = Spans(kept=2)
    for trace in ("aa", "bb", "cc"):
        spans.add(decoded(exported(trace * 16, "cd" * 8, "x")))
    assert [one["trace_id"][:2] for one in spans.traces("x", 10)] == ["bb", "cc"]
    with pytest.raises(BadRequestError):
        decoded(b"\xff")


def test_a_ring_of_parents_ends() -> None:
    spans = [{"span_id": "a", "parent_id": "b"}, {"span_id": "b", "parent_id": "a"}]
    assert [(depth, span["span_id"]) for depth, span in tree(spans)] == [(0, "a"), (1, "b")]


def test_the_lines_of_a_trace_are_safe_to_print() -> None:
    spans = decoded(exported("ab" * 16, "cd" * 8, "\x1b[2J evil"))
    told = lines({"trace_id": "ab" * 16, "spans": spans})
    assert told[0].endswith("ab" * 16)
    assert told[1] == "      1.0 ms  ?[2J evil  by cart"


def test_a_line_tells_status_and_host_and_a_service_once() -> None:
    (span,) = decoded(exported("ab" * 16, "cd" * 8, "acme:Route/web"))
    tried = {**span, "span_id": "01", "parent_id": span["span_id"], "name": "router blue egress"}
    span["attributes"] = {"http.method": "GET", "http.status_code": "503"}
    span["attributes"] |= {"upstream_cluster": "blue", "peer.address": "10.0.0.9"}
    tried |= {"error": True, "duration_ms": 1234.5}
    tried["attributes"] = {"http.method": "GET", "http.status_code": "-"}
    tried["attributes"] |= {"upstream_address": "10.0.0.1:80", "peer.address": "10.0.0.9"}
    assert lines({"trace_id": "ab" * 16, "spans": [span, tried]})[1:] == [
        "      1.0 ms  acme:Route/web  by cart  GET  503",
        "   1234.5 ms    to blue  10.0.0.1:80  ERROR",
    ]
    for cluster, told in {
        "web-0123456789-v1-abcdef": "to v1  10.0.0.1:80",
        "my-web-0123456789-v-2-abcdef~2": "to v-2  10.0.0.1:80",
        "web-0123456789-to-abcdef": "to 10.0.0.1:80",
    }.items():
        tried["name"] = f"router {cluster} egress"
        assert f"  {told}  ERROR" in lines({"trace_id": "ab" * 16, "spans": [tried]})[1].replace(
            "by cart  ", ""
        )
