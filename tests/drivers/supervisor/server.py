"""A small HTTP service: shows its environment, and does as it is told by it."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(os.environ.get("STATUS", "200")) if self.path == "/healthz" else 200
        answer = json.dumps({"pid": os.getpid(), "env": dict(os.environ)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Its output is for what the tests let it say."""


if __name__ == "__main__":
    sys.stdout.write(f"listening on {os.environ['PORT']}\n")
    sys.stdout.flush()
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
