"""Retries do not make an overload worse, and hosts that come and go cost no request."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hrctl.drivers.envoy.circuits import is_well
from hrctl.drivers.envoy.verbs import hosts, hosts_of
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import PATIENCE, eventually, node_body

if TYPE_CHECKING:
    from hrctl.model.values import Body
    from tests.drivers.envoy.conftest import Mesh

VISITORS = 20
EACH = 5
FLAPS = 4


@contextmanager
def visitors(mesh: Mesh, count: int, path: str = "/") -> Iterator[Counter[str]]:
    """So many visitors who ask again and again meanwhile; gives who answered how often at the end.

    A connection that breaks counts as "broken".
    """
    found: Counter[str] = Counter()
    done = threading.Event()

    def visit() -> None:
        mine: Counter[str] = Counter()
        connection = http.client.HTTPConnection("127.0.0.1", mesh.port, timeout=PATIENCE)
        while not done.wait(0.002):  # others want the processor too
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read().decode()
                mine[body if answer.status == 200 else str(answer.status)] += 1
            except (OSError, http.client.HTTPException):
                mine["broken"] += 1
                connection.close()
        connection.close()
        found.update(mine)

    threads = [threading.Thread(target=visit) for _ in range(count)]
    for one in threads:
        one.start()
    try:
        yield found
    finally:
        done.set()
        for one in threads:
            one.join()


def tries(mesh: Mesh, **budget: int) -> tuple[int, int]:
    """Requests that the backend got while all of them fail, and retries that were not allowed."""
    retry = {"attempts": 4, "on": ["5xx"], "backoff": {"base": "1ms"}, "budget": budget}
    mesh.route(destinations=[mesh.to("v1")], retry=retry)
    backend = mesh.backend("v1")
    overflow = r"^cluster\.web-.*\.upstream_rq_retry_overflow$"
    before = int(backend.ask("/count")), _sum(mesh.driver.admin.stats(overflow))

    def visit() -> None:
        assert mesh.answers(EACH, "/fail/0.02") == {"503": EACH}

    threads = [threading.Thread(target=visit) for _ in range(VISITORS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    after = int(backend.ask("/count")), _sum(mesh.driver.admin.stats(overflow))
    return after[0] - before[0], after[1] - before[1]


def _sum(stats: Mapping[str, Any]) -> int:
    return sum(map(int, stats.values()))


def test_a_budget_limits_retries_under_load(mesh: Mesh) -> None:
    asked = VISITORS * EACH
    assert tries(mesh, percent=100, minConcurrency=1000) == (asked * 5, 0)
    limited, refused = tries(mesh, percent=10, minConcurrency=1)
    assert asked < limited < asked * 2  # of 20 under way a tenth, and one for each of those
    assert refused > asked / 2
    none, refused = tries(mesh, percent=0, minConcurrency=0)
    assert (none, refused) == (asked, asked)


def node(mesh: Mesh, name: str) -> Body:
    check = {"http": "/healthz", "interval": "50ms", "unhealthyThreshold": 1}
    return node_body(address=mesh.backend(name).address, healthCheck=check)


def test_nodes_that_flap_cost_no_request(mesh: Mesh) -> None:
    """The node says that it is sick, and answers as long as it is asked."""
    nodes = {f"acme:Node/{name}": node(mesh, name) for name in ("v1", "v2")}
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": {}}])
    eventually(lambda: set(mesh.answers(10)) == {"v1", "v2"}, "both answer")
    versions = {one.address: one.version for one in mesh.driver.scan()}
    backend = mesh.backend("v2")
    took = []
    try:
        with visitors(mesh, 4) as answers:
            for _ in range(FLAPS):
                backend.ask("/sick")
                eventually(lambda: not _well(mesh, nodes["acme:Node/v2"]), "it is left alone")
                started = time.monotonic()
                eventually(lambda: mesh.answers(20) == {"v1": 20}, "it gets nothing")
                took.append(time.monotonic() - started)
                (report,) = mesh.driver.health([Address("acme:Node/v2")])
                assert report.status == "UNHEALTHY"
                backend.ask("/well")
                eventually(lambda: mesh.answers(20)["v2"] > 0, "it is back")
    finally:
        backend.ask("/well")
    assert set(answers) == {"v1", "v2"}, answers
    assert min(took[1:]) < 0.5  # by default Envoy waits for a second after the last such news
    assert {one.address: one.version for one in mesh.driver.scan()} == versions
    assert mesh.driver.altered() == {}


def test_nodes_that_die_cost_what_was_under_way_at_most(mesh: Mesh) -> None:
    """The node is killed in the midst of its work, and started again."""
    nodes = {f"acme:Node/{name}": node(mesh, name) for name in ("v1", "mortal")}
    mesh.put(nodes)
    retry = {"attempts": 3, "on": ["connect-failure", "reset"], "backoff": {"base": "1ms"}}
    mesh.route(destinations=[{"grid": {}}], retry=retry)
    eventually(lambda: set(mesh.answers(10)) == {"v1", "mortal"}, "both answer")
    versions = {one.address: one.version for one in mesh.driver.scan()}
    with visitors(mesh, 4) as answers:
        for _ in range(FLAPS):
            backend = mesh.backends["mortal"]
            backend.process.kill()
            backend.process.wait()
            eventually(lambda: not _well(mesh, nodes["acme:Node/mortal"]), "it is left alone")
            mesh.restart("mortal")
            eventually(lambda: mesh.answers(20)["mortal"] > 0, "it is back")
    failed = sum(count for who, count in answers.items() if who not in {"v1", "mortal"})
    assert failed <= 4 * FLAPS, answers
    assert {one.address: one.version for one in mesh.driver.scan()} == versions
    assert mesh.driver.altered() == {}


def _well(mesh: Mesh, body: Body) -> bool:
    (host,) = hosts_of(body, hosts(mesh.driver.admin))
    return is_well(host)
