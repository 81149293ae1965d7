"""Files made of those before are, byte by byte, those made from nothing."""

from __future__ import annotations

import random
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from hrctl.drivers.envoy import assembly
from hrctl.drivers.envoy.assembly import Before, files, make
from hrctl.drivers.envoy.snapshot import CDS, LDS, RTDS, Parsed, Settings, rds
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.model.address import Address
from hrctl.model.values import Body
from tests.drivers.envoy.conftest import node_body, route_body

LISTENS = [None, "127.0.0.1:8001", "127.0.0.1:8002", "[::1]:8003", "127.0.0.1:8004"]
TCP = {"127.0.0.1:8004"}
POOLS = ["a", "b", "ü"]
WEIGHTS = [0, 0.5, 1, 1, 2, 7, 90]
Some = dict[Address, Body | None]


def a_node(rng: random.Random) -> Body:
    more: dict[str, Any] = {}
    if rng.random() < 0.2:
        more["healthCheck"] = rng.choice([{"http": "/healthz"}, {"tcp": 9100}])
    return node_body(
        address=f"127.0.0.1:{rng.randint(2000, 2020)}",
        state=rng.choice(["ACTIVE", "ACTIVE", "DRAINING", "INACTIVE"]),
        labels={"pool": rng.choice(POOLS)},
        zone=rng.choice(["x", "y"]),
        weight=rng.randint(1, 3),
        **more,
    )


def a_destination(rng: random.Random, subset: str) -> dict[str, Any]:
    where: dict[str, Any] = {"address": f"{rng.choice(['127.0.0.1', 'db.example'])}:9000"}
    if rng.random() < 0.4:
        where = {"grid": {"affinity": [{"key": "pool", "values": [rng.choice(POOLS)]}]}}
        where["grid"]["balance"] = rng.choice(["ROUND_ROBIN", "CONSISTENT_HASH"])
    elif rng.random() < 0.3:
        where = {"service": "api", "endpoints": [f"127.0.0.1:{rng.randint(1, 3)}"]}
    return {**where, "subset": subset, "weight": rng.choice(WEIGHTS)}


def a_route(rng: random.Random) -> Body:
    listen = rng.choice(LISTENS)
    destinations = [a_destination(rng, subset) for subset in "ab"[: rng.randint(1, 2)]]
    destinations[0]["weight"] = destinations[0]["weight"] or 1
    spec: dict[str, Any] = {"destinations": destinations, "timeout": rng.choice(["3s", None])}
    if rng.random() < 0.7:
        spec["hosts"] = rng.sample(["a.example", "B.example", "*.b.example"], rng.randint(1, 2))
    if rng.random() < 0.2:
        spec["circuitBreaker"] = {"failureThreshold": rng.randint(1, 3)}
    if listen in TCP:
        return route_body(type="TCP", listen=listen, **spec)
    spec["match"] = [
        {"path": {"prefix": f"/{rng.randint(0, 3)}"}} for _ in range(rng.randint(0, 2))
    ]
    if rng.random() < 0.2:
        spec["retry"] = {"attempts": 2, "budget": {"percent": rng.choice([12.5, 20])}}
    if rng.random() < 0.02:
        spec["tracing"] = {"sampling": 10}
    if len(destinations) > 1 and rng.random() < 0.6:
        spec["trafficSplit"] = a_split(rng)
        if spec["trafficSplit"]["mode"] == "PERCENTAGE":
            destinations[1]["weight"] = destinations[1]["weight"] or 1
    return route_body(type=rng.choice(["HTTP", "GRPC"]), listen=listen, **spec)


def a_split(rng: random.Random) -> dict[str, Any]:
    mode = rng.choice(["PERCENTAGE", "HEADER", "COOKIE"])
    if mode == "PERCENTAGE":
        share = rng.choice([10, 12.5, 50])
        rules = [{"subset": "a", "percentage": share}, {"subset": "b", "percentage": 100 - share}]
        return {"mode": mode, "rules": rules}
    return {"mode": mode, "rules": [{"subset": "b", "name": "x-arm", "value": rng.choice("12")}]}


def another_weight(body: Body) -> Body:
    """The same route with one weight changed."""
    first, *others = body["spec"]["destinations"]
    changed = {**first, "weight": first["weight"] + 1}
    return {**body, "spec": {**body["spec"], "destinations": [changed, *others]}}


def traced_or_not(body: Body) -> Body:
    """The same route with tracing, or without."""
    spec = {key: value for key, value in body["spec"].items() if key != "tracing"}
    if spec == body["spec"] and spec["type"] != "TCP":
        spec["tracing"] = {"sampling": 50}
    return {**body, "spec": spec}


def some_changes(rng: random.Random, bodies: dict[Address, Body]) -> Some:
    found: Some = {}
    for _ in range(rng.choice([1, 1, 1, 2, 5, 30])):
        route = rng.random() < 0.6
        name = f"{'Route/r' if route else 'Node/n'}{rng.randint(0, 12)}"
        address = Address(f"acme/{rng.choice('xy')}:{name}")
        present = bodies.get(address)
        if present is not None and rng.random() < 0.2:
            found[address] = None
        elif present is not None and route and rng.random() < 0.5:
            found[address] = rng.choice([another_weight, traced_or_not])(present)
        else:
            found[address] = a_route(rng) if route else a_node(rng)
    return found


@pytest.mark.parametrize("most", [40, 2])
@pytest.mark.parametrize("apart", [True, False])
def test_files_of_those_before_are_those_from_nothing(
    *, apart: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "MOST_FILES", most)
    rng = random.Random(f"{apart} {most}")  # noqa: S311 - cases, not secrets
    settings = Settings(Path("/x"), traces="/run/traces", apart=apart)
    bodies: dict[Address, Body] = {}
    known = Bodies.given(bodies)
    present = files(known, settings)
    taken = 0
    for _ in range(120):
        changes = some_changes(rng, bodies)
        bodies = {a: b for a, b in {**bodies, **changes}.items() if b is not None}
        wanted = known.but(changes)
        made = make(wanted, settings, Before(Parsed(present), known))
        expected = files(bodies, settings)
        assert made.files() == expected
        assert dict(wanted) == bodies
        taken += len(made.kept)
        # at times as the next command sees it, which reads everything anew
        known, present = (Bodies.given(bodies) if rng.random() < 0.5 else wanted), expected
    assert taken > 25


def test_another_weight_touches_one_file_and_no_node() -> None:
    rng = random.Random(3)  # noqa: S311 - cases, not secrets
    bodies: dict[Address, Body] = {}
    for number in range(20):
        bodies[Address(f"acme:Node/n{number}")] = a_node(rng)
        two = [{**a_destination(rng, subset), "weight": 1} for subset in "ab"]
        bodies[Address(f"acme:Route/r{number}")] = route_body(destinations=two)

    def read(kind: str) -> dict[Address, Body]:
        assert kind == "Route", "nodes are not looked at"
        return {address: body for address, body in bodies.items() if address.kind == kind}

    settings = Settings(Path("/x"), apart=True)
    address = Address("acme:Route/r7")
    known = Bodies(read, bodies.get)
    wanted = known.but({address: another_weight(bodies[address])})
    present = files(bodies, settings)
    made = make(wanted, settings, Before(Parsed(present), known))
    assert set(made.fresh) == {RTDS}
    assert set(made.kept) == set(present) - {RTDS}
    assert {CDS, LDS, rds(settings.listen)} <= set(made.kept)


def test_the_form_of_the_files_has_a_number() -> None:
    """Where this fails the files of the same bodies are other ones: raise `assembly.FORMAT`.

    Else an apply would take parts from files that an older hrctl made.
    """
    rng = random.Random(1)  # noqa: S311 - cases, not secrets
    bodies: dict[Address, Body] = {}
    for number in range(60):
        bodies[Address(f"acme:Route/r{number}")] = a_route(rng)
        bodies[Address(f"acme:Node/n{number}")] = a_node(rng)
    found: list[bytes] = []
    for apart in (True, False):
        made = files(bodies, Settings(Path("/x"), traces="/run/traces", apart=apart))
        found.extend(data for _, data in sorted(made.items()))
    assert (assembly.FORMAT, blake2b(b"".join(found), digest_size=6).hexdigest()) == (
        4,
        "3afae72f85f0",
    )
