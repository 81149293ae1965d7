"""A small HTTP service: shows its environment, and does as it is told by it."""

from __future__ import annotations

import json
import os
import socket


def answer(path: str) -> bytes:
    status = os.environ.get("STATUS", "200") if path == "/healthz" else "200"
    body = json.dumps({"pid": os.getpid(), "env": dict(os.environ)}).encode()
    head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                request = connection.recv(4096).decode()
                if request:
                    connection.sendall(answer(request.split()[1]))
