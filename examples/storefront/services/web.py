"""What the shop's services share: JSON over HTTP, a health check and a clean end on SIGTERM.

Everything a service needs to know stands in its environment, which hrctl fills from the YAML
beside this folder. The standard library is enough.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

TIMEOUT = 5.0  # seconds that one call to another service may take

log = logging.getLogger(Path(sys.argv[0]).stem)


class ProblemError(Exception):
    """A request that cannot be served: HTTP status and what to tell the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what follows the first part of the path, and the JSON that came with it."""

    rest: tuple[str, ...]
    body: dict[str, Any]


Routes = Mapping[str, Callable[[Request], Any]]


def setting(name: str) -> str:
    """A variable of the environment; the service does not start without it."""
    try:
        return os.environ[name]
    except KeyError:
        sys.exit(f"the environment variable {name} is not set")


def call(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """GET the URL, or POST the body to it; the JSON that is answered.

    Raises:
        ProblemError: with the other's own status and message, or 502 where it is not there.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - URLs come from our YAML
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise ProblemError(error.code, json.load(error)["error"]) from error
    except OSError as error:
        raise ProblemError(502, f"no answer from {url}") from error


class _Handler(BaseHTTPRequestHandler):
    """Finds the route by method and first part of the path, `GET /products`."""

    routes: ClassVar[Routes]
    timeout = TIMEOUT

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            status, answer = 200, self._dispatch()
        except ProblemError as problem:
            status, answer = problem.status, {"error": str(problem)}
        except Exception:
            log.exception("%s %s failed", self.command, self.path)
            status, answer = 500, {"error": "internal error"}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _dispatch(self) -> Any:
        first, *rest = self.path.strip("/").split("/")
        route = self.routes.get(f"{self.command} /{first}")
        if route is None:
            raise ProblemError(404, f"nothing at {self.command} {self.path}")
        return route(Request(tuple(rest), self._body()))

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError as error:
            raise ProblemError(400, "the body is not JSON") from error
        if not isinstance(body, dict):
            raise ProblemError(400, "the body is not a JSON object")
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        log.info(format, *args)


def serve(routes: Routes) -> None:
    """Answer on PORT until SIGTERM or SIGINT; requests that have begun are finished."""
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    healthz = {"GET /healthz": lambda _: {"status": "ok"}}
    handler = type("Handler", (_Handler,), {"routes": {**healthz, **routes}})
    server = ThreadingHTTPServer(("127.0.0.1", int(setting("PORT"))), handler)
    server.daemon_threads = False  # so that closing waits for requests under way

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()  # it would wait for itself here

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("ready on http://127.0.0.1:%s", server.server_port)
    with server:
        server.serve_forever(poll_interval=0.1)
    log.info("stopped")
