"""What hrctl says from the YAML alone is what the real Envoy does."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from hrctl.logic.grid.balance import balance
from hrctl.logic.mesh.simulate import Request, simulate
from tests.drivers.envoy.conftest import node_body, route_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

KEYS = 1000


def test_a_key_goes_where_the_ring_says(mesh: Mesh) -> None:
    nodes = {
        f"acme:Node/n{number}": node_body(
            address=mesh.backend(f"n{number}").address,
            weight=1 + number % 3,
            zone="ab"[number % 2],
        )
        for number in range(10)
    }
    grid = {"affinity": [], "balance": "CONSISTENT_HASH", "hashHeader": "x-key"}
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": grid}])
    specs: dict[str, Any] = {name: body["spec"] for name, body in nodes.items()}

    def predicted() -> list[str]:
        chosen = (balance(specs, grid, f"key-{number}").chosen for number in range(KEYS))
        return [str(one).rpartition("/")[2] for one in chosen]

    def answered() -> list[str]:
        return [next(iter(mesh.answers(1, x_key=f"key-{number}"))) for number in range(0, KEYS, 1)]

    before = answered()
    assert before == predicted()
    mesh.put({"acme:Node/n3": None})
    del specs["acme:Node/n3"]
    after = answered()
    assert after == predicted()
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    assert moved >= Counter(before)["n3"]
    assert KEYS / 20 < moved < KEYS / 5  # about a tenth


PATHS = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"]
HOSTS = ["a.example", "b.example", "x.b.example", "c.example"]


def a_route(rng: random.Random, mesh: Mesh, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"destinations": [mesh.to(name)], "match": []}
    for _ in range(rng.randint(0, 2)):
        kind = rng.choice(["exact", "prefix", "prefix", "regex"])
        path = rng.choice(PATHS)
        match: dict[str, Any] = {"path": {kind: f"{path}[a-c/]*" if kind == "regex" else path}}
        if rng.random() < 0.1:
            match = {}
        if rng.random() < 0.3:
            match["method"] = rng.choice(["GET", "POST"])
        if rng.random() < 0.3:
            match["headers"] = {"X-Team": rng.choice(["red", "blue"])}
        spec["match"].append(match)
    if rng.random() < 0.7:
        spec["hosts"] = rng.sample(["a.example", "b.example", "*.b.example"], rng.randint(1, 2))
    if rng.random() < 0.4:
        other = mesh.to(f"{name}x", subset="other", weight=0)
        spec["destinations"] = [mesh.to(name, subset="one", weight=1), other]
        mode = rng.choice(["HEADER", "COOKIE"])
        rule = {"subset": "other", "name": {"HEADER": "x-new", "COOKIE": "arm"}[mode], "value": "1"}
        spec["trafficSplit"] = {"mode": mode, "rules": [rule]}
    return route_body(listen=mesh.listen, **spec)


def a_request(rng: random.Random) -> Request:
    headers = {}
    if rng.random() < 0.5:
        headers["x-team"] = rng.choice(["red", "blue", "Red"])
    if rng.random() < 0.3:
        headers["x-new"] = rng.choice(["1", "2"])
    if rng.random() < 0.4:
        headers["cookie"] = rng.choice(["arm=1", "a=b; arm=1", "arm=12; b=1", "xarm=1", "arm=1;c"])
    host = rng.choice(HOSTS) + rng.choice(["", ":8080"])
    path = rng.choice(PATHS) + rng.choice(["", "?q=/a", "/c"])
    return Request(rng.choice(["GET", "POST"]), host, path, headers)


def test_random_routes_answer_random_requests_as_simulated(mesh: Mesh) -> None:
    rng = random.Random(20261124)  # noqa: S311 - cases, not secrets
    asked = 0
    for _ in range(8):
        wanted = {
            f"acme/shop:Route/r{number}": a_route(rng, mesh, f"r{number}") for number in range(4)
        }
        mesh.put(wanted)
        specs = {name: body["spec"] for name, body in wanted.items()}
        for _ in range(60):
            request = a_request(rng)
            verdict = simulate(specs, request)
            answer = mesh.get(
                request.path, method=request.method, host=request.host, **request.headers
            )
            if verdict.route is None:
                assert answer.status == 404, (request, verdict)
            else:
                name = verdict.route.rpartition("/")[2]
                suffix = "x" if verdict.shares[-1] and len(verdict.shares) > 1 else ""
                assert (answer.status, answer.body) == (200, name + suffix), (request, verdict)
                asked += 1
        mesh.put(dict.fromkeys(wanted))
    assert asked > 100
