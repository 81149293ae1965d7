"""A supervisord that runs already, with groups of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context, Result
from hrctl.drivers.supervisor import SupervisorDriver
from hrctl.drivers.supervisor.client import Client, Code, RpcFaultError
from hrctl.model.address import Address
from hrctl.model.kinds.service import ServiceSpec
from hrctl.model.plan import Action
from tests.drivers.supervisor.conftest import External, Project, body_of, listening

Make = Callable[..., Project]


def test_services_live_beside_groups_of_others(
    external: External, make: Make, api: Address
) -> None:
    conf = external.folder / "conf.d"
    (conf / "other.conf").write_text(
        "[program:Old_Web]\ncommand=sleep 60\ndirectory=/\nstopwaitsecs=3\nstartsecs=0\n"
        "[group:pair]\nprograms=one,two\n[program:one]\ncommand=sleep 60\nautostart=false\n"
        "[program:two]\ncommand=sleep 61\nautostart=false\n"
    )
    external.client.reload()
    for group in ("Old_Web", "pair"):
        external.client.call("addProcessGroup", group)
    project = make(**external.config)
    outcome = project.put(api, **listening())
    assert outcome.result is Result.DONE
    assert (conf / "acme.shop.prod.api.conf").exists()
    assert "autostart=true" in (conf / "acme.shop.prod.api.conf").read_text()

    found = {live.address: live for live in project.driver.discover()}
    web, pair = Address("acme:Service/old-web"), Address("acme:Service/pair")
    assert set(found) == {web, pair}
    assert found[web].body["spec"] == {
        "type": "WORKER",
        "state": "RUNNING",
        "command": "sleep 60",
        "replicas": 1,
        "workingDirectory": "/",
        "restart": {"policy": "on-failure"},
        "stopTimeout": "3s",
    }
    assert (found[pair].body["spec"]["state"], found[pair].body["spec"]["replicas"]) == (
        "STOPPED",
        2,
    )
    for live in found.values():
        ServiceSpec.model_validate(live.body["spec"])
    stamps = {stamp.address: stamp for stamp in project.driver.scan()}
    assert {address: stamp.owner for address, stamp in stamps.items()} == {
        api: "acme",
        web: None,
        pair: None,
    }
    assert list(project.driver.read([web])) == [found[web]]
    assert stamps[web].version == found[web].version

    outcome = project.apply(project.change(Action.UPDATE, web, body_of(**listening())))[web]
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR089"
    assert "group 'Old_Web'" in outcome.error.summary


def test_two_projects_share_one(external: External, make: Make, api: Address, folder: Path) -> None:
    first = make(**external.config)
    first.put(api, **listening())
    context = Context("procs", "rival", folder / "rival", folder / "rival" / ".hrctl")
    rival = Project(folder, SupervisorDriver(first.driver.config, context).__enter__())
    (stamp,) = rival.driver.scan()
    assert (stamp.address, stamp.owner) == (api, "acme")
    assert not (folder / "rival").exists()
    outcome = rival.apply(
        replace(rival.change(Action.CREATE, api, body_of(**listening())), expect_version=None)
    )[api]
    assert outcome.result is Result.STALE


def test_a_broken_configuration_changes_nothing(
    external: External, make: Make, api: Address
) -> None:
    project = make(**external.config)
    spec = listening()
    project.put(api, **spec)
    before, pid = project.version(api), project.pid(api)
    broken = external.folder / "conf.d" / "broken.conf"
    broken.write_text("[program:broken]\nautostart=maybe\n")
    new = Address("acme:Service/new")
    outcomes = project.apply(
        project.change(Action.UPDATE, api, body_of(**spec, env={"A": "1"})),
        project.change(Action.CREATE, new, body_of(**listening())),
    )
    for outcome in outcomes.values():
        assert outcome.result is Result.FAILED
        assert outcome.error is not None
        assert outcome.error.code == "HR083"
        assert "maybe" in outcome.error.summary
    assert project.version(api) == before
    assert project.pid(api) == pid
    assert project.version(new) is None
    broken.unlink()
    project.put(api, **spec, env={"A": "1"})


def test_a_folder_that_is_not_included(external: External, make: Make, api: Address) -> None:
    elsewhere = external.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    project = make(**{**external.config, "configDir": str(elsewhere)})
    outcome = project.try_put(api, **listening())
    assert outcome.error is not None
    assert outcome.error.code == "HR083"
    assert "does not read its file" in outcome.error.summary


def test_faults_keep_their_numbers(external: External, make: Make, api: Address) -> None:
    make(**external.config).put(api, **listening())
    with pytest.raises(RpcFaultError) as caught:
        external.client.call("removeProcessGroup", "acme.shop.prod.api")
    assert caught.value.code == Code.STILL_RUNNING


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"socket": "/nowhere/s"}, "there is no such socket"),
        ({"configDir": "/nowhere"}, "configDir /nowhere is not a folder"),
        ({"username": None}, "answered 401"),
    ],
)
def test_what_cannot_be_reached_is_named(
    external: External, folder: Path, change: dict[str, Any], says: str
) -> None:
    context = Context("procs", "acme", folder, folder / ".hrctl")
    driver = SupervisorDriver({**external.config, **change}, context)
    with pytest.raises(HrctlError, match="HR080") as caught:
        driver.__enter__()
    assert says in str(caught.value)


def test_a_socket_that_refuses(folder: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "s"))
    with pytest.raises(HrctlError, match=r"HR080 .* nothing listens there"):
        Client(folder / "s").call("getState")


def test_the_password_must_be_there(
    external: External, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPERVISOR_PASSWORD")
    driver = SupervisorDriver(external.config, Context("procs", "acme", folder, folder / ".hrctl"))
    with pytest.raises(HrctlError, match=r"HR086 .* SUPERVISOR_PASSWORD, which is not set"):
        driver.__enter__()
    assert "SUPERVISOR_PASSWORD" not in os.environ
