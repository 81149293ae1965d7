"""Processes of this machine: when they started, what they use, who holds a port.

Linux tells in /proc; elsewhere `ps` is asked, and who holds a port stays unknown.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"  # the state of a listening socket in /proc/net/tcp
_SAMPLE: Final = 0.25  # seconds between two looks at processor times
_CLOCK_SLACK: Final = 3.0  # seconds by which ps and the launcher may differ


class Usage(NamedTuple):
    """What a process group uses: processor in percent of one, resident memory in bytes."""

    cpu_percent: float
    rss_bytes: int


def has_proc() -> bool:
    """Whether /proc tells about processes."""
    return (_PROC / "self" / "stat").exists()


def _stat(pid: int | str) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; None where it is not there."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return text.rpartition(b")")[2].decode("ascii").split()


def _ps(*arguments: str) -> list[list[str]]:
    done = subprocess.run(  # noqa: S603  # no shell, arguments are ours
        ["ps", *arguments],  # noqa: S607  # every Unix has it, at different places
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return [line.split() for line in done.stdout.splitlines()]


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    if has_proc():
        found = _stat(pid)
        return found is not None and found[0] not in "ZX"
    rows = _ps("-o", "stat=", "-p", str(pid))
    return bool(rows) and not rows[0][0].startswith("Z")


def arguments(pid: int) -> list[str]:
    """The arguments that a process was started with; empty where it is not there."""
    if has_proc():
        with suppress(OSError):
            return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).split("\0")
        return []
    return [word for row in _ps("-ww", "-o", "args=", "-p", str(pid)) for word in row]


def start_time(pid: int) -> str | None:
    """When a process started, in the form that `launch.started` writes; None: it is not there."""
    if has_proc():
        found = _stat(pid)
        return None if found is None or found[0] in "ZX" else found[19]
    rows = _ps("-o", "lstart=", "-p", str(pid))
    if not rows:
        return None
    began = time.mktime(time.strptime(" ".join(rows[0]), "%a %b %d %H:%M:%S %Y"))
    return f"@{began:.0f}"


def boot_time() -> float:
    """When this machine started, in seconds since 1970; 0 where /proc does not tell."""
    with suppress(OSError):
        for line in (_PROC / "stat").read_text(encoding="ascii").splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    return 0.0


def is_same(pid: int, started: str) -> bool:
    """Whether `pid` still is the process that started then, and not a later one of that number."""
    now = start_time(pid)
    if now is None or not started.startswith("@"):
        return now == started
    return abs(float(now[1:]) - float(started[1:])) <= _CLOCK_SLACK


def end_group(pid: int, *, timeout: float = 10.0) -> None:
    """End a process and its process group, politely first; returns when it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    if not wait_gone(pid, timeout):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        wait_gone(pid, timeout)


def wait_gone(pid: int, timeout: float) -> bool:
    """Wait until the process has ended; whether it did."""
    deadline = time.monotonic() + timeout
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def usages(leaders: Iterable[int]) -> dict[int, Usage]:
    """What the process groups of these leaders use, measured side by side over a quarter second.

    supervisord makes each replica the leader of a group, so children are counted in.
    """
    wanted = {pid for pid in leaders if pid > 0}
    if not wanted:
        return {}
    if not has_proc():
        return _usages_by_ps(wanted)
    before, began = _group_totals(wanted), time.monotonic()
    time.sleep(_SAMPLE)
    after, seconds = _group_totals(wanted), time.monotonic() - began
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    result = {}
    for pid, (processor, resident) in after.items():
        used = max(0, processor - before.get(pid, (processor, 0))[0])
        result[pid] = Usage(round(100 * used / ticks / seconds, 1), resident * page)
    return result


def _group_totals(leaders: set[int]) -> dict[int, tuple[int, int]]:
    """Processor ticks and resident pages of each group."""
    totals: dict[int, tuple[int, int]] = {}
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (found := _stat(entry.name)) is not None:
            group = int(found[2])
            if group in leaders:
                processor, resident = totals.get(group, (0, 0))
                totals[group] = (
                    processor + int(found[11]) + int(found[12]),
                    resident + int(found[21]),
                )
    return totals


def _usages_by_ps(leaders: set[int]) -> dict[int, Usage]:
    totals: dict[int, Usage] = {}
    for group, percent, resident in _ps("-A", "-o", "pgid=,pcpu=,rss="):
        if int(group) in leaders:
            sofar = totals.get(int(group), Usage(0.0, 0))
            totals[int(group)] = Usage(
                round(sofar.cpu_percent + float(percent), 1),
                sofar.rss_bytes + int(resident) * 1024,
            )
    return totals


def port_holders(number: int, kind: str) -> set[int]:
    """The processes that have this port; empty where that cannot be found out."""
    inodes: set[str] = set()
    for table in (kind, f"{kind}6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                listens = kind == "udp" or fields[3] == _LISTEN
                if listens and int(fields[1].rpartition(":")[2], 16) == number:
                    inodes.add(f"socket:[{fields[9]}]")
    return _owners_of(inodes) if inodes else set()


def _owners_of(links: set[str]) -> set[int]:
    found = set()
    for process in os.scandir(_PROC):
        if process.name.isdigit():
            with suppress(OSError):  # ended meanwhile, or another user's
                for descriptor in os.scandir(f"{process.path}/fd"):
                    with suppress(OSError):
                        if os.readlink(descriptor.path) in links:  # noqa: PTH115  # many of them
                            found.add(int(process.name))
    return found


def name_of(pid: int) -> str:
    """The program's short name. Its arguments may hold secrets of others, and are left out."""
    try:
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process"
