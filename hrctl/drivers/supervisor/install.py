"""Run a Service's install commands, in order, and keep what they say."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.groupfile import install_digest
from hrctl.model.values import Json

_LONGEST: Final = 3600.0  # seconds for one command; a hung one must not hold an apply for ever
_SHORTEST_SECRET: Final = 4  # shorter ones would take ordinary words out of the output


def is_needed(spec: Mapping[str, Json], installed: str, cwd: str) -> bool:
    """Whether the commands have to run.

    They do where the block changed since they last ran, and where what they create is missing;
    the first time not where it exists already.

    Args:
        spec: of the Service.
        installed: `install_digest` of the block whose commands ran last (empty: none did).
        cwd: what `creates` is relative to.
    """
    install = spec.get("install") or {}
    if not install.get("commands") or spec.get("state", "RUNNING") == "CREATED":
        return False
    creates = install.get("creates")
    exists = creates is not None and (Path(cwd) / Path(creates).expanduser()).exists()
    if installed == install_digest(spec):
        return creates is not None and not exists
    return bool(installed) or not exists


def run(  # noqa: PLR0913 - commands, where they run, and what they must not show or do
    commands: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    log: Path,
    secrets: Iterable[str] = (),
    fence: Callable[[], None] = lambda: None,
) -> None:
    """Run them through /bin/sh, one after the other, output to `log` (0600).

    Raises:
        LeaseLostError: HR101, where the run lost its lease.
        HrctlError: HR090, where one fails; with its last lines, secrets masked.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # mode 0600 from the start
        for command in commands:
            fence()
            file.write(f"$ {command}\n")
            file.flush()
            why = _run_one(command, env, cwd, file)
            if why is not None:
                lines = masked(last_lines(log, 5), secrets)
                raise HrctlError.of(
                    "HR090",
                    f"install command '{command}' {why}",
                    hint=f"{' | '.join(lines[1:])}; all of it is in {log}",
                )


def _run_one(command: str, env: Mapping[str, str], cwd: str, output: IO[str]) -> str | None:
    """Run one; None where it ended well, else what went wrong."""
    try:
        process = subprocess.Popen(  # noqa: S603  # running what is declared is what it is for
            ["/bin/sh", "-c", command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # an interrupt of hrctl does not reach it: it is finished
        )
    except OSError as error:
        return f"cannot be run: {error.filename}: {error.strerror}"
    try:
        code = process.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"did not end within {_LONGEST / 60:.0f} minutes"
    return None if code == 0 else f"ended with {code}"


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file that are not blank; none where it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - count * 1000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def masked(lines: Sequence[str], secrets: Iterable[str]) -> list[str]:
    """What a program wrote, without the values it was given: only text can be searched there."""
    known = sorted(
        {part for one in secrets for part in one.splitlines() if len(part) >= _SHORTEST_SECRET},
        key=len,
        reverse=True,
    )
    result = []
    for line in lines:
        shown = line
        for one in known:
            shown = shown.replace(one, "(sensitive)")
        result.append(shown)
    return result
