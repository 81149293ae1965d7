"""The HTTP side: JSON requests with a token, page by page; and what every forge can do for us."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, Final, NamedTuple, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from hrctl.diagnostics import HrctlError

_PAGE: Final = 100
_MOST_PAGES: Final = 100
_TIMEOUT: Final = 30.0  # seconds
_WAITS: Final = (1.0, 3.0)  # seconds before it is tried again
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class Text(NamedTuple):
    """A comment, or an issue: its number there, what it says, and who wrote it."""

    number: int
    body: str
    author: str


class Merged(NamedTuple):
    """A request that was merged, and the branch that it was merged into."""

    number: int
    target: str


class Forge(Protocol):
    """What `hrctl ci` needs of a forge. `request` is the number of a pull or merge request."""

    @property
    def author(self) -> str:
        """Whom our own comments and issues are by; those of others are never looked at."""

    def current_request(self) -> int | None:
        """The request that this run of the CI is for."""

    @property
    def commit(self) -> str:
        """Return the commit that this run of the CI is for; empty where the CI names none."""

    @property
    def branch(self) -> str:
        """Return the branch that this run of the CI is for; empty where it is for none."""

    def merged_request(self, commit: str) -> Merged | None:
        """Return the request whose merge made a commit, and none that merely contains it."""

    def comments(self, request: int) -> Iterator[Text]:
        """The comments on a request, oldest first."""

    def add_comment(self, request: int, body: str) -> str:
        """Comment; the address of the comment."""

    def change_comment(self, request: int, number: int, body: str) -> str:
        """Put a comment into other words; its address."""

    def issues(self, label: str) -> Iterator[Text]:
        """Open issues with a label."""

    def add_issue(self, title: str, body: str, label: str) -> str:
        """Open an issue; its address."""

    def change_issue(self, number: int, body: str | None, *, close: bool) -> str:
        """Put an issue into other words, or close it; its address."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


class Client:
    """JSON over HTTP with a token in a header."""

    def __init__(self, name: str, base: str, headers: Mapping[str, str]) -> None:
        """`name` is what errors call the service; `base` is the address of its API."""
        if not base.startswith(("https://", "http://")):
            raise HrctlError.of("HR299", f"'{base}' is no address of an API of {name}")
        self._name = name
        self._base = base.rstrip("/")
        self._headers = {"Content-Type": "application/json", "User-Agent": "hrctl", **headers}
        self._opener: OpenerDirector = build_opener(_NoRedirect)

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        for page in range(1, _MOST_PAGES + 1):
            numbers = {"per_page": str(_PAGE), "page": str(page)}
            items = self.call("GET", f"{path}?{urlencode({**query, **numbers})}")
            yield from items
            if len(items) < _PAGE:
                return

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request, tried again where the service says that it has a bad moment.

        Raises:
            HrctlError: HR299, with what the service says; never with the token.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - the scheme was checked
            self._base + path, data=data, method=method, headers=self._headers
        )
        for wait in (*_WAITS, None):
            try:
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    return json.load(answer)
            except HTTPError as error:
                # a POST that failed may have been carried out all the same
                if wait is None or error.code not in _PASSING or method == "POST":
                    raise self._refused(method, path, error) from None
            except (URLError, HTTPException, TimeoutError, OSError) as error:
                if wait is None or method == "POST":
                    reason = getattr(error, "reason", error)
                    raise HrctlError.of(
                        "HR299", f"{self._name} at {self._base} does not answer: {reason}"
                    ) from None
            except ValueError:
                raise HrctlError.of(
                    "HR299", f"{self._name} at {self._base} answers with what is no JSON"
                ) from None
            time.sleep(wait)
        raise AssertionError  # the last try raises

    def _refused(self, method: str, path: str, error: HTTPError) -> HrctlError:
        try:
            told = json.loads(error.read()).get("message")
        except (ValueError, AttributeError, OSError):
            told = None
        hints = {
            401: "the token is not valid, or has expired",
            403: "the token may not do that: docs/ci.md lists the permissions",
            404: "there is no such thing, or the token may not see it",
        }
        what = f"{method} {path.partition('?')[0]}"
        why = f": {str(told)[:200]}" if told else ""
        return HrctlError.of(
            "HR299",
            f"{self._name} refuses {what} with {error.code}{why}",
            hint=hints.get(error.code),
        )
