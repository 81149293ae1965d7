"""What can change without a reload does: the worker stays, and what it was told is in the files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually, node_body
from tests.drivers.haproxy.conftest import worker

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = "acme/shop:Route/web"
SPLITS = 50


def split(mesh: Mesh, percent: float, **more: Any) -> None:
    rules = [{"subset": "a", "percentage": percent}, {"subset": "b", "percentage": 100 - percent}]
    destinations = [mesh.to("v1", subset="a"), mesh.to("v2", subset="b")]
    mesh.route(destinations=destinations, trafficSplit={"rules": rules}, **more)


def test_a_split_changes_without_a_reload_and_outlives_the_worker(mesh: Mesh) -> None:
    split(mesh, 50)
    pid = worker(mesh)
    split(mesh, 100)
    assert mesh.answers(50) == {"v1": 50}
    split(mesh, 99.5)
    assert worker(mesh) == pid
    split(mesh, 0)
    assert worker(mesh) == pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: mesh.driver.runtime.pid() not in {None, pid}, "another works")
    found = mesh.answers(50)
    assert found == {"v2": 50}, (mesh.driver.place.present(), mesh.driver.place.applied())
    assert mesh.driver.altered() == {}


@pytest.mark.parametrize("balance", ["WEIGHTED", "CONSISTENT_HASH", "LEAST_CONNECTIONS", "RANDOM"])
def test_nodes_change_without_a_reload(mesh: Mesh, balance: str) -> None:
    def nodes(**changes: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in ("v1", "v2", "v3"):
            spec = changes.get(name, {})
            body = node_body(address=mesh.backend(name).address, drainTimeout="2s", **(spec or {}))
            made[f"acme:Node/{name}"] = None if spec is None else body
        return made

    mesh.put(nodes(v3=None))
    mesh.route(destinations=[{"grid": {"balance": balance}}])
    pid = worker(mesh)
    mesh.put(nodes(v1={"weight": 9}))
    mesh.put(nodes(v2={"state": "DRAINING"}, v3={"state": "DRAINING"}))
    assert mesh.answers(20) == {"v1": 20}
    mesh.put(nodes(v1={"state": "INACTIVE"}, v2=None))
    assert mesh.answers(20) == {"v3": 20}
    mesh.put(nodes(v1=None, v2=None, v3={"healthCheck": {"tcp": 1}, "state": "INACTIVE"}))
    assert mesh.answers(3) == {"503": 3}
    assert worker(mesh) == pid
    assert mesh.driver.altered() == {}


def test_new_hosts_are_checked_and_limited_as_those_of_the_file(mesh: Mesh) -> None:
    check = {"http": "/healthz", "interval": "100ms", "unhealthyThreshold": 1}
    names = ("v1", "v2")
    nodes = {f"acme:Node/{name}": node_body(address=mesh.backend(name).address) for name in names}
    mesh.put({"acme:Node/v1": nodes["acme:Node/v1"]})
    breaker = {"maxConnections": 8, "failureThreshold": 100, "openFor": "100ms"}
    mesh.route(destinations=[{"grid": {}}], healthCheck=check, circuitBreaker=breaker)
    pid = worker(mesh)
    mesh.put({"acme:Node/v2": nodes["acme:Node/v2"]})
    eventually(lambda: len(mesh.answers(10)) == 2, "both answer")
    limits = {
        row["svname"]: row["slim"] for row in mesh.driver.runtime.stat() if row["slim"] == "4"
    }
    assert set(limits) == {mesh.backend(name).address for name in names}
    mesh.backend("v2").ask("/sick")
    try:
        eventually(lambda: mesh.answers(20) == {"v1": 20}, "the sick one gets nothing")
    finally:
        mesh.backend("v2").ask("/well")
    assert worker(mesh) == pid


def test_what_needs_a_reload_gets_one(mesh: Mesh) -> None:
    split(mesh, 50)
    pid = worker(mesh)
    split(mesh, 50, timeout="5s")
    assert worker(mesh) != pid


def wrk(mesh: Mesh) -> subprocess.Popen[str]:
    """Requests at full speed, until it is interrupted."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    command = ["wrk", "-t1", "-c8", "-d300s", "--timeout", "20s", f"http://{mesh.listen}/"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lost(running: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """How many requests were made, and the lines that tell of errors."""
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    return int(found.group(1)), [
        line for line in said.splitlines() if "errors" in line or "Non-2xx" in line
    ]


def test_no_request_is_lost_while_splits_change_one_after_another(mesh: Mesh) -> None:
    split(mesh, 50)
    pid = worker(mesh)
    with wrk(mesh) as running:
        for number in range(SPLITS):
            split(mesh, 1 + number * 98 // SPLITS)
        count, errors = lost(running)
    assert errors == []
    assert count > SPLITS
    assert worker(mesh) == pid


def test_no_request_is_lost_over_reloads_and_nodes_that_come_and_go(mesh: Mesh) -> None:
    nodes = {
        f"acme:Node/{name}": node_body(address=mesh.backend(name).address)
        for name in ("v1", "v2", "v3")
    }
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": {}}])
    with wrk(mesh) as running:
        for number in range(4):
            mesh.route(destinations=[{"grid": {}}], timeout=f"{20 + number}s")
            mesh.put({"acme:Node/v3": None})
            mesh.put({"acme:Node/v3": nodes["acme:Node/v3"]})
        count, errors = lost(running)
    assert errors == []
    assert count > 100


def test_a_hand_at_the_socket_is_drift_of_its_field(mesh: Mesh) -> None:
    names = ("v1", "v2")
    nodes = {
        f"acme:Node/{name}": node_body(address=mesh.backend(name).address, weight=10)
        for name in names
    }
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": {"balance": "WEIGHTED"}}])
    host = mesh.backend("v1").address
    (server,) = [
        f"{row['pxname']}/{host}" for row in mesh.driver.runtime.stat() if row["svname"] == host
    ]
    version = mesh.version("acme:Node/v1")
    for command, field, value in (
        (f"set server {server} weight 3", "weight", 3),
        (f"set server {server} state drain", "state", "DRAINING"),
        (f"set server {server} state maint", "state", "INACTIVE"),
    ):
        mesh.driver.runtime.tell([command])
        assert mesh.live("acme:Node/v1")[field] == value
        assert mesh.version("acme:Node/v1") != version
        assert mesh.version("acme:Node/v2") is not None
        assert mesh.live("acme:Node/v2") == nodes["acme:Node/v2"]["spec"]
        pid = worker(mesh)
        mesh.put({"acme:Node/v1": nodes["acme:Node/v1"]})
        assert mesh.driver.altered() == {}
        assert worker(mesh) == pid  # and it was put right without a reload
    mesh.driver.runtime.tell([f"set server {server} state maint", f"del server {server}"])
    assert "not there" in str(mesh.live(WEB)["destinations"])
    mesh.put({"acme:Node/v1": nodes["acme:Node/v1"]})
    assert mesh.answers(20).keys() == {"v1", "v2"}


@pytest.mark.parametrize("shares", ["rules", "weights"])
def test_a_split_that_was_changed_at_the_socket_is_drift_of_its_shares(
    mesh: Mesh, shares: str
) -> None:
    if shares == "rules":
        split(mesh, 90)
    else:
        mesh.route(destinations=[mesh.to("v1", weight=9), mesh.to("v2", weight=1)])
    table = mesh.driver.place.settings.table
    ((key, cuts),) = mesh.driver.runtime.cuts(table).items()
    assert cuts == "9000/10000"
    mesh.driver.runtime.tell([f"set map {table} {key} 5000/10000"])
    live = mesh.live(WEB)
    if shares == "rules":
        assert [one["percentage"] for one in live["trafficSplit"]["rules"]] == [50, 50]
    else:
        assert [one["weight"] for one in live["destinations"]] == [5, 5]
    pid = worker(mesh)
    split(mesh, 90) if shares == "rules" else mesh.route(
        destinations=[mesh.to("v1", weight=9), mesh.to("v2", weight=1)]
    )
    assert mesh.driver.runtime.cuts(table) == {key: "9000/10000"}
    assert worker(mesh) == pid


def test_health_tells_of_nodes(mesh: Mesh) -> None:
    mesh.put(
        {
            "acme:Node/v1": node_body(address=mesh.backend("v1").address),
            "acme:Node/v2": node_body(address=mesh.backend("v2").address, state="DRAINING"),
            "acme:Node/v3": node_body(address=mesh.backend("v3").address, region="far"),
        }
    )
    affinity = [{"key": "region", "operator": "ne", "values": ["far"]}]
    mesh.route(destinations=[{"grid": {"affinity": affinity}}])
    names = [Address(f"acme:Node/{name}") for name in ("v1", "v2", "v3", "v4")]
    found = {one.address.name: one.status for one in mesh.driver.health(names)}
    assert found == {"v1": "HEALTHY", "v2": "DRAINING", "v3": "IDLE", "v4": "MISSING"}
    mesh.answers(7)
    rows = {address.name: row for address, row in mesh.driver.metrics(names)}
    assert rows["v1"]["requests"] == 7


def test_health_of_nodes_counts_routes_that_choose_them_and_what_runs_there(mesh: Mesh) -> None:
    """A route that leads to the same place by its address is another matter."""
    node = Address("acme:Node/n")
    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as server:
        at = f"127.0.0.1:{server.getsockname()[1]}"
        mesh.put({node: node_body(address=at)})
        mesh.route(destinations=[{"grid": {}}])
        mesh.route("direct", hosts=["direct.example"], destinations=[{"address": at}])

        def told() -> tuple[str, str]:
            (found,) = mesh.driver.health([node])
            return found.status, found.detail

        assert told() == ("HEALTHY", "well for 1 of 1 route")
        asking = pool.submit(mesh.get, "/")
        answering, _ = server.accept()
        with answering:
            answering.recv(65536)
            mesh.put({node: node_body(address=at, state="DRAINING")})
            assert told() == ("DRAINING", "1 request under way")
            mesh.route("third", hosts=["third.example"], destinations=[mesh.to("v2")])  # a reload
            assert told() == ("DRAINING", "1 request under way")
            # as in the moment after a reload in which the master does not listen yet
            master = Path(str(mesh.driver.place.master))
            aside = master.rename(master.with_suffix(".aside"))
            back = threading.Timer(0.5, aside.rename, (master,))
            back.start()
            assert told() == ("DRAINING", "1 request under way")
            back.join()
            answering.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nn")
            assert asking.result().body == "n"
        eventually(lambda: told() == ("DRAINING", "idle"), "nothing runs there")
