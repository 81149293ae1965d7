"""Which route answers a request, where it goes in which shares, and why the others do not match.

As Envoy does it: the host name chooses a group of routes (the whole name, then the longest
``*.suffix``, then ``*``), in which the first match in the order of `order.entries` wins. Header and
cookie rules of a split come before its shares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hrctl.logic.mesh.order import Entry, Spec, by_host, entries, hosts, led, shares
from hrctl.model.regex import Refusal, TooMuchWorkError, compiled

_PORT: Final = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. Names of headers are in lower case."""

    method: str = "GET"
    host: str = ""
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Miss:
    """A match that was looked at before the one that won, or without any that did; or fits, too.

    It is not `judged` where only the proxy knows whether it fits.
    """

    route: str
    number: int
    why: str
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a request at one listener.

    `route` is None where nobody answers. `shares` has one part for each destination of it, adding
    up to 1; `rule` is what led away, "header x-tester" or "cookie ab".
    """

    route: str | None
    number: int | None = None
    shares: tuple[float, ...] = ()
    rule: str | None = None
    misses: tuple[Miss, ...] = ()


def simulate(routes: Mapping[str, Spec], request: Request) -> Verdict:
    """The verdict over the routes of one listener, specs by address."""
    http = {address: spec for address, spec in routes.items() if spec["type"] != "TCP"}
    groups = by_host(http)
    name = _group(groups, request.host)
    asked = groups[name] if name is not None else {}
    misses = [
        Miss(address, 0, _not_asked(spec, name, request.host))
        for address, spec in sorted(http.items())
        if address not in asked
    ]
    order = entries(asked)
    for place, entry in enumerate(order):
        why = _why_not(entry, asked[entry.address], request)
        if why is None:
            parts, rule = _destinations(asked[entry.address], request)
            misses += _later(entry.address, order[place + 1 :], asked, request)
            return Verdict(entry.address, entry.number, parts, rule, tuple(misses))
        misses.append(Miss(entry.address, entry.number, why, not why.startswith(_UNSURE)))
    return Verdict(None, misses=tuple(misses))


def _later(
    winner: str, rest: Iterable[Entry], specs: Mapping[str, Spec], request: Request
) -> Iterator[Miss]:
    """Other routes that fit as well, each once."""
    told = {winner}
    for entry in rest:
        address = entry.address
        if address not in told and _why_not(entry, specs[address], request) is None:
            told.add(address)
            yield Miss(address, entry.number, "it fits too, and comes later")


def _not_asked(spec: Spec, group: str | None, asked: str) -> str:
    """Why the host name leads elsewhere."""
    why = f"its hosts are {', '.join(spec.get('hosts') or ['*'])}"
    asked = _PORT.sub("", asked.lower())
    if group is not None and any(one == "*" or _fits(one, asked) for one in hosts(spec)):
        why += f", and routes for {group} come first"
    return why


def _group(names: Iterable[str], asked: str) -> str | None:
    """The host name, of those that are declared, whose routes are looked at."""
    known = set(names)
    asked = _PORT.sub("", asked.lower())
    if asked in known and asked != "*":
        return asked
    fitting = [name for name in known if len(name) > 1 and _fits(name, asked)]
    # the longest suffix wins, a suffix before a prefix
    best = max(fitting, key=lambda name: (name.startswith("*"), len(name)), default=None)
    return best or ("*" if "*" in known else None)


def _fits(name: str, asked: str) -> bool:
    """Whether a name with a star at one end fits; the star stands for at least one sign."""
    if len(asked) < len(name):
        return False
    if name.startswith("*"):
        return asked.endswith(name[1:])
    return name.endswith("*") and asked.startswith(name[:-1])


def _why_not(entry: Entry, spec: Spec, request: Request) -> str | None:
    """Why a match does not fit; None where it does."""
    match = entry.match
    path = request.path.partition("?")[0].partition("#")[0]
    wanted = match.get("path") or {}
    why = None
    if wanted.get("exact") is not None and path != wanted["exact"]:
        why = f"the path is not {wanted['exact']}"
    elif wanted.get("prefix") is not None and not path.startswith(wanted["prefix"]):
        why = f"the path does not begin with {wanted['prefix']}"
    elif match.get("method") and match["method"] != request.method:
        why = f"the method is not {match['method']}"
    elif spec["type"] == "GRPC" and not _is_grpc(request):
        why = "it is no gRPC call (content-type application/grpc)"
    why = why or _header_misses(match.get("headers") or {}, request)
    # last: what does not fit anyway needs no judgement of an expression
    return why or (_regex_misses(wanted["regex"], path) if wanted.get("regex") else None)


_UNSURE: Final = "only the proxy can tell"
# literal text to RE2, a repetition to newer releases of PCRE
_READ_OTHERWISE: Final = re.compile(r"\{,\d+\}")


def _regex_misses(regex: str, path: str) -> str | None:
    unsure = f"{_UNSURE} whether the path matches {regex}"
    otherwise = _READ_OTHERWISE.search(regex)
    if otherwise:
        return f"{unsure} ({otherwise[0]} means something else to each)"
    expression = compiled(regex)
    if isinstance(expression, Refusal):
        return f"{unsure} ({expression.why})"
    try:
        fits = expression.fullmatch(path)
    except TooMuchWorkError:
        return f"{unsure} (too large)"
    return None if fits else f"the path does not match {regex}"


def _is_grpc(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return kind == "application/grpc" or kind.startswith("application/grpc+")


def _header_misses(wanted: Mapping[str, str], request: Request) -> str | None:
    for name, value in wanted.items():
        if request.headers.get(name.lower()) != value:
            return f"the header {name} is not '{value}'"
    return None


def _destinations(spec: Spec, request: Request) -> tuple[tuple[float, ...], str | None]:
    split: Mapping[str, Any] = spec.get("trafficSplit") or {}
    for rule in split.get("rules", ()) if split.get("mode") in {"HEADER", "COOKIE"} else ():
        header = split["mode"] == "HEADER"
        if header:
            fits = request.headers.get(rule["name"].lower()) == rule["value"]
        else:
            fits = (rule["name"], rule["value"]) in cookies(request.headers.get("cookie", ""))
        if fits:
            named = f"{'header' if header else 'cookie'} {rule['name']}={rule['value']}"
            return _parts(led(spec, rule["subset"])), named
    return _parts(shares(spec)), None


def cookies(header: str) -> set[tuple[str, str]]:
    """Names and values in a Cookie header."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {(name, value) for name, equals, value in pairs if equals}


def _parts(weights: list[float]) -> tuple[float, ...]:
    total = sum(weights)
    return tuple(weight / total for weight in weights) if total else tuple(weights)
