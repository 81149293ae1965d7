"""One unleash-server for all tests of this package; each test finds it empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.verbs.conftest import shell
from tests.drivers.unleash.project import UnleashProject, made
from tests.drivers.unleash.server import ADMIN, Running, Unleash

__all__ = ["shell"]


@pytest.fixture(scope="session")
def running() -> Iterator[Unleash]:
    """The server, stopped at the end by its own pid."""
    made = Running()
    try:
        yield made.unleash
    finally:
        made.stop()


@pytest.fixture
def unleash(running: Unleash) -> Unleash:
    """The server without features."""
    running.clear()
    return running


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow the token to be sent, as whoever runs hrctl does."""
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "UNLEASH_TOKEN")


@pytest.fixture
def project(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    unleash: Unleash,
    monkeypatch: pytest.MonkeyPatch,
) -> UnleashProject:
    """A project whose flags go there, and the folder that hrctl runs in."""
    monkeypatch.setenv("UNLEASH_TOKEN", ADMIN)
    monkeypatch.setenv("COLUMNS", "80")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Robin")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "robin@example.org")
    found = made(tmp_path / "acme", capsys, unleash)
    monkeypatch.chdir(found.root)
    found.hrctl("apply", "--yes", "--quiet")  # its registries
    return found
