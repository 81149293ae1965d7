"""What resources offer to ``valueFrom``, and whom they name. Pure, and without pydantic.

An `Output.value` is JSON; where a part of it is a secret or only known at apply, it is a template:

    {"concat": ["redis://:", {"quote": {"valueFrom": {"age": ...}}}, "@127.0.0.1:6379/0"]}

that is text and references in order, those in `quote` to be percent-encoded. `render` makes the
value, given a function that reveals a reference; until then the template may be stored and
compared like any other value. A single reference stands for itself, ``{"valueFrom": {...}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from hrctl.model.values import Body, Json, is_reference, lookup, pointer, references

Spec = Mapping[str, Json]

_HOST: Final = "127.0.0.1"
_SCHEMES: Final = {
    "redis": ("redis", 6379),
    "postgresql": ("postgresql", 5432),
    "mongodb": ("mongodb", 27017),
    "kafka": ("kafka", 9092),
    "s3": ("https", 443),
    "minio": ("http", 9000),
    "nginx": ("http", 80),
    "haproxy": ("http", 80),
    "envoy": ("http", 10000),
}
_IN_URL: Final = frozenset({"redis", "postgresql", "mongodb"})  # whose URLs hold credentials
_ENCRYPTED: Final = {"redis": "rediss", "http": "https"}


@dataclass(frozen=True, slots=True)
class Output:
    """One value that others can refer to. A sensitive one is never shown.

    Whatever stands as a reference in the body is sensitive: only an apply can know it, or may see
    it.
    """

    value: Json
    sensitive: bool = False


class Link(NamedTuple):
    """A place in a spec that names another resource.

    `path` is a field path from the spec. `target` is a name, to be looked for upwards, or a whole
    address. `output` is what is wanted of it (of a Config, the key); None: only that it exists.
    """

    path: str
    kind: str
    target: str
    output: str | None = None


def outputs(kind: str, address: str, body: Body) -> dict[str, Output]:
    """The outputs of the resource at `address`, from its complete body alone."""
    del address  # a driver's outputs may depend on it; those of the built-in kinds do not
    make = _OUTPUTS.get(kind)
    return make(body.get("spec") or {}) if make else {}


def known_outputs(kind: str, spec: Spec) -> frozenset[str]:
    """The names of the outputs of a resource, from a spec that need not be complete or right."""
    if kind == "Config":
        return frozenset(map(str, _mapping(spec.get("entries"))))
    names = set(_STATIC.get(kind, ()))
    if kind == "Service":
        ports = spec.get("ports")
        for port in ports if isinstance(ports, list) else ():
            if isinstance(port, dict) and isinstance(port.get("name"), str):
                names.add(f"ports.{port['name']}")
    return frozenset(names)


def links(kind: str, spec: Spec) -> list[Link]:
    """Every place in a spec, complete or not, that names another resource.

    References to `age` and `env` name none. Malformed ones are passed over.
    """
    return [*_referred(kind, spec), *_named(kind, spec)]


def places(spec: Spec, port: str | None) -> list[str]:
    """Where each replica of a Service listens, host:port, for the named or the first port."""
    for one in spec.get("ports") or ():
        if port is None or one["name"] == port:
            replicas = range(max(1, spec.get("replicas", 1)))
            return [f"{_HOST}:{one['port'] + replica}" for replica in replicas]
    return []


def render(value: Json, reveal: Callable[[Json], Json]) -> Json:
    """The value of an output. `reveal` turns a reference into its value."""
    if is_reference(value):
        return reveal(value)
    if isinstance(value, dict) and set(value) == {"concat"}:
        return "".join(_part(part, reveal) for part in value["concat"])
    return value


def _part(part: Json, reveal: Callable[[Json], Json]) -> str:
    if isinstance(part, str):
        return part
    if "quote" in part:
        return quote(str(reveal(part["quote"])), safe="")
    return str(reveal(part))


def _concat(*parts: Json) -> Json:
    """Text where every part is text, else a template without empty parts."""
    joined: list[Json] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    if all(isinstance(part, str) for part in joined):
        return "".join(joined)
    if len(joined) == 1 and is_reference(joined[0]):
        return joined[0]
    return {"concat": joined}


def _credential(value: Json) -> Json:
    return {"quote": value} if is_reference(value) else quote(str(value), safe="")


def _output(value: Json) -> Output:
    return Output(value, sensitive=isinstance(value, dict))


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _service(spec: Spec) -> dict[str, Output]:
    ports = spec.get("ports") or []
    found = {"host": Output(_HOST)}
    for port in ports:
        found[f"ports.{port['name']}"] = Output(port["port"])
    if ports:
        first = ports[0]
        scheme, number = first.get("protocol", "HTTP").lower(), first["port"]
        replicas = range(max(1, spec.get("replicas", 1)))
        found["port"] = Output(number)
        found["endpoint"] = Output(f"{scheme}://{_HOST}:{number}")
        found["endpoints"] = Output(
            ",".join(f"{scheme}://{_HOST}:{number + replica}" for replica in replicas)
        )
    return found


def _component(spec: Spec) -> dict[str, Output]:
    connection = spec.get("connection") or {}
    provider = spec["provider"]
    scheme, usual_port = _SCHEMES[provider]
    endpoint = connection.get("endpoint", f"{_HOST}:{usual_port}")
    found = {
        name: _output(connection[name])
        for name in ("username", "password", "token", "database", "region")
        if name in connection
    }
    if "password" in found:
        found["password"] = Output(found["password"].value, sensitive=True)
    place: Json = endpoint
    if isinstance(endpoint, str):
        scheme, place, host, port = _located(endpoint, scheme, usual_port)
        found["host"], found["port"] = Output(host), Output(port)
    if (connection.get("tls") or {}).get("enabled", False):
        scheme = _ENCRYPTED.get(scheme, scheme)
    found["endpoint"] = _output(place)
    found["url"] = _output(_url(scheme, place, connection, with_user=provider in _IN_URL))
    return found


def _located(endpoint: str, scheme: str, usual_port: int) -> tuple[str, str, str, int]:
    """Scheme, places (host:port with commas), and host and port of the first of them."""
    if "://" in endpoint:
        scheme, _, endpoint = endpoint.partition("://")
    endpoint = endpoint.partition("/")[0].rpartition("@")[2]
    places = []
    for one in endpoint.split(","):
        has_port = urlsplit(f"//{one}").port is not None
        places.append(one if has_port else f"{one}:{usual_port}")
    first = urlsplit(f"//{places[0]}")
    return scheme, ",".join(places), first.hostname or _HOST, first.port or usual_port


def _url(scheme: str, place: Json, connection: Spec, *, with_user: bool) -> Json:
    user: list[Json] = []
    if with_user and "username" in connection:
        user.append(_credential(connection["username"]))
    if with_user and "password" in connection:
        user += [":", _credential(connection["password"])]
    database = connection.get("database")
    path = (
        ["/", database if is_reference(database) else str(database)]
        if with_user and database is not None
        else []
    )
    return _concat(f"{scheme}://", *user, *(["@"] if user else []), place, *path)


def _config(spec: Spec) -> dict[str, Output]:
    found = {}
    for key, entry in _mapping(spec.get("entries")).items():
        value = entry.get("value", entry.get("default"))
        if "valueFrom" in entry and "value" not in entry:
            value = {"valueFrom": entry["valueFrom"]}
        found[key] = Output(value, sensitive=entry.get("type") == "SECRET" or is_reference(value))
    return found


def _engine(spec: Spec) -> dict[str, Output]:
    capacity = spec.get("capacity") or {}
    return {"workers": Output(capacity.get("desired", capacity.get("min", 1)))}


def _node(spec: Spec) -> dict[str, Output]:
    found = _address(spec["address"])
    return found | {name: Output(spec[name]) for name in ("region", "zone") if name in spec}


def _route(spec: Spec) -> dict[str, Output]:
    if "listen" not in spec:
        return {}
    found = _address(spec["listen"])
    scheme = {"GRPC": "grpc", "TCP": "tcp", "WEBSOCKET": "ws"}.get(spec["type"], "http")
    return found | {"endpoint": Output(f"{scheme}://{spec['listen']}")}


def _address(address: str) -> dict[str, Output]:
    host, _, port = address.rpartition(":")
    return {"address": Output(address), "host": Output(host), "port": Output(int(port))}


_OUTPUTS: Final[dict[str, Callable[[Spec], dict[str, Output]]]] = {
    "Service": _service,
    "Component": _component,
    "Config": _config,
    "Engine": _engine,
    "Node": _node,
    "Route": _route,
}
_STATIC: Final = {
    "Service": ("endpoint", "endpoints", "host", "port"),
    "Component": (
        "url",
        "endpoint",
        "host",
        "port",
        "username",
        "password",
        "token",
        "database",
        "region",
    ),
    "Engine": ("workers",),
    "Node": ("address", "host", "port", "region", "zone"),
    "Route": ("endpoint", "address", "host", "port"),
}
_SOURCES: Final = (
    ("component", "Component", "output"),
    ("service", "Service", "output"),
    ("config", "Config", "key"),
)


def _referred(kind: str, spec: Spec) -> Iterator[Link]:
    if "valueFrom" not in repr(spec):  # several times faster than looking for it, and mostly so
        return
    found: list[tuple[str, Any]] = list(references(dict(spec)))
    if kind == "Config":
        # beside the type of an entry, valueFrom is not alone and `references` passes it over
        for key, entry in _mapping(spec.get("entries")).items():
            if isinstance(entry, dict) and len(entry) > 1 and "valueFrom" in entry:
                found.append((pointer(["entries", key]), _mapping(entry["valueFrom"])))
    for path, source in found:
        for field, target_kind, output in _SOURCES:
            target = source.get(field)
            if isinstance(target, str):
                name = source.get(output)
                yield Link(path, target_kind, target, name if isinstance(name, str) else None)


def _named(kind: str, spec: Spec) -> Iterator[Link]:
    if kind == "Route":
        destinations = spec.get("destinations")
        for index, one in enumerate(destinations if isinstance(destinations, list) else ()):
            target = lookup(one, "/service")
            if isinstance(target, str):
                port = lookup(one, "/port")
                output = f"ports.{port}" if isinstance(port, str) else None
                yield Link(f"/destinations/{index}/service", "Service", target, output)
    elif kind == "Plugin":
        others = spec.get("dependsOn")
        for index, target in enumerate(others if isinstance(others, list) else ()):
            if isinstance(target, str):
                yield Link(f"/dependsOn/{index}", "Plugin", target)
