"""What is known about processes, from /proc and, as on macOS, from ps."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from hrctl.drivers.supervisor import procs

BUSY = "while True: pass"


@pytest.fixture(params=[True, False], ids=["proc", "ps"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not procs.has_proc():
        pytest.skip("no /proc here")
    if not request.param:
        monkeypatch.setattr(procs, "has_proc", lambda: False)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process and wait until it runs: at its very beginning it has no arguments."""
    command = [sys.executable, "-c", f"print(1, flush=True)\n{BUSY}"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("_way")
def test_a_process_is_known_by_number_and_start(busy: subprocess.Popen[bytes]) -> None:
    assert procs.is_alive(busy.pid)
    started = procs.start_time(busy.pid)
    assert started is not None
    assert procs.is_same(busy.pid, started)
    assert not procs.is_same(busy.pid, "@1000000" if started.startswith("@") else "1")
    assert BUSY.split(maxsplit=1)[0] in " ".join(procs.arguments(busy.pid))
    busy.kill()
    assert procs.wait_gone(busy.pid, 5)  # though nobody has waited for it
    assert procs.start_time(busy.pid) is None or not procs.is_alive(busy.pid)
    busy.wait()
    assert procs.start_time(busy.pid) is None
    assert procs.arguments(busy.pid) == []


@pytest.mark.usefixtures("_way")
def test_usage(busy: subprocess.Popen[bytes]) -> None:
    time.sleep(0.3)
    usage = procs.usages([busy.pid, 0])[busy.pid]
    assert usage.cpu_percent > 5
    assert usage.rss_bytes > 1_000_000
    assert procs.usages([0]) == {}


def test_end_group() -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    command = [sys.executable, "-c", f"{stubborn}; time.sleep(60)"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        procs.end_group(process.pid, timeout=0.2)
        assert process.wait(5) == -9


@pytest.mark.skipif(not procs.has_proc(), reason="only /proc tells who holds a port")
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_who_holds_a_port(kind: str) -> None:
    sort = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, sort) as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        if kind == "tcp":
            assert procs.port_holders(number, kind) == set()
            taken.listen()
        assert procs.port_holders(number, kind) == {os.getpid()}
    assert procs.name_of(os.getpid())
