"""No request is lost while traffic is split anew."""

from __future__ import annotations

import itertools
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.drivers.envoy.listeners import stat_prefix
from tests.drivers.envoy.conftest import PATIENCE

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

SPLITS = 50
REQUESTS = 20_000
LONGEST = 120.0  # seconds; backends are slow on a busy machine


@pytest.fixture
def wrk(mesh: Mesh) -> Iterator[subprocess.Popen[str]]:
    """Requests at full speed, until it is interrupted."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    split(mesh, 50)
    command = ["wrk", "-t1", "-c8", "-d300s", "--timeout", "20s", f"http://{mesh.listen}/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_no_request_is_lost_while_splits_change_one_after_another(
    mesh: Mesh, wrk: subprocess.Popen[str]
) -> None:
    """Every tenth also changes what makes Envoy read all routes of the listener again."""
    deadline = time.monotonic() + LONGEST
    made = itertools.count()
    while (number := next(made)) < SPLITS or answered(mesh) < REQUESTS:
        split(mesh, number * 37 % 101, timeout=f"{20 + number // 10}s")
        assert time.monotonic() < deadline
    wrk.send_signal(signal.SIGINT)
    said, _ = wrk.communicate(timeout=PATIENCE)
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    assert int(found.group(1)) >= REQUESTS
    assert "errors" not in said
    assert "Non-2xx" not in said
    split(mesh, 50)
    assert len(mesh.answers(200)) == 2


def answered(mesh: Mesh) -> int:
    """How many requests Envoy has answered at the listener."""
    name = f"http.{stat_prefix(mesh.listen)}.downstream_rq_completed"
    return int(mesh.driver.admin.stats(f"^{re.escape(name)}$").get(name) or 0)


def split(mesh: Mesh, percent: int, **more: Any) -> None:
    rules = [{"subset": "a", "percentage": percent}, {"subset": "b", "percentage": 100 - percent}]
    destinations = [mesh.to("v1", subset="a"), mesh.to("v2", subset="b")]
    mesh.route(destinations=destinations, trafficSplit={"rules": rules}, **more)


def test_envoy_counts_hashes_per_host_as_the_ring_does(mesh: Mesh) -> None:
    """75 hosts of equal weight: where shares are rounded otherwise some have a point less."""
    from hrctl.logic.grid import ring
    from tests.drivers.envoy.conftest import eventually, node_body

    nodes = {
        f"acme:Node/h{number}": node_body(address=f"127.0.0.1:{21000 + number}")
        for number in range(75)
    }
    mesh.put(nodes)
    mesh.route("hashed", destinations=[{"grid": {"balance": "CONSISTENT_HASH"}}])
    made = ring.build({str(body["spec"]["address"]): 1 for body in nodes.values()})
    counts = Counter(made.hosts).values()
    stats = eventually(
        lambda: {
            name.rpartition(".")[2]: value
            for name, value in mesh.driver.admin.stats("hashed.*ring_hash_lb").items()
        },
        "the ring is there",
    )
    assert (stats["min_hashes_per_host"], stats["max_hashes_per_host"]) == (
        min(counts),
        max(counts),
    )
