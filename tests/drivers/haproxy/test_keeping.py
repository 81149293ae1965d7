"""What somebody changed by hand stays while other resources change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.drivers.api import Result
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import node_body, route_body
from tests.drivers.haproxy.conftest import worker

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")
OTHER = Address("acme/shop:Route/other")


def declare(mesh: Mesh) -> None:
    mesh.route(
        destinations=[mesh.to("v1", weight=90), mesh.to("v2", weight=10)],
        timeout="5s",
        circuitBreaker={"maxRequests": 50},
    )
    other(mesh, "7s")


def other(mesh: Mesh, timeout: str, **more: int) -> None:
    shares = [mesh.to("v3", weight=1), mesh.to("v4", weight=more.get("weight", 1))]
    match = [{"path": {"prefix": "/o"}}]
    mesh.route("other", match=match, destinations=shares, timeout=timeout)


def edit(mesh: Mesh, old: str, new: str, name: str = "haproxy.cfg") -> None:
    file = mesh.driver.place.home / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("haproxy.cfg", "timeout server 5000ms", "timeout server 6s"),
        ("haproxy.cfg", "timeout server 5000ms\n", "timeout server 5000ms\n    fullconn 7\n"),
        ("haproxy.cfg", "    balance roundrobin\n", ""),
        ("splits.map", "9000/10000", "1000/10000"),
    ],
)
def test_an_edit_of_a_file_stays_until_its_own_route_is_applied(
    mesh: Mesh, name: str, old: str, new: str
) -> None:
    declare(mesh)
    other(mesh, "7s")
    if name == "haproxy.cfg" and "balance" in old:  # the first one there is another's
        mesh.put({OTHER: None})
    edit(mesh, old, new, name)
    version, live, altered = mesh.version(WEB), mesh.live(WEB), mesh.driver.altered()
    assert list(altered) == [WEB]
    for timeout in ("8s", "9s"):
        other(mesh, timeout)
        assert mesh.live(OTHER)["timeout"] == timeout
        assert (mesh.version(WEB), mesh.live(WEB)) == (version, live)
        assert mesh.driver.altered() == altered
    if name == "splits.map":
        assert mesh.answers(200)["v1"] < 80, "HAProxy has it, too"
    mesh.put({OTHER: None})
    assert mesh.driver.altered() == altered
    declare(mesh)
    assert mesh.driver.altered() == {}


def test_what_was_done_at_the_socket_stays_over_other_changes_and_reloads(mesh: Mesh) -> None:
    nodes = {
        f"acme:Node/{name}": node_body(address=mesh.backend(name).address, weight=4)
        for name in ("v1", "v2", "v3")
    }
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": {"balance": "WEIGHTED"}}])
    other(mesh, "7s")
    one, two = (
        next(
            f"{row['pxname']}/{row['svname']}"
            for row in mesh.driver.runtime.stat()
            if row["svname"] == mesh.backend(name).address and row["pxname"].startswith("web-")
        )
        for name in ("v1", "v2")
    )
    table = mesh.driver.place.settings.table
    (key,) = mesh.driver.runtime.cuts(table)
    mesh.driver.runtime.tell(
        [
            f"set server {one} state drain",
            f"set server {two} weight 9",
            f"set map {table} {key} 2000/10000",
        ]
    )
    altered = mesh.driver.altered()
    assert set(altered) == {"acme:Node/v1", "acme:Node/v2", OTHER}
    pid = worker(mesh)
    mesh.put({"acme:Node/v3": None})
    assert worker(mesh) == pid
    assert mesh.driver.altered() == altered
    mesh.route(destinations=[{"grid": {"balance": "WEIGHTED"}}], timeout="4s")
    assert worker(mesh) != pid
    mesh.route("third", hosts=["third.example"], destinations=[mesh.to("v3")])
    assert mesh.live("acme:Node/v1")["state"] == "ACTIVE"  # its backend's route was applied
    assert mesh.driver.altered().keys() == {OTHER}
    other(mesh, "7s")
    assert mesh.driver.altered() == {}


def test_a_reload_for_others_keeps_what_was_done_at_the_socket(mesh: Mesh) -> None:
    mesh.put({"acme:Node/v1": node_body(address=mesh.backend("v1").address)})
    mesh.put({"acme:Node/v2": node_body(address=mesh.backend("v2").address)})
    mesh.route(destinations=[{"grid": {}}])
    server = next(
        f"{row['pxname']}/{row['svname']}"
        for row in mesh.driver.runtime.stat()
        if row["svname"] == mesh.backend("v1").address
    )
    mesh.driver.runtime.tell([f"set server {server} state drain"])
    altered, pid = mesh.driver.altered(), worker(mesh)
    other(mesh, "3s")
    assert worker(mesh) != pid
    assert mesh.driver.altered() == altered
    assert mesh.answers(20) == {"v2": 20}


def test_what_haproxy_does_not_take_is_not_kept(mesh: Mesh) -> None:
    declare(mesh)
    edit(mesh, "timeout server 5000ms", "timeout server forever")
    before = mesh.driver.place.present()
    body = route_body(listen=mesh.listen, hosts=["o.example"], destinations=[mesh.to("v3")])
    outcome = mesh.apply({"acme/shop:Route/third": body})["acme/shop:Route/third"]
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR217"
    assert WEB in outcome.error.summary
    assert mesh.driver.place.present() == before
    mesh.put({WEB: mesh.driver.bodies()[WEB]})
    mesh.put({"acme/shop:Route/third": body})
    assert mesh.driver.altered() == {}


def test_an_edit_at_the_place_that_changes_is_told(mesh: Mesh) -> None:
    """Servers follow from nodes: both sides would write the same one."""
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v1").address)})
    mesh.route(destinations=[{"grid": {"balance": "WEIGHTED"}}])
    edit(mesh, " weight 1", " weight 7")
    heavier = node_body(address=mesh.backend("v2").address, weight=1000)  # which scales the other
    more = node_body(address=mesh.backend("v3").address, weight=300)
    outcomes = mesh.apply({"acme:Node/m": heavier, "acme:Node/l": more})
    assert {one.error.code for one in outcomes.values() if one.error} <= {"HR217"}
    mesh.put({WEB: mesh.driver.bodies()[WEB]} | {"acme:Node/m": heavier, "acme:Node/l": more})
    assert mesh.driver.altered() == {}
