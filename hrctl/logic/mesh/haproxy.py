"""What of a Route or a Node HAProxy has no way to do, field by field.

`validate` tells it with its places, and the driver refuses it before anything is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from hrctl.diagnostics import Diagnostic
from hrctl.model.address import Address
from hrctl.model.values import Json

Spec = Mapping[str, Json]

# `retry.on`, as HAProxy's `retry-on` has it
RETRIES: Final[dict[str, tuple[str, ...]]] = {
    "5xx": ("conn-failure", "empty-response", "junk-response", "500", "501", "502", "503", "504"),
    "gateway-error": ("502", "503", "504"),
    "reset": ("conn-failure", "empty-response"),
    "connect-failure": ("conn-failure",),
    "retriable-status-codes": (),
}
STATUSES: Final = (401, 403, 404, 408, 425, 500, 501, 502, 503, 504)
_BACKOFF: Final = {"base": "25ms", "max": "250ms"}
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]+")
_HEADERS: Final = "a header is called with letters, numbers and dashes"


class Refusal(NamedTuple):
    """One field of a spec, and why it cannot be had."""

    pointer: str  # below the spec: /retry/budget
    why: str

    @property
    def name(self) -> str:
        """The field as people write it."""
        return self.pointer[1:].replace("/", ".")

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def refusals(kind: str, spec: Spec) -> list[Refusal]:
    """All that HAProxy cannot do of a spec, with built-in defaults or without them."""
    found = [*_health_check(spec)]
    if kind == "Route":
        parts = (_place, _retry, _circuit_breaker, _requests, _split, _unprintable)
        found += [one for part in parts for one in part(spec)]
    return found


def _health_check(spec: Spec) -> Iterator[Refusal]:
    check = _map(spec, "healthCheck")
    if check.get("command") is not None:
        yield Refusal(
            "/healthCheck/command", "HAProxy asks for a page or connects, it runs nothing"
        )
    tcp = check.get("tcp")
    if tcp is not None and not str(tcp).isdigit():
        yield Refusal("/healthCheck/tcp", "HAProxy checks a port of the same host, by its number")


def _place(spec: Spec) -> Iterator[Refusal]:
    if spec.get("listen"):
        host = str(spec["listen"]).rpartition(":")[0].strip("[]")
        if host != "localhost" and not _is_ip(host):
            yield Refusal("/listen", f"write an address such as 127.0.0.1, not the name '{host}'")
    if spec.get("tracing"):
        yield Refusal("/tracing", "HAProxy sends no spans")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _retry(spec: Spec) -> Iterator[Refusal]:
    retry = _map(spec, "retry")
    for index, one in enumerate(_list(retry, "on")):
        if one not in RETRIES:
            yield Refusal(f"/retry/on/{index}", f"HAProxy cannot try again on '{one}'")
    for index, status in enumerate(_list(retry, "statusCodes")):
        if status not in STATUSES:
            known = ", ".join(map(str, STATUSES))
            yield Refusal(f"/retry/statusCodes/{index}", f"{status} is none of {known}")
    backoff = {**_BACKOFF, **_map(retry, "backoff")}
    if backoff != _BACKOFF:
        yield Refusal("/retry/backoff", "HAProxy tries another host at once")
    if retry.get("budget"):
        yield Refusal("/retry/budget", "HAProxy does not count retries against requests")
    if retry.get("perTryTimeout") and spec.get("timeout"):
        yield Refusal("/retry/perTryTimeout", "HAProxy has one time limit, and `timeout` is it")


def _circuit_breaker(spec: Spec) -> Iterator[Refusal]:
    breaker = _map(spec, "circuitBreaker")
    if breaker.get("halfOpenRequests", 1) != 1:
        yield Refusal(
            "/circuitBreaker/halfOpenRequests", "a host that comes back gets its full share"
        )
    if breaker.get("maxRetries") is not None:
        yield Refusal("/circuitBreaker/maxRetries", "HAProxy does not count retries at once")
    if breaker.get("maxEjectionPercent", 100) != 100:  # noqa: PLR2004 - percent
        yield Refusal("/circuitBreaker/maxEjectionPercent", "HAProxy leaves each sick host alone")


def _requests(spec: Spec) -> Iterator[Refusal]:
    for index, match in enumerate(_list(spec, "match")):
        for name in _map(match, "headers"):
            if not _HEADER.fullmatch(name):
                yield Refusal(f"/match/{index}/headers/{name}", _HEADERS)
    for index, one in enumerate(_list(spec, "destinations")):
        header = _map(one, "grid").get("hashHeader")
        if isinstance(header, str) and not _HEADER.fullmatch(header):
            yield Refusal(f"/destinations/{index}/grid/hashHeader", _HEADERS)


def _split(spec: Spec) -> Iterator[Refusal]:
    split = _map(spec, "trafficSplit")
    for index, rule in enumerate(_list(split, "rules")):
        name = str(rule.get("name")) if isinstance(rule, Mapping) else ""
        if split.get("mode") == "HEADER" and not _HEADER.fullmatch(name):
            yield Refusal(f"/trafficSplit/rules/{index}/name", _HEADERS)


def _unprintable(spec: Spec) -> Iterator[Refusal]:
    for field in ("hosts", "match", "trafficSplit"):
        for pointer, text in _texts(f"/{field}", spec.get(field)):
            if not text.isprintable():
                yield Refusal(pointer, "a line of HAProxy's configuration cannot hold such signs")


def _map(held: Any, name: str) -> Mapping[str, Any]:
    """A field that is a map; what is none is somebody else's finding."""
    found = held.get(name) if isinstance(held, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(held: Mapping[str, Any], name: str) -> list[Any]:
    found = held.get(name)
    return found if isinstance(found, list) else []


def _texts(pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{pointer}/{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{pointer}/{index}", item)


HINT: Final = "leave it out, or bind the kind to a driver that can, such as envoy"


def refused(address: Address, spec: Spec) -> Diagnostic | None:
    """HR212 that names every such field of a resource; None where there is none."""
    found = refusals(address.kind, spec)
    if not found:
        return None
    return Diagnostic(
        "HR212", summary(address, found), address=address, hint=HINT, note=reasons(found)
    )


def summary(address: str, found: Sequence[Refusal]) -> str:
    """What is asked for and cannot be had, by name."""
    return f"{address}: HAProxy cannot do {', '.join(one.name for one in found)}"


def reasons(found: Sequence[Refusal]) -> str:
    """Why, each by name."""
    return "; ".join(map(str, found))
