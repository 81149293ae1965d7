"""From the routes of one listener to a frontend.

A request passes these variables, each set once:

    host    the name that is asked for, without its port
    group   the routes that its name chooses (`order.by_host`), by the number of the group
    way     the route, or ``<route>.<number>`` where a rule of its split leads away
    cuts    of the way's destinations, ``9000/10000``: where each one's share ends (from a map)
    n       a random number below 10,000, which is compared with the cuts
    to      the backend
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from hrctl.drivers.haproxy.backends import names
from hrctl.drivers.haproxy.text import ALL, OWNER, condition, exactly, formatted, quoted
from hrctl.drivers.mesh.names import ident, numeric
from hrctl.logic.mesh.order import apportion, by_host, entries, led, shares
from hrctl.model.address import Address
from hrctl.model.values import Json

Spec = Mapping[str, Json]

WHOLE: Final = 10_000  # a hundredth of a percent
_GRPC: Final = "application/grpc"


@dataclass(slots=True)
class Frontend:
    """A section, and the cuts that it looks up: key of a way -> ``9000/10000``."""

    lines: list[str]
    cuts: dict[str, str] = field(default_factory=dict)

    def add(self, owner: str | None, lines: Iterable[str]) -> None:
        """Lines that were made for a route; None: for all of the listener."""
        self.lines += [f"{OWNER}{owner or ALL}", *(f"    {line}" for line in lines)]


def called(listen: str) -> str:
    """The name of a listener's frontend."""
    return "listen-" + "".join(sign if sign.isalnum() else "_" for sign in listen)


def bind(listen: str) -> str:
    """Where it listens, as HAProxy writes it."""
    host, port = numeric(listen)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def frontend(listen: str, routes: Mapping[str, Spec], table: str) -> Frontend:
    """The frontend of a listener; `table` is what HAProxy calls the file of the cuts."""
    stream = any(spec["type"] == "TCP" for spec in routes.values())
    made = Frontend([f"frontend {called(listen)} from hrctl-{'tcp' if stream else 'http'}"])
    say = _Tcp(table) if stream else _Http(table)
    shared = [f"bind {bind(listen)}", *say.head(routes)]
    groups = _groups(by_host(routes))
    shared += say.groups({name: index for index, (some, _) in enumerate(groups) for name in some})
    made.add(None, shared)
    acls = _Conditions()
    for number, (_, asked) in enumerate(groups):
        for entry in entries(asked):
            own = acls.of(entry.address, entry.number, entry.match, asked[entry.address])
            key = ident(Address(entry.address))
            made.add(entry.address, [*own.fresh, say.choose(key, number, own.names)])
    ways = [way for one, spec in sorted(routes.items()) for way in _ways(Address(one), spec)]
    for way in ways:
        if way.rule is not None:
            made.add(way.route, [say.lead(way)])
    most = max((len(way.parts) for way in ways), default=1)
    if most > 1:
        made.add(None, say.draw(most))
    for way in ways:
        made.add(way.route, say.share(way))
        if len(way.parts) > 1:
            made.cuts[way.key] = cuts([weight for _, weight, _ in way.parts])
    made.add(None, say.tail())
    return made


def _groups(hosts: Mapping[str, Mapping[str, Spec]]) -> list[tuple[list[str], Mapping[str, Spec]]]:
    """Host names that the very same routes ask for, and those routes."""
    found: dict[tuple[str, ...], list[str]] = {}
    for host, asked in hosts.items():
        found.setdefault(tuple(asked), []).append(host)
    return [(some, hosts[some[0]]) for some in found.values()]


def cuts(weights: Sequence[float]) -> str:
    """Where the share of each destination ends: ``9000/10000``."""
    total, found = 0, []
    for part in apportion(weights, WHOLE):
        total += part
        found.append(total)
    return "/".join(map(str, found))


def parts_of(text: str) -> list[int]:
    """The parts of 10,000 that cuts stand for."""
    ends = [0, *(int(one) for one in text.split("/"))]
    return [after - before for before, after in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class Way:
    """Requests of a route that share its destinations in one proportion.

    `rule` is the condition that leads here; `parts` are backend, weight and cookie to give.
    """

    key: str
    route: Address
    rule: str | None
    parts: tuple[tuple[str, float, str | None], ...]


def _ways(address: Address, spec: Spec) -> Iterator[Way]:
    split: Mapping[str, Any] = spec.get("trafficSplit") or {}
    own, backends = ident(address), names(address, spec)
    sticky = split["rules"] if split.get("mode") == "COOKIE" else ()
    cookies = {rule["subset"]: f"{rule['name']}={rule['value']}; Path=/" for rule in sticky}
    given = [cookies.get(one.get("subset")) for one in spec["destinations"]]
    rest = zip(backends, shares(spec), given, strict=True)
    yield Way(own, address, None, tuple(rest))
    if split.get("mode") in {"HEADER", "COOKIE"}:
        for number, rule in enumerate(split["rules"]):
            weights = zip(backends, led(spec, rule["subset"]), strict=True)
            mine = tuple((name, weight, None) for name, weight in weights if weight)
            yield Way(f"{own}.{number}", address, _led_by(rule, split["mode"]), mine)


def _led_by(rule: Mapping[str, Any], mode: str) -> str:
    if mode == "HEADER":
        return exactly(f"req.fhdr({rule['name']})", str(rule["value"]))
    pair = re.escape(f"{rule['name']}={rule['value']}")
    regex = f"^(?:.*;\\s*)?{pair}(?:\\s*;.*)?$"
    return condition("req.fhdr(cookie)", "reg", [regex])[0]


@dataclass(frozen=True, slots=True)
class _Named:
    names: list[str]
    fresh: list[str]  # lines that make those which are new


class _Conditions:
    """The conditions of matches by name; one that several groups ask for is written once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], list[str]] = {}

    def of(self, address: str, number: int, match: Mapping[str, Any], spec: Spec) -> _Named:
        key = (address, number)
        if key in self._known:
            return _Named(self._known[key], [])
        prefix = f"{ident(Address(address))}.{number}"
        found: dict[str, list[str]] = {}
        if path := _path(match.get("path") or {}):
            found[f"{prefix}.path"] = [path]
        if match.get("method"):
            found[f"{prefix}.method"] = [exactly("method", match["method"])]
        for index, (name, value) in enumerate((match.get("headers") or {}).items()):
            found[f"{prefix}.header{index}"] = [exactly(f"req.fhdr({name})", value)]
        if spec["type"] == "GRPC":  # either of two
            kind = "req.fhdr(content-type)"
            found[f"{prefix}.grpc"] = [
                exactly(kind, _GRPC),
                condition(kind, "beg", [f"{_GRPC}+"])[0],
            ]
        self._known[key] = list(found)
        return _Named(
            list(found), [f"acl {name} {how}" for name, some in found.items() for how in some]
        )


def _path(path: Mapping[str, str]) -> str | None:
    if path.get("exact") is not None:
        return exactly("path", path["exact"])
    if path.get("regex") is not None:
        return condition("path", "reg", [f"^(?:{path['regex']})$"])[0]
    if path.get("prefix") not in {None, "/"}:
        return condition("path", "beg", [path["prefix"]])[0]
    return None


class _Http:
    """How requests are told apart."""

    action = "http-request"
    scope = "txn"
    host = "req.hdr(host),host_only,lower"

    def __init__(self, table: str) -> None:
        self._table = table

    def var(self, name: str) -> str:
        """The variable as a sample."""
        return f"var({self.scope}.{name})"

    def set(self, name: str, sample: str, *conditions: str) -> str:
        """A line that sets a variable."""
        when = f" if {' '.join(conditions)}" if conditions else ""
        return f"{self.action} set-var({self.scope}.{name}) {quoted(sample)}{when}"

    def unset(self, name: str) -> str:
        """The condition that a variable is not set yet."""
        return f"!{{ {self.var(name)} -m found }}"

    def is_(self, name: str, value: str) -> str:
        """The condition that a variable is a text."""
        return f"{{ {self.var(name)} -m str -- {value} }}"

    def head(self, routes: Mapping[str, Spec]) -> list[str]:
        """What comes first."""
        named = any(spec.get("hosts") for spec in routes.values())
        return [self.set("host", self.host)] if named else []

    def groups(self, chosen: Mapping[str, int]) -> Iterator[str]:
        """From the name that is asked for to its group: whole names, the longest star, any."""
        whole: dict[int, list[str]] = {}
        for name, number in chosen.items():
            if not _starred(name):
                whole.setdefault(number, []).append(name)
        host = self.var("host")
        for number, some in whole.items():
            for how in condition(host, "str", some):
                yield self.set("group", f"int({number})", f"{{ {how} }}")
        stars = [name for name in chosen if _starred(name) and name != "*"]
        for name in sorted(stars, key=lambda one: (one.startswith("*"), len(one)), reverse=True):
            how, part = ("end", name[1:]) if name.startswith("*") else ("beg", name[:-1])
            yield self.set(
                "group",
                f"int({chosen[name]})",
                self.unset("group"),
                f"{{ {condition(host, how, [part])[0]} }}",
                f"{{ {host} -m len ge {len(name.encode())} }}",
            )
        if "*" in chosen:
            yield self.set("group", f"int({chosen['*']})", self.unset("group"))

    def choose(self, way: str, group: int, conditions: Iterable[str]) -> str:
        """A route, for requests of a group that meet all conditions."""
        mine = f"{{ {self.var('group')} -m int {group} }}"
        return self.set("way", f"str({way})", self.unset("way"), mine, *conditions)

    def lead(self, way: Way) -> str:
        """Lead away from a route; the first rule that fits wins, as the way is another then."""
        own = self.is_("way", ident(way.route))
        return self.set("way", f"str({way.key})", own, f"{{ {way.rule} }}")

    def draw(self, most: int) -> list[str]:
        """A random number, and the cuts of the way."""
        return [
            self.set("n", f"rand({WHOLE})"),
            self.set("cuts", f"{self.var('way')},map_str({self._table})"),
            *(
                self.set(f"cut{index}", f"{self.var('cuts')},field({index},/)")
                for index in range(1, most)
            ),
        ]

    def share(self, way: Way) -> Iterator[str]:
        """The backend."""
        mine = self.is_("way", way.key)
        for index, (name, _, _) in enumerate(way.parts, 1):
            to = f"str({name})"
            if len(way.parts) == 1:
                yield self.set("to", to, mine)
            elif index == len(way.parts):
                yield self.set("to", to, mine, self.unset("to"))
            else:
                below = f"{{ {self.var('n')},sub({self.scope}.cut{index}) lt 0 }}"
                yield self.set("to", to, mine, self.unset("to"), below)
        for name, _, cookie in way.parts:
            if cookie is not None:
                to = self.is_("to", name)
                yield f"http-response add-header set-cookie {formatted(cookie)} if {mine} {to}"

    def tail(self) -> list[str]:
        """Who has no backend is told so."""
        return [
            f"http-request return status 404 if {self.unset('to')}",
            f"use_backend %[{self.var('to')}]",
        ]


class _Tcp(_Http):
    """How streams are told apart: by the server name of TLS."""

    action = "tcp-request content"
    scope = "sess"

    def head(self, routes: Mapping[str, Spec]) -> list[str]:
        """Wait for the first words of TLS, where they matter."""
        if not any(spec.get("hosts") for spec in routes.values()):
            return []
        hello = "{ req.ssl_hello_type 1 }"
        return ["tcp-request inspect-delay 5s", self.set("host", "req.ssl_sni,lower", hello)]

    def tail(self) -> list[str]:
        """Who has no backend is sent away."""
        return [
            f"tcp-request content reject if {self.unset('to')}",
            f"use_backend %[{self.var('to')}]",
        ]


def _starred(name: str) -> bool:
    return name.startswith("*") or name.endswith("*")
