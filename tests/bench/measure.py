"""Whole processes, timed from outside: wall and processor seconds, peak memory, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One finished process: seconds of wall clock and processors, peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


def once(command: Sequence[str], cwd: Path, ok: Sequence[int] = (0,)) -> Run:
    """Run a command and read the operating system's account of it and its children.

    Raises:
        RuntimeError: it failed; its last output is in the message.
    """
    # installed packages have their bytecode compiled; an environment that forbids it skews imports
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        shown = " ".join(command)
        raise RuntimeError(f"{shown} exited with {process.returncode} in {cwd}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 2**20)


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure; the largest memory."""
    return Run(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.memory for run in runs),
    )


def paired(
    commands: Mapping[str, tuple[Sequence[str], Path]],
    times: int,
    before: Callable[[str], None] = lambda _: None,
) -> dict[str, Run]:
    """Run several commands in turn, A B A B, so that a slow spell of the machine meets them all."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(times):
        for name, (command, cwd) in commands.items():
            before(name)
            found[name].append(once(command, cwd))
    return {name: median(runs) for name, runs in found.items()}
