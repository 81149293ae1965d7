"""What goes wrong leaves traffic as it was, and is told with its reason."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, Result
from hrctl.drivers.haproxy import HaproxyDriver, process, runtime, swap
from tests.drivers.envoy.conftest import Answer, Mesh, eventually, node_body, route_body
from tests.drivers.envoy.faults import WEB, Faults, body_of, code, matching
from tests.drivers.haproxy.conftest import worker
from tests.drivers.supervisor.conftest import free_ports
from tests.processes import remove

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestFaults(Faults):
    refusal = "HR233"
    regex = "/a{70000}"
    reason = "regex '^(?:/a{70000})$' is invalid"
    check = "hrctl.drivers.haproxy.process.check"
    reloads = True
    timeout = "hrctl.drivers.haproxy.runtime._TIMEOUT"

    @staticmethod
    def pid(mesh: Mesh) -> int | None:
        found: int | None = mesh.driver.runtime.pid()
        return found


def test_what_the_socket_refuses_is_reloaded(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {
        f"acme:Node/{name}": node_body(address=mesh.backend(name).address) for name in ("v1", "v2")
    }
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": {}}])
    pid = worker(mesh)
    monkeypatch.setattr(swap, "_EMPTYING", 0.0)
    monkeypatch.setattr(swap, "_delete", refuse)
    mesh.put({"acme:Node/v2": None})
    assert worker(mesh) != pid
    assert mesh.answers(10) == {"v1": 10}


def refuse(*_: object) -> None:
    raise runtime.RefusedError("Server still has connections attached to it, cannot remove it.")


def test_everything_that_haproxy_cannot_do_is_named_at_once(mesh: Mesh) -> None:
    body = body_of(
        mesh,
        "v1",
        tracing={"sampling": 10},
        healthCheck={"command": "true"},
        retry={"on": ["retriable-4xx"], "budget": {}, "statusCodes": [418]},
        circuitBreaker={"maxRetries": 3, "maxEjectionPercent": 50, "halfOpenRequests": 2},
    )
    found = mesh.apply({WEB: body})[WEB]
    assert (found.result, code(found)) == (Result.FAILED, "HR212")
    assert found.error is not None
    for field in (
        "tracing",
        "healthCheck.command",
        "retry.on.0",
        "retry.budget",
        "retry.statusCodes.0",
        "circuitBreaker.maxRetries",
        "circuitBreaker.maxEjectionPercent",
        "circuitBreaker.halfOpenRequests",
    ):
        assert field in found.error.summary


def test_signs_that_mean_something_to_haproxy_mean_nothing_in_values(mesh: Mesh) -> None:
    odd = 'it\'s "100%" $HOME \\ # { } [x] %[src]'
    match = [{"path": {"prefix": "/"}, "headers": {"X-Odd": odd}}]
    rules = [{"subset": "b", "name": "arm", "value": "50%+x"}]
    mesh.route(
        match=match,
        destinations=[mesh.to("v1", subset="a", weight=0), mesh.to("v2", subset="b")],
        trafficSplit={"mode": "COOKIE", "rules": rules},
    )
    assert mesh.get("/").status == 404
    found = mesh.get("/", **{"x-odd": odd})
    assert (found.body, found.headers["set-cookie"]) == ("v2", "arm=50%+x; Path=/")


@pytest.mark.parametrize(
    ("edit", "field", "value"),
    [
        (("timeout server 5000ms", "timeout server 7s"), "timeout", "server 7s"),
        (("timeout server 5000ms", "timeout server 7000ms"), "timeout", "7s"),
        (("retries 3", "retries 9"), "retry", 9),
        (("gt 100 }", "gt 7 }"), "circuitBreaker", 7),
        (("balance leastconn", "balance roundrobin"), "loadBalancer", "balance roundrobin"),
        (("-m beg -- /web", "-m beg -- /wob"), "match", "/wob"),
        (("PORT weight", "1 weight"), "destinations", ":1 weight"),
        (("option httpchk\n", ""), "healthCheck", "not there"),
    ],
)
def test_an_edit_of_the_file_is_drift_of_its_field(
    mesh: Mesh, edit: tuple[str, str], field: str, value: Any
) -> None:
    old, new = (one.replace("PORT", str(mesh.backend("v1").port)) for one in edit)
    mesh.route(
        destinations=[mesh.to("v1")],
        match=[{"path": {"prefix": "/web"}}],
        timeout="5s",
        loadBalancer="LEAST_CONN",
        retry={"attempts": 3},
        circuitBreaker={"maxRequests": 100},
        healthCheck={"http": "/healthz"},
    )
    mesh.route("other", match=[{"path": {"prefix": "/o"}}], destinations=[mesh.to("v3")])
    versions = {name: mesh.version(f"acme/shop:Route/{name}") for name in ("web", "other")}
    applied = mesh.live(WEB)
    file = mesh.driver.place.settings.config
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    try:
        assert mesh.version(WEB) != versions["web"]
        assert mesh.version("acme/shop:Route/other") == versions["other"]
        live = mesh.live(WEB)
        assert {key for key in applied if applied[key] != live[key]} == {field}
        found = live[field]
        assert value in found.values() if isinstance(found, dict) else value in str(found)
    finally:
        mesh.route(destinations=[mesh.to("v1")], timeout="4s")
    assert mesh.driver.altered() == {}
    assert "timeout server 4000ms" in file.read_text("utf-8")


def test_an_edit_of_what_is_not_declared_is_drift_of_what_is(mesh: Mesh) -> None:
    """A plan passes over what only the live body has, and would not mend it."""
    mesh.route(destinations=[mesh.to("v1")], timeout="5s")
    mesh.route(destinations=[mesh.to("v1")])
    applied = mesh.live(WEB)
    file = mesh.driver.place.settings.config
    text = file.read_text("utf-8")
    assert "    server " in text
    file.write_text(text.replace("    server ", "    retries 7\n    server ", 1), "utf-8")
    live = mesh.live(WEB)
    assert live.keys() == applied.keys()
    assert [key for key in applied if applied[key] != live[key]] == ["destinations"]
    assert "7" in live["destinations"]


def test_a_listener_that_was_edited_by_hand_concerns_all_its_routes(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    mesh.route("other", match=[{"path": {"prefix": "/o"}}], destinations=[mesh.to("v3")])
    file = mesh.driver.place.settings.config
    text = file.read_text("utf-8")
    file.write_text(text.replace(f"bind 127.0.0.1:{mesh.port}", "bind 127.0.0.1:1"), "utf-8")
    for name in (WEB, "acme/shop:Route/other"):
        assert "bind 127.0.0.1:1" in str(mesh.live(name)["listen"])
    file.unlink()
    assert "not there" in str(mesh.live(WEB))
    mesh.route(destinations=[mesh.to("v1")], timeout="3s")
    assert mesh.get("/").body == "v1"
    assert mesh.driver.altered() == {}


# -- a HAProxy that goes ---------------------------------------------------------------------------


def test_without_the_program_nothing_is_changed(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    found = mesh.apply({WEB: body_of(mesh, "v2")})[WEB]
    assert (found.result, code(found)) == (Result.FAILED, "HR082")
    monkeypatch.undo()
    assert mesh.get("/").body == "v1"


# -- a HAProxy that is there -----------------------------------------------------------------------


def external(root: Path, **config: Any) -> HaproxyDriver:
    made = {"mode": "external", "config": "edge/hrctl.cfg", "socket": "admin.sock", **config}
    return HaproxyDriver(made, Context("far", "acme", root, root / ".hrctl"))


@pytest.mark.parametrize("how", ["master", "reload"])
def test_a_haproxy_of_ones_own_is_told(short_path: Path, mesh: Mesh, how: str) -> None:
    own, theirs = short_path / "own.cfg", f"127.0.0.1:{free_ports()}"
    own.write_text(
        f"global\n    stats socket {short_path}/admin.sock level admin expose-fd listeners\n"
        "defaults\n    mode http\n    timeout connect 2s\n    timeout client 1m\n"
        f"    timeout server 1m\nfrontend theirs\n    bind *:{free_ports()},{theirs}\n",
        "utf-8",
    )
    again = short_path / "reload"
    again.write_text(f"#!/bin/sh\nkill -USR2 $(cat {short_path}/pid)\n", "utf-8")
    again.chmod(0o755)
    config: dict[str, Any] = (
        {"master": "master.sock"} if how == "master" else {"reload": [str(again)]}
    )
    (short_path / "edge").mkdir()
    driver = external(short_path, checkWith=["own.cfg"], **config)
    with pytest.raises(HrctlError, match="HR080"):
        driver.__enter__()  # which has written a file to start it with
    files = ["-f", str(own), "-f", str(short_path / "edge/hrctl.cfg")]
    master = ["-W", "-S", f"{short_path}/master.sock", "-p", f"{short_path}/pid"]
    running = subprocess.Popen([process.binary(), *master, *files], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: driver.runtime.pid() is not None, "it answers")
        with driver:
            far = Mesh(driver, mesh.backends, free_ports())
            far.route(destinations=[mesh.to("v1", weight=1), mesh.to("v2", weight=0)])
            assert far.answers(10) == {"v1": 10}
            pid = driver.runtime.pid()
            far.route(destinations=[mesh.to("v1", weight=0), mesh.to("v2", weight=1)])
            assert far.answers(10) == {"v2": 10}
            assert driver.runtime.pid() == pid
            assert driver.altered() == {}
            bad = route_body(listen=far.listen, destinations=[mesh.to("v1")])
            bad = matching(bad, "/a{70000}")
            assert code(far.apply({"acme:Route/bad": bad})["acme:Route/bad"]) == "HR233"
            for where in (theirs, theirs.replace("127.0.0.1", "localhost")):
                bad = route_body(listen=where, destinations=[mesh.to("v1")])
                found = far.apply({"acme:Route/bad": bad})["acme:Route/bad"]
                assert code(found) == "HR233"
                assert found.error is not None
                assert f"{own} has a frontend at {where} as well" in found.error.summary
            assert not driver.down()
            far.put({WEB: None})
            assert list(driver.scan()) == []
    finally:
        running.terminate()
        running.wait()


def test_a_reload_command_that_fails_is_told(short_path: Path, mesh: Mesh) -> None:
    place = external(short_path, reload=["/bin/sh", "-c", "echo no such unit >&2; exit 5"]).place
    with pytest.raises(HrctlError, match="no such unit"):
        process.reload(place, mesh.driver.runtime)
    place = external(short_path, reload=["/nowhere/reload"]).place
    with pytest.raises(HrctlError, match="cannot be run"):
        process.reload(place, mesh.driver.runtime)


def test_a_file_of_somebody_else_is_left_alone(short_path: Path) -> None:
    file = short_path / "edge/hrctl.cfg"
    driver = external(short_path, master="master.sock")
    with pytest.raises(HrctlError, match=rf"HR083 cannot write {file}:.*make the folder"):
        driver.__enter__()
    file.parent.mkdir()
    text = "global\n    daemon\ndefaults\n    mode http\n"
    file.write_text(text, "utf-8")
    with pytest.raises(HrctlError, match=rf"HR089 {file} is there"):
        driver.__enter__()
    assert file.read_text("utf-8") == text
    file.write_text("\n", "utf-8")  # made for us, such as by a package's script
    for edit in ("", "# mine\n"):
        with pytest.raises(HrctlError, match="HR080"):
            driver.__enter__()
        file.write_text(edit + "\n".join(file.read_text("utf-8").splitlines()[1:]), "utf-8")


def test_the_file_itself_is_none_of_the_others() -> None:
    made = {"mode": "external", "config": "a.cfg", "socket": "a.sock", "master": "m.sock"}
    HaproxyDriver.config_model().model_validate({**made, "checkWith": ["b.cfg"]})
    with pytest.raises(ValueError, match="not config itself"):
        HaproxyDriver.config_model().model_validate({**made, "checkWith": ["b.cfg", "a.cfg"]})


def test_a_master_that_is_not_there_is_told_by_its_field(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ABSENT", 0.1)
    driver = external(short_path, master="master.sock")
    with pytest.raises(HrctlError) as found:
        process.reload(driver.place, driver.runtime)
    assert "`master` names its master process" in str(found.value.diagnostics[0].hint)


@pytest.fixture
def says(short_path: Path) -> Iterator[list[str]]:
    """Something at the socket that says what a test puts into the list."""
    lines: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(short_path / "admin.sock"))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                with accepted:
                    accepted.recv(1000)
                    accepted.sendall("\n".join(lines).encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield lines
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Name: HAProxy", "Version: 2.2.9-2", "Pid: 7"], "HR232.*version 2.2.9-2"),
        (["Name: HAProxy", "Pid: 7"], "HR232.*version unknown"),
        (["hello"], "HR080.*no stats socket of HAProxy"),
    ],
)
def test_what_is_no_haproxy_that_is_known_is_refused(
    short_path: Path, says: list[str], lines: list[str], told: str
) -> None:
    says += lines
    (short_path / "edge").mkdir()
    with pytest.raises(HrctlError, match=told):
        external(short_path, master="master.sock").__enter__()


def test_an_answer_elsewhere_than_at_the_port_is_not_ours(mesh: Mesh) -> None:
    """Addresses of IPv6 are bound and reached."""
    port = free_ports()
    mesh.route(listen=f"[::1]:{port}", destinations=[mesh.to("v1")])
    with socket.create_connection(("::1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.recv(4000).startswith(b"HTTP/1.1 200")
    with pytest.raises(OSError, match="refused"):
        Answer.of(port)


@pytest.mark.parametrize("length", [92, 93, 94, 95])
def test_each_path_that_supervisord_takes_is_one_for_haproxy(length: int) -> None:
    """HAProxy takes 97 bytes, and `.haproxy` is three longer than supervisord's `.sock`."""
    base = Path("/tmp") / f"h{length}{os.getpid()}"  # noqa: S108  # of a length that is known
    tail = "/.hrctl/run/edge/supervisor.sock"
    root = base / ("x" * (length - len(str(base)) - 1 - len(tail)))
    root.mkdir(parents=True)
    driver = HaproxyDriver({}, Context("edge", "acme", root, root / ".hrctl")).__enter__()
    mesh = Mesh(driver, port=free_ports())
    try:
        assert len(str(root) + tail) == length
        mesh.route(destinations=[mesh.to("v1")])
        assert mesh.get("/").body == "v1"
    finally:
        driver.down()
        driver.__exit__()
        for backend in mesh.backends.values():
            backend.process.kill()
            backend.process.wait()
        remove(base)
