"""Files that are replaced as a whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hrctl.drivers.mesh import atomic


def test_all_are_on_the_disk_before_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"old")
    synced: list[tuple[int, bool]] = []  # bytes, and whether a name has changed by then
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        renamed = two.exists() or one.read_bytes() != b"old"
        synced.append((os.fstat(descriptor).st_size, renamed))

    monkeypatch.setattr(os, "fsync", watched)
    atomic.write({one: b"new", two: b"more"})
    assert synced == [(3, False), (4, False)]
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"more")
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        atomic.write({one: b"new", tmp_path / "missing" / "two": b"more"})
    assert one.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [one]
