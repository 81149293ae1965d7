"""Ctrl-C, answers and failures, with a driver that takes its time."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = """
import sys, time
from hrctl.drivers.local import LocalDriver

apply = LocalDriver.apply

def slow(self, batch, secrets):
    for change in batch:
        print("at work on", change.address, file=sys.stderr, flush=True)
        time.sleep(float(change.after["metadata"]["labels"].get("seconds", "0")))
        yield from apply(self, [change], secrets)

LocalDriver.apply = slow
from hrctl.cli.main import main
main()
"""

MANIFEST = """\
apiVersion: hrctl.dev/v1
kind: Config
metadata: {{name: c{number}, labels: {{seconds: "{seconds}"}}}}
spec: {{scope: GLOBAL, entries: {{}}}}
dependsOn: [{needs}]
---
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three resources, one after the other; the first takes two seconds."""
    head = "apiVersion: hrctl.dev/v1\nkind: {}\nmetadata: {{name: acme}}\nspec: {}\n"
    tmp_path.joinpath("hrctl.yaml").write_text(head.format("Project", "{}"))
    tmp_path.joinpath("registry.yaml").write_text(head.format("Registry", "{level: ROOT}"))
    tmp_path.joinpath("configs.yaml").write_text(
        "".join(
            MANIFEST.format(
                number=n, seconds=2 if n == 0 else 0, needs=f"Config/c{n - 1}" if n else ""
            )
            for n in range(3)
        )
    )
    tmp_path.joinpath(".gitignore").write_text(".hrctl/\nslow.py\n")
    tmp_path.joinpath("slow.py").write_text(SLOW)
    who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def start(project: Path) -> subprocess.Popen[str]:
    """An apply, at work on its slow resource."""
    process = subprocess.Popen(
        [sys.executable, "slow.py", "apply", "--yes"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith("at work on acme:Config/c0"):
            return process
    pytest.fail("it never came to the slow one")


def test_the_first_ctrl_c_lets_what_runs_finish(project: Path) -> None:
    process = start(project)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 6
    assert "Stopping: nothing new starts" in err
    assert "+   acme:Config/c0 created" in err
    assert "Apply interrupted: 2 done, 2 not tried" in out


def test_the_second_leaves_at_once_and_the_next_run_settles(project: Path) -> None:
    process = start(project)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("Stopping"):
            break
    process.send_signal(signal.SIGINT)
    before = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - before < 1.5
    assert process.returncode == 130
    assert err.endswith("interrupted\n")
    again = subprocess.run(
        [sys.executable, "-m", "hrctl", "apply", "--yes"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "settled 1 change that an earlier run left pending" in again.stderr
    assert "Apply done" in again.stdout


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("y", 1), ("", 1), ("YES", 1)])
def test_only_yes_goes_on(project: Path, answer: str, code: int) -> None:
    """On a terminal of 80 columns, where rich shows the progress."""
    text, status = on_terminal(project, answer)
    assert "Only yes goes on." in text
    assert status == code
    assert ("Apply done: 4 done" in text) is (code == 0)
    assert ("nothing was changed: the answer was not yes" in text) is (code == 1)


def on_terminal(project: Path, answer: str) -> tuple[str, int]:
    """What `hrctl apply` shows on a terminal when it gets this answer, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hrctl", "apply"],
        cwd=project,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    output = b""
    asked = False
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the end of the terminal
            break
        if not data:
            break
        output += data
        if not asked and b"> " in output:
            asked = True
            os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return output.decode(), process.wait(timeout=30)
