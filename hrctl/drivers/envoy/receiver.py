"""Receives spans by OTLP over HTTP and keeps the last of them: ``receiver.py SOCKET [FORWARD]``.

    POST /v1/traces                 protobuf, at the socket and at a port of loopback
    GET  /spans?operation=O&tail=N  at the socket alone: the traces with a span called O, as JSON;
                                    &fresh=S: those that got a span in the last S seconds

The port is for applications that send spans of their own. It is noted in `traces.port` in the
working folder, and taken again at the next start where it is free. Every user of the machine can
connect to it, so a request there needs the token that `traces.token`, readable by the owner alone,
holds: ``authorization: Bearer TOKEN``. Everything is in memory, so requests, spans and their
attributes are limited in size.
"""

from __future__ import annotations

import hmac
import http.client
import json
import os
import queue
import secrets
import socket
import socketserver
import sys
import threading
import time
import zlib
from collections import deque
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

KEPT: Final = 10_000  # spans
PORT_FILE: Final = "traces.port"
TOKEN_FILE: Final = "traces.token"  # noqa: S105 - a name
_LARGEST: Final = 4 * 2**20  # bytes of a request, compressed or not
_LONGEST: Final = 1024  # characters of a name or of an attribute
_ATTRIBUTES: Final = 128  # of a span
_WAITING: Final = 256  # requests to be handed on
_PROTOBUF: Final = "application/x-protobuf"

Span = dict[str, Any]


class BadRequestError(Exception):
    """A request that cannot be taken, with the status to answer."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def decoded(data: bytes) -> list[Span]:
    """The spans of an ExportTraceServiceRequest.

    Raises:
        BadRequestError: where it is none.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(data)
    except DecodeError as error:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, f"not OTLP: {error}") from error
    count = sum(len(scope.spans) for part in request.resource_spans for scope in part.scope_spans)
    if count > KEPT:
        raise BadRequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {KEPT:,} spans in a request"
        )
    return [
        _span(span, _attributes(part.resource.attributes).get("service.name"))
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
    ]


def _span(span: Any, service: Any) -> Span:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex() or None,
        "name": span.name[:_LONGEST],
        "service": service,
        "start_ns": span.start_time_unix_nano,
        "duration_ms": max(0, span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "error": span.status.code == 2,  # noqa: PLR2004 - STATUS_CODE_ERROR
        "attributes": _attributes(span.attributes),
    }


def _attributes(pairs: Any) -> dict[str, Any]:
    attributes = {}
    for pair in pairs[:_ATTRIBUTES]:
        which = pair.value.WhichOneof("value")
        if which == "string_value":
            attributes[pair.key[:_LONGEST]] = pair.value.string_value[:_LONGEST]
        elif which in {"int_value", "double_value", "bool_value"}:
            attributes[pair.key[:_LONGEST]] = getattr(pair.value, which)
    return attributes


class Spans:
    """The last spans. Safe among threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._spans: deque[tuple[float, Span]] = deque(maxlen=kept)

    def add(self, spans: list[Span]) -> None:
        """Keep these; the oldest go."""
        now = time.monotonic()
        with self._lock:
            self._spans.extend((now, span) for span in spans)

    def traces(
        self, operation: str, tail: int, fresh: float = float("inf")
    ) -> list[dict[str, Any]]:
        """The last traces with a span of this name, all their spans by start, oldest trace first.

        `quiet` is for how many seconds nothing came to a trace: less than `fresh`.
        """
        with self._lock:
            kept = list(self._spans)
        wanted = {span["trace_id"] for _, span in kept if span["name"] == operation}
        spans_of: dict[str, list[Span]] = {}
        last: dict[str, float] = {}
        for at, span in kept:
            if span["trace_id"] in wanted:
                spans_of.setdefault(span["trace_id"], []).append(span)
                last[span["trace_id"]] = at
        now = time.monotonic()
        traces: list[dict[str, Any]] = [
            {
                "trace_id": trace,
                "quiet": now - last[trace],
                "spans": sorted(spans, key=lambda span: int(span["start_ns"])),
            }
            for trace, spans in spans_of.items()
            if now - last[trace] < fresh
        ]
        traces.sort(key=lambda trace: trace["spans"][0]["start_ns"])
        return traces[-tail:]


class Forwarder(threading.Thread):
    """Hands requests on to another receiver; where that is slow or away, the newest are lost."""

    def __init__(self, place: str) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._waiting: queue.Queue[bytes] = queue.Queue(_WAITING)
        self._failing = False

    def put(self, data: bytes) -> None:
        """Hand on when there is time."""
        try:
            self._waiting.put_nowait(data)
        except queue.Full:
            self._tell("is too slow")

    def run(self) -> None:
        """For ever."""
        while True:
            data = self._waiting.get()
            connection = http.client.HTTPConnection(self._place, timeout=10)
            try:
                connection.request("POST", "/v1/traces", data, {"content-type": _PROTOBUF})
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                self._tell(f"cannot be reached: {error}")
            else:
                if status >= HTTPStatus.BAD_REQUEST:
                    self._tell(f"answers {status}")
                else:
                    self._failing = False
            finally:
                connection.close()

    def _tell(self, why: str) -> None:
        if not self._failing:  # once, not for each request
            self._failing = True
            sys.stderr.write(f"spans are lost: {self._place} {why}\n")
            sys.stderr.flush()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    timeout = 600
    spans: ClassVar[Spans]
    forwarder: ClassVar[Forwarder | None] = None
    token: ClassVar[str | None] = None  # that a request must bear
    readable = False

    def do_POST(self) -> None:
        try:
            data = self._body()
            self.spans.add(decoded(data))
        except BadRequestError as error:
            self.close_connection = True  # what is left of the body is not read
            self._answer(error.status, f"{error}\n".encode(), "text/plain")
            return
        if self.forwarder is not None:
            self.forwarder.put(data)
        self._answer(HTTPStatus.OK, b"", _PROTOBUF)

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = parse_qs(asked.query)
        if not self.readable or asked.path != "/spans" or "operation" not in query:
            self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
            return
        tail, fresh = int(query.get("tail", ["20"])[0]), float(query.get("fresh", ["inf"])[0])
        found = self.spans.traces(query["operation"][0], tail, fresh)
        self._answer(HTTPStatus.OK, json.dumps(found).encode(), "application/json")

    def _body(self) -> bytes:
        if self.path != "/v1/traces":
            raise BadRequestError(HTTPStatus.NOT_FOUND, "there is /v1/traces")
        if not self._authorized():
            why = f"send `authorization: Bearer` with the token in {TOKEN_FILE}"
            raise BadRequestError(HTTPStatus.UNAUTHORIZED, why)
        if self.headers.get("content-type", "").partition(";")[0] != _PROTOBUF:
            raise BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {_PROTOBUF}")
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            data = self._chunks()
        else:
            size = self.headers.get("content-length", "")
            if not size.isdigit():
                raise BadRequestError(HTTPStatus.LENGTH_REQUIRED, "no content-length")
            data = self.rfile.read(_allowed(int(size)))
        return _decompressed(data) if self.headers.get("content-encoding") == "gzip" else data

    def _authorized(self) -> bool:
        if self.token is None:
            return True
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode("latin-1"), self.token.encode("ascii")
        )

    def _chunks(self) -> bytes:
        found = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(128).partition(b";")[0], 16)
            except ValueError as error:
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "not chunked") from error
            if size < 0:
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "not chunked")
            if size == 0:
                while self.rfile.readline(1024).strip():
                    pass  # trailers
                return bytes(found)
            _allowed(len(found) + size)
            found += self.rfile.read(size)
            self.rfile.readline(8)

    def _answer(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: paths and addresses are no business of a log."""


def _decompressed(data: bytes) -> bytes:
    """Decompress the members of a gzip file, and stop at the limit of a request."""
    whole = bytearray()
    while data:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            whole += member.decompress(data, _LARGEST + 1 - len(whole))
        except zlib.error as error:
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "not gzip") from error
        _allowed(len(whole))
        if not member.eof:
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "not gzip: it is cut off")
        data = member.unused_data
    return bytes(whole)


def _allowed(size: int) -> int:
    if size > _LARGEST:
        raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
    return size


class _OnLoopback(_Handler):
    """What any user of the machine can connect to."""


class _Readable(_Handler):
    readable = True


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class _UnixServer(_TcpServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Where an earlier process left its socket it goes; only the owner may connect."""
        place = Path(str(self.server_address))
        place.unlink(missing_ok=True)
        super().server_bind()
        place.chmod(0o600)

    def get_request(self) -> tuple[Any, Any]:
        """A peer without a name is called one, as http.server wants it."""
        return super().get_request()[0], ("unix", 0)


def _on_loopback() -> _TcpServer:
    """At the port of last time where it is free; at another, noted, where it is not."""
    note = Path(PORT_FILE)
    try:
        port = int(note.read_text("ascii"))
        return _TcpServer(("127.0.0.1", port), _OnLoopback)
    except (OSError, ValueError, OverflowError):
        server = _TcpServer(("127.0.0.1", 0), _OnLoopback)
        note.write_text(f"{server.server_address[1]}\n", "ascii")
        return server


def _token() -> str:
    """Return the token of last time; a new one where there is none that only the owner can read."""
    note = Path(TOKEN_FILE)
    try:
        kept = note.lstat()
        if kept.st_mode & 0o177 == 0 and kept.st_uid == os.getuid():
            token = note.read_text("ascii").strip()
            if token:
                return token
    except FileNotFoundError:
        pass
    note.unlink(missing_ok=True)
    token = secrets.token_urlsafe(32)
    note.touch(0o600, exist_ok=False)
    note.write_text(f"{token}\n", "ascii")
    return token


def main(arguments: list[str]) -> None:
    """Serve for ever."""
    _Handler.spans = Spans()
    _OnLoopback.token = _token()
    if len(arguments) > 1:
        _Handler.forwarder = Forwarder(arguments[1])
        _Handler.forwarder.start()
    threading.Thread(target=_on_loopback().serve_forever, daemon=True).start()
    _UnixServer(arguments[0], _Readable).serve_forever()  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1:])
