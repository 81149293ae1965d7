"""`hrctl state`: leases that are taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hrctl.cli.main import main
from hrctl.ledger.sqlite import SqliteLedger
from tests.conftest import ProjectFolder


@pytest.fixture
def ledger(folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder.root)
    return folder.root / ".hrctl/ledger.db"


@pytest.mark.parametrize(
    ("subtree", "argument"), [("", "/"), ("acme/shop", "acme/shop"), ("acme", "/acme/")]
)
def test_unlock_takes_what_the_message_of_a_lock_names(
    subtree: str, argument: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SqliteLedger(ledger) as opened:
        opened.acquire(subtree, run="r1", seconds=60)
        assert main(["state", "unlock", argument, "--yes"]) == 0
        assert opened.leases() == []
    out, err = capsys.readouterr()
    assert out == f"Unlocked: {subtree or '/'}.\n"
    assert err.startswith(f"{subtree or '/'} is held by ")


def test_unlock_leaves_other_leases(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SqliteLedger(ledger) as opened:
        opened.acquire("acme/shop", run="r1", seconds=60)
        assert main(["state", "unlock", "/", "--yes", "-o", "json"]) == 0
        assert [one.subtree for one in opened.leases()] == ["acme/shop"]
    assert json.loads(capsys.readouterr().out) == {"unlocked": []}
