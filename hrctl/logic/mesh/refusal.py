"""A field that a proxy has no way to do, and what no proxy can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hrctl.logic.mesh.listening import is_at_a_number
from hrctl.model.values import Json

Spec = Mapping[str, Json]


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


def health_check(proxy: str, spec: Spec) -> Iterator[Refusal]:
    """A proxy asks each host for a page, or connects to a port of it.

    It knows the number of one, and which one requests go to.
    """
    check = mapping(spec, "healthCheck")
    if check.get("command") is not None:
        why = f"{proxy} asks for a page or connects, it runs nothing"
        yield Refusal("/healthCheck/command", why)
    port = check.get("tcp")
    if port is not None and not str(port).isdigit() and not _is_asked(spec, port):
        why = (
            f"{proxy} checks a port of the same host, by its number, or by its name where that is"
            " the `port` of all destinations"
        )
        yield Refusal("/healthCheck/tcp", why)
    if "://" in str(check.get("http")):
        why = f"{proxy} asks each host at the port of its requests; write the path alone"
        yield Refusal("/healthCheck/http", why)


def _is_asked(spec: Spec, port: Json) -> bool:
    """Whether requests go to the port of this name, wherever they go."""
    found = listed(spec, "destinations")
    return bool(found) and all(
        isinstance(one, Mapping) and one.get("port") == port for one in found
    )


def at_a_number(spec: Spec) -> Iterator[Refusal]:
    """A proxy listens at numbers."""
    listen = str(spec.get("listen") or "")
    if listen and not is_at_a_number(listen):
        host = listen.rpartition(":")[0].strip("[]")
        yield Refusal("/listen", f"write an address such as 127.0.0.1, not the name '{host}'")


def unknown_expressions(spec: Spec, unknown: Callable[[str], str | None]) -> Iterator[Refusal]:
    """Paths for whose regular expression `unknown` tells what a proxy does not know of it."""
    for index, match in enumerate(listed(spec, "match")):
        why = unknown(str(mapping(match, "path").get("regex") or ""))
        if why is not None:
            yield Refusal(f"/match/{index}/path/regex", why)


def mapping(held: Any, name: str) -> Mapping[str, Any]:
    """A field that is a map; what is none is somebody else's finding."""
    found = held.get(name) if isinstance(held, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def listed(held: Mapping[str, Any], name: str) -> list[Any]:
    """A field that is a list, likewise."""
    found = held.get(name)
    return found if isinstance(found, list) else []
