"""What a batch to a proxy keeps on disk while it works."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hrctl.drivers.local_store import Write
from hrctl.drivers.mesh.journal import JOURNAL, Journal
from hrctl.model.address import Address

WRITES = [
    Write(Address("acme/dev:Route/web"), None, '{"spec": {"type": "HTTP"}}'),
    Write(Address("acme/dev:Node/a"), "3", "{}", Address("acme/dev:Node/b")),
    Write(Address("acme/dev:Node/c"), "4", None),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / JOURNAL)


def test_what_was_begun_is_read_until_it_ends(journal: Journal, tmp_path: Path) -> None:
    assert journal.read() is None
    journal.begin(WRITES[:1], "other")
    journal.begin(WRITES, "acme")
    assert journal.read() == (WRITES, "acme")
    journal.end()
    assert journal.read() is None
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_can_read_it(journal: Journal) -> None:
    before = os.umask(0)
    try:
        journal.begin(WRITES, "acme")
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("held", ["", "[]", "{", '{"owner": "acme", "writes": [1]}'])
def test_one_that_is_no_journal_counts_for_nothing(journal: Journal, held: str) -> None:
    journal.path.write_text(held)
    assert journal.read() is None
