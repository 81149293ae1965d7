"""Nothing that a branch committed is run, or trusted, by commands that only read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers import interpreter
from hrctl.source import git as source_git
from tests.ci.runner import git, new_project


def hrctl(folder: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run hrctl in a folder; standard output and error together in `stdout`."""
    return subprocess.run(
        ["hrctl", *arguments],
        cwd=folder,
        env=env,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )


@pytest.fixture
def embedded(tmp_path: Path, environ: dict[str, str]) -> tuple[Path, Path]:
    """A clone whose project folder is at once a bare repository, and the file that it would make.

    All of that folder is committed as ordinary files: git refuses only the name `.git`.
    """
    canary = tmp_path / "canary"
    platform = tmp_path / "origin" / "platform"
    new_project(platform, environ)
    made = platform / ".git"
    for name in ("HEAD", "config", "objects", "refs", "index"):
        shutil.move(made / name, platform / name)
    shutil.rmtree(made)
    for key, value in {
        "core.worktree": ".",
        "filter.x.clean": f"touch {canary}; cat",
        "core.fsmonitor": f"touch {canary}; false",
    }.items():
        git(tmp_path, environ, "config", "--file", str(platform / "config"), key, value)
    (platform / "refs" / "keep").touch()
    (platform / ".gitattributes").write_text("* filter=x\n")
    origin = platform.parent
    git(origin, environ, "init", "-q")
    git(origin, environ, "add", "-A")
    git(origin, environ, "commit", "-qm", "Harmless")
    git(tmp_path, environ, "clone", "-q", "origin", "clone")
    assert not canary.exists()
    return tmp_path / "clone" / "platform", canary


COMMANDS = [
    ("validate",),
    ("plan",),
    ("plan", "--base", "HEAD"),
    ("history", "acme:Service/api"),
    ("fmt", "--check"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_embedded_bare_repository_is_not_asked(
    embedded: tuple[Path, Path], environ: dict[str, str], command: tuple[str, ...]
) -> None:
    platform, canary = embedded
    done = hrctl(platform, environ, *command)
    assert not canary.exists(), done.stdout
    assert done.returncode == 0, done.stdout
    git(platform, {**environ, "GIT_DIR": str(platform)}, "status")
    assert canary.exists()  # the trap is one


def test_a_commit_goes_to_the_repository_around(
    embedded: tuple[Path, Path], environ: dict[str, str]
) -> None:
    platform, canary = embedded
    done = hrctl(platform, environ, "config", "set", "LEVEL", "debug", "--commit")
    assert done.returncode == 0, done.stdout
    assert not canary.exists()
    subject = git(platform.parent, environ, "log", "-1", "--format=%s")
    assert "LEVEL" in subject


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_a_repository_of_another_user_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    new_project(tmp_path / "theirs", environ)
    os.chown(tmp_path / "theirs" / ".git", 12345, 12345)
    done = hrctl(tmp_path / "theirs", environ, "validate")
    assert done.returncode == 1
    assert "HR066 git rev-parse failed: detected dubious ownership" in done.stdout
    git(tmp_path, environ, "config", "--global", "safe.directory", str(tmp_path / "theirs"))
    assert hrctl(tmp_path / "theirs", environ, "validate").returncode == 0


def test_git_is_told_which_repository(tmp_path: Path, environ: dict[str, str]) -> None:
    new_project(tmp_path / "project", environ)
    words = source_git.command(tmp_path / "project", "status")
    assert f"--git-dir={tmp_path / 'project' / '.git'}" in words
    assert "safe.bareRepository=explicit" in words
    (tmp_path / "folder" / ".git").mkdir(parents=True)
    with pytest.raises(HrctlError, match="not a git repository"):
        source_git.run(tmp_path / "folder", "status")


def test_a_module_of_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "supervisor"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported from the tree')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run(
        interpreter.module("supervisor.supervisord", "--version"),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    plain = [sys.executable, "-m", "supervisor.supervisord", "--version"]
    trap = subprocess.run(plain, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "imported from the tree" in trap.stderr
