"""Files that are replaced as a whole, or not at all, and that leave no draft."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hrctl.files import atomic

_KILLED = """
import os, signal, sys
from pathlib import Path
from hrctl.files import atomic
calls = 0
def counted(function):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return call
for name in ("open", "write", "fsync", "rename", "replace", "close"):
    setattr(os, name, counted(getattr(os, name)))
folder = Path(sys.argv[1])
atomic.write_all({folder / "a": b"new a", folder / "b": b"new b"}, mode=0o600)
"""


def test_all_are_on_the_disk_before_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"old")
    synced: list[tuple[int, bool]] = []  # bytes (-1: a folder), and whether a name has changed
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        renamed = two.exists() or one.read_bytes() != b"old"
        status = os.fstat(descriptor)
        synced.append((-1 if stat.S_ISDIR(status.st_mode) else status.st_size, renamed))

    monkeypatch.setattr(os, "fsync", watched)
    atomic.write_all({one: b"new", two: b"more"})
    assert synced == [(3, False), (4, False), (-1, True)]
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"more")
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "missing" / "two"
    one.write_bytes(b"old")
    with pytest.raises(FileNotFoundError) as caught:
        atomic.write_all({one: b"new", two: b"more"})
    assert caught.value.filename == str(two)
    assert one.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [one]


def test_permissions_stay_unless_they_are_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o640)
    path.chmod(0o640)
    atomic.write(path, b"kept")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    atomic.write(path, b"private", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_placed_at_the_target_is_replaced_itself(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_bytes(b"untouched")
    path.symlink_to(other)
    atomic.write(path, b"content")
    assert not path.is_symlink()
    assert (other.read_bytes(), path.read_bytes()) == (b"untouched", b"content")


def test_a_kill_at_any_call_leaves_whole_files_and_the_next_write_no_draft(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    drafts = 0
    for n in range(1, 100):
        a.write_bytes(b"old a")
        b.write_bytes(b"old b")
        command = [sys.executable, "-c", _KILLED, str(tmp_path), str(n)]
        ended = subprocess.run(command, check=False).returncode
        assert a.read_bytes() in {b"old a", b"new a"}
        assert b.read_bytes() in {b"old b", b"new b"}
        drafts += sum(1 for path in tmp_path.iterdir() if path not in {a, b})
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    else:
        pytest.fail("it was killed at a hundred calls and has not come to its end")
    assert sorted(tmp_path.iterdir()) == [a, b]
    assert (a.read_bytes(), b.read_bytes()) == (b"new a", b"new b")
    assert drafts > 0  # some of the kills came between a draft and its rename


def test_a_sweep_leaves_a_draft_that_is_being_written(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from hrctl.files import atomic; import os\n"
        "os.fsync = lambda _: (print('draft', flush=True), sys.stdin.read())\n"
        "atomic.write(Path(sys.argv[1]), b'content')\n"
    )
    path = tmp_path / "file"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"draft\n"
        assert atomic.sweep(tmp_path) == 0
        writer.communicate(b"")
    assert writer.returncode == 0
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]
