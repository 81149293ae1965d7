"""A key behind a passphrase: a command asks for that once, however often it reads the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from hrctl.cli.console import Console
from hrctl.cli.person import Terminal
from hrctl.cli.session import Session

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

AT = "acme/shop/prod:Config/app"
POINTER = "/spec/entries/PASSWORD/valueFrom"


def test_a_verb_that_edits_and_applies_asks_once(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = vault.root / "ann.key"
    key.write_bytes(pyrage.passphrase.encrypt(key.read_bytes(), "correct horse"))
    asked = []

    def ask(_: Terminal, question: str, **__: Any) -> str:
        asked.append(question)
        return "correct horse"

    monkeypatch.setattr(Terminal, "ask", ask)
    console = Console()
    console.identities = [key]
    place = {"for": f"{AT}#{POINTER}"}
    first, second = (vault.sealed(value, AT, POINTER, "ann") | place for value in ("one", "two"))
    with Session(console) as session:
        assert session.decrypt(first) == "one"
        with session.successor() as later:
            assert later.decrypt(second) == "two"
        with Session(console) as stranger:
            assert stranger.decrypt(second) == "two"
    assert len(asked) == 2, "the successor does not ask, another session does"
