"""What of a Route or a Node Envoy has no way to do, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

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

_REPEATED: Final = re.compile(r"\{(\d*),?(\d*)\}")
_MOST: Final = 1000  # times that RE2 repeats anything


def refusals(kind: str, spec: Spec) -> list[Refusal]:
    """All that Envoy cannot do of a spec, with built-in defaults or without them."""
    found = [*health_check("Envoy", spec)]
    if kind == "Route":
        parts = (at_a_number, _names, _circuit_breaker)
        found += [one for part in parts for one in part(spec)]
        found += unknown_expressions(spec, unknown)
    return found


def _names(spec: Spec) -> Iterator[Refusal]:
    """Server names of TLS have a star for whole parts alone."""
    for index, host in enumerate(listed(spec, "hosts") if spec.get("type") == "TCP" else ()):
        name = str(host).partition(":")[0]
        if name != "*" and "*" in name.removeprefix("*."):
            yield Refusal(f"/hosts/{index}", "a TCP route has whole names and such as *.example")


def _circuit_breaker(spec: Spec) -> Iterator[Refusal]:
    if mapping(spec, "circuitBreaker").get("halfOpenRequests") is not None:
        why = (
            "a host that comes back gets its full share; `failureThreshold` failures in a row, and"
            " it is left alone again"
        )
        yield Refusal("/circuitBreaker/halfOpenRequests", why)


def unknown(regex: str) -> str | None:
    """What of a regular expression RE2 does not know; None where nothing is found."""
    found = expressions.unknown(regex, expressions.RE2)
    if found is not None:
        return f"{expressions.RE2.name} do not know {found}"
    for times in _REPEATED.finditer(expressions.RE2.plain.sub("_", regex)):
        if any(int(one) > _MOST for one in times.groups() if one):
            return f"Envoy repeats nothing more than {_MOST:,} times"
    return None
