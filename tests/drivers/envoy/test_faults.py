"""What goes wrong leaves traffic as it was, and is told with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, Result
from hrctl.drivers.envoy import EnvoyDriver, process
from hrctl.drivers.envoy.snapshot import CDS, LDS, RTDS, rds, response
from tests.drivers.envoy.conftest import Answer, Mesh, eventually, node_body, route_body
from tests.drivers.envoy.faults import WEB, Faults, code
from tests.drivers.supervisor.conftest import free_ports


class TestFaults(Faults):
    refusal = "HR211"
    regex = "/(a{1,900}){1,900}"
    reason = ": invalid repetition size: {1,900}"
    check = "hrctl.drivers.envoy.process.validate"
    reloads = False
    timeout = "hrctl.drivers.envoy.admin._TIMEOUT"

    @staticmethod
    def pid(mesh: Mesh) -> int | None:
        from hrctl.drivers.supervisor.client import Client

        if not mesh.driver.admin.answers():
            return None
        folders = mesh.driver.place.folders
        assert folders is not None
        return int(Client(folders.socket()).call("getProcessInfo", "envoy:envoy")["pid"])


def test_what_envoy_cannot_do_is_refused_by_name(mesh: Mesh) -> None:
    wanted: dict[str, dict[str, Any]] = {
        "command": {"healthCheck": {"command": "true"}},
        "name": {"listen": f"edge.example:{mesh.port}"},
        "trial": {"circuitBreaker": {"halfOpenRequests": 2}},
        "elsewhere": {"healthCheck": {"http": "http://other.example/healthz"}},
        "port": {"healthCheck": {"tcp": "http"}},
        "ahead": {"match": [{"path": {"regex": "/(?=a).*"}}]},
        "sni": {"type": "TCP", "hosts": ["edge*"]},
    }
    for name, spec in wanted.items():
        body = route_body(**{"listen": mesh.listen, "destinations": [mesh.to("v1")], **spec})
        with pytest.raises(HrctlError, match="HR212"):  # a plan tells it, before anything is done
            mesh.driver.plan(mesh.change(f"acme:Route/{name}", body))
        found = mesh.apply({f"acme:Route/{name}": body})[f"acme:Route/{name}"]
        assert (found.result, code(found)) == (Result.FAILED, "HR212")


@pytest.mark.parametrize(
    ("path", "edit", "field", "value"),
    [
        ("rds", ('"timeout":"5s"', '"timeout":"7s"'), "timeout", "7s"),
        (RTDS, (":90", ":50"), "destinations", None),
        ("rds", ('"weight":1}', '"weight":5}'), "destinations", None),
        (CDS, ('"consecutive_5xx":5', '"consecutive_5xx":9'), "circuitBreaker", None),
        (LDS, ('"port_value":', '"port_value":1'), "listen", None),
        (CDS, ('"port_value":V1}', '"port_value":1}'), "destinations", None),
    ],
)
def test_an_edit_by_hand_is_drift_of_its_field(
    mesh: Mesh, path: str, edit: tuple[str, str], field: str, value: str | None
) -> None:
    old, new = (one.replace("V1", str(mesh.backend("v1").port)) for one in edit)
    mesh.route(
        destinations=[mesh.to("v1", weight=90), mesh.to("v2", weight=10)],
        timeout="5s",
        circuitBreaker={},
    )
    mesh.route("other", match=[{"path": {"prefix": "/o"}}], destinations=[mesh.to("v3")])
    versions = {name: mesh.version(f"acme/shop:Route/{name}") for name in ("web", "other")}
    applied = mesh.live(WEB)
    place = mesh.driver.place.settings.folder
    file = place / {"rds": rds(mesh.listen)}.get(path, path)
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    try:
        assert mesh.version(WEB) != versions["web"]
        live = mesh.live(WEB)
        assert {key for key in applied if applied[key] != live[key]} == {field}
        assert value is None or live[field] == value
        if path == RTDS:
            assert live["destinations"][0]["weight"] == 50
        if path in {"rds", CDS, RTDS}:
            assert mesh.version("acme/shop:Route/other") == versions["other"]
    finally:
        mesh.route(destinations=[mesh.to("v1")], timeout="4s")
    assert mesh.driver.altered() == {}


@pytest.mark.parametrize(
    ("path", "edit", "told"),
    [
        ("rds", ('"timeout":"0s"', '"timeout":"7s"'), "timeout is 7s at rds/"),
        ("rds", ('"num_retries":2', '"num_retries":2,"per_try_timeout":"1s"'), None),
        (CDS, ('"name":', '"outlier_detection":{},"name":'), "outlier_detection is {} at cds/"),
    ],
)
def test_an_edit_of_what_is_not_declared_is_drift_of_what_is(
    mesh: Mesh, path: str, edit: tuple[str, str], told: str | None
) -> None:
    """A plan passes over what only the live body has, and would not mend it."""
    mesh.route(destinations=[mesh.to("v1")], retry={"attempts": 2})
    applied, version = mesh.live(WEB), mesh.version(WEB)
    file = mesh.driver.place.settings.folder / {"rds": rds(mesh.listen)}.get(path, path)
    text = file.read_text("utf-8")
    assert edit[0] in text
    file.write_text(text.replace(*edit, 1), "utf-8")
    assert mesh.version(WEB) != version
    live = mesh.live(WEB)
    (field,) = [key for key in applied if applied[key] != live[key]]
    assert live.keys() == applied.keys()
    assert field == ("destinations" if told else "retry")
    assert told is None or told in live[field]


def test_a_share_that_was_edited_by_hand_is_drift_of_its_rule(mesh: Mesh) -> None:
    rules = [{"subset": "a", "percentage": 90}, {"subset": "b", "percentage": 10}]
    mesh.route(
        destinations=[mesh.to("v1", subset="a"), mesh.to("v2", subset="b")],
        trafficSplit={"rules": rules},
    )
    file = mesh.driver.place.settings.folder / RTDS
    file.write_text(file.read_text("utf-8").replace(":90", ":50"), "utf-8")
    shares = {one["subset"]: one["percentage"] for one in mesh.live(WEB)["trafficSplit"]["rules"]}
    assert shares == {"a": 50, "b": 10}


def test_endpoints_of_a_grid_that_are_edited_by_hand_are_drift(mesh: Mesh) -> None:
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v1").address)})
    mesh.route(destinations=[{"grid": {}}])
    assert mesh.get("/").body == "v1"
    version = mesh.version(WEB)
    (file,) = mesh.driver.place.settings.folder.glob("eds/web-*/endpoints.json")
    file.write_text(file.read_text("utf-8").replace('"port_value":', '"port_value":1'), "utf-8")
    assert mesh.version(WEB) != version
    assert isinstance(mesh.live(WEB)["destinations"], str)


def test_more_files_than_envoy_can_watch_stand_in_their_lists(mesh: Mesh) -> None:
    """Each file that Envoy watches takes an inotify instance, and without one it dies."""
    first = free_ports(45)
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v1").address)})
    mesh.put(
        {
            f"acme:Route/r{number}": route_body(
                listen=f"127.0.0.1:{first + number}", destinations=[{"grid": {}}]
            )
            for number in range(45)
        }
    )
    assert not list(mesh.driver.place.settings.folder.glob("eds/r*/endpoints.json"))
    for number in (0, 44):
        assert Answer.of(first + number).body == "v1"


def test_a_file_that_is_gone_is_drift(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    version = mesh.version(WEB)
    (mesh.driver.place.settings.folder / rds(mesh.listen)).unlink()
    assert mesh.version(WEB) != version
    mesh.route(destinations=[mesh.to("v1")], timeout="3s")
    assert mesh.get("/").body == "v1"


def test_a_listener_that_is_gone_holds_up_no_other(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    mesh.driver.place.put({LDS: response([])})
    port = free_ports()
    body = route_body(listen=f"127.0.0.1:{port}", destinations=[mesh.to("v1")], hosts=["b.example"])
    altered = mesh.driver.altered()
    mesh.put({"acme:Route/other": body})
    assert Answer.of(port, headers={"Host": "b.example"}).body == "v1"
    assert mesh.driver.altered() == altered, "it is still told as drift"
    mesh.route(destinations=[mesh.to("v1")])
    assert mesh.driver.altered() == {}
    assert mesh.get("/").body == "v1"


def test_a_listener_comes_back_after_envoy_was_started_anew(mesh: Mesh) -> None:
    """The file of its routes is there, but nothing is subscribed to it."""
    mesh.route(destinations=[mesh.to("v1")])
    mesh.put({WEB: None})
    assert mesh.driver.down()
    mesh.route(destinations=[mesh.to("v2")])
    assert mesh.get("/").body == "v2"


# -- an Envoy that is there ------------------------------------------------------------------------


def external(root: Path, place: str) -> EnvoyDriver:
    config = {"mode": "external", "configDir": str(root / "edge"), "admin": place}
    return EnvoyDriver(config, Context("far", "acme", root, root / ".hrctl"))


def test_an_envoy_of_ones_own_follows_the_files(tmp_path: Path, mesh: Mesh) -> None:
    import subprocess

    driver = external(tmp_path, f"127.0.0.1:{free_ports()}")
    with pytest.raises(HrctlError, match="HR080"):
        driver.__enter__()  # which has written a bootstrap to start it with
    bootstrap = tmp_path / "edge" / "bootstrap.json"
    assert json.loads(bootstrap.read_bytes())["admin"]
    command = [process.binary(), "-c", str(bootstrap), "--disable-hot-restart", "-l", "error"]
    running = subprocess.Popen(command)
    try:
        eventually(driver.admin.answers, "it answers")
        with driver:
            far = Mesh(driver, mesh.backends, free_ports())
            far.route(destinations=[mesh.to("v1")])
            assert far.get("/").body == "v1"
            far.put({WEB: None})
            assert list(driver.scan()) == []
    finally:
        running.terminate()
        running.wait()


def test_what_is_no_envoy_is_not_taken_for_one(tmp_path: Path, mesh: Mesh) -> None:
    backend = mesh.backend("v1")
    with pytest.raises(HrctlError, match="no admin interface of Envoy"):
        external(tmp_path, backend.address).__enter__()
    place = external(tmp_path, "127.0.0.1:1").place
    assert place.present() == {LDS: response([]), CDS: response([])}


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    driver = external(tmp_path, "127.0.0.1:1")
    theirs = tmp_path / "edge/xds/cds/theirs.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}", "utf-8")
    bootstrap = tmp_path / "edge/bootstrap.json"
    for text in ('{"node": {"id": "theirs"}}', "[]", "admin: {}"):
        bootstrap.write_text(text, "utf-8")
        with pytest.raises(HrctlError, match=r"HR089.*bootstrap\.json is there"):
            driver.__enter__()
        assert bootstrap.read_text("utf-8") == text
    bootstrap.unlink()
    for _ in range(2):  # with our own bootstrap, too
        with pytest.raises(HrctlError, match="HR080"):
            driver.__enter__()
    assert theirs.exists()
    assert driver.place.present() == {LDS: response([]), CDS: response([])}
