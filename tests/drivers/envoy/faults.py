"""What goes wrong leaves traffic as it was: the same tests for every proxy."""

from __future__ import annotations

import os
import resource
import signal
import socket
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, Result
from hrctl.drivers.contract import ContractSecrets
from hrctl.drivers.mesh import embedded
from hrctl.drivers.supervisor import daemon, procs
from hrctl.model.address import Address
from hrctl.model.plan import Action
from tests.drivers.envoy.conftest import PATIENCE, eventually, node_body, route_body
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from hrctl.drivers.api import Outcome
    from hrctl.model.values import Body
    from tests.drivers.envoy.conftest import Mesh

WEB = "acme/shop:Route/web"


def code(outcome: Outcome) -> str:
    assert outcome.error is not None
    return outcome.error.code


def body_of(mesh: Mesh, to: str, **spec: Any) -> Body:
    return route_body(**{"listen": mesh.listen, "destinations": [mesh.to(to)], **spec})


def matching(body: Body, regex: str) -> Body:
    """Return the body of a route with an expression that a manifest could not have.

    What the manifests of today are refused for may still stand in the bodies of another version.
    """
    return {**body, "spec": {**body["spec"], "match": [{"path": {"regex": regex}}]}}


def answer(mesh: Mesh) -> str | None:
    try:
        return mesh.get("/").body
    except OSError:
        return None


class Faults(ABC):
    """Subclass it in the tests of a proxy."""

    refusal: ClassVar[str]  # the code of what the proxy refuses
    regex: ClassVar[str]  # that it refuses, whatever a manifest may have
    reason: ClassVar[str]  # what it says of it
    check: ClassVar[str]  # what asks it whether it would refuse something
    reloads: ClassVar[bool]  # whether other files are for another process
    timeout: ClassVar[str]  # how long it is waited for, when it is asked how it is

    @staticmethod
    @abstractmethod
    def pid(mesh: Mesh) -> int | None:
        """The process that answers; None where none does."""

    def is_back(self, mesh: Mesh, before: int | None) -> None:
        eventually(lambda: self.pid(mesh) not in {None, before}, "it is restarted")
        eventually(lambda: answer(mesh) == "v1", "it answers as before")

    def test_what_is_refused_changes_nothing_else(self, mesh: Mesh) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        bad = matching(body_of(mesh, "v2"), self.regex)
        good = body_of(mesh, "v2", match=[{"path": {"prefix": "/v2"}}])
        found = mesh.apply({"acme/shop:Route/bad": bad, "acme/shop:Route/good": good})
        assert found["acme/shop:Route/good"].result is Result.DONE
        refused = found["acme/shop:Route/bad"]
        assert (refused.result, code(refused)) == (Result.FAILED, self.refusal)
        assert refused.error is not None
        assert self.reason in refused.error.summary
        assert "/tmp" not in refused.error.summary  # noqa: S108 - a folder that is gone by then
        assert mesh.get("/").body == "v1"
        assert mesh.get("/v2").body == "v2"
        assert mesh.version("acme/shop:Route/bad") is None

    def test_what_the_check_misses_is_rolled_back(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        before, pid = mesh.driver.place.present(), self.pid(mesh)
        monkeypatch.setattr(self.check, lambda *_: None)
        bad = matching(body_of(mesh, "v2"), self.regex)
        found = mesh.apply({"acme/shop:Route/bad": bad})["acme/shop:Route/bad"]
        assert (found.result, code(found)) == (Result.FAILED, self.refusal)
        assert found.error is not None
        assert self.reason in found.error.summary
        assert mesh.driver.place.present() == before
        assert (self.pid(mesh) != pid) is self.reloads  # one that has the files from before
        assert mesh.get("/").body == "v1"
        mesh.route(destinations=[mesh.to("v2")])
        assert mesh.get("/").body == "v2"

    def test_a_taken_port_is_named_with_who_has_it(self, mesh: Mesh) -> None:
        with socket.create_server(("127.0.0.1", mesh.port)):
            found = mesh.apply({WEB: body_of(mesh, "v1")})[WEB]
        assert (found.result, code(found)) == (Result.FAILED, "HR088")
        assert found.error is not None
        assert str(mesh.port) in found.error.summary
        assert f"process {os.getpid()}" in found.error.summary

    def test_a_port_that_was_taken_while_the_proxy_was_down(self, mesh: Mesh) -> None:
        """Envoy would only log that it cannot have what its files say, HAProxy would not start."""
        mesh.route(destinations=[mesh.to("v1")])
        assert mesh.driver.down()
        body, other = body_of(mesh, "v1"), f"127.0.0.1:{free_ports()}"
        with socket.create_server(("127.0.0.1", mesh.port)):
            found = mesh.apply({WEB: body})[WEB]
            assert (found.result, code(found)) == (Result.FAILED, "HR088")
            assert found.error is not None
            assert f"process {os.getpid()}" in found.error.summary
            assert WEB in mesh.driver.altered()  # so that no plan takes it for well
            mesh.put({WEB: body_of(mesh, "v1", listen=other)})
        mesh.put({WEB: body})
        assert mesh.get("/").body == "v1"
        assert mesh.driver.altered() == {}

    def test_a_taken_port_holds_up_no_other(self, mesh: Mesh) -> None:
        """The port of one route is taken while the proxy is down; another route changes."""
        other, place = "acme:Route/other", f"127.0.0.1:{free_ports()}"
        mesh.route(destinations=[mesh.to("v1")])
        mesh.put({other: body_of(mesh, "v1", listen=place)})
        assert mesh.driver.down()
        at_other = replace(mesh, port=int(place.rpartition(":")[2]))
        with socket.create_server(("127.0.0.1", mesh.port)):
            mesh.put({other: body_of(mesh, "v2", listen=place)})
            assert at_other.get("/").body == "v2"
            assert WEB in mesh.driver.altered()
            wanted = {WEB: body_of(mesh, "v1"), other: body_of(mesh, "v3", listen=place)}
            found = mesh.apply(wanted)
            assert (found[WEB].result, code(found[WEB])) == (Result.FAILED, "HR088")
            assert found[other].result is Result.DONE, found[other].error
            assert at_other.get("/").body == "v3"
        mesh.put({WEB: body_of(mesh, "v1")})
        assert mesh.get("/").body == "v1"
        assert mesh.driver.altered() == {}

    def test_http_and_tcp_do_not_share_a_listener(self, mesh: Mesh) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        found = mesh.apply({"acme:Route/tcp": body_of(mesh, "v2", type="TCP")})["acme:Route/tcp"]
        assert (found.result, code(found)) == (Result.FAILED, "HR213")
        assert mesh.get("/").body == "v1"

    def test_a_place_is_written_in_one_way(self, mesh: Mesh) -> None:
        """A second listener would take requests of the first by chance."""
        mesh.route(destinations=[mesh.to("v1")])
        body = body_of(mesh, "v2", listen=f"localhost:{mesh.port}", hosts=["v2.example"])
        found = mesh.apply({"acme:Route/v2": body})["acme:Route/v2"]
        assert (found.result, code(found)) == (Result.FAILED, "HR213")
        assert found.error is not None
        assert f"is the same place as {mesh.listen} of {WEB}" in found.error.summary
        both = {"acme:Route/v2": body, WEB: body_of(mesh, "v1", listen=f"localhost:{mesh.port}")}
        mesh.put(both)  # in whatever order they come
        assert (mesh.get("/").body, mesh.get("/", host="v2.example").body) == ("v1", "v2")

    def test_one_that_is_refused_stays_and_nobody_takes_its_place(self, mesh: Mesh) -> None:
        other = f"127.0.0.1:{free_ports()}"
        mesh.route(destinations=[mesh.to("v1")])
        mesh.put({"acme:Route/tcp": body_of(mesh, "v2", type="TCP", listen=other)})
        wanted = {  # the first could only come where the second would have to leave
            "acme:Route/new": body_of(mesh, "v3", listen=other),
            "acme:Route/tcp": body_of(mesh, "v2", type="TCP"),
        }
        for order in (wanted, dict(reversed(wanted.items()))):
            found = mesh.apply(order)
            assert {(one.result, code(one)) for one in found.values()} == {(Result.FAILED, "HR213")}
        assert mesh.get("/").body == "v1"
        assert replace(mesh, port=int(other.rpartition(":")[2])).get("/").body == "v2"

    def test_streams_change_places_and_names(self, mesh: Mesh) -> None:
        """What is there only before the apply is in nobody's way."""
        ports = [mesh.port, free_ports()]
        with ExitStack() as stack:
            servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in ports]

            def streams(*order: int) -> dict[str, Body | None]:
                return {
                    f"acme:Route/t{number}": route_body(
                        type="TCP",
                        listen=f"127.0.0.1:{ports[where]}",
                        destinations=[{"address": f"127.0.0.1:{servers[number].getsockname()[1]}"}],
                    )
                    for number, where in enumerate(order)
                }

            mesh.put(streams(0, 1))
            mesh.put(streams(1, 0))
            body = streams(1, 0)["acme:Route/t0"]
            change = mesh.change("acme:Route/t0", body)
            moved = {"address": Address("acme:Route/n"), "previous_address": change.address}
            assert mesh.carry(change, action=Action.UPDATE, **moved).result is Result.DONE
            for server, port in zip(servers, reversed(ports), strict=True):
                server.settimeout(PATIENCE)
                with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                    client.sendall(b"hello")
                    accepted, _ = server.accept()
                    with accepted:
                        assert accepted.recv(5) == b"hello"

    @pytest.mark.parametrize("at", ["the check", "its files"])
    def test_a_full_disk_leaves_everything_as_it_is(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        if at == "its files":
            monkeypatch.setattr(self.check, lambda *_: None)
        mesh.route(destinations=[mesh.to("v1")])
        before, pid = mesh.driver.place.present(), self.pid(mesh)
        changes = [
            mesh.change(f"acme:Route/r{number}", body_of(mesh, "v2", hosts=[f"h{number}.example"]))
            for number in range(60)
        ]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # files can grow no further
        try:
            found = list(mesh.driver.apply(changes, ContractSecrets()))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        assert {one.result for one in found} == {Result.FAILED}
        assert {code(one) for one in found} <= {"HR083", "HR106", "HR103"}
        assert mesh.driver.place.present() == before
        assert self.pid(mesh) == pid
        assert mesh.get("/").body == "v1"

    # -- a proxy that goes -----------------------------------------------------------------------

    def test_one_that_dies_comes_back_with_what_it_had(self, mesh: Mesh) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        pid = self.pid(mesh)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.is_back(mesh, pid)
        assert mesh.version(WEB) is not None

    def test_one_that_was_stopped_is_lost_and_comes_back_with_what_it_had(self, mesh: Mesh) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        mesh.route("other", match=[{"path": {"prefix": "/o"}}], destinations=[mesh.to("v3")])
        mesh.put({"acme:Node/n": node_body(address="127.0.0.1:9")})
        assert mesh.driver.down()
        assert not mesh.driver.down()
        assert list(mesh.driver.scan()) == []
        assert list(mesh.driver.read([Address(WEB)])) == []
        mesh.route(destinations=[mesh.to("v2")])
        found = [one.address for one in mesh.driver.scan()]
        assert found == ["acme/shop:Route/other", WEB, "acme:Node/n"]
        assert mesh.get("/").body == "v2"
        assert mesh.get("/o").body == "v3"
        again = {"action": Action.CREATE, "after": body_of(mesh, "v1"), "expect_version": None}
        outcome = mesh.carry(mesh.change(WEB, None), **again)
        assert outcome.result is not Result.DONE  # once it was there again, it is no longer lost

    def test_one_whose_supervisor_is_killed_does_not_stay_behind(self, mesh: Mesh) -> None:
        """It would share the port with the next one, and nobody would ever stop it."""
        mesh.route(destinations=[mesh.to("v1")])
        first = self.left_behind(mesh)
        assert list(mesh.driver.scan()) == []
        mesh.route(destinations=[mesh.to("v2")])
        assert not procs.is_alive(first)
        assert mesh.answers(20) == {"v2": 20}
        second = self.left_behind(mesh)
        assert mesh.driver.down()
        assert not procs.is_alive(second)
        assert not mesh.driver.down()

    def test_it_stops_with_a_supervisor_that_does_not_answer(self, mesh: Mesh) -> None:
        """Which would start the proxy again."""
        mesh.route(destinations=[mesh.to("v1")])
        folders, pid = mesh.driver.place.folders, self.pid(mesh)
        supervisor = daemon.daemon_pid(folders)
        assert pid is not None
        assert supervisor is not None
        folders.socket().unlink()
        assert mesh.driver.down()
        assert not procs.is_alive(supervisor)
        assert not procs.is_alive(pid)
        assert self.pid(mesh) is None

    @pytest.mark.parametrize("name", ['say "x"', "100%s", "a\\b's;[c]"])
    def test_it_starts_whatever_the_folder_is_called(
        self, mesh: Mesh, tmp_path: Path, name: str
    ) -> None:
        root = tmp_path / name
        with type(mesh.driver)({}, Context("edge", "acme", root, root / ".hrctl")) as driver:
            there = replace(mesh, driver=driver, port=free_ports())
            try:
                there.route(destinations=[mesh.to("v1")])
                assert there.get("/").body == "v1"
                assert driver.place.log.exists()
            finally:
                driver.down()

    def test_a_folder_that_supervisord_cannot_be_told(self, mesh: Mesh, tmp_path: Path) -> None:
        root = tmp_path / "a ;b"
        with type(mesh.driver)({}, Context("edge", "acme", root, root / ".hrctl")) as driver:
            outcome = replace(mesh, driver=driver).apply({WEB: body_of(mesh, "v1")})[WEB]
            assert not driver.down()
        assert (outcome.result, code(outcome)) == (Result.FAILED, "HR083")

    def left_behind(self, mesh: Mesh) -> int:
        """Kill the supervisord; the proxy that it ran."""
        pid = self.pid(mesh)
        assert pid is not None
        supervisor = daemon.daemon_pid(mesh.driver.place.folders)
        assert supervisor is not None
        os.kill(supervisor, signal.SIGKILL)
        assert procs.wait_gone(supervisor, PATIENCE)
        assert procs.is_alive(pid)
        return pid

    def test_one_that_hangs_loses_nothing(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        before, pid = mesh.driver.place.present(), self.pid(mesh)
        change = mesh.change(WEB, body_of(mesh, "v2"))
        monkeypatch.setattr(embedded, "_RESTART", 0.5)
        monkeypatch.setattr(self.timeout, 0.5)
        mesh.driver.__exit__()  # a connection that is kept has the patience it was made with
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(HrctlError, match="HR080"):
                list(mesh.driver.scan())
            (outcome,) = mesh.driver.apply([change], ContractSecrets())
            assert (outcome.result, code(outcome)) == (Result.FAILED, "HR080")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert mesh.driver.place.present() == before
        assert mesh.get("/").body == "v1"

    def test_one_that_dies_during_an_apply_has_the_old_files_when_it_is_back(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mesh.route(destinations=[mesh.to("v1")])
        place = type(mesh.driver.place)
        before, pid, put = mesh.driver.place.present(), self.pid(mesh), place.put
        assert pid is not None

        def dying(one: Any, files: Any) -> None:
            put(one, files)
            if self.pid(mesh) == pid:
                os.kill(pid, signal.SIGKILL)
                raise HrctlError.of("HR080", "gone in the middle")

        change = mesh.change(WEB, body_of(mesh, "v2"))
        monkeypatch.setattr(place, "put", dying)
        (outcome,) = mesh.driver.apply([change], ContractSecrets())
        monkeypatch.undo()
        assert outcome.result is Result.FAILED
        assert mesh.driver.place.present() == before
        self.is_back(mesh, pid)
        assert mesh.driver.altered() == {}
