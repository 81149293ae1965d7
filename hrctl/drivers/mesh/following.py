"""Routes that were made with other settings of their instance than those of hrctl.yaml now.

A route without `listen` takes after the instance's, and one with `tracing` after its `traces`. So
the settings are noted with what was written, and routes that have not been applied since are told
as drift. Until then such a route stays where it is, whatever else is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from hrctl.drivers.mesh.overlay import tell
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

Given = Mapping[str, str | None]  # the settings of an instance that routes take after
Behind = dict[Address, dict[str, Json]]  # route -> those that it was made with, where they differ

_NOW: Final = "now"
_BEHIND: Final = "behind"
_FOLLOWS: Final[Mapping[str, Callable[[Mapping[str, Json]], bool]]] = {
    "listen": lambda spec: not spec.get("listen"),
    "traces": lambda spec: bool(spec.get("tracing")),
}
_FIELDS: Final = {"listen": "listen", "traces": "tracing"}


def note(now: Given, behind: Behind) -> dict[str, Json]:
    """What is to be noted: the settings, and the routes that were made with others."""
    return {_NOW: dict(now), _BEHIND: {str(at): was for at, was in behind.items()}}


def behind(
    noted: Mapping[str, Any], now: Given, routes: Callable[[], Mapping[Address, Body]]
) -> Behind:
    """Routes that were made with other settings.

    Args:
        noted: what `note` made; empty where nothing is known.
        now: the settings.
        routes: gives the bodies as they are stored; asked only where it matters.
    """
    if not noted or (noted[_NOW] == dict(now) and not noted[_BEHIND]):
        return {}
    found: Behind = {}
    for address, body in routes().items():
        if address.kind != "Route":
            continue
        was = {**noted[_NOW], **noted[_BEHIND].get(address, {})}
        differing = {
            name: was.get(name)
            for name in now
            if was.get(name) != now[name] and _FOLLOWS[name](body["spec"])
        }
        if differing:
            found[address] = differing
    return found


def but(found: Behind, applied: Collection[Address]) -> Behind:
    """The same where some have been applied, or are gone."""
    return {address: was for address, was in found.items() if address not in applied}


def as_made(bodies: Mapping[Address, Body], found: Behind) -> dict[Address, Body]:
    """The bodies of those that listen elsewhere, which say where."""
    return {
        address: {**body, "spec": {**body["spec"], "listen": was["listen"]}}
        for address, was in found.items()
        if was.get("listen") and (body := bodies.get(address)) is not None
    }


def still(found: Behind, bodies: Mapping[Address, Body]) -> Behind:
    """Those that are in these bodies as `as_made` made them."""
    return {
        address: was
        for address, was in found.items()
        if (body := bodies.get(address)) is not None
        and was.get("listen") in {None, body["spec"].get("listen")}
    }


def words(name: str, was: Json) -> str:
    """What is told of a setting, short enough for a line of a plan."""
    return f"{name} is still {was or 'not set'}"


def overlay(body: Body, was: Mapping[str, Json]) -> Body:
    """The body with what it was made with written over it, in words."""
    spec = dict(body["spec"])
    for name, value in was.items():
        tell(spec, _FIELDS[name], words(name, value))
    return {**body, "spec": spec}
