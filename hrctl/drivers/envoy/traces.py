"""The receiver of spans beside the embedded Envoy: started where a route is traced, and asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from math import inf
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import Place
from hrctl.drivers.interpreter import module
from hrctl.drivers.mesh import embedded
from hrctl.drivers.supervisor.folders import Folders, write_private
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

_GROUP: Final = "traces"
_PATIENCE: Final = 20.0
_RESTART: Final = 1.5  # which supervisord needs a part of, to start one again that has ended
_SETTLED: Final = 1.5  # seconds without another span, and a trace is taken to be whole
_FRESH: Final = 30.0  # seconds that one round of following may take
_ALL: Final = 10_000


def provide(place: Place, bodies: Mapping[Address, Body]) -> None:
    """Have the receiver run where a route is traced, before Envoy hears of it; else not.

    An Envoy that is not ours has a receiver of its own, or none.

    Raises:
        HrctlError: HR080, where it does not start; HR082, where its library is not installed.
    """
    if place.folders is None:
        return
    conf = place.folders.conf(_GROUP)
    traced = any(body["spec"].get("tracing") for body in bodies.values())
    wanted = _program(place) if traced else None
    present = conf.read_text("utf-8") if conf.exists() else None
    if wanted == present and (wanted is None or _answers(place)):
        return
    if wanted is not None and find_spec("opentelemetry.proto") is None:
        raise HrctlError.of(
            "HR082",
            "a traced route needs the library opentelemetry-proto, to read spans",
            hint="pip install 'hrctl[envoy]'",
        )
    _replace(place.folders, wanted)
    if wanted is not None and not embedded.answers_within(lambda: _answers(place), _PATIENCE):
        raise HrctlError.of(
            "HR080",
            "the receiver of spans does not start",
            hint=f"see {place.home / 'logs' / 'traces.log'}",
        )


def _replace(folders: Folders, program: str | None) -> None:
    from hrctl.drivers.supervisor.client import Client, RpcFaultError

    client = Client(folders.socket(), fence=folders.fence)
    with folders.lock():
        for method in ("stopProcessGroup", "removeProcessGroup"):
            with suppress(RpcFaultError):  # it is not there
                client.call(method, _GROUP)
        if program is None:
            folders.conf(_GROUP).unlink(missing_ok=True)
            client.call("reloadConfig")
        else:
            write_private(folders.conf(_GROUP), program.encode())
            client.call("reloadConfig")
            client.call("addProcessGroup", _GROUP)


def _program(place: Place) -> str:
    words = module("hrctl.drivers.envoy.receiver", str(place.settings.traces), place.forward or "")
    command = [word for word in words if word]
    return embedded.section(place, _GROUP, command, last=5, kept="1MB")


def _answers(place: Place) -> bool:
    try:
        _ask(place, "-", 1)
    except HrctlError:
        return False
    return True


def _ask(place: Place, operation: str, tail: int, fresh: float = inf) -> list[dict[str, Any]]:
    from urllib.parse import quote

    asked = Admin(str(place.settings.traces))
    try:
        path = f"/spans?operation={quote(operation, safe='')}&tail={tail}&fresh={fresh}"
        found: list[dict[str, Any]] = asked.json(path)
    finally:
        asked.close()
    return found


def _restored(place: Place, folders: Folders) -> None:
    """Return when the receiver answers, started anew where it does not by itself.

    Raises:
        HrctlError: HR230, where its supervisord is gone, and Envoy with it, or it does not start.
    """
    from hrctl.drivers.supervisor.daemon import answers

    wanted = _program(place)
    same = folders.conf(_GROUP).read_text("utf-8") == wanted
    if same and embedded.answers_within(lambda: _answers(place), _RESTART):
        return
    if not answers(folders.socket()):
        raise HrctlError.of(
            "HR230",
            "no spans are received, as the embedded Envoy does not run",
            hint="`hrctl apply` starts it",
        )
    _replace(folders, wanted)
    if not embedded.answers_within(lambda: _answers(place), _PATIENCE):
        raise HrctlError.of(
            "HR230",
            "no spans are received: the receiver does not start",
            hint=f"see {place.home / 'logs' / 'traces.log'}",
        )


def read(place: Place, address: Address, *, tail: int, follow: bool) -> Iterator[dict[str, Json]]:
    """Traces of a route, oldest first: `trace_id`, and `spans` by start.

    A receiver that has ended, or that hands on to another place than `traces` names by now, is
    started anew. With `follow` it does not end by itself; a trace is told when nothing more came
    for a while, and once more where something does.

    Raises:
        HrctlError: HR230, where nobody receives.
    """
    if place.folders is None:
        raise HrctlError.of(
            "HR230",
            "hrctl keeps no spans for an Envoy that it does not run",
            hint=f"ask the receiver that `traces` names: {place.settings.traces or 'none is set'}",
        )
    if not place.folders.conf(_GROUP).exists():
        raise HrctlError.of(
            "HR230",
            f"no spans are received for {address}",
            hint="give the route `tracing: {sampling: 100}`, and apply it",
        )
    _restored(place, place.folders)
    kept = _ask(place, address, _ALL)
    told = {trace["trace_id"]: len(trace["spans"]) for trace in kept}
    yield from map(_without_quiet, kept[-tail:])
    while follow:
        time.sleep(0.3)
        try:
            fresh = _ask(place, address, _ALL, _FRESH)
        except HrctlError:
            _restored(place, place.folders)
            continue
        for trace in fresh:
            if trace["quiet"] >= _SETTLED and len(trace["spans"]) > told.get(trace["trace_id"], 0):
                told[trace["trace_id"]] = len(trace["spans"])
                yield _without_quiet(trace)


def _without_quiet(trace: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in trace.items() if key != "quiet"}
