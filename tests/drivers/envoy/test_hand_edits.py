"""What somebody edits around the routes is drift too, and goes back when its routes are applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hrctl.drivers.envoy.snapshot import LDS, rds
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import Mesh, eventually, route_body
from tests.drivers.envoy.test_traces import read

WEB = Address("acme/shop:Route/web")
OTHER = Address("acme/shop:Route/other")
Host = dict[str, Any]


def declare(mesh: Mesh, **more: Any) -> None:
    mesh.route(destinations=[mesh.to("v1")], hosts=["a.example"], timeout="1500ms", **more)
    mesh.route(
        "other",
        hosts=["a.example"],
        match=[{"path": {"prefix": "/o"}}],
        destinations=[mesh.to("v2")],
    )


def edit(mesh: Mesh, change: Callable[[Host], None]) -> None:
    """Change the virtual host by hand, as an editor does."""
    file = mesh.driver.place.settings.folder / rds(mesh.listen)
    held = json.loads(file.read_text("utf-8"))
    (configuration,) = held["resources"]
    change(configuration["virtual_hosts"][0])
    file.write_text(json.dumps(held, separators=(",", ":")), "utf-8")


def of_another_domain(host: Host) -> None:
    host["domains"] = ["b.example"]


def of_one_domain_more(host: Host) -> None:
    host["domains"].append("b.example")


def of_tls_alone(host: Host) -> None:
    host["require_tls"] = "ALL"


def in_another_order(host: Host) -> None:
    host["routes"].reverse()


EDITS = pytest.mark.parametrize(
    "change", [of_another_domain, of_one_domain_more, of_tls_alone, in_another_order]
)


@EDITS
def test_an_edit_of_a_virtual_host_is_drift_of_its_routes(
    mesh: Mesh, change: Callable[[Host], None]
) -> None:
    declare(mesh)
    apart = route_body(listen=mesh.listen, hosts=["c.example"], destinations=[mesh.to("v1")])
    mesh.put({"acme/shop:Route/apart": apart})
    versions = {one.address: one.version for one in mesh.driver.scan()}
    edit(mesh, change)
    now = {one.address: one.version for one in mesh.driver.scan()}
    assert {one for one in now if now[one] != versions[one]} == {WEB, OTHER}
    body = mesh.driver.bodies()[WEB]
    assert mesh.live(WEB) != body["spec"]
    mesh.put({WEB: body})
    assert mesh.driver.altered() == {}
    assert mesh.get("/x", Host="a.example").body == "v1"
    assert mesh.get("/o", Host="a.example").body == "v2"


@EDITS
def test_an_edit_of_a_virtual_host_stays_while_others_change(
    mesh: Mesh, change: Callable[[Host], None]
) -> None:
    declare(mesh)
    edit(mesh, change)
    altered = mesh.driver.altered()
    assert set(altered) == {WEB, OTHER}
    apart = route_body(listen=mesh.listen, hosts=["c.example"], destinations=[mesh.to("v1")])
    mesh.put({"acme/shop:Route/apart": apart})
    assert mesh.driver.altered() == altered


def test_an_edit_of_a_route_configuration_is_drift(mesh: Mesh) -> None:
    declare(mesh)
    file = mesh.driver.place.settings.folder / rds(mesh.listen)
    text = file.read_text("utf-8")
    old = '"ignore_port_in_host_matching":true'
    assert old in text
    file.write_text(text.replace(old, '"ignore_port_in_host_matching":false'), "utf-8")
    assert set(mesh.driver.altered()) == {WEB, OTHER}


def test_a_live_duration_has_the_form_of_a_declared_one(mesh: Mesh) -> None:
    """Envoy writes 1500ms as 1.5s: as text it is another, and a conflict after a kill."""
    declare(mesh, retry={"attempts": 2, "perTryTimeout": "300ms"}, circuitBreaker={"openFor": "1m"})
    file = mesh.driver.place.settings.folder / rds(mesh.listen)
    text = file.read_text("utf-8")
    for old, new in (('"1.5s"', '"2.5s"'), ('"0.3s"', '"0.9s"')):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    live = mesh.live(WEB)
    assert (live["timeout"], live["retry"]["perTryTimeout"]) == ("2500ms", "900ms")


def test_only_routes_that_say_so_are_traced(mesh: Mesh) -> None:
    """A route beside a traced one leaves no span, whatever the listener has."""
    declare(mesh, tracing={"sampling": 100})

    def sent() -> int:
        name = "tracing.opentelemetry.spans_sent"
        return int(mesh.driver.admin.stats(name, "Counters").get(name) or 0)

    before = sent()
    for _ in range(50):
        assert mesh.get("/o", Host="a.example").body == "v2"
    assert mesh.get("/x", Host="a.example").body == "v1"
    eventually(lambda: read(mesh) and sent() > before, "the traced route leaves a trace")
    assert sent() - before <= 2, "one request has a span for Envoy and one for the backend"


def test_a_listeners_file_that_was_deleted_is_mended(mesh: Mesh) -> None:
    declare(mesh)
    file = mesh.driver.place.settings.folder / LDS
    file.unlink()
    assert set(mesh.driver.altered()) == {WEB, OTHER}
    mesh.put({one: mesh.driver.bodies()[one] for one in (WEB, OTHER)})
    assert file.exists()
    assert mesh.driver.altered() == {}
    assert mesh.get("/x", Host="a.example").body == "v1"
