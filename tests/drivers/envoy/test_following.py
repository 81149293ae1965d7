"""Another `listen` or `traces` in hrctl.yaml: told as drift of the routes that take after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.drivers.contract import ContractSecrets
from hrctl.drivers.local_store import LocalStore
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually, node_body, route_body
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")
OTHER = Address("acme/shop:Route/other")
THIRD = Address("acme/shop:Route/third")

Configured = Callable[..., "Mesh"]


@pytest.fixture
def configured(mesh: Mesh) -> Iterator[Configured]:
    """Makes the same project where hrctl.yaml names a port, and more."""
    with ExitStack() as stack:

        def made(port: int, **more: str) -> Mesh:
            config = {"listen": f"127.0.0.1:{port}", **more}
            driver = type(mesh.driver)(config, mesh.driver.context)
            return replace(mesh, driver=stack.enter_context(driver), port=port)

        yield made


def web(mesh: Mesh, **more: Any) -> dict[str, Any]:
    return route_body(destinations=[mesh.to("v1")], **more)


def refuses(mesh: Mesh) -> bool:
    try:
        mesh.get("/")
    except ConnectionError:
        return True
    return False


def test_routes_move_to_another_listen_when_they_are_applied(
    mesh: Mesh, configured: Configured
) -> None:
    own = {"listen": mesh.listen}
    before = configured(free_ports())
    before.put({WEB: web(mesh), OTHER: route_body(**own, destinations=[mesh.to("v2")])})
    after = configured(free_ports())
    assert after.version(WEB) not in {None, before.version(WEB)}
    assert after.version(OTHER) == before.version(OTHER)
    assert f"listen is still {before.listen}" in str(after.live(WEB)["destinations"])
    assert set(after.driver.altered()) <= {WEB}
    # what else is applied leaves it where it is
    third = web(mesh, hosts=["third.example"])
    after.put({OTHER: route_body(**own, destinations=[mesh.to("v3")]), THIRD: third})
    assert mesh.get("/").body == "v3"
    assert after.get("/", Host="third.example").body == "v1"
    assert (after.get("/").status, before.get("/").body) == (404, "v1")
    assert "listen is still" in str(after.live(WEB)["destinations"])
    assert before.version(THIRD) != after.version(THIRD)
    after.put({WEB: web(mesh)})
    assert after.get("/").body == "v1"
    eventually(lambda: refuses(before), "nobody listens where it was")
    assert after.live(WEB) == web(mesh)["spec"]
    assert after.driver.altered() == {}
    after.put({THIRD: None})
    assert after.get("/").body == "v1"


def test_a_route_that_moves_while_a_node_goes_is_not_lost(
    mesh: Mesh, configured: Configured
) -> None:
    """The node is drained first, as a change of its own."""
    before = configured(free_ports())
    node = node_body(address=mesh.backend("v2").address)
    before.put({WEB: web(mesh), "acme:Node/n": node})
    after = configured(free_ports())
    after.put({WEB: web(mesh), "acme:Node/n": None})
    assert after.get("/").body == "v1"
    assert after.live(WEB) == web(mesh)["spec"]


def test_a_listen_that_changed_while_the_proxy_was_stopped(
    mesh: Mesh, configured: Configured
) -> None:
    before = configured(free_ports())
    before.put({WEB: web(mesh)})
    before.driver.down()
    after = configured(free_ports())
    assert list(after.driver.scan()) == []
    after.put({WEB: web(mesh)})
    assert after.get("/").body == "v1"
    assert after.live(WEB) == web(mesh)["spec"]


def test_an_apply_that_is_cut_off_leaves_the_routes_that_did_not_move_as_drift(
    mesh: Mesh, configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = configured(free_ports())
    before.put({WEB: web(mesh), OTHER: web(mesh, hosts=["other.example"])})
    after = configured(free_ports())

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalStore, "write", die)
    change = after.change(OTHER, web(mesh, hosts=["other.example"], timeout="5s"))
    with pytest.raises(KeyboardInterrupt):
        list(after.driver.apply([change], ContractSecrets()))
    monkeypatch.undo()
    after = configured(after.port)
    assert after.live(OTHER)["timeout"] == "5s"
    assert after.get("/", Host="other.example").body == "v1"
    assert "listen is still" in str(after.live(WEB)["destinations"])
    assert before.get("/").body == "v1"
    after.put({WEB: web(mesh)})
    assert after.driver.altered() == {}
    assert after.get("/").body == "v1"


def test_files_of_an_older_hrctl_are_no_drift(mesh: Mesh, configured: Configured) -> None:
    one = configured(free_ports())
    one.put({WEB: web(mesh)})
    place = one.driver.place
    for name in ("files.json", "applied.json"):
        file = place.home / name
        if file.exists():
            held = json.loads(file.read_bytes())
            del held["settings"]
            file.write_text(json.dumps(held))
    assert one.live(WEB) == web(mesh)["spec"]
    assert one.driver.altered() == {}


def test_another_port_that_somebody_has_is_told(mesh: Mesh, configured: Configured) -> None:
    before = configured(free_ports())
    before.put({WEB: web(mesh)})
    taken = mesh.backend("v2").port
    after = configured(taken)
    outcome = after.apply({WEB: web(mesh)})[WEB]
    assert outcome.error is not None
    assert outcome.error.code == "HR088"
    assert before.get("/").body == "v1"
    assert "listen is still" in str(after.live(WEB)["destinations"])


def test_another_host_of_a_port_that_the_proxy_has_itself(mesh: Mesh) -> None:
    """The port is taken, by who is to have it."""
    mesh.route(destinations=[mesh.to("v1")])
    mesh.put({WEB: web(mesh, listen=f"0.0.0.0:{mesh.port}")})
    assert mesh.get("/").body == "v1"
    mesh.put({WEB: web(mesh, listen=mesh.listen)})
    assert mesh.get("/").body == "v1"


def test_an_instance_listens_at_numbers(mesh: Mesh) -> None:
    model = type(mesh.driver).config_model()
    assert model.model_validate({"listen": "localhost:65535"})
    for listen in ("edge.example:10000", "127.0.0.1:65536", "127.0.0.1:0"):
        with pytest.raises(ValueError, match="listen"):
            model.model_validate({"listen": listen})


def test_another_receiver_is_drift_of_traced_routes(mesh: Mesh, configured: Configured) -> None:
    pytest.importorskip("opentelemetry.proto", reason="opentelemetry-proto is not installed")
    one = configured(free_ports())
    traced = web(mesh, tracing={"sampling": 10})
    one.put({WEB: traced, OTHER: web(mesh, hosts=["other.example"])})
    other = configured(one.port, traces=f"127.0.0.1:{free_ports()}")
    assert other.version(WEB) != one.version(WEB)
    assert other.version(OTHER) == one.version(OTHER)
    assert "traces is still not set" in str(other.live(WEB)["tracing"])
    other.put({WEB: traced})
    assert other.live(WEB) == traced["spec"]
