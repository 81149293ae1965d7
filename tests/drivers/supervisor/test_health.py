"""One look at a replica, against sockets of the test's own."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hrctl.drivers.supervisor.health import Target, look


@contextmanager
def answering(reply: bytes | None) -> Iterator[int]:
    """A port that answers whoever connects; None: accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if reply is not None:
                    connection.recv(1000)
                    connection.sendall(reply)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def target(port: int, replica: int = 0, **check: Any) -> Target:
    spec = {
        "ports": [{"name": "http", "port": port - replica, "protocol": "HTTP"}],
        "healthCheck": {"timeout": "300ms", **check},
    }
    return Target(spec, replica, {"WORD": "yes", "PATH": "/usr/bin:/bin"}, "/")


@pytest.mark.parametrize(
    ("reply", "well", "detail"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, "answered 204"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", False, "answered 302"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", False, "answered 503"),
        (b"nonsense\r\n", False, "no HTTP answer (BadStatusLine)"),
        (None, False, "no answer within 0.3 s"),
    ],
)
def test_http(reply: bytes | None, *, well: bool, detail: str) -> None:
    with answering(reply) as port:
        probe = look(target(port, 3, http="/healthz"))
    assert (probe.well, probe.detail) == (well, f"GET :{port}/healthz: {detail}")
    assert probe.seconds < 2


def test_http_by_url() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert look(target(1, http=f"http://127.0.0.1:{port}/x?y=1")).well


@pytest.mark.parametrize("written", ["{port}", "http", "127.0.0.1:{port}", "localhost:{port}"])
def test_tcp(written: str) -> None:
    with answering(None) as port:
        probe = look(target(port, tcp=written.format(port=port)))
        assert probe.well, probe.detail
    assert not look(target(port, tcp=str(port))).well


def test_tcp_of_a_replica_and_of_an_unknown_port() -> None:
    with answering(None) as port:
        assert look(target(port, 2, tcp=str(port - 2))).well
        assert look(target(port, 2, tcp="http")).well
    probe = look(target(port, tcp="grpc"))
    assert probe.detail == "connect to grpc: no port named grpc is declared"


def test_command() -> None:
    assert look(target(1, command="test $WORD = yes")).well
    probe = look(target(1, command="sh -c 'exit 3'"))
    assert (probe.well, probe.detail) == (False, "run 'sh -c 'exit 3'': ended with 3")
    assert "no such file" in look(target(1, command="no-such-program")).detail


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    began = time.monotonic()
    probe = look(target(1, command=f"{sys.executable} -c 'import time; time.sleep(60)' & sleep 60"))
    assert "no answer within 0.3 s" in probe.detail
    assert time.monotonic() - began < 5
