"""`hrctl mesh traces`: the spans of a route's requests, each trace as a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.live import by_driver, cannot
from hrctl.cli.verbs.naming import Name
from hrctl.drivers.api import Traces
from hrctl.model.values import Json

Span = dict[str, Any]

# Attributes worth a place in the line, by the first name that a span has.
_METHOD = ("http.request.method", "http.method", "request.method")
_STATUS = ("http.response.status_code", "http.status_code")
_HOST = ("upstream_address",)  # `peer.address` is the client's in a span of a server
# Envoy calls the span of a try after its cluster; ours have the destination's name in the midst
_TRY = re.compile(r"router (?:\S+-[0-9a-f]{10}-)?(\S+?)(?:-[0-9a-f]{6}(?:~\d+)?)? egress")
_NAMELESS = "to"


def traces(
    ctx: typer.Context,
    name: Name,
    *,
    tail: Annotated[
        int, typer.Option("--tail", min=1, metavar="N", help="The last N requests.")
    ] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they come.")] = False,
) -> int:
    """Show the spans of a Route's requests as trees: who called whom, and how long it took.

    Spans are kept for routes with `tracing` under the Envoy that hrctl runs, the last 10,000.

    Examples:
      hrctl mesh traces shop --tail 3
      hrctl mesh traces prod:shop --follow
    """
    console = console_of(ctx)
    with Session(console) as session:
        address = naming.find(session.tree(), "Route", name)
        ((instance, driver, _),) = by_driver(session, session.tree(), [address])
        if not isinstance(driver, Traces):
            raise cannot(instance, "Route", "show traces")
        found = driver.traces(address, tail=tail, follow=follow)
        if console.json_output and not follow:
            console.json([{**one, "spans": _in_order(one["spans"])} for one in found])
            return Exit.DONE
        some = False
        for one in found:
            some = True
            if console.json_output:
                console.event({**one, "spans": _in_order(one["spans"])})
            else:
                console.log(lines(one))
            if console.reader_left:
                break
    if not some:
        console.note(f"No request to {naming.short(address)} has left a trace yet.")
    return Exit.DONE


def _in_order(spans: Sequence[Span]) -> list[Json]:
    return [{**span, "depth": depth} for depth, span in tree(spans)]


def lines(trace: dict[str, Any]) -> list[str]:
    """A trace as people read it: when, which, and its spans as a tree behind their times."""
    start = datetime.fromtimestamp(trace["spans"][0]["start_ns"] / 1e9, UTC)
    shown = start.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    found = [f"{shown} UTC  {trace['trace_id']}"]
    services: list[Any] = []  # of the spans above
    for depth, span in tree(trace["spans"]):
        del services[depth:]
        above = services[-1] if services else None
        services.append(span["service"])
        found.append(f"{span['duration_ms']:9.1f} ms  {'  ' * depth}{_line(span, above)}")
    return found


def _line(span: Span, above: Any) -> str:
    """A span in words; `above` is the service of the span above it."""
    method, status, host = (
        next((str(span["attributes"][key]) for key in keys if span["attributes"].get(key)), None)
        for keys in (_METHOD, _STATUS, _HOST)
    )
    tried = _TRY.fullmatch(span["name"])
    if tried is None:
        words = [span["name"]]
    elif tried[1] == _NAMELESS and host is not None:
        words, host = [f"to {host}"], None
    else:
        words = [f"to {tried[1]}"]
    if span["service"] and span["service"] != above:
        words.append(f"by {span['service']}")
    more = (status, host) if tried else (method, status, host)  # the method stands above
    words += [one for one in more if one not in {None, "-"}]
    line = "  ".join([*words, "ERROR"] if span["error"] else words)
    # whoever sends spans chooses their names; a terminal is not to obey them
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def tree(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Spans with their depth, each after its parent, siblings by start.

    Those whose parent is not among them begin a tree, and so does one of a ring of parents.
    """
    known = {span["span_id"] for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        parent = span["parent_id"] if span["parent_id"] in known else None
        below.setdefault(parent, []).append(span)
    told: set[int] = set()
    # whoever is in a ring is reached from no root, so all are tried after the roots
    for first in [*below.get(None, ()), *spans]:
        waiting = [(0, first)]
        while waiting:
            depth, span = waiting.pop()
            if id(span) in told:
                continue
            told.add(id(span))
            yield depth, span
            waiting += [(depth + 1, one) for one in reversed(below.get(span["span_id"], ()))]
