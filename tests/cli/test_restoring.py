"""`apply --rollback-on-failure`, with a driver that refuses what bears a label."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REFUSING = """
import sys
from hrctl.diagnostics import Diagnostic
from hrctl.drivers.api import Outcome, Result
from hrctl.drivers.local import LocalDriver

apply = LocalDriver.apply

def refusing(self, batch, secrets):
    for change in batch:
        labels = (change.after or change.before)["metadata"]["labels"]
        if labels.get(change.action.value) == "refuse":
            error = Diagnostic("HR083", "the service does not like it")
            yield Outcome(change.address, Result.FAILED, error=error)
        else:
            yield from apply(self, [change], secrets)

LocalDriver.apply = refusing
from hrctl.cli.main import main
main()
"""

MANIFEST = """\
apiVersion: hrctl.dev/v1
kind: Config
metadata: {{name: {name}, labels: {{{labels}}}}}
spec: {{scope: GLOBAL, entries: {{A: {{type: INTEGER, value: {value}}}}}}}
dependsOn: [{needs}]
---
"""


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        head = "apiVersion: hrctl.dev/v1\nkind: {}\nmetadata: {{name: acme}}\nspec: {}\n"
        root.joinpath("hrctl.yaml").write_text(head.format("Project", "{}"))
        root.joinpath("registry.yaml").write_text(head.format("Registry", "{level: ROOT}"))
        root.joinpath("refusing.py").write_text(REFUSING)
        root.joinpath(".gitignore").write_text(".hrctl/\nrefusing.py\n")
        self.git("init", "-q")

    def git(self, *args: str) -> None:
        who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.org"]
        subprocess.run(["git", *who, *args], cwd=self.root, check=True, capture_output=True)

    def declare(self, *items: tuple[str, int, str, str]) -> None:
        """Each is a name, a value, what it depends on, and its labels."""
        text = "".join(
            MANIFEST.format(name=name, value=value, needs=needs, labels=labels)
            for name, value, needs, labels in items
        )
        self.root.joinpath("configs.yaml").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "Change")

    def hrctl(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "refusing.py", *args],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def live(self) -> dict[str, int]:
        found = json.loads(self.hrctl("config", "list", "--config", "a", "-o", "json").stdout)
        assert found
        entries = json.loads(self.hrctl("state", "list", "-o", "json").stdout)["entries"]
        names = [one["address"] for one in entries if ":Config/" in one["address"]]
        shown = {}
        for name in names:
            entry = json.loads(self.hrctl("state", "show", name, "-o", "json").stdout)
            shown[name.rpartition("/")[2]] = entry["body"]["spec"]["entries"]["A"]["value"]
        return shown


@pytest.fixture
def project(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.declare(("a", 1, "", ""), ("b", 1, "Config/a", ""))
    assert made.hrctl("apply", "--yes").returncode == 0
    made.declare(("a", 2, "", ""), ("n", 1, "Config/a", ""), ("z", 1, "Config/n", "create: refuse"))
    return made


def test_what_was_applied_before_is_brought_back_and_both_runs_are_told(project: Folder) -> None:
    done = project.hrctl("apply", "--yes", "--rollback-on-failure")
    assert done.returncode == 1
    assert "Apply partial: 3 done, 1 failed" in done.stdout
    assert "HR083 the service does not like it" in done.stdout
    assert "Bringing back what was applied before run" in done.stdout
    assert "Rolled back: 3 of 3 changes by run" in done.stdout
    assert project.live() == {"a": 1, "b": 1}
    runs = json.loads(project.hrctl("state", "runs", "-o", "json").stdout)["runs"]
    assert [one["status"] for one in runs] == ["done", "partial", "done"]
    assert "3 to" not in project.hrctl("drift").stdout
    assert "No drift." in project.hrctl("drift").stdout


def test_json_tells_both_runs_in_events(project: Folder) -> None:
    done = project.hrctl("apply", "--yes", "--rollback-on-failure", "-o", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [one["event"] for one in events if not one["event"].startswith("change")]
    assert names == [
        "plan",
        "run-started",
        "run-finished",
        "rollback-started",
        "run-started",
        "run-finished",
        "rollback-finished",
    ]
    assert events[-1]["status"] == "done"
    assert events[-1]["of"] == next(one["run"] for one in events if one["event"] == "run-started")


def test_a_way_back_that_fails_too_is_told(project: Folder) -> None:
    project.declare(
        ("a", 2, "", ""),
        ("n", 1, "Config/a", "delete: refuse"),
        ("z", 1, "Config/n", "create: refuse"),
    )
    done = project.hrctl("apply", "--yes", "--rollback-on-failure")
    assert done.returncode == 6
    assert "Rolled back in part" in done.stdout
    assert "`hrctl plan` shows what is left" in done.stdout


def test_nothing_to_bring_back(project: Folder) -> None:
    project.declare(("a", 1, "", ""), ("b", 1, "Config/a", ""), ("z", 1, "", "create: refuse"))
    done = project.hrctl("apply", "--yes", "--rollback-on-failure")
    assert done.returncode == 1
    assert "nothing to bring back" in done.stdout
    assert project.live() == {"a": 1, "b": 1}


def test_without_the_option_what_is_done_stays(project: Folder) -> None:
    assert project.hrctl("apply", "--yes").returncode == 6
    assert project.live() == {"a": 2, "n": 1}
