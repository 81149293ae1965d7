"""An apply that is cut off at its worst moments: the same tests for every proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.drivers.local_store import LocalStore
from hrctl.drivers.mesh.batch import MeshBatch
from hrctl.model.address import Address
from hrctl.model.plan import Action
from tests.drivers.envoy.conftest import node_body, route_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from hrctl.model.values import Body
    from tests.drivers.envoy.conftest import Mesh

WEB = Address("acme/shop:Route/web")
OTHER = Address("acme/shop:Route/other")
MOVED = Address("acme/shop:Route/moved")
NODE = Address("acme:Node/n")


class CutError(BaseException):
    """Stands for the end of the process: nobody catches it."""


def never(*_: object) -> None:
    raise CutError


def web(mesh: Mesh, backend: str = "v1") -> Body:
    return route_body(listen=mesh.listen, destinations=[mesh.to(backend)])


def other(mesh: Mesh, backend: str = "v3") -> Body:
    path = {"path": {"prefix": "/o"}}
    return route_body(listen=mesh.listen, match=[path], destinations=[mesh.to(backend)])


def cut(patch: pytest.MonkeyPatch, method: str, apply: Callable[[], object]) -> None:
    """Apply what is cut off when it comes to a method of the store or of the batch."""
    with patch.context() as patched:
        for owner in (LocalStore, MeshBatch, *MeshBatch.__subclasses__()):
            if method in vars(owner):
                patched.setattr(owner, method, never)
        with pytest.raises(CutError):
            apply()


class CutOff:
    """Subclass it in the tests of a proxy."""

    def test_an_update_that_the_proxy_has_is_done(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.put({WEB: web(mesh)})
        version = mesh.version(WEB)
        cut(monkeypatch, "write", lambda: mesh.apply({WEB: web(mesh, "v2")}))
        assert mesh.get("/").body == "v2"
        assert mesh.live(WEB) == web(mesh, "v2")["spec"]
        assert mesh.version(WEB) != version
        assert not mesh.driver.altered()
        mesh.put({OTHER: other(mesh)})
        assert (mesh.get("/").body, mesh.get("/o").body) == ("v2", "v3"), "it is not taken back"

    def test_a_create_and_a_delete_that_the_proxy_has_are_done(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cut(monkeypatch, "write", lambda: mesh.apply({WEB: web(mesh)}))
        assert mesh.live(WEB) == web(mesh)["spec"]
        assert mesh.get("/").body == "v1"
        mesh.put({OTHER: other(mesh)})
        cut(monkeypatch, "write", lambda: mesh.apply({WEB: None}))
        assert mesh.version(WEB) is None
        assert not mesh.driver.altered()
        assert (mesh.get("/").status, mesh.get("/o").body) == (404, "v3")

    def test_a_move_that_the_proxy_has_is_done(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.put({WEB: web(mesh)})
        change = mesh.change(WEB, web(mesh, "v2"))
        move = {"action": Action.UPDATE, "address": MOVED, "previous_address": WEB}
        cut(monkeypatch, "write", lambda: mesh.carry(change, **move))
        assert mesh.version(WEB) is None
        assert mesh.live(MOVED) == web(mesh, "v2")["spec"]
        assert not mesh.driver.altered()

    def test_what_the_proxy_does_not_have_is_not_done(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.put({WEB: web(mesh)})
        version = mesh.version(WEB)
        cut(monkeypatch, "_bring", lambda: mesh.apply({WEB: web(mesh, "v2")}))
        assert mesh.driver.journal.path.exists()
        assert mesh.version(WEB) == version
        assert not mesh.driver.journal.path.exists()
        assert mesh.live(WEB) == web(mesh)["spec"]
        mesh.put({WEB: web(mesh, "v2")})
        assert mesh.get("/").body == "v2"

    def test_a_journal_that_is_damaged_is_let_go(self, mesh: Mesh) -> None:
        mesh.put({WEB: web(mesh)})
        version = mesh.version(WEB)
        for text in ("", "{", "[]", '{"owner": "acme", "writes": [[1]]}'):
            mesh.driver.journal.path.write_text(text, "utf-8")
            assert mesh.version(WEB) == version
            assert not mesh.driver.journal.path.exists()

    def test_a_node_whose_draining_is_cut_off_is_draining(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = node_body(address=mesh.backend("v1").address)
        more = node_body(address=mesh.backend("v2").address)
        route = route_body(listen=mesh.listen, destinations=[{"grid": {}}])
        mesh.put({NODE: node, Address("acme:Node/m"): more, WEB: route})
        cut(monkeypatch, "_wait_until_idle", lambda: mesh.apply({NODE: None}))
        assert mesh.live(NODE)["state"] == "DRAINING"
        assert not mesh.driver.altered(), "nobody did that by hand"
        assert mesh.answers(6) == {"v2": 6}
        mesh.put({NODE: node})
        assert set(mesh.answers(10)) == {"v1", "v2"}
        mesh.put({NODE: None})
        assert mesh.answers(6) == {"v2": 6}
