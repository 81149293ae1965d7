"""Which nodes a grid means, and how they share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from hrctl.logic.grid import ring
from hrctl.logic.grid.balance import balance
from hrctl.logic.grid.selection import Nodes, fits, select

NODE: dict[str, Any] = {"type": "WORKER", "region": "eu", "labels": {"disk": "ssd"}}


@pytest.mark.parametrize(
    ("key", "operator", "values", "found"),
    [
        ("type", "eq", ["WORKER"], True),
        ("region", "eq", ["us"], False),
        ("region", "ne", ["us"], True),
        ("zone", "ne", ["a"], True),
        ("zone", "eq", ["a"], False),
        ("disk", "in", ["hdd", "ssd"], True),
        ("disk", "exists", [], True),
        ("gpu", "exists", [], False),
    ],
)
def test_affinity(key: str, operator: str, values: list[str], found: bool) -> None:  # noqa: FBT001 - expected
    assert fits(NODE, [{"key": key, "operator": operator, "values": values}]) == found


def test_inactive_nodes_are_not_chosen_and_draining_ones_get_nothing_new() -> None:
    nodes = {
        name: NODE | {"address": f"127.0.0.1:{number}", "state": name.upper()}
        for number, name in enumerate(["active", "draining", "inactive"], start=1)
    }
    assert select(nodes, {}) == ["active", "draining"]
    assert balance(nodes, {}).shares == {"active": 1.0}


def test_all_hosts_of_a_grid_are_checked_as_the_first_node_with_a_check_wants_it() -> None:
    checks: dict[str, dict[str, Any]] = {
        "a": {},
        "c": {"healthCheck": {"tcp": True}},
        "b": {"healthCheck": {"http": "/b"}},
    }
    nodes = Nodes({name: NODE | check for name, check in checks.items()})
    assert nodes.health_check({}) == {"http": "/b"}
    assert nodes.health_check(None) is None
    assert Nodes({"a": NODE}).health_check({}) is None


def test_the_ring_gives_each_host_its_share_and_moves_few_keys() -> None:
    weights = {f"127.0.0.1:{port}": 1 + port % 2 for port in range(8000, 8010)}
    full = ring.build(weights)
    assert len(full.hashes) >= ring.MINIMUM
    keys = [f"key-{number}" for number in range(20_000)]
    counts = Counter(map(full.choose, keys))
    for host, share in full.shares().items():
        assert abs(counts[host] / len(keys) - share) < 0.01
    assert sum(full.shares().values()) == pytest.approx(1)
    less = ring.build({host: weight for host, weight in weights.items() if host[-1] != "3"})
    moved = sum(full.choose(key) != less.choose(key) for key in keys)
    assert moved < len(keys) / 4
    with pytest.raises(ValueError, match="empty"):
        ring.build({}).choose("key")
