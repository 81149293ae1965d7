"""Unleash's Admin API over one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from hrctl.diagnostics import HrctlError

TIMEOUT: Final = 15.0  # seconds
_TRIES: Final = 4
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_REFUSED: Final = frozenset({401, 403})
_LONGEST_WAIT: Final = 5.0
_ERROR: Final = 400


class Refusal(Exception):  # noqa: N818 - an answer, no fault of hrctl
    """An answer of 400 or more: its status, and what Unleash says."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


class Client:
    """What is asked of one Unleash."""

    def __init__(self, url: str, variable: str) -> None:
        self.url = url.rstrip("/")
        self._variable = variable
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the Admin API answers, as JSON; None where it answers nothing.

        `path` follows ``/api/admin``. A request that only reads, or that meets an Unleash which is
        busy, is sent up to four times.

        Raises:
            HrctlError: HR080, where Unleash cannot be reached; HR265, where it refuses the token.
            Refusal: for any other answer of 400 or more.
        """
        again = method in {"GET", "PUT", "DELETE"} or path.endswith("/export")
        wait = 0.1
        for left in reversed(range(_TRIES)):
            try:
                status, retry_after, held = self._send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not again or not left or isinstance(error, ConnectionRefusedError):
                    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
                    raise self._unreachable(said) from error
            else:
                busy = status in _BUSY and (again or status in {429, 503})
                if not busy or not left:
                    return self._answer(status, held)
                wait = max(wait, _seconds(retry_after))
            time.sleep(min(wait, _LONGEST_WAIT))
            wait *= 2
        raise AssertionError  # the last round returns or raises

    def _send(self, method: str, path: str, body: Any) -> tuple[int, str | None, bytes]:
        parts = urlsplit(self.url)
        if self._connection is None:
            https = parts.scheme == "https"
            kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
            self._connection = kind(parts.netloc, timeout=TIMEOUT)
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"{parts.path}/api/admin{path}", text, self._headers())
        answer = self._connection.getresponse()
        return answer.status, answer.getheader("retry-after"), answer.read()

    def _headers(self) -> Mapping[str, str]:
        token = os.environ.get(self._variable, "")
        if not token:
            raise HrctlError.of(
                "HR265",
                f"the token for {self.url} is missing: {self._variable} is not set",
                hint=f"set {self._variable} to a token for Unleash's Admin API",
            )
        if not token.isascii() or not token.isprintable():
            raise self._token_refused()
        return {"Authorization": token, "Content-Type": "application/json"}

    def _answer(self, status: int, held: bytes) -> Any:
        if status in _REFUSED:
            raise self._token_refused()
        try:
            found = json.loads(held) if held else None
        except ValueError as error:
            if status < _ERROR:
                raise self._unreachable("what answers there is no Unleash") from error
            found = None
        if status < _ERROR:
            return found
        raise Refusal(status, _said(found))

    def _unreachable(self, said: str) -> HrctlError:
        return HrctlError.of(
            "HR080",
            f"cannot reach Unleash at {self.url}: {said}",
            hint="start it, or mend `url` in hrctl.yaml",
        )

    def _token_refused(self) -> HrctlError:
        return HrctlError.of(
            "HR265",
            f"Unleash at {self.url} refuses the token in {self._variable}",
            hint=f"set {self._variable} to a token for its Admin API",
        )


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def asked(client: Client, method: str, path: str, body: Any = None) -> Any:
    """What the Admin API answers to something that it should not refuse.

    Raises:
        HrctlError: HR080, where it does; and those of `Client.call`.
    """
    try:
        return client.call(method, path, body)
    except Refusal as refusal:
        raise HrctlError.of(
            "HR080", f"Unleash at {client.url} answers {path} with {refusal}"
        ) from refusal


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0


def _said(found: Any) -> str:
    if not isinstance(found, dict):
        return "no reason given"
    details = found.get("details")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        return str(details[0].get("message") or details[0].get("description"))
    return str(found.get("message") or found.get("name") or "no reason given")
