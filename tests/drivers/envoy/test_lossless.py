"""No request is lost while traffic is split anew."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from typing import TYPE_CHECKING

from tests.drivers.envoy.conftest import PATIENCE

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

SPLITS = 12


def test_no_request_is_lost_while_splits_change(mesh: Mesh) -> None:
    split(mesh, 50)
    answers: Counter[str] = Counter()
    done = threading.Event()

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", mesh.port, timeout=PATIENCE)
        mine: Counter[str] = Counter()
        while not done.is_set():
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read().decode()
            mine[body if answer.status == 200 else str(answer.status)] += 1
        connection.close()
        answers.update(mine)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for one in visitors:
        one.start()
    for number in range(SPLITS):
        split(mesh, number * 100 // SPLITS)
    done.set()
    for one in visitors:
        one.join()
    assert set(answers) == {"v1", "v2"}
    assert sum(answers.values()) > SPLITS


def split(mesh: Mesh, percent: int) -> None:
    rules = [{"subset": "a", "percentage": percent}, {"subset": "b", "percentage": 100 - percent}]
    destinations = [mesh.to("v1", subset="a"), mesh.to("v2", subset="b")]
    mesh.route(destinations=destinations, trafficSplit={"rules": rules})


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
