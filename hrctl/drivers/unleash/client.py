"""Unleash's Admin API, over connections that are kept open; safe to use from several threads."""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from random import random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from hrctl.diagnostics import HrctlError

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from hrctl.drivers.unleash.token import Token

TIMEOUT: Final = 15.0  # seconds
_TRIES: Final = 5
_FIRST_WAIT: Final = 0.1  # seconds; doubled each time
_LONGEST_WAIT: Final = 30.0
_REST: Final = 4.0  # seconds after which a connection that nobody used is not trusted any more
_TURNED_AWAY: Final = frozenset({429, 503})  # nothing was done
_UNCLEAR: Final = frozenset({502, 504})  # of something in between: it may have been done
_REFUSED: Final = frozenset({401, 403})
_IMPOSSIBLE: Final = frozenset({"InvalidOperationError", "OperationDeniedError"})  # whoever asks
_FAULT: Final = 500
_ERROR: Final = 400
_REPEATABLE: Final = ("/on", "/off", "/revive", "/playground", "/playground/advanced")


class Refusal(Exception):  # noqa: N818 - an answer, no fault of hrctl
    """An answer of 400 or more: its status, and what Unleash says."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


class Lost(Exception):  # noqa: N818 - an answer that never came
    """The answer to a request that may not be sent twice did not come: it may have been done."""


class Client:
    """What is asked of one Unleash."""

    def __init__(
        self,
        url: str,
        token: Token,
        ca_file: Path | None = None,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._ca_file = ca_file
        self._fence = fence
        self._trust: ssl.SSLContext | None = None
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the Admin API answers, as JSON; None where it answers nothing.

        `path` follows ``/api/admin``. A request that Unleash turned away (429, 503) is sent again,
        after the time that it asks for or a growing one; so is one whose answer got lost, if it
        does the same when it comes twice.

        Raises:
            LeaseLostError: HR101, where it is to change something and the run lost its lease.
            HrctlError: HR080, where Unleash cannot be reached; HR265, where it refuses the token.
            Lost: where the answer got lost and the request must not be repeated blindly.
            Refusal: for any other answer of 400 or more.
        """
        repeatable = method in {"GET", "PUT", "DELETE"} or path.endswith(_REPEATABLE)
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES)):
            asked = 0.0
            if method != "GET" and not path.startswith("/playground"):
                self._fence()
            try:
                status, retry_after, held = self._send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, ConnectionRefusedError) or _certificate_hint(error):
                    raise self._unreachable(error) from error
                if not repeatable:
                    raise Lost(_said_by(error)) from error
                if not left:
                    raise self._unreachable(error) from error
            else:
                if status in _UNCLEAR and not repeatable:
                    raise Lost(f"status {status}")
                again = status in _TURNED_AWAY or (status >= _FAULT and repeatable)
                if not again or not left:
                    return self._answer(status, held)
                asked = _seconds(retry_after)
            time.sleep(min(max(asked, wait * (0.5 + random() / 2)), _LONGEST_WAIT))  # noqa: S311
            wait *= 2
        raise AssertionError  # the last round returns or raises

    def lost(self, lost: Lost) -> HrctlError:
        """HR080, for a change whose answers got lost again and again."""
        return self._unreachable(lost)

    def _send(self, method: str, path: str, body: Any) -> tuple[int, str | None, bytes]:
        headers = {"Authorization": self._secret(), "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        connection = self._connection()
        try:
            base = urlsplit(self.url).path
            connection.request(method, f"{base}/api/admin{path}", text, headers)
            answer = connection.getresponse()
            found = answer.status, answer.getheader("retry-after"), answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append((time.monotonic(), connection))
        return found

    def _connection(self) -> http.client.HTTPConnection:
        """One that was used just now, else a new one."""
        while True:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break
            if time.monotonic() - since < _REST:
                return connection
            connection.close()
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            trust = self._trusted()
            return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=trust)
        return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            import ssl

            try:
                self._trust = ssl.create_default_context(cafile=self._ca_file)
            except OSError as error:  # an SSLError is one
                raise HrctlError.of(
                    "HR080",
                    f"cannot read the certificates of {self._ca_file}: {_said_by(error)}",
                    hint="`caFile` in hrctl.yaml names a PEM file",
                ) from error
        return self._trust

    def _secret(self) -> str:
        token = self._token.value(self.url)
        if not token.isascii() or not token.isprintable():
            raise self._token_refused()
        return token

    def _answer(self, status: int, held: bytes) -> Any:
        try:
            found = json.loads(held) if held else None
        except ValueError as error:
            if status < _ERROR:
                raise self._unreachable("what answers there is no Unleash") from error
            found = None
        impossible = isinstance(found, dict) and found.get("name") in _IMPOSSIBLE
        if status in _REFUSED and not impossible:
            raise self._token_refused()
        if status < _ERROR:
            return found
        raise Refusal(status, self._token.redacted(_said(found)))

    def _unreachable(self, why: Exception | str) -> HrctlError:
        said = why if isinstance(why, str) else _said_by(why)
        hint = "start it, or mend `url` in hrctl.yaml"
        if isinstance(why, Exception):
            hint = _certificate_hint(why) or hint
        said = self._token.redacted(said)
        return HrctlError.of("HR080", f"cannot reach Unleash at {self.url}: {said}", hint=hint)

    def _token_refused(self) -> HrctlError:
        return HrctlError.of(
            "HR265",
            f"Unleash at {self.url} refuses the token in {self._token.place}",
            hint=self._token.remedy,
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
    except Lost as lost:
        raise client.lost(lost) from lost


# The numbers of OpenSSL (x509_vfy.h) for a chain that ends at nobody whom we trust, ...
_UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21, 27})
_OUT_OF_DATE: Final = frozenset({9, 10})  # ... for validity that has not begun or has ended, ...
_OTHER_NAME: Final = frozenset({62, 64})  # ... and for the name or address of another host.


def _certificate_hint(error: Exception) -> str | None:
    """Return the way out where the server's certificate was refused, None for other errors."""
    if type(error).__name__ != "SSLCertVerificationError":  # compared without importing ssl
        return None
    code = getattr(error, "verify_code", None)
    if code in _UNTRUSTED:
        return "name the file of its certificate authority as `caFile` in hrctl.yaml"
    if code in _OUT_OF_DATE:
        return "renew its certificate, or correct the clock of this machine"
    if code in _OTHER_NAME:
        return "let `url` in hrctl.yaml name the host that its certificate is for"
    return "issue the certificates of the server and of its authority anew, as RFC 5280 demands"


def _said_by(error: Exception) -> str:
    known = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return known or str(error) or type(error).__name__


def _seconds(retry_after: str | None) -> float:
    """Seconds, or a moment as HTTP writes it."""
    if not retry_after:
        return 0.0
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


def _said(found: Any) -> str:
    if not isinstance(found, Mapping):
        return "no reason given"
    details = found.get("details")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        return str(details[0].get("message") or details[0].get("description"))
    return str(found.get("message") or found.get("name") or "no reason given")
