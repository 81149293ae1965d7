"""Readers that leave, disks that are full, and signals, while something is being changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hrctl.ledger.sqlite import SqliteLedger
from tests.cli.small_project import CONFIGS, git, hrctl, is_settled, small_project

# The driver tells what it does, and takes its time over each change.
SLOW = """
import sys, time
from hrctl.drivers.local import LocalDriver

apply, leave = LocalDriver.apply, LocalDriver.__exit__

def slow(self, batch, secrets):
    for change in batch:
        print("begins", file=sys.stderr, flush=True)
        time.sleep({seconds})
        yield from apply(self, [change], secrets)
        print("ends", file=sys.stderr, flush=True)

def closing(self, *exc):
    print("closes", file=sys.stderr, flush=True)
    leave(self, *exc)

LocalDriver.apply, LocalDriver.__exit__ = slow, closing
{more}
from hrctl.cli.main import main
main()
"""
# A listener that fails as soon as a change has ended; the release of the lease is reported.
BROKEN = """
from hrctl.cli.render import progress
from hrctl.ledger.sqlite import SqliteLedger

release = SqliteLedger.release

def released(self, lease):
    print("releases", file=sys.stderr, flush=True)
    release(self, lease)

def broken(event):
    if type(event).__name__ == "ChangeFinished":
        raise RuntimeError("a fault of a listener")
    return {}

SqliteLedger.release, progress.event_json = released, broken
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return small_project(tmp_path)


def cut_off(root: Path, *arguments: str, lines: int = 1, both: bool = False) -> tuple[int, str]:
    """Run hrctl with a reader that leaves after some lines; its exit code and standard error."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read() if process.stderr else ""
    if process.stderr:
        process.stderr.close()
    return process.wait(timeout=60), err


@pytest.mark.parametrize("both", [False, True])
def test_an_edit_is_committed_and_applied_though_its_reader_left(
    project: Path,
    both: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert hrctl(project, "apply", "--yes").returncode == 0
    for number in range(2):
        edit = ("config", "set", "SIZE", str(number + 1), "--config", f"c{number}")
        then = ("--commit", "--apply", "--yes")
        code, _ = cut_off(project, "-m", "hrctl", *edit, *then, lines=number, both=both)
        assert code == 141
        assert git(project, "log", "-1", "--format=%s").startswith(
            f"Set SIZE of acme:Config/c{number}"
        )
        assert is_settled(project)


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_an_apply_goes_on_though_its_reader_left(project: Path, lines: int) -> None:
    slow(project, 0.05)
    code, err = cut_off(project, "slow.py", "apply", "--yes", "-o", "json", lines=lines)
    assert code == 141
    assert "Traceback" not in err
    assert is_settled(project)


def slow(root: Path, seconds: float, more: str = "") -> None:
    root.joinpath("slow.py").write_text(SLOW.format(seconds=seconds, more=more))


def test_a_full_disk_behind_the_output_is_reported_when_the_work_is_done(project: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - no path, a device
        done = subprocess.run(
            [sys.executable, "-m", "hrctl", "apply", "--yes", "-o", "json"],
            cwd=project,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    report = json.loads(done.stderr.splitlines()[-1])["diagnostics"][0]
    assert report["code"] == "HR146"
    assert "would have ended with 0" in report["note"]
    assert is_settled(project)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_not_taken_by_the_ledger(project: Path, closed: str) -> None:
    command = f"exec '{sys.executable}' -m hrctl apply --yes {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, check=False)
    assert done.returncode in {0, 1}
    assert b"HR159" not in done.stderr
    assert is_settled(project)


def events(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr
    for line in process.stderr:
        yield line.strip()


def start(root: Path, *before: str, arguments: Sequence[str] = ()) -> subprocess.Popen[str]:
    """An apply whose driver is at work."""
    process = subprocess.Popen(
        [*before, sys.executable, "slow.py", "apply", "--yes", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "begins" in events(process)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_an_apply_in_good_order(project: Path, number: signal.Signals) -> None:
    slow(project, 0.5)
    process = start(project, arguments=["--parallelism", "1"])
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 6, err
    assert err.count("begins") < CONFIGS
    with SqliteLedger(project / ".hrctl/ledger.db") as ledger:
        assert [one.status for one in ledger.runs()] == ["interrupted"]
        assert (ledger.leases(), ledger.intents()) == ([], [])
    assert hrctl(project, "apply", "--yes").returncode == 0
    assert is_settled(project)


def test_nohup_keeps_its_meaning(project: Path) -> None:
    slow(project, 0.3)
    process = start(project, "sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert is_settled(project)


def test_the_second_signal_closes_nothing_under_a_thread(project: Path) -> None:
    slow(project, 10)
    process = start(project)
    process.send_signal(signal.SIGINT)
    assert any(line.startswith("Stopping") for line in events(process))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "closes" not in err
    assert "ends" not in err.split()
    assert hrctl(project, "apply", "--yes").returncode == 0


def test_threads_end_before_connections_close_and_the_lease_ends_last(project: Path) -> None:
    slow(project, 0.3, BROKEN)
    process = start(project, arguments=["-o", "json"])
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "HR159" in err
    steps = [one for one in err.split() if one in {"begins", "ends", "closes", "releases"}]
    assert steps[-2:] == ["closes", "releases"], steps
    assert steps.count("ends") == steps.count("begins") + 1
    with SqliteLedger(project / ".hrctl/ledger.db") as ledger:
        assert [one.status for one in ledger.runs()] == ["failed"]
        assert ledger.intents() == []
    assert hrctl(project, "apply", "--yes").returncode == 0
    assert is_settled(project)


def test_many_closed_pipes(project: Path) -> None:
    """Set HRCTL_CLOSED_PIPES for a longer run by hand."""
    slow(project, 0.01)
    assert hrctl(project, "apply", "--yes").returncode == 0
    for number in range(int(os.environ.get("HRCTL_CLOSED_PIPES", "10"))):
        at, lines = number % CONFIGS, number % 5
        edit = ("config", "set", "SIZE", str(number + 1), "--config", f"c{at}")
        then = ("--commit", "--apply", "--yes", *(("-o", "json") if number % 2 else ()))
        code, err = cut_off(project, "slow.py", *edit, *then, lines=lines)
        assert code in {0, 141}, err
    assert is_settled(project)
    assert git(project, "rev-list", "--count", "HEAD").strip() == str(number + 2)
