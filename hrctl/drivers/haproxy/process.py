"""HAProxy as a program: the one that hrctl runs itself, and checks and reloads of any."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.configuration import Files
from hrctl.drivers.haproxy.place import Place
from hrctl.drivers.haproxy.runtime import ABSENT, Runtime
from hrctl.drivers.mesh import embedded
from hrctl.logic.mesh import listening

OLDEST: Final = (2, 6)  # the first with servers that come and go, and `host_only`
_PATIENCE: Final = 20.0
_SURE: Final = 3  # answers in a row of the new worker: for a moment both take connections
_ALERT: Final = re.compile(r"^\[ALERT\]\s+\(\d+\) : (?:config : )?(.*)$", re.MULTILINE)
_BIND: Final = re.compile(r"^\s*bind\s+(\S+)", re.MULTILINE)
_LINE: Final = re.compile(r"\[[^\]\s]*:(\d+)\]")
_SUMMARIES: Final = ("Error(s) found in", "Fatal errors found", "exited with code", "Exiting")


def binary() -> str:
    """The path of the program.

    Raises:
        HrctlError: HR082, where it is not installed.
    """
    import os
    from shutil import which

    # a user's PATH often leaves out where Debian puts it
    found = which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise HrctlError.of(
            "HR082",
            "driver 'haproxy' needs the program haproxy, to check configurations and to run them",
            hint="apt-get install haproxy, or put haproxy on PATH",
        )
    return found


def check(files: Files, place: Place) -> str | None:
    """What HAProxy finds wrong with a configuration; None where nothing is.

    Raises:
        HrctlError: HR082, where the program is not there.
    """
    program, table = binary(), place.settings.table
    with tempfile.TemporaryDirectory(prefix="hrctl-haproxy-") as folder:
        config, splits = (Path(folder, name) for name in place.settings.names)
        text = files[config.name].decode("utf-8", "surrogateescape")
        if table != splits.name:
            text = text.replace(f"map_str({table})", f"map_str({splits})")
        config.write_text(text, "utf-8", "surrogateescape")
        splits.write_bytes(files[splits.name])
        named = [word for one in (*place.others, config) for word in ("-f", str(one))]
        done = subprocess.run(  # noqa: S603 - our own arguments
            [program, "-c", *named], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return None
    return _reason(done.stderr + done.stdout, str(config), text) or "it does not say why"


def bound_elsewhere(listens: Iterable[str], place: Place) -> tuple[str, Path] | None:
    """One of these addresses that a file of somebody else has a `bind` for, and that file.

    HAProxy takes both, and requests come to either by chance.
    """
    wanted = {listening.place(one): one for one in listens}
    files = [one for path in place.others for one in (sorted(path.glob("*.cfg")) or [path])]
    for file in files if wanted else ():
        try:
            text = file.read_text("utf-8", "replace")
        except OSError:  # `check` has said so
            continue
        for bind in _BIND.findall(text):
            for one in bind.split(","):
                if listening.place(one) in wanted:
                    return wanted[listening.place(one)], file
    return None


def _reason(said: str, config: str, text: str) -> str | None:
    """The alerts, each with the line of ours that it is about."""
    lines = text.splitlines()
    found = []
    for alert in _ALERT.findall(said):
        if any(summary in alert for summary in _SUMMARIES):
            continue
        number = _LINE.search(alert)
        shown = alert.replace(f"{config}:", "line ").replace(config, "it").strip()
        if config in alert and number is not None and int(number.group(1)) <= len(lines):
            shown += f" ({lines[int(number.group(1)) - 1].strip()})"
        found.append(shown)
    return "; ".join(dict.fromkeys(found[:3])) or None


# -- the embedded one ------------------------------------------------------------------------------


def start(place: Place, runtime: Runtime, instance: str) -> None:
    """Start the embedded HAProxy where it does not run, and wait until it works.

    Raises:
        HrctlError: HR080, where it does not start; HR082, where it is not installed.
    """
    before = _size(place.log)
    master = f"{place.master},mode,600"
    command = (binary(), "-W", "-S", master, "-f", str(place.settings.config))
    embedded.start(place, runtime, instance, command, lambda: _logged(place, before))


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _logged(place: Place, after: int) -> str | None:
    """The alerts in the log of the embedded one, after so many bytes."""
    try:
        data = place.log.read_bytes()
        text = place.settings.config.read_text("utf-8", "replace")
    except OSError:
        return None
    said = data[after if after <= len(data) else 0 :].decode("utf-8", "replace")
    return _reason(said, str(place.settings.config), text)


def require_known(runtime: Runtime, name: str) -> None:
    """Refuse a HAProxy whose version is not known to do what is needed.

    Raises:
        HrctlError: HR232; HR080, where it does not answer.
    """
    said = runtime.info()
    if said.get("Name") != "HAProxy":
        raise HrctlError.of(
            "HR080",
            f"what answers at {runtime.place} is no stats socket of HAProxy",
            hint="see that `socket` names it, with `level admin`",
        )
    version = said.get("Version", "")
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        raise HrctlError.of(
            "HR232",
            f"the HAProxy of '{name}' is of version {version or 'unknown'},"
            " which is not known to work",
            hint=f"use HAProxy {'.'.join(map(str, OLDEST))} or newer",
        )


# -- reloads ---------------------------------------------------------------------------------------


def reload(place: Place, runtime: Runtime) -> None:
    """Have the files loaded by a new worker, and wait until it works.

    Connections of the old worker go on until they end by themselves.

    Raises:
        HrctlError: HR233, where HAProxy does not take the files.
    """
    before, noted = runtime.pid(), _size(place.log)
    place.fence()
    earlier = _ask_for_reload(place)
    deadline = time.monotonic() + _PATIENCE
    sure = 0
    while sure < _SURE:
        pid = runtime.pid()
        sure = sure + 1 if pid not in {None, before} else 0
        if not sure and _has_failed(place, earlier):
            raise _refused(_logged(place, noted) or "its master process says so")
        if time.monotonic() > deadline:
            raise _refused(_logged(place, noted) or f"no new worker within {_PATIENCE:.0f} s")
        time.sleep(0.005 if sure else 0.02)


def load_again(place: Place, runtime: Runtime) -> None:
    """Have the files loaded by whoever works, or is about to: the embedded one is started anew.

    Raises:
        HrctlError: HR080, where nobody answers; HR233, where the files are not taken.
    """
    embedded.is_back(place, runtime)
    reload(place, runtime)


def _refused(reason: str) -> HrctlError:
    return HrctlError.of(
        "HR233",
        f"HAProxy does not load the configuration: {reason}",
        hint="the files are as before, and traffic goes on; see HAProxy's log",
    )


def _ask_for_reload(place: Place) -> int:
    """Ask for it; how many reloads there were before."""
    if place.master is not None:
        return _ask_master(place.master)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            place.reload, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refused(f"`{' '.join(place.reload)}` cannot be run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        why = said[-1] if said else f"it ended with {done.returncode}"
        raise _refused(f"`{' '.join(place.reload)}`: {why}")
    return 0


def _ask_master(socket: str) -> int:
    """The master listens anew after each reload, a moment later than the worker."""
    master, deadline = Runtime(socket, "master"), time.monotonic() + ABSENT
    while True:
        try:
            earlier, _ = _reloads(master)
            break
        except HrctlError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    try:
        master.ask("reload")
    except HrctlError as error:
        if isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise
        return earlier  # it ends the connection, where it does so before it has answered
    return earlier


def _reloads(master: Runtime) -> tuple[int, int]:
    """How often the master was told to load the files, and how often in vain since the last time.

    Raises:
        HrctlError: HR080, where it does not answer, or is none.
    """
    found = re.search(r"\bmaster\s+(\d+)(?: \[failed: (\d+)\])?", master.ask("show proc"))
    if found is None:
        raise HrctlError.of(
            "HR080",
            f"what answers at {master.place} is no master process of HAProxy",
            hint="start it with -W -S PATH, and name that path in `master`",
        )
    return int(found.group(1)), int(found.group(2) or 0)


def _has_failed(place: Place, earlier: int) -> bool:
    """Whether the master says that a reload after the earlier ones failed."""
    if place.master is None:
        return False
    try:
        reloads, failed = _reloads(Runtime(place.master, "master"))
    except HrctlError:  # it is starting itself anew
        return False
    return reloads > earlier and failed > 0
