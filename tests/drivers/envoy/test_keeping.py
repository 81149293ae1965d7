"""What somebody edited by hand stays while other routes change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.drivers.api import Result
from hrctl.drivers.envoy.snapshot import CDS, LDS, RTDS, rds
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import node_body, route_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")
OTHER = Address("acme/shop:Route/other")


def declare(mesh: Mesh) -> None:
    mesh.route(
        destinations=[mesh.to("v1", weight=90), mesh.to("v2", weight=10)],
        timeout="5s",
        circuitBreaker={},
    )
    mesh.route("other", match=[{"path": {"prefix": "/o"}}], destinations=[mesh.to("v3")])


def edit(mesh: Mesh, path: str, old: str, new: str) -> None:
    file = mesh.driver.place.settings.folder / {"rds": rds(mesh.listen)}.get(path, path)
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("rds", '"timeout":"5s"', '"timeout":"7s"'),
        ("rds", '"timeout":"5s"', '"idle_timeout":"9s","timeout":"5s"'),
        (RTDS, ":90", ":10"),
        (CDS, '"consecutive_5xx":5', '"consecutive_5xx":9'),
    ],
)
def test_an_edit_stays_until_its_own_route_is_applied(
    mesh: Mesh, path: str, old: str, new: str
) -> None:
    declare(mesh)
    edit(mesh, path, old, new)
    version, live, altered = mesh.version(WEB), mesh.live(WEB), mesh.driver.altered()
    assert list(altered) == [WEB]
    for timeout in ("8s", "9s"):
        mesh.route(
            "other",
            match=[{"path": {"prefix": "/o"}}],
            destinations=[mesh.to("v3")],
            timeout=timeout,
        )
        assert mesh.live(OTHER)["timeout"] == timeout
        assert (mesh.version(WEB), mesh.live(WEB)) == (version, live)
        assert mesh.driver.altered() == altered
    if path == RTDS:
        assert 60 < mesh.answers(200)["v1"] < 140, "Envoy has it, too"
    mesh.put({OTHER: None})
    assert mesh.driver.altered() == altered
    declare(mesh)
    assert mesh.driver.altered() == {}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (LDS, '"port_value":', '"port_value":1'),  # there is no such port
        ("rds", '"timeout":"5s"', '"timeout":"forever"'),
    ],
)
def test_what_envoy_does_not_take_is_not_kept(mesh: Mesh, path: str, old: str, new: str) -> None:
    declare(mesh)
    edit(mesh, path, old, new)
    before = mesh.driver.place.present()
    body = route_body(listen=mesh.listen, hosts=["o.example"], destinations=[mesh.to("v3")])
    outcome = mesh.apply({"acme/shop:Route/third": body})["acme/shop:Route/third"]
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR217"
    assert WEB in outcome.error.summary
    assert mesh.driver.place.present() == before
    web, other = (mesh.driver.bodies()[one] for one in (WEB, OTHER))
    mesh.put({WEB: web, OTHER: other})
    assert mesh.driver.altered() == {}
    mesh.put({"acme/shop:Route/third": body})


def test_an_edit_at_the_place_that_changes_is_told(mesh: Mesh) -> None:
    """Endpoints follow from nodes: both sides would write them."""
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v1").address)})
    mesh.route(destinations=[{"grid": {}}])
    (file,) = mesh.driver.place.settings.folder.glob("eds/web-*/endpoints.json")
    text = file.read_text("utf-8").replace('"port_value":', '"port_value":1')
    file.write_text(text, "utf-8")
    more = node_body(address=mesh.backend("v2").address)
    outcome = mesh.apply({"acme:Node/m": more})["acme:Node/m"]
    assert outcome.error is not None
    assert outcome.error.code == "HR217"
    assert file.read_text("utf-8") == text
    mesh.put({"acme:Node/m": more, WEB: mesh.driver.bodies()[WEB]})
    assert mesh.driver.altered() == {}
    assert set(mesh.answers(10)) == {"v1", "v2"}
