"""A run that is stopped past its lease and wakes up touches nothing of the run that took over."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hrctl.files.lock import exclusive
from tests.cli.test_transcripts import run

SLOW = """\
import signal
import time
signal.signal(signal.SIGTERM, lambda *_: time.sleep(2) or exit())
time.sleep(999)
"""
SERVICE = """\
apiVersion: hrctl.dev/v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: WORKER
  command: {python} -S {program}
  env: {{ROUND: "{round}"}}
---
"""
NAMES = ("first", "second", "third")


@pytest.fixture
def root(env: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The project with Services under supervisord that take two seconds to end, applied."""
    folder = tmp_path / "acme"
    for name, old, new in (
        ("hrctl.yaml", "  drivers:\n", "  drivers:\n    jobs: {type: supervisor}\n"),
        ("registry.yaml", "drivers: {", "drivers: {Service: jobs, "),
    ):
        file = folder / name
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    (folder / "slow.py").write_text(SLOW, "utf-8")
    declare(folder, env, "one")
    try:
        run("hrctl apply --yes --quiet", folder, env)
        yield folder
    finally:
        assert "[1]" not in run("hrctl driver stop jobs --yes", folder, env)


def declare(root: Path, env: dict[str, str], value: str) -> None:
    """Commit the Services with this value in their environment."""
    text = "".join(
        SERVICE.format(name=name, python=sys.executable, program=root / "slow.py", round=value)
        for name in NAMES
    )
    (root / "shop/api.yaml").write_text(text.removesuffix("---\n"), "utf-8")
    run(f"git add --all && git commit --quiet --message {value}", root, env)


def running(root: Path) -> dict[int, str]:
    """Return the value in the environment of each process that runs, by its number."""
    values = {}
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if str(root / "slow.py").encode() in command.split(b"\0"):
                variables = (entry / "environ").read_bytes().split(b"\0")
                (values[int(entry.name)],) = (
                    one.removeprefix(b"ROUND=").decode()
                    for one in variables
                    if one.startswith(b"ROUND=")
                )
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return values


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"not within 30 seconds: {what}"
        time.sleep(0.05)


def test_a_run_that_wakes_up_without_its_lease_stops_no_process(
    root: Path, env: dict[str, str]
) -> None:
    assert sorted(running(root).values()) == ["one"] * 3
    declare(root, env, "two")
    conf = root / ".hrctl/run/jobs/conf.d"
    sleeper = subprocess.Popen(
        ["hrctl", "apply", "--yes", "--quiet"],
        cwd=root,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(
            lambda: all('"ROUND":"two"' in path.read_text() for path in conf.glob("*.conf")),
            "the first run has written its files, and ends the old processes",
        )
        time.sleep(0.5)  # of the two seconds that these take
        sleeper.send_signal(signal.SIGSTOP)
        with sqlite3.connect(root / ".hrctl/ledger.db") as ledger:
            assert ledger.execute("UPDATE leases SET expires = 0").rowcount == 1

        declare(root, env, "three")
        answer = run("hrctl apply --yes --quiet --overwrite; echo $?", root, env)
        assert answer.endswith("0\n"), answer
        taken_over = running(root)
        assert sorted(taken_over.values()) == ["three"] * 3

        sleeper.send_signal(signal.SIGCONT)
        _, errors = sleeper.communicate(timeout=60)
        assert sleeper.returncode == 3, errors
        assert "HR101" in errors
        assert running(root) == taken_over
        assert run("hrctl plan --detailed-exitcode --quiet; echo $?", root, env).endswith("0\n")
    finally:
        if sleeper.poll() is None:
            sleeper.kill()
            sleeper.wait()


def test_files_that_another_process_has_locked_end_an_apply_with_3(
    root: Path, env: dict[str, str]
) -> None:
    declare(root, env, "two")
    before = running(root)
    with exclusive(root / ".hrctl/run/jobs/lock"):
        answer = run("HRCTL_LOCK_WAIT=0.3 hrctl apply --yes; echo $?", root, env)
    assert answer.endswith("\n3\n"), answer
    assert f"HR360 /acme/.hrctl/run/jobs/lock is locked by process {os.getpid()} on" in answer
    assert running(root) == before
    assert run("hrctl apply --yes --quiet; echo $?", root, env).endswith("0\n")
    assert sorted(running(root).values()) == ["two"] * 3
