"""What of a Route or a Node HAProxy has no way to do, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hrctl.logic.mesh import expressions
from hrctl.logic.mesh.refusal import (
    Refusal,
    Spec,
    at_a_number,
    health_check,
    listed,
    mapping,
    unknown_expressions,
)

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
_COMMENTED: Final = re.compile(r"\(\?[A-Za-z]*x")
_HEADERS: Final = "a header is called with letters, numbers and dashes"


def refusals(kind: str, spec: Spec) -> list[Refusal]:
    """All that HAProxy cannot do of a spec, with built-in defaults or without them."""
    found = [*health_check("HAProxy", spec)]
    if kind == "Route":
        parts = (_place, _retry, _circuit_breaker, _requests, _split, _unprintable)
        found += [one for part in parts for one in part(spec)]
        found += unknown_expressions(spec, unknown)
    return found


def _place(spec: Spec) -> Iterator[Refusal]:
    yield from at_a_number(spec)
    if spec.get("tracing") is not None:
        yield Refusal("/tracing", "HAProxy sends no spans")


def _retry(spec: Spec) -> Iterator[Refusal]:
    retry = mapping(spec, "retry")
    for index, one in enumerate(listed(retry, "on")):
        if one not in RETRIES:
            yield Refusal(f"/retry/on/{index}", f"HAProxy cannot try again on '{one}'")
    for index, status in enumerate(listed(retry, "statusCodes")):
        if status not in STATUSES:
            known = ", ".join(map(str, STATUSES))
            yield Refusal(f"/retry/statusCodes/{index}", f"{status} is none of {known}")
    backoff = {**_BACKOFF, **mapping(retry, "backoff")}
    if backoff != _BACKOFF:
        yield Refusal("/retry/backoff", "HAProxy tries another host at once")
    if retry.get("budget") is not None:
        yield Refusal("/retry/budget", "HAProxy does not count retries against requests")
    if _lasts(retry.get("perTryTimeout")) and _lasts(spec.get("timeout")):
        yield Refusal("/retry/perTryTimeout", "HAProxy has one time limit, and `timeout` is it")


def _lasts(limit: Any) -> bool:
    """Whether it is a time limit: 0 is none."""
    return bool(limit) and limit != "0s"


def _circuit_breaker(spec: Spec) -> Iterator[Refusal]:
    breaker = mapping(spec, "circuitBreaker")
    if breaker.get("halfOpenRequests", 1) != 1:
        yield Refusal(
            "/circuitBreaker/halfOpenRequests", "a host that comes back gets its full share"
        )
    if breaker.get("maxRetries") is not None:
        yield Refusal("/circuitBreaker/maxRetries", "HAProxy does not count retries at once")
    if breaker.get("maxEjectionPercent", 100) != 100:  # noqa: PLR2004 - percent
        yield Refusal("/circuitBreaker/maxEjectionPercent", "HAProxy leaves each sick host alone")


def _requests(spec: Spec) -> Iterator[Refusal]:
    for index, match in enumerate(listed(spec, "match")):
        for name in mapping(match, "headers"):
            if not _HEADER.fullmatch(name):
                yield Refusal(f"/match/{index}/headers/{name}", _HEADERS)
    for index, one in enumerate(listed(spec, "destinations")):
        header = mapping(one, "grid").get("hashHeader")
        if isinstance(header, str) and not _HEADER.fullmatch(header):
            yield Refusal(f"/destinations/{index}/grid/hashHeader", _HEADERS)


def unknown(regex: str) -> str | None:
    """What of a regular expression HAProxy does not know; None where nothing is found."""
    found = expressions.unknown(regex, expressions.PCRE)
    if found is not None:
        known = ""
        if any(sign.isdigit() for sign in found):
            known = "; a group with a name can be referred to: (?P<name>...) and (?P=name)"
        return f"{expressions.PCRE.name} do not know {found}{known}"
    if "\\Q" in expressions.QUOTED.sub("", regex.replace("\\\\", "")):
        return "what begins with \\Q must end with \\E"
    if "#" in regex and _COMMENTED.search(regex):
        return "with the flag x, what follows a # would be a comment"
    return None


def _split(spec: Spec) -> Iterator[Refusal]:
    split = mapping(spec, "trafficSplit")
    for index, rule in enumerate(listed(split, "rules")):
        name = str(rule.get("name")) if isinstance(rule, Mapping) else ""
        if split.get("mode") == "HEADER" and not _HEADER.fullmatch(name):
            yield Refusal(f"/trafficSplit/rules/{index}/name", _HEADERS)


def _unprintable(spec: Spec) -> Iterator[Refusal]:
    for field in ("hosts", "match", "trafficSplit"):
        for pointer, text in _texts(f"/{field}", spec.get(field)):
            if not text.isprintable():
                yield Refusal(pointer, "a line of HAProxy's configuration cannot hold such signs")


def _texts(pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{pointer}/{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{pointer}/{index}", item)
