"""Services from YAML to processes, and what happens to them behind hrctl's back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from hrctl.drivers.api import Result
from hrctl.drivers.supervisor import SupervisorDriver, procs
from hrctl.drivers.supervisor.drift import CHANGED
from hrctl.model.address import Address
from hrctl.model.plan import Action
from tests.drivers.supervisor.conftest import (
    SERVER,
    External,
    Project,
    body_of,
    free_ports,
    listening,
)

TOKEN = {"valueFrom": {"env": "TOKEN"}}
SECRET = "open-sesame-4711"  # noqa: S105  # of these tests


@pytest.fixture
def project(make: Callable[..., Project], external: External) -> Project:
    """With the supervisord of all tests: what is special to an embedded one is in test_daemon."""
    return make(**external.config)


def ask(port: int) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def wait_for(condition: Callable[[], object], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def http(port: int, **more: Any) -> dict[str, Any]:
    return {
        "command": SERVER,
        "ports": [{"name": "http", "port": port}],
        "healthCheck": {"http": "/healthz", "interval": "200ms", "timeout": "1s"},
        "stopTimeout": "2s",
        **more,
    }


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_environment_arrives_exactly_and_secrets_stay_in_one_file(
    make: Callable[..., Project], api: Address
) -> None:
    project = make()
    project.keys.values = {"TOKEN": SECRET}
    awkward = "100% %(here)s \"double\" 'single' back\\slash ; # , =\nsecond line é "
    port = free_ports(2)
    env = {"AWKWARD": awkward, "NUMBER": 7, "TOKEN": TOKEN}
    project.put(api, **http(port, replicas=2, env=env))

    seen = ask(port + 1)["env"]
    assert seen["AWKWARD"] == awkward
    assert seen["TOKEN"] == SECRET
    wanted = {
        "HRCTL_ADDRESS": api,
        "HRCTL_REGISTRY": "acme/shop/prod",
        "HRCTL_SERVICE": "api",
        "HRCTL_REPLICA": "1",
        "PORT": str(port + 1),
        "PORT_HTTP": str(port + 1),
        "NUMBER": "7",
    }
    assert {name: seen[name] for name in wanted} == wanted

    launch = project.folders.launch("acme.shop.prod.api")
    holders = [path for path in files_below(project.root) if SECRET.encode() in path.read_bytes()]
    assert holders == [launch]
    assert launch.stat().st_mode & 0o777 == 0o600
    assert project.folders.conf("acme.shop.prod.api").stat().st_mode & 0o777 == 0o600
    assert project.folders.run.stat().st_mode & 0o777 == 0o700
    if procs.has_proc():
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert SECRET.encode() not in process.read_bytes()
            except OSError:
                continue
    (live,) = project.driver.read([api])
    assert live.body["spec"]["env"]["TOKEN"] == TOKEN
    assert SECRET not in repr([live, list(project.driver.scan())])


def test_update_restarts_and_what_changes_no_process_does_not(
    project: Project, api: Address
) -> None:
    port = free_ports()
    project.put(api, **http(port))
    first = ask(port)["pid"]
    project.put(api, **http(port, healthCheck={"tcp": "http", "interval": "200ms"}))
    assert ask(port)["pid"] == first
    project.put(api, **http(port, env={"A": "1"}))
    second = ask(port)
    assert second["pid"] != first
    assert second["env"]["A"] == "1"

    project.put(api, **http(port, state="STOPPED", env={"A": "1"}))
    assert project.live(api)["state"] == "STOPPED"
    assert not procs.is_alive(second["pid"])
    project.put(api, **http(port, env={"A": "1"}))
    project.driver.act("restart", api)
    assert project.live(api)["state"] == "RUNNING"
    project.driver.act("stop", api)
    assert project.live(api)["state"] == "STOPPED"
    project.driver.act("start", api)

    outcome = project.apply(project.change(Action.DELETE, api))[api]
    assert outcome.result is Result.DONE
    assert list(project.driver.scan()) == []
    left = {path.name for path in files_below(project.folders.run)}
    assert not [name for name in left if name.startswith("acme")]


def test_a_killed_process_is_drift_where_nothing_restarts_it(project: Project) -> None:
    never, always = Address("acme:Service/never"), Address("acme:Service/always")
    spec = listening(replicas=2, restart={"policy": "never"})
    project.put(never, **spec)
    project.put(always, **listening(replicas=2))
    # Let supervisord see both as RUNNING: what ends before that counts as a failed start.
    wait_for(lambda: all(row["uptime_seconds"] >= 2 for _, row in project.driver.metrics([always])))
    before = {address: project.version(address) for address in (never, always)}

    os.kill(project.pid(never, 1), signal.SIGKILL)
    old = project.pid(always)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: project.version(never) != before[never])
    live = project.live(never)
    assert (live["state"], live["replicas"]) == ("DEGRADED", 1)
    wait_for(lambda: project.pid(always) not in {old, None} if _has_pid(project, always) else False)
    assert project.version(always) == before[always]
    rows = {row["replica"]: row for _, row in project.driver.metrics([always])}
    assert [rows[0]["restarts"], rows[1]["restarts"]] == [1, 0]

    keeps = project.pid(never, 0)
    project.put(never, **spec)
    assert project.live(never)["state"] == "RUNNING"
    assert project.pid(never, 0) == keeps  # only what had ended was started


def _has_pid(project: Project, address: Address) -> bool:
    return all(row["pid"] for _, row in project.driver.metrics([address]))


def test_edits_by_hand_show_field_by_field(project: Project, api: Address) -> None:
    project.keys.values = {"TOKEN": SECRET}
    spec: dict[str, Any] = {
        "state": "STOPPED",
        "command": "sleep 60",
        "env": {"LEVEL": "info", "TOKEN": TOKEN, "SAME": TOKEN},
    }
    project.put(api, **spec)
    clean, version = project.live(api), project.version(api)
    conf = project.folders.conf("acme.shop.prod.api")
    launch = project.folders.launch("acme.shop.prod.api")
    text = conf.read_text(encoding="utf-8")

    def conf_says(old: str, new: str) -> dict[str, Any]:
        assert old in text
        conf.write_text(text.replace(old, new), encoding="utf-8")
        assert project.version(api) != version
        return _differing(clean, project.live(api))

    restart = {"policy": "never", "backoff": "1s"}
    assert conf_says("autorestart=true", "autorestart=false") == {"restart": restart}
    assert conf_says("stopwaitsecs=10", "stopwaitsecs=3") == {"stopTimeout": "3s"}
    assert conf_says("maxbytes=256000", "maxbytes=2560") == {"logs": {"keep": 10}}
    assert conf_says("startretries=3", "startretries=9") == {
        "restart": {"policy": "always", "backoff": "9s"}
    }
    found = conf_says("startsecs=1", f"startsecs=1\nenvironment=TOKEN2='{SECRET}'")
    assert found == {"env": {**spec["env"], "TOKEN2": CHANGED}}
    command = re.search(r"^command=.*$", text, re.MULTILINE)
    assert command is not None
    assert conf_says(command[0], "command=sleep 5") == {"command": "sleep 5"}
    found = conf_says("stopsignal=TERM", "stopsignal=TERM\nnumprocs_start=4")
    assert found == {"command": "sleep 60 [numprocs_start=4]"}
    assert conf_says("programs=acme", "programs=x,acme") == {"replicas": 2}
    conf.write_text(text, encoding="utf-8")
    assert project.version(api) == version

    plan = json.loads(launch.read_bytes())
    plan["argv"] = ["sleep", "5"]
    plan["env"].update(LEVEL="debug", TOKEN=SECRET + "!", NEW="x")
    launch.write_text(json.dumps(plan), encoding="utf-8")
    assert project.version(api) != version
    found = _differing(clean, project.live(api))
    assert found == {
        "command": "sleep 5",
        "env": {"LEVEL": "debug", "TOKEN": CHANGED, "SAME": TOKEN, "NEW": CHANGED},
    }
    launch.unlink()
    assert "launch file" in project.live(api)["command"]

    project.put(api, **spec)
    assert project.live(api) == clean


def _differing(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in now.items() if before.get(name) != value}


def test_a_running_service_edited_by_hand_is_taken_back(project: Project, api: Address) -> None:
    spec = listening()
    project.put(api, **spec)
    old = project.pid(api)
    conf = project.folders.conf("acme.shop.prod.api")
    text = conf.read_text(encoding="utf-8")
    conf.write_text(text.replace("autorestart=true", "autorestart=false"), encoding="utf-8")
    client = project.driver.connect()
    assert client is not None
    assert client.reload().changed == {"acme.shop.prod.api"}
    project.put(api, **spec)
    assert client.reload().changed == frozenset()
    assert project.live(api)["restart"]["policy"] == "always"
    assert project.pid(api) == old  # supervisord had not taken the edit up


def test_install_runs_once_and_again_when_it_changes(project: Project, api: Address) -> None:
    project.keys.values = {"TOKEN": SECRET}
    base: dict[str, Any] = {"state": "INSTALLED", "command": "sleep 60", "env": {"TOKEN": TOKEN}}

    def install(*commands: str, creates: str | None = None) -> dict[str, Any]:
        block: dict[str, Any] = {"commands": list(commands)}
        return {**base, "install": {**block, "creates": creates} if creates else block}

    note = project.root / "note"
    project.put(api, **install("echo one >> note", 'echo "$HRCTL_SERVICE" >> note'))
    project.put(api, **install("echo one >> note", 'echo "$HRCTL_SERVICE" >> note'))
    assert note.read_text() == "one\napi\n"
    project.put(api, **install("echo two >> note", creates="note"))
    assert note.read_text() == "one\napi\ntwo\n"
    project.put(api, **install("echo two >> note", creates="note"), version="2")
    assert note.read_text() == "one\napi\ntwo\n"
    note.unlink()
    project.put(api, **install("echo two >> note", creates="note"))
    assert note.read_text() == "two\n"

    outcome = project.try_put(
        api, **install("echo before", f"echo {SECRET} bad; exit 3", "touch x")
    )
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR090"
    assert "ended with 3" in outcome.error.summary
    assert "(sensitive) bad" in (outcome.error.hint or "")
    assert not (project.root / "x").exists()
    assert project.live(api)["state"] == "FAILED"
    other = Address("acme:Service/other")
    project.put(other, **{**install("touch never", creates="note"), "state": "CREATED"})
    project.put(other, **install("touch never", creates="note"))
    assert not (project.root / "never").exists()


def test_an_unhealthy_service_fails_with_its_last_lines(project: Project, api: Address) -> None:
    project.keys.values = {"TOKEN": SECRET}
    port = free_ports()
    check = {"http": "/healthz", "interval": "100ms", "timeout": "300ms", "unhealthyThreshold": 1}
    spec = http(port, env={"STATUS": "500", "TOKEN": TOKEN}, healthCheck=check)
    spec["command"] = f"/bin/sh -c 'echo my token is $TOKEN; exec {SERVER}'"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hrctl.drivers.supervisor.watch._GRACE", 1.5)
        outcome = project.try_put(api, **spec)
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR085"
    assert f"replica 0: GET :{port}/healthz: answered 500" in outcome.error.summary
    assert "my token is (sensitive)" in (outcome.error.note or "")
    assert SECRET not in repr(outcome)
    assert outcome.version == project.version(api)
    assert project.live(api)["state"] == "DEGRADED"  # so the next plan has something to do
    (report,) = project.driver.health([api])
    assert (report.status, report.replica) == ("DEGRADED", 0)
    spec["env"]["STATUS"] = "204"
    project.put(api, **spec)
    (report,) = project.driver.health([api])
    assert report.status == "RUNNING"
    assert report.latency_ms is not None
    rows = [row for _, row in project.driver.metrics([api])]
    assert rows[0]["rss_bytes"] > 1_000_000
    assert rows[0]["health_latency_ms"] > 0
    assert rows[0]["cpu_percent"] >= 0


def test_a_crash_loop_fails(project: Project, api: Address) -> None:
    spec = {"command": "sh -c 'echo broken >&2; exit 9'", "restart": {"policy": "never"}}
    outcome = project.try_put(api, **spec)
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert "exited too quickly" in outcome.error.summary
    assert outcome.error.note == "its last lines: broken"
    assert project.live(api)["state"] == "FAILED"
    outcome = project.try_put(api, command="no-such-program", restart={"policy": "never"})
    assert outcome.error is not None
    assert "hrctl: cannot start the service: No such file" in (outcome.error.note or "")


def test_a_port_in_use_is_named_with_its_holder(project: Project, api: Address) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = project.try_put(api, **http(port))
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    assert outcome.error.code == "HR088"
    assert f"port {port} (http) of {api} is taken" in outcome.error.summary
    if procs.has_proc():
        assert f"process {os.getpid()}" in outcome.error.summary
    project.put(api, **http(port))
    other = Address("acme:Service/other")
    outcome = project.try_put(other, **http(port))
    assert outcome.error is not None
    assert "service group acme.shop.prod.api" in outcome.error.summary
    # The one that runs is not touched by an update whose new port is taken.
    pid = ask(port)["pid"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = project.try_put(api, **http(taken.getsockname()[1]))
    assert outcome.result is Result.FAILED
    assert ask(port)["pid"] == pid


def test_a_rename_takes_ports_and_processes_along(project: Project, api: Address) -> None:
    port = free_ports()
    project.put(api, **http(port))
    new = Address("acme/shop/prod:Service/front")
    change = project.change(Action.UPDATE, new, body_of(**http(port)))
    moved = type(change)(
        new,
        Action.UPDATE,
        change.reason,
        change.driver,
        after=change.after,
        expect_version=project.version(api),
        previous_address=api,
    )
    assert project.apply(moved)[new].result is Result.DONE
    assert [stamp.address for stamp in project.driver.scan()] == [new]
    assert ask(port)["env"]["HRCTL_SERVICE"] == "front"


def test_an_apply_that_was_cut_off_is_seen_and_done_again(project: Project, api: Address) -> None:
    spec = listening()
    project.put(api, **spec)
    pid = project.pid(api)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hrctl.drivers.supervisor.batch.rollout.roll_out", _cut_off)
        change = project.change(Action.UPDATE, api, body_of(**spec, env={"A": "1"}))
        with pytest.raises(KeyboardInterrupt):
            project.apply(change)
    assert project.pid(api) == pid  # its files are new, its process is old
    assert project.live(api)["state"] == "STARTING"
    project.put(api, **spec, env={"A": "1"})
    assert project.pid(api) != pid
    assert project.live(api)["state"] == "RUNNING"


def _cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_scanning_nothing_costs_nothing(make: Callable[..., Project], folder: Path) -> None:
    project = make()
    assert list(project.driver.scan()) == []
    assert list(project.driver.read([Address("acme:Service/api")])) == []
    assert list(project.driver.discover()) == []
    assert not (folder / ".hrctl").exists()


def test_light_imports() -> None:
    import subprocess
    import sys

    heavy = "pydantic xmlrpc.client http.client asyncio rich git jsonschema importlib.metadata"
    code = (
        "import sys; from pathlib import Path; from hrctl.drivers.api import Context;"
        "from hrctl.drivers.supervisor import SupervisorDriver as D;"
        "d = D({'mode': 'embedded'}, Context('p', 'a', Path('/x'), Path('/x/.hrctl')));"
        "d.__enter__(); list(d.scan());"
        f"print(*[m for m in {heavy.split()!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_config_is_strict() -> None:
    model = SupervisorDriver.config_model()
    assert model.model_validate({}).model_dump(exclude_none=True) == {"mode": "embedded"}
    password = {"valueFrom": {"env": "PASSWORD"}}
    external = {"mode": "external", "socket": "/run/s.sock", "configDir": "/etc/conf.d"}
    model.model_validate({**external, "username": "me", "password": password})
    for wrong in (
        {"mode": "other"},
        {"mode": "external"},
        {"socket": "/run/s.sock"},
        {**external, "username": "me"},
        {**external, "username": "me", "password": "plain"},
        {"unknown": 1},
    ):
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate(wrong)
