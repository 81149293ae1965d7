"""Edits and applies that happen at once: none is lost, and each says how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from hrctl.cli.verbs.draft import Draft
from hrctl.diagnostics import HrctlError
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address
from tests.cli.small_project import CONFIGS, git, hrctl, is_settled, small_project

AT_ONCE = 4


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return small_project(tmp_path)


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hrctl", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """The exit code of each, and what it said."""
    results = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        results.append((process.returncode, out + err))
    return results


def test_edits_of_one_file_at_once_are_all_committed(project: Path) -> None:
    names = [f"KEY_{number}" for number in range(2 * AT_ONCE)]
    edit = ("--config", "c0", "--type", "INTEGER", "--commit")
    processes = [start(project, "config", "set", name, "7", *edit) for name in names]
    results = ended(processes)
    assert [code for code, _ in results] == [0] * len(names), results
    text = git(project, "show", "HEAD:c0.yaml")
    assert [name for name in names if name not in text] == []
    assert git(project, "rev-list", "--count", "HEAD").strip() == str(len(names) + 1)
    assert git(project, "status", "--porcelain") == ""


def test_an_edit_leaves_what_another_program_wrote_meanwhile(project: Path) -> None:
    draft = Draft(project)
    draft.change("c0.yaml", lambda text: text.replace("value: 0", "value: 1"))
    theirs = project.joinpath("c0.yaml").read_text() + "# of an editor\n"
    project.joinpath("c0.yaml").write_text(theirs)
    with pytest.raises(HrctlError, match=r"HR108 c0\.yaml was changed by another program"):
        draft.write()
    draft.restore()
    assert project.joinpath("c0.yaml").read_text() == theirs


def test_taking_an_edit_back_leaves_what_another_program_wrote_since(project: Path) -> None:
    draft = Draft(project)
    for name in ("c0.yaml", "c1.yaml"):
        draft.change(name, lambda text: text.replace("value: 0", "value: 1"))
    draft.write()
    project.joinpath("c0.yaml").write_text("# of an editor\n")
    draft.restore()
    assert project.joinpath("c0.yaml").read_text() == "# of an editor\n"
    assert "value: 0" in project.joinpath("c1.yaml").read_text()


@contextmanager
def lease(root: Path) -> Iterator[SqliteLedger]:
    """The lease of a run that is alive: this process."""
    with SqliteLedger(root / ".hrctl/ledger.db") as ledger:
        taken = ledger.acquire("acme", run="other", seconds=600)
        yield ledger
        ledger.release(taken)


def test_an_edit_that_cannot_be_applied_says_how_to_finish(project: Path) -> None:
    assert hrctl(project, "apply", "--yes").returncode == 0
    edit = ("config", "set", "SIZE", "5", "--config", "c0", "--commit", "--apply", "--yes")
    with lease(project):
        done = hrctl(project, *edit)
    assert done.returncode == 3
    commit = git(project, "rev-parse", "--short=7", "HEAD").strip()
    assert f"The edit of c0.yaml is committed as {commit}; it is not applied." in done.stderr
    finish = "To finish: hrctl apply --target=acme:Config/c0"
    assert finish in done.stderr
    assert hrctl(project, *finish.split()[3:], "--yes").returncode == 0
    assert is_settled(project)


def test_a_rollback_that_cannot_be_applied_says_how_to_finish(project: Path) -> None:
    edit = ("config", "set", "SIZE", "5", "--config", "c0", "--commit", "--apply", "--yes")
    assert hrctl(project, "apply", "--yes").returncode == 0
    assert hrctl(project, *edit).returncode == 0
    with lease(project):
        done = hrctl(project, "rollback", "HEAD~1", "--apply", "--yes", "--wait", "100ms")
    assert done.returncode == 3
    assert "To finish: hrctl apply --target=acme:Config/c0" in done.stderr
    assert hrctl(project, "apply", "--target=acme:Config/c0", "--yes").returncode == 0
    assert "value: 0" in git(project, "show", "HEAD:c0.yaml")
    assert is_settled(project)


@pytest.mark.parametrize("wait", [["--wait"], ["--wait", "60s"], ["--wait=60s"]])
def test_an_apply_waits_for_the_lease(project: Path, wait: list[str]) -> None:
    with lease(project):
        process = start(project, "apply", "--yes", *wait)
        assert process.stderr
        assert process.stderr.readline().startswith("Waiting: acme is locked by ")
        assert process.poll() is None
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Apply done" in out
    assert is_settled(project)


def test_waiting_has_an_end(project: Path) -> None:
    with lease(project):
        started = time.monotonic()
        done = hrctl(project, "apply", "--yes", "--wait", "500ms")
        assert time.monotonic() - started > 0.5
        assert done.returncode == 3
        assert "HR100" in done.stderr
        assert hrctl(project, "apply", "--yes").returncode == 3
    assert hrctl(project, "apply", "--yes", "--wait=soon").returncode == 1


def test_a_plan_that_another_run_made_stale_is_made_again(project: Path) -> None:
    assert hrctl(project, "apply", "--yes").returncode == 0
    edit = ("config", "set", "SIZE", "5", "--config", "c0", "--commit", "--apply", "--yes")
    with lease(project) as ledger:
        process = start(project, *edit, "--wait", "-o", "json")
        assert process.stdout
        before = []
        for line in process.stdout:
            before.append(line)
            if "lease-awaited" in line:
                break
        ledger.forget(ledger.leases()[0], [Address("acme:Config/c0")])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [text.count('"event":"plan"') for text in ("".join(before), out)] == [1, 1]
    assert is_settled(project)


KILLED = """
import os, signal, sys
from hrctl.files import atomic

def killed(draft):
    os.kill(os.getpid(), signal.{signal})
    signal.pause()

atomic._Draft.commit = killed
from hrctl.cli.main import main
main()
"""


def drafts(root: Path) -> list[str]:
    return [one.name for one in root.rglob("*.hrctl-draft")]


def test_the_next_edit_removes_the_draft_of_a_killed_one(project: Path) -> None:
    script = project / "slow.py"
    script.write_text(KILLED.format(signal="SIGKILL"))
    (project / "below").mkdir()
    (project / "c1.yaml").rename(project / "below/c1.yaml")
    edit = ("config", "set", "SIZE", "5", "--config")
    done = subprocess.run([sys.executable, script, *edit, "c1"], cwd=project, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(drafts(project)) == 1
    assert hrctl(project, *edit, "c0").returncode == 0
    assert drafts(project) == []
    assert "value: 0" in (project / "below/c1.yaml").read_text()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_an_edit_that_is_ended_by_a_signal_leaves_nothing(project: Path, name: str) -> None:
    script = project / "slow.py"
    script.write_text(KILLED.format(signal=name))
    done = subprocess.run(
        [sys.executable, script, "config", "set", "SIZE", "5", "--config", "c0", "--commit"],
        cwd=project,
        check=False,
    )
    assert done.returncode == 130
    assert drafts(project) == []
    assert git(project, "status", "--porcelain") == ""


def test_a_commit_that_git_refuses_says_how_to_finish(project: Path) -> None:
    git(project, "config", "commit.gpgSign", "true")
    git(project, "config", "gpg.program", "false")
    edit = ("config", "set", "SIZE", "5", "--config", "c0", "--commit", "--apply", "--yes")
    done = hrctl(project, *edit)
    assert done.returncode == 1
    assert "HR066" in done.stderr
    assert "The edit of c0.yaml stands; it is not committed and not applied." in done.stderr
    assert "To finish: run the same command again" in done.stderr
    git(project, "config", "commit.gpgSign", "false")
    assert hrctl(project, *edit).returncode == 0
    assert hrctl(project, "apply", "--yes").returncode == 0
    assert is_settled(project)


def test_many_edits_and_applies_at_once(project: Path) -> None:
    """Set HRCTL_RACES for a longer run by hand."""
    assert hrctl(project, "apply", "--yes").returncode == 0
    for number in range(int(os.environ.get("HRCTL_RACES", "4"))):
        then = ("--commit", "--apply", "--yes", "--wait")
        processes = [
            start(project, "config", "set", "SIZE", f"{number}{one}", "--config", f"c{at}", *then)
            for one, at in enumerate((0, 0, number % CONFIGS))
        ]
        results = ended(processes)
        assert [code for code, _ in results] == [0, 0, 0], [text for code, text in results if code]
    assert is_settled(project)
