"""A server that nobody should ask anything: it remembers what it was asked."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Server:
    """A server that answers nothing useful, and remembers what it was asked."""

    def __init__(self) -> None:
        requests: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(f"{self.path} {self.headers.get('Authorization')}")
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                """Keep the output of the tests clean."""

        self.requests = requests
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_address[1]}"
        Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop it and free its port."""
        self.http.shutdown()
        self.http.server_close()
