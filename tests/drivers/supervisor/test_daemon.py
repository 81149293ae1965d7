"""The embedded supervisord: started when needed, once, and whatever an earlier one left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Result
from hrctl.drivers.contract_crash import FILES, counted, in_child
from hrctl.drivers.supervisor import daemon, folders, procs
from hrctl.model.address import Address
from hrctl.model.plan import Action
from tests.drivers.supervisor.conftest import Project, listening


def daemon_pid(project: Project) -> int:
    pid = daemon.daemon_pid(project.folders)
    assert pid is not None
    return pid


def test_it_outlives_the_command_that_started_it(project: Project, api: Address) -> None:
    project.put(api, **listening())
    again = project.again()
    assert again.live(api)["state"] == "RUNNING"
    assert os.getsid(daemon_pid(project)) != os.getsid(0)


def test_a_dead_one_reads_as_stopped_and_an_apply_brings_all_back(
    project: Project, api: Address
) -> None:
    project.put(api, **listening())
    stopped = Address("acme:Service/stopped")
    project.put(stopped, command="sleep 60", state="STOPPED")
    before = {stamp.address: stamp.version for stamp in project.driver.scan()}
    service = project.pid(api)
    os.kill(daemon_pid(project), signal.SIGKILL)
    assert procs.wait_gone(int((project.folders.run / "daemon.pid").read_text()), 5)

    now = {stamp.address: stamp.version for stamp in project.driver.scan()}
    assert now[api] != before[api]
    assert now[stopped] == before[stopped]
    assert project.live(api)["state"] == "STOPPED"
    assert daemon.daemon_pid(project.folders) is None  # neither scan nor read started one
    assert procs.is_alive(service)  # nobody watches it any more

    project.put(api, **listening())
    assert not procs.is_alive(service)
    assert project.live(api)["state"] == "RUNNING"


def test_only_one_starts_however_many_want_it(make: Callable[..., Project]) -> None:
    projects = [make() for _ in range(4)]
    addresses = [Address(f"acme:Service/s{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(
            pool.map(
                lambda pair: pair[0].try_put(pair[1], **listening()),
                zip(projects, addresses, strict=True),
            )
        )
    assert {outcome.result for outcome in outcomes} == {Result.DONE}
    assert len({procs.start_time(daemon_pid(project)) for project in projects}) == 1
    assert {stamp.address for stamp in projects[0].driver.scan()} == set(addresses)
    assert (projects[0].folders.run / "daemon.log").read_text().count("RPC interface") == 1


def test_a_stale_socket_and_pid_are_no_hindrance(project: Project, api: Address) -> None:
    project.folders.make()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(project.folders.socket()))
    with subprocess.Popen(["sleep", "60"]) as bystander:  # has the number in the old pid file
        (project.folders.run / "daemon.pid").write_text(f"{bystander.pid}\n")
        assert list(project.driver.scan()) == []
        project.put(api, **listening())
        assert bystander.poll() is None
        bystander.kill()


def test_one_that_lost_its_socket_is_replaced(project: Project, api: Address) -> None:
    project.put(api, **listening())
    old = daemon_pid(project)
    project.folders.socket().unlink()
    assert project.live(api)["state"] == "STOPPED"
    project.put(api, **listening())
    assert not procs.is_alive(old)
    assert daemon_pid(project) != old


def test_a_long_path_puts_the_socket_elsewhere(
    make: Callable[..., Project], folder: Path, api: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = folder / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    root = folder / ("long-" * 15) / "a [b] 100% ü"
    root.mkdir(parents=True)
    project = make(root)
    project.put(api, **listening())
    place = project.folders.socket()
    assert place.parent == runtime / "hrctl"
    assert place.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")  # another session finds it by the note in the folder
    assert project.again().live(api)["state"] == "RUNNING"
    assert len(list(project.driver.logs(api, tail=3, follow=False))) == 3


def test_somebody_elses_folder_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "hrctl").symlink_to(folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    long = folders.Folders(folder / ("x" * 90), folder, folder)
    long.make()
    with pytest.raises(HrctlError, match=r"HR080 .* is not a folder of this user"):
        long.place_socket()


def test_where_every_configured_path_is_too_long_the_socket_lies_in_tmp(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = folder / ("y" * 90)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    place = folders.Folders(deep, deep, deep).place_socket()
    assert place.parent == Path(f"/tmp/hrctl-{os.getuid()}")  # noqa: S108
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_services_do_not_inherit_hrctls_environment(
    project: Project, api: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGE_KEY", "only-for-hrctl")
    project.put(api, **listening())
    lines = list(project.driver.logs(api, tail=100, follow=False))
    assert not [line for line in lines if "only-for-hrctl" in line]
    path = next(line for line in lines if line.startswith("PATH="))
    assert path.endswith(str(Path(sys.executable).parent))


def test_down_stops_everything_and_keeps_the_files(project: Project, api: Address) -> None:
    project.put(api, **listening())
    pid, daemon_was = project.pid(api), daemon_pid(project)
    assert project.driver.down()
    assert not procs.is_alive(pid)
    assert not procs.is_alive(daemon_was)
    assert not project.driver.down()
    assert project.live(api)["state"] == "STOPPED"
    project.driver.act("stop", api)  # needs no supervisord
    project.driver.act("start", api)
    assert project.live(api)["state"] == "RUNNING"


def test_down_ends_what_a_killed_one_left_running(project: Project, api: Address) -> None:
    project.put(api, **listening())
    service, pid = project.pid(api), daemon_pid(project)
    os.kill(pid, signal.SIGKILL)
    assert procs.wait_gone(pid, 30)
    assert project.driver.down()
    assert not procs.is_alive(service)
    assert not project.driver.down()


def test_down_ends_one_that_lost_its_socket(project: Project, api: Address) -> None:
    project.put(api, **listening())
    service, pid = project.pid(api), daemon_pid(project)
    project.folders.socket().unlink()
    assert project.driver.down()
    assert not procs.is_alive(pid)
    assert not procs.is_alive(service)


@pytest.mark.skipif(not procs.has_proc(), reason="start times count from the boot in /proc alone")
def test_a_note_from_before_the_boot_is_of_nobody(project: Project, api: Address) -> None:
    """Its process number and start time may be another one's by now."""
    project.put(api, **listening())
    service, pid = project.pid(api), daemon_pid(project)
    os.kill(pid, signal.SIGKILL)
    assert procs.wait_gone(pid, 30)
    (note,) = (project.folders.run / "starts").iterdir()
    written = note.stat().st_mtime
    os.utime(note, (written, procs.boot_time() - 1))
    assert not project.driver.down()
    assert procs.is_alive(service)
    os.utime(note, (written, written))
    assert project.driver.down()
    assert not procs.is_alive(service)


def test_supervisor_not_installed(
    project: Project, api: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    outcome = project.try_put(api, **listening())
    assert outcome.error is not None
    assert outcome.error.code == "HR082"
    assert outcome.error.hint == "pip install 'hrctl[supervisor]'"
    assert list(project.driver.scan()) == []


def test_one_that_cannot_start_says_why(
    project: Project, api: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_configuration", lambda *_: "[supervisord]\nloglevel=nonsense\n")
    outcome = project.try_put(api, **listening())
    assert outcome.error is not None
    assert outcome.error.code == "HR080"
    assert "nonsense" in outcome.error.summary
    assert list(project.driver.scan()) == []  # nothing was written either


def test_orphans_of_one_group_only(project: Project) -> None:
    one, two = Address("acme:Service/one"), Address("acme:Service/two")
    project.put(one, **listening())
    project.put(two, **listening())
    pids = project.pid(one), project.pid(two)
    os.kill(daemon_pid(project), signal.SIGKILL)
    procs.wait_gone(int((project.folders.run / "daemon.pid").read_text()), 5)
    gone = replace(project).put(one, command="sleep 60", state="STOPPED")
    assert gone.result is Result.DONE
    assert not procs.is_alive(pids[0])
    assert procs.is_alive(pids[1])


def test_it_is_started_by_the_first_that_runs_and_ends_with_the_last_group(
    project: Project, api: Address
) -> None:
    spec = listening(state="INSTALLED", install={"commands": ["touch installed"]})
    project.put(api, **spec)
    assert (project.root / "installed").exists()
    assert project.driver.connect() is None
    project.put(api, **{**spec, "state": "RUNNING"})
    pid = daemon_pid(project)
    assert project.apply(project.change(Action.DELETE, api))[api].result is Result.DONE
    assert not procs.is_alive(pid)
    assert project.driver.connect() is None
    assert list(project.driver.scan()) == []


def test_a_killed_removal_of_the_last_service_leaves_no_supervisord(
    project: Project, api: Address
) -> None:
    def remove(last: int) -> None:
        change = project.change(Action.DELETE, api)
        with counted(last, FILES):
            project.apply(change)

    for point in range(1, 50):
        project.put(api, command="sleep 60")
        ended = in_child(partial(remove, point))
        if project.version(api) is not None:  # the next run tries again
            project.apply(project.change(Action.DELETE, api))
        assert project.version(api) is None
        assert daemon.daemon_pid(project.folders) is None
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
    pytest.fail("it was killed at fifty calls and has not come to its end")
