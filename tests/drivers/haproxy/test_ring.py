"""`hrctl grid balance` names the node that the real HAProxy sends a key to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.logic.grid.balance import balance
from hrctl.logic.grid.chash import HEAVIEST, build, ids
from tests.drivers.envoy.conftest import node_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

KEYS = 400


def test_a_key_goes_where_the_ring_says(mesh: Mesh) -> None:
    nodes = {
        f"acme:Node/n{number}": node_body(
            address=mesh.backend(f"n{number}").address, weight=1 + number % 3
        )
        for number in range(6)
    }
    grid = {"affinity": [], "balance": "CONSISTENT_HASH", "hashHeader": "x-key"}
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": grid}])
    specs: dict[str, Any] = {name: body["spec"] for name, body in nodes.items()}

    def predicted() -> list[str]:
        chosen = (balance(specs, grid, f"key-{number}", "haproxy").chosen for number in range(KEYS))
        return [str(one).rpartition("/")[2] for one in chosen]

    def answered() -> list[str]:
        return [next(iter(mesh.answers(1, x_key=f"key-{number}"))) for number in range(KEYS)]

    before = answered()
    assert before == predicted()
    shares = balance(specs, grid, None, "haproxy").shares
    for name, share in shares.items():
        assert abs(before.count(name.rpartition("/")[2]) / KEYS - share) < 0.1
    mesh.put({"acme:Node/n3": None})  # at the socket
    del specs["acme:Node/n3"]
    after = answered()
    assert after == predicted()
    assert all(old in {new, "n3"} for old, new in zip(before, after, strict=True))
    mesh.route(destinations=[{"grid": grid}], timeout="9s")  # by a reload
    assert answered() == after


def test_ids_stay_when_others_come_and_go() -> None:
    names = [f"10.0.{number // 250}.{number % 250}:80" for number in range(2000)]
    some = ids(names[:1000])
    more = ids(names)
    assert len(set(more.values())) == len(names)
    assert sum(some[name] != more[name] for name in some) <= 3  # those whose digests meet
    assert all(0 < number < 1 << 20 for number in more.values())


def test_shares_are_the_whole() -> None:
    assert build({}).shares() == {}
    assert build({"a": 1}).shares() == pytest.approx({"a": 1.0})
    heavy = build({"a": 1_000_000, "b": 500_000, "c": 0})
    assert sum(heavy.shares().values()) == pytest.approx(1.0)
    assert heavy.servers.count("a") == HEAVIEST * 16
    assert "c" not in heavy.servers
