"""A file lock with a limit: who waits in vain learns who holds it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrctl.diagnostics import LockedError
from hrctl.files.lock import WAIT_VARIABLE, exclusive

_HOLDER = """
import sys
from pathlib import Path
from hrctl.files.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def test_who_waits_too_long_learns_who_holds_it(
    tmp_path: Path, holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.send_signal(signal.SIGSTOP)
    monkeypatch.setenv(WAIT_VARIABLE, "0.3")
    began = time.monotonic()
    with pytest.raises(LockedError) as caught, exclusive(tmp_path / "lock"):
        pytest.fail("it was locked twice")
    assert time.monotonic() - began >= 0.3
    (told,) = caught.value.diagnostics
    assert caught.value.exit_code == 3
    assert told.code == "HR360"
    assert f"process {holder.pid} on " in told.summary


def test_a_killed_holder_leaves_nothing_locked(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    holder.kill()
    holder.wait()
    path = tmp_path / "lock"
    with exclusive(path, wait=5), pytest.raises(LockedError), exclusive(path, wait=0):
        pytest.fail("it was locked twice")


def test_a_link_in_the_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / "lock").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"), exclusive(tmp_path / "lock"):
        pytest.fail("a link was locked")
    assert other.read_bytes() == b"untouched"
