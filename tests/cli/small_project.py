"""A small project in git, hrctl run in it as a process, and the proof that nothing is left over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hrctl.ledger.sqlite import SqliteLedger

CONFIG = """\
apiVersion: hrctl.dev/v1
kind: Config
metadata: {{name: c{number}}}
spec: {{scope: GLOBAL, entries: {{SIZE: {{type: INTEGER, value: 0}}}}}}
"""
CONFIGS = 4


def small_project(root: Path) -> Path:
    """Make a project in git of a few resources that do not wait for each other."""
    head = "apiVersion: hrctl.dev/v1\nkind: {}\nmetadata: {{name: acme}}\nspec: {}\n"
    root.joinpath("hrctl.yaml").write_text(head.format("Project", "{}"))
    root.joinpath("registry.yaml").write_text(head.format("Registry", "{level: ROOT}"))
    for number in range(CONFIGS):
        root.joinpath(f"c{number}.yaml").write_text(CONFIG.format(number=number))
    root.joinpath(".gitignore").write_text(".hrctl/\nslow.py\n")
    git(root, "init", "-q")
    git(root, "config", "user.name", "Robin")
    git(root, "config", "user.email", "robin@example.org")
    git(root, "add", ".")
    git(root, "commit", "-qm", "Start")
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def hrctl(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hrctl", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def is_settled(root: Path) -> bool:
    """Live is as declared and committed; no lease, intent, running run or draft is left over."""
    assert hrctl(root, "plan", "--detailed-exitcode").returncode == 0
    assert git(root, "status", "--porcelain") == ""
    with SqliteLedger(root / ".hrctl/ledger.db") as ledger:
        assert ledger.leases() == []
        assert ledger.intents() == []
        assert "running" not in {one.status for one in ledger.runs()}
    drafts = [one.name for one in root.rglob(".*") if one.is_file() and one.name != ".gitignore"]
    assert drafts == []
    return True
