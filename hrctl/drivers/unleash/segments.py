"""Segments: conditions that Unleash keeps under a name, for the strategies of many features.

They are people's: hrctl refers to them, and says where one is not what a rule takes it for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.unleash.strategies import NotExpressible, Strategy, normal
from hrctl.model.plan import Change


def require(
    wanted: list[Strategy], there: Iterable[dict[str, Any]], change: Change, url: str
) -> None:
    """That each segment which the strategies name is there, with the conditions of its rule.

    Raises:
        HrctlError: HR268.
    """
    live = {one["name"]: one for one in there}
    for strategy in wanted:
        for segment in strategy.get("segments") or ():
            name = segment["name"]
            said = None
            if name not in live:
                known = ", ".join(f"'{one}'" for one in sorted(live)) or "none"
                said, hint = "is not there", f"make it in Unleash, which has {known}"
            elif _plain(live[name]) != _plain(segment):
                said = f"is not as the rule has it: it asks for {_told(live[name])}"
                hint = "write the same conditions here and there, or leave `segment` out"
            if said is not None:
                summary = f"the segment '{name}' of {change.address} in Unleash at {url} {said}"
                address = change.address
                raise HrctlError(
                    Diagnostic("HR268", summary, change.span, address=address, hint=hint)
                )


def _plain(segment: dict[str, Any]) -> Any:
    return normal({"name": "", "segments": [segment]})["segments"]


def _told(segment: dict[str, Any]) -> str:
    """Its conditions, as a manifest has them where it can."""
    from hrctl.drivers.unleash.reading import condition

    ((found),) = _plain(segment)
    parts = []
    for one in found["constraints"]:
        try:
            read = condition(one)
        except (NotExpressible, LookupError, ValueError):
            parts.append(f"{one['contextName']} {one['operator']}")
            continue
        values = ", ".join(map(str, read["values"]))
        parts.append(f"{read['attribute']} {read['operator']} {values}")
    return " and ".join(parts) or "nothing"
