"""An Envoy that is not there, does not start, is of an unknown version, or goes away."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, Outcome, Result
from hrctl.drivers.contract import ContractSecrets
from hrctl.drivers.envoy import EnvoyDriver, process
from hrctl.drivers.mesh import embedded
from tests.drivers.envoy.conftest import Mesh, eventually, route_body
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from hrctl.model.values import Body

WEB = "acme/shop:Route/web"


def told(outcome: Outcome) -> str:
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    return str(outcome.error)


@pytest.fixture
def fresh(tmp_path: Path, mesh: Mesh) -> Iterator[Mesh]:
    """Another project, whose Envoy has never run; the backends are those of all tests."""
    with EnvoyDriver({}, Context("edge", "acme", tmp_path, tmp_path / ".hrctl")) as driver:
        yield Mesh(driver, mesh.backends, free_ports())
        driver.down()


def without_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setenv("PATH", "/nowhere")


def body_of(mesh: Mesh, backend: str) -> Body:
    return route_body(listen=mesh.listen, destinations=[mesh.to(backend)])


def test_without_the_program_nothing_begins(fresh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(fresh, "v1")
    without_program(monkeypatch)
    said = told(fresh.apply({WEB: body})[WEB])
    assert "HR082" in said
    assert "needs the program envoy" in said
    assert list(fresh.driver.scan()) == []
    monkeypatch.undo()
    fresh.put({WEB: body})
    assert fresh.get("/").body == "v1"


def test_a_program_that_goes_missing_leaves_traffic(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    before = mesh.driver.place.present()
    body = body_of(mesh, "v2")
    without_program(monkeypatch)
    assert "HR082" in told(mesh.apply({WEB: body})[WEB])
    assert mesh.driver.place.present() == before
    assert mesh.get("/").body == "v1"


def test_an_envoy_that_does_not_start_is_told_with_its_last_words(
    fresh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = body_of(fresh, "v1")
    broken = tmp_path / "envoy"
    words = "[2026-11-24 15:00:22.392][1][critical][main] [source/server/server.cc:1] no memory"
    broken.write_text(f"#!/bin/sh\ncase $* in *validate*) exit 0;; esac\necho '{words}'\nexit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(process, "binary", lambda: str(broken))
        patch.setattr(embedded, "_START", 1.0)
        patch.setattr(embedded, "_RESTART", 0.1)
        said = told(fresh.apply({WEB: body})[WEB])
    assert "HR080" in said
    assert "does not start: no memory" in said
    fresh.put({WEB: body})  # once it can, it does
    assert fresh.get("/").body == "v1"


class Admin(BaseHTTPRequestHandler):
    """The admin interface of an Envoy of some version."""

    version = ""

    def do_GET(self) -> None:
        data = json.dumps({"version": self.version, "state": "LIVE"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def external(root: Path, admin: str) -> EnvoyDriver:
    config = {"mode": "external", "configDir": str(root / "edge"), "admin": admin}
    return EnvoyDriver(config, Context("far", "acme", root, root / ".hrctl"))


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("abc0123/1.27.7/Clean/RELEASE/BoringSSL", "1.27.7"),
        ("abc0123/next/Clean/RELEASE/BoringSSL", "next"),
        ("", "unknown"),
        ("abc0123/1.28.0/Clean/RELEASE/BoringSSL", None),
        ("abc0123/2.0.1/Clean/RELEASE/BoringSSL", None),
    ],
)
def test_an_unknown_version_is_refused_before_anything_is_written(
    tmp_path: Path, version: str, shown: str | None
) -> None:
    Admin.version = version
    server = ThreadingHTTPServer(("127.0.0.1", 0), Admin)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        driver = external(tmp_path, f"127.0.0.1:{server.server_address[1]}")
        if shown is None:
            driver.__enter__().__exit__()
            return
        with pytest.raises(HrctlError) as caught:
            driver.__enter__()
        (one,) = caught.value.diagnostics
        assert one.code == "HR210"
        assert f"'far' is of version {shown}, which is not known to work" in one.summary
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_envoy_of_ones_own_that_goes_away_and_comes_back(tmp_path: Path, mesh: Mesh) -> None:
    driver = external(tmp_path, f"127.0.0.1:{free_ports()}")
    driver.place.make()
    bootstrap = str(driver.place.home / "bootstrap.json")
    command = [process.binary(), "-c", bootstrap, "--disable-hot-restart", "-l", "off"]
    running = subprocess.Popen(command)
    try:
        eventually(driver.admin.answers, "it answers")
        with driver:
            far = Mesh(driver, mesh.backends, free_ports())
            far.put({WEB: body_of(far, "v1")})
            before = driver.place.present()
            # a port that somebody else has is Envoy's own finding, and changes nothing
            with socket.create_server(("127.0.0.1", free_ports())) as taken:
                port = taken.getsockname()[1]
                other = route_body(listen=f"127.0.0.1:{port}", destinations=[far.to("v2")])
                said = told(far.apply({"acme:Route/other": other})["acme:Route/other"])
            assert "HR211" in said
            assert str(port) in said
            assert driver.place.present() == before
            assert far.get("/").body == "v1"
            change = far.change(WEB, body_of(far, "v2"))
            running.kill()
            running.wait()
            (outcome,) = driver.apply([change], ContractSecrets())
            assert "HR080" in told(outcome)
            assert driver.place.present() == before
            running = subprocess.Popen(command)
            eventually(driver.admin.answers, "it is back")
            assert eventually(lambda: far.get("/").body, "as before") == "v1"
            far.put({WEB: body_of(far, "v2")})
            assert far.get("/").body == "v2"
    finally:
        running.kill()
        running.wait()
