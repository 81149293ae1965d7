"""What did not change is taken from the files that are there, and only where it can be trusted."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.drivers.api import Context, Result
from hrctl.drivers.envoy import EnvoyDriver, assembly, process
from hrctl.drivers.envoy.snapshot import RTDS, rds
from hrctl.drivers.supervisor.client import Client
from tests.drivers.envoy.conftest import PATIENCE, Mesh, eventually, node_body, route_body
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from hrctl.drivers.envoy.assembly import Before, Made

WEB = "acme/shop:Route/web"


@pytest.fixture
def reused(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each set of files was made of those before."""
    found: list[bool] = []
    make = assembly.make

    def noted(bodies: Any, settings: Any, before: Before | None = None) -> Made:
        found.append(before is not None)
        return make(bodies, settings, before)

    monkeypatch.setattr(assembly, "make", noted)
    return found


def split(mesh: Mesh, percent: int) -> None:
    rules = [{"subset": "a", "percentage": percent}, {"subset": "b", "percentage": 100 - percent}]
    destinations = [mesh.to("v1", subset="a"), mesh.to("v2", subset="b")]
    mesh.route(destinations=destinations, trafficSplit={"rules": rules})


def stamps(mesh: Mesh) -> dict[str, int]:
    top = mesh.driver.place.settings.folder
    return {str(one.relative_to(top)): one.stat().st_mtime_ns for one in top.rglob("*.json")}


def test_another_split_writes_one_file_and_takes_effect(mesh: Mesh, reused: list[bool]) -> None:
    mesh.put({"acme:Node/n": node_body(address=mesh.backend("v3").address)})
    mesh.route("grid", match=[{"path": {"prefix": "/g"}}], destinations=[{"grid": {}}])
    split(mesh, 100)
    assert set(mesh.answers(20)) == {"v1"}
    before = stamps(mesh)
    reused.clear()
    split(mesh, 0)
    after = stamps(mesh)
    assert {path for path in after if after[path] != before.get(path)} == {RTDS}
    assert before.keys() == after.keys()
    assert reused == [True]
    assert set(mesh.answers(20)) == {"v2"}
    assert mesh.get("/g").body == "v3"
    assert mesh.driver.altered() == {}


def test_the_shares_of_a_split_are_those_of_its_weights(mesh: Mesh) -> None:
    split(mesh, 25)
    found = mesh.answers(2000)
    assert 350 < found["v1"] < 650  # 500, and 7 standard deviations
    assert set(found) == {"v1", "v2"}


def test_an_envoy_that_starts_knows_the_weights_before_it_serves(mesh: Mesh) -> None:
    split(mesh, 0)
    folders = mesh.driver.place.folders
    assert folders is not None
    pid = Client(folders.socket()).call("getProcessInfo", "envoy:envoy")["pid"]
    os.kill(pid, signal.SIGKILL)
    answers: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while len(answers) < 50 and time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            answers.append(mesh.get("/").body)
    assert answers == ["v2"] * 50


def test_weights_that_are_gone_are_drift_and_come_back(mesh: Mesh) -> None:
    split(mesh, 0)
    version = mesh.version(WEB)
    (mesh.driver.place.settings.folder / RTDS).unlink()
    assert mesh.version(WEB) != version
    assert set(mesh.answers(20)) == {"v2"}  # Envoy goes on with what it has
    split(mesh, 100)
    assert set(mesh.answers(20)) == {"v1"}
    assert mesh.driver.altered() == {}


def test_who_a_cookie_leads_away_is_not_counted_by_the_rest(mesh: Mesh) -> None:
    rules = [{"subset": "b", "name": "arm", "value": "b"}]
    mesh.route(
        destinations=[mesh.to("v1", subset="a", weight=1), mesh.to("v2", subset="b", weight=0)],
        trafficSplit={"mode": "COOKIE", "rules": rules},
    )
    assert set(mesh.answers(20)) == {"v1"}
    assert set(mesh.answers(20, cookie="arm=b")) == {"v2"}


def test_a_destination_that_goes_keeps_its_share_until_the_routes_are_there(mesh: Mesh) -> None:
    mesh.route(destinations=[mesh.to("v1", weight=0), mesh.to("v2", weight=1)])
    assert set(mesh.answers(20)) == {"v2"}
    mesh.route(destinations=[mesh.to("v3", weight=1), mesh.to("v2", weight=0)])
    assert set(mesh.answers(20)) == {"v3"}
    held = json.loads((mesh.driver.place.settings.folder / RTDS).read_bytes())
    assert sorted(held["resources"][0]["layer"].values()) == [0, 1]


def a_note_is_lost(mesh: Mesh) -> None:
    (mesh.driver.place.home / "made").unlink()


def a_note_is_damaged(mesh: Mesh) -> None:
    (mesh.driver.place.home / "made").write_bytes(b"\xff\x00")


def another_program_writes_the_store(mesh: Mesh) -> None:
    connection = sqlite3.connect(mesh.driver.place.store)
    with connection:
        connection.execute(
            "UPDATE resources SET body = json_set(body, '$.spec.timeout', '9s')"
            " WHERE address = 'acme/shop:Route/other'"
        )
    connection.close()


def a_file_is_edited(mesh: Mesh) -> None:
    file = mesh.driver.place.settings.folder / rds(mesh.listen)
    file.write_text(file.read_text("utf-8").replace("5s", "7s"), "utf-8")


@pytest.mark.parametrize(
    "happens",
    [a_note_is_lost, a_note_is_damaged, another_program_writes_the_store, a_file_is_edited],
)
def test_what_cannot_be_trusted_is_made_anew(
    mesh: Mesh, reused: list[bool], happens: Callable[[Mesh], None]
) -> None:
    mesh.route("other", timeout="5s", hosts=["o.example"], destinations=[mesh.to("v2")])
    mesh.route(destinations=[mesh.to("v1")])
    happens(mesh)
    reused.clear()
    mesh.route(destinations=[mesh.to("v1")], timeout="3s")
    assert reused[-1] is False
    if mesh.driver.altered():  # what somebody edited stays until its own route is applied
        mesh.route("other", timeout="5s", hosts=["o.example"], destinations=[mesh.to("v2")])
    bodies, settings = mesh.driver.bodies(), mesh.driver.place.settings
    present = mesh.driver.place.present()
    expected = assembly.files(bodies, settings)
    assert {path: present[path] for path in expected} == expected
    assert mesh.driver.altered() == {}
    reused.clear()
    mesh.route(destinations=[mesh.to("v1")], timeout="4s")
    assert reused == [True]  # from here on it can


def test_files_of_another_form_are_made_anew(
    mesh: Mesh, reused: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.route(destinations=[mesh.to("v1")])
    monkeypatch.setattr(assembly, "FORMAT", assembly.FORMAT + 1)
    reused.clear()
    mesh.route(destinations=[mesh.to("v2")])
    mesh.route(destinations=[mesh.to("v1")])
    assert reused == [False, True]


def test_halves_of_a_refused_batch_go_on_from_what_is_there(mesh: Mesh, reused: list[bool]) -> None:
    wanted: dict[str, Any] = {
        f"acme:Route/r{number}": route_body(
            listen=mesh.listen, hosts=[f"h{number}.example"], destinations=[mesh.to("v1")]
        )
        for number in range(4)
    }
    wanted["acme:Route/r2"]["spec"]["match"] = [{"path": {"regex": "(unclosed"}}]
    mesh.route(destinations=[mesh.to("v2")])
    reused.clear()
    found = mesh.apply(wanted)
    failed = {name for name, one in found.items() if one.result is Result.FAILED}
    assert failed == {"acme:Route/r2"}
    assert all(reused)
    for number in (0, 1, 3):
        assert mesh.get("/", Host=f"h{number}.example").body == "v1"
    assert mesh.get("/").body == "v2"


@pytest.fixture
def older(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> Iterator[Mesh]:
    """An Envoy that an older hrctl started: it reads no weights from a file of their own."""
    root = tmp_path_factory.mktemp("older")
    context = Context("old", "acme", root, root / ".hrctl")
    driver = EnvoyDriver({}, context)
    driver.place.make()
    place: Path = driver.place.home / "bootstrap.json"
    held = json.loads(place.read_bytes())
    del held["layered_runtime"]["layers"][1:]
    place.write_text(json.dumps(held))
    (driver.place.settings.folder / RTDS).unlink()
    (driver.place.settings.folder / RTDS).parent.rmdir()
    process.start(driver.place, driver.admin, "old")
    made = Mesh(EnvoyDriver({}, context).__enter__(), mesh.backends, free_ports())
    try:
        yield made
    finally:
        made.driver.down()
        made.driver.__exit__()
        driver.__exit__()


def test_an_envoy_of_an_older_hrctl_reads_weights_with_the_routes(older: Mesh) -> None:
    split(older, 100)
    split(older, 0)
    assert set(older.answers(20)) == {"v2"}
    assert RTDS not in older.driver.place.present()
    assert older.driver.down()
    older.driver.__exit__()
    again = older.again()
    split(again, 0)  # starts it, with a bootstrap of today
    assert RTDS in again.driver.place.present()
    eventually(lambda: set(again.answers(20)) == {"v2"}, "it answers")
    split(again, 100)
    assert set(again.answers(20)) == {"v1"}
    assert again.driver.altered() == {}
    again.driver.__exit__()
