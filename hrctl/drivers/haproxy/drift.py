"""What somebody changed by hand, in the file or at the runtime socket, and which field it is.

Every block of the file bears the address that it was made for. What is expected is made anew from
the bodies; lines and servers that differ are translated back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from hrctl.drivers.haproxy.backends import Backend, Server
from hrctl.drivers.haproxy.configuration import Configuration, Files, Settings, State, configuration
from hrctl.drivers.haproxy.frontends import WHOLE, called, parts_of
from hrctl.drivers.haproxy.runtime import MAINTENANCE
from hrctl.drivers.haproxy.text import blocks
from hrctl.drivers.mesh.names import ident
from hrctl.drivers.mesh.overlay import tell, write_over
from hrctl.model.address import Address
from hrctl.model.kinds.units import duration
from hrctl.model.values import Body, Json, canonical


class Altered(NamedTuple):
    """One thing that is not as it was written.

    `field` is the path in the spec; `exact` tells that `live` is what stands there.
    """

    field: str
    expected: Json
    live: Json
    exact: bool = False


Found = dict[str, list[Altered]]

# how a line begins -> the field that it was made from; a group is the field's value
_LINES: Final = (
    (r"bind\b", "listen"),
    (r"timeout (?:server|tunnel|queue) (\d+ms)$", "timeout"),
    (r"retries (\d+)$", "retry.attempts"),
    (r"(?:retry-on|option redispatch)\b", "retry"),
    (r"(?:balance|hash-type)\b", "loadBalancer"),
    (r".*\{ be_conn\(\S+\) gt (\d+) \}$", "circuitBreaker.maxRequests"),
    (r".*\{ queue\(\S+\) ge (\d+) \}$", "circuitBreaker.maxPending"),
    (r"(?:option httpchk|http-check|timeout check)\b", "healthCheck"),
    (r"http-response add-header set-cookie\b", "trafficSplit"),
    (r".* set-var\(\w+\.(?:host|group)\)", "hosts"),
    (r"acl\b|.* set-var\(\w+\.way\)", "match"),
    (r".*", "destinations"),
)
_SERVER: Final = re.compile(r"\s+server (\S+) \S+ weight (\d+)\b.*")


def altered(
    bodies: Mapping[Address, Body], present: Files, live: State, settings: Settings
) -> Found:
    """Address -> what of it is not as its body wants it."""
    made = configuration(bodies, settings)
    found: Found = {}
    routes = {one: body["spec"] for one, body in bodies.items() if one.kind == "Route"}
    servers = {
        f"{one.name}/{host.name}": (one, host) for one in made.backends for host in one.servers
    }
    config, table = settings.names
    for at, one in _of_file(made, present.get(config, b""), routes, servers):
        found.setdefault(at, []).append(one)
    written = dict(
        line.split()[:2]
        for line in present.get(table, b"").decode("utf-8", "replace").splitlines()
        if len(line.split()) > 1
    )
    for at, one in [
        *_of_servers(made.state["servers"], live["servers"], servers, made),
        *_of_cuts(made.cuts, written, bodies),
        *_of_cuts(made.cuts, live["cuts"], bodies),
    ]:
        if one not in found.setdefault(at, []):
            found[at].append(one)
    return found


# -- the file --------------------------------------------------------------------------------------

Servers = Mapping[str, tuple[Backend, Server]]
Key = tuple[str, str | None]  # section, and the address that lines in it were made for


def _of_file(
    made: Configuration, data: bytes, routes: Mapping[Address, Mapping[str, Any]], servers: Servers
) -> Iterator[tuple[str, Altered]]:
    expected, live = sections(made.text), sections(data.decode("utf-8", "replace"))
    listens: dict[str, list[str]] = {}
    for address, spec in sorted(routes.items()):
        listen = str(spec.get("listen") or made.settings.listen)
        listens.setdefault(f"frontend {called(listen)}", []).append(str(address))
    for key in sorted(expected.keys() | live.keys(), key=str):
        section, owner = key
        mine, theirs = expected.get(key, []), live.get(key, [])
        if mine == theirs:
            continue
        # what all routes of a listener share, or all of them, concerns each
        owners = [owner] if owner else listens.get(section) or [str(one) for one in routes]
        for wanted, there, _ in differing(mine, theirs):
            for at in owners:
                yield _of_line(at, section, wanted, there, servers)


def sections(text: str) -> dict[Key, list[str]]:
    """The lines of a file."""
    found: dict[Key, list[str]] = {}
    for section, owner, line in blocks(text):
        found.setdefault((section, owner), []).append(line)
    return found


def differing(
    mine: list[str], theirs: list[str]
) -> Iterator[tuple[str | None, str | None, str | None]]:
    """The line that was made, the one that stands there, and the one before both."""
    for tag, a, b, c, d in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for index in range(max(b - a, d - c)):
            yield (
                mine[a + index] if a + index < b else None,
                theirs[c + index] if c + index < d else None,
                mine[min(a + index, b) - 1] if min(a + index, b) else None,
            )


def _of_line(
    at: str, section: str, wanted: str | None, there: str | None, servers: Servers
) -> tuple[str, Altered]:
    line = (wanted if wanted is not None else there or "").strip()
    pattern, field = next(one for one in _LINES if re.match(one[0], line))
    before, after = (re.match(pattern, one.strip()) if one else None for one in (wanted, there))
    if before and after and before.groups():
        return at, Altered(field, _value(before.group(1)), _value(after.group(1)), exact=True)
    before, after = (_SERVER.fullmatch(one) if one else None for one in (wanted, there))
    if before and after and before.group(1) == after.group(1):
        backend, server = servers.get(f"{section.split()[1]}/{before.group(1)}", (None, None))
        if backend is not None and server is not None and server.node and backend.weighted:
            weights = int(before.group(2)), int(after.group(2))
            return str(server.node), Altered("weight", *weights, exact=True)
    shown = [one.strip() if one is not None else None for one in (wanted, there)]
    return at, Altered(field, shown[0], f"{section}: {shown[1] or '(not there)'}")


def _value(text: str) -> Json:
    return duration(int(text.removesuffix("ms")) / 1000) if text.endswith("ms") else int(text)


# -- the socket ------------------------------------------------------------------------------------


def _of_servers(
    expected: Mapping[str, Json], live: Mapping[str, Json], servers: Servers, made: Configuration
) -> Iterator[tuple[str, Altered]]:
    owners = {one.name: str(one.owner) for one in made.backends}
    for name in sorted(expected.keys() | live.keys()):
        mine, theirs = expected.get(name), live.get(name)
        if mine == theirs:
            continue
        at = owners[name.partition("/")[0]]
        if mine is None or theirs is None or mine[0] != theirs[0]:
            shown = [one[0] if one else None for one in (mine, theirs)]
            yield at, Altered("destinations", shown[0], f"{name}: {shown[1] or '(not there)'}")
            continue
        backend, server = servers[name]
        node = str(server.node) if server.node is not None else None
        if mine[2] != theirs[2]:
            state = "INACTIVE" if theirs[2] & MAINTENANCE else "DRAINING"
            if node is not None:
                yield node, Altered("state", "ACTIVE", state, exact=True)
            else:
                yield at, Altered("destinations", "ACTIVE", f"{name}: {state}")
        if mine[1] != theirs[1]:
            weights = f"weight {mine[1]}", f"{name}: weight {theirs[1]}"
            if node is not None and not mine[1]:
                yield node, Altered("state", "DRAINING", "ACTIVE", exact=True)
            elif node is not None and not theirs[1]:
                yield node, Altered("state", "ACTIVE", "DRAINING", exact=True)
            elif node is not None and backend.weighted:
                yield node, Altered("weight", mine[1], theirs[1], exact=True)
            else:
                yield at, Altered("destinations", *weights)


def _of_cuts(
    expected: Mapping[str, Json], live: Mapping[str, Json], bodies: Mapping[Address, Body]
) -> Iterator[tuple[str, Altered]]:
    routes = {ident(address): address for address in bodies if address.kind == "Route"}
    for key in sorted(expected):
        mine, theirs = str(expected[key]), str(live.get(key) or "")
        address = routes.get(key.rpartition(".")[0] if key not in routes else key)
        if mine == theirs or address is None:
            continue
        spec = bodies[address]["spec"]
        if key not in routes or not re.fullmatch(r"\d+(/\d+)*", theirs):
            yield str(address), Altered("trafficSplit", mine, theirs or "(not there)")
            continue
        was, are = parts_of(mine), parts_of(theirs)
        pairs = zip(_weighed(spec), was, are, strict=False)
        for (field, weight), before, now in pairs:
            if before != now:
                unit = weight / before if before else _unit(spec, was)
                yield str(address), Altered(field, weight, _tidy(now * unit), exact=True)


def _weighed(spec: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Each destination's share: the field that it comes from, and the number there."""
    destinations = spec["destinations"]
    split = spec.get("trafficSplit") or {}
    rules = split.get("rules", []) if split.get("mode", "PERCENTAGE") == "PERCENTAGE" else []
    rule_of = {rule["subset"]: (index, rule["percentage"]) for index, rule in enumerate(rules)}
    found: list[tuple[str, float]] = []
    for index, one in enumerate(destinations):
        rule = rule_of.get(one.get("subset"))
        if rule is not None:
            found.append((f"trafficSplit.rules.{rule[0]}.percentage", rule[1]))
        else:
            found.append((f"destinations.{index}.weight", one.get("weight", 1)))
    return found


def _unit(spec: Mapping[str, Any], parts: Sequence[int]) -> float:
    """What a ten thousandth stands for, where the destination itself had nothing."""
    some = (weight / part for (_, weight), part in zip(_weighed(spec), parts, strict=False) if part)
    return next(some, 100 / WHOLE)


def _tidy(number: float) -> float:
    found = round(number, 4)
    return int(found) if found == int(found) else found


# -- back into the body ----------------------------------------------------------------------------


def overlay(body: Body, found: Sequence[Altered]) -> Body:
    """The body as HAProxy has it: each field that differs written over.

    What the spec has a form for is given in it; for the rest, and for what the spec does not say, a
    field that it has tells what stands where.
    """
    made: Body = deepcopy(body)
    for one in found:
        if not (one.exact and write_over(made["spec"], one.field, one.live)):
            shown = one.live if isinstance(one.live, str) else canonical(one.live)
            where = f"{one.field}: " if one.exact else ""
            tell(made["spec"], one.field.partition(".")[0], f"{where}{shown}")
    return made
