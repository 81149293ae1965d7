"""What holds for the whole test session."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hrctl.source import load, project
from hrctl.source.load import Loaded
from tests.processes import remove


def pytest_configure() -> None:
    """Heed Ctrl-C and SIGHUP, which a shell or nohup lets its children ignore, and theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With HRCTL_FORBID_SKIPS=1 a skipped test fails the session: in CI nothing may be missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("HRCTL_FORBID_SKIPS") != "1":
        return
    skipped = len(reporter.stats.get("skipped", ()))
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"\n{skipped} skipped, and HRCTL_FORBID_SKIPS=1 forbids it", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_PROJECT = "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
_IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


class ProjectFolder:
    """A project in a temporary folder: write files, load, look at what comes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: list[Loaded] = []
        root.mkdir(parents=True, exist_ok=True)
        if not (root / "hrctl.yaml").exists():
            self.write({"hrctl.yaml": _PROJECT})

    def write(self, files: Mapping[str, str | bytes]) -> ProjectFolder:
        """Write files; one line break at the beginning of a text is left out."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.removeprefix("\n").encode()
            path.write_bytes(data)
        return self

    def git(self, *arguments: str) -> str:
        """Run git there; what it prints."""
        done = subprocess.run(
            ["git", *_IDENTITY, *arguments], cwd=self.root, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self) -> str:
        """Commit everything, in a repository that is made where there is none; the commit's id."""
        if not (self.root / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "state")
        return self.git("rev-parse", "HEAD")

    def load(self, revision: str | None = None) -> Loaded:
        """Load it as a command does."""
        loaded = load.load(project.load(self.root), revision)
        self._open.append(loaded)
        return loaded

    def told(self, revision: str | None = None) -> list[str]:
        """Place and code of each diagnostic, ``a.yaml:3:7 HR020``, but that of no repository."""
        return [
            f"{one.span} {one.code}" if one.span else one.code
            for one in self.load(revision).diagnostics
            if one.code != "HR062"
        ]

    def close(self) -> None:
        """Close what was loaded."""
        for loaded in self._open:
            loaded.__exit__()
        self._open.clear()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))
    yield path
    remove(path)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ProjectFolder]:
    """An empty project."""
    made = ProjectFolder(tmp_path / "project")
    yield made
    made.close()
