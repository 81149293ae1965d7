"""A Service's group file: what supervisord reads, and hrctl's marker in a comment above it.

The marker is what makes a group ours. It is one line of JSON with owner, address, digest and the
body that was applied, in which secrets stand as their references; so that everything can be read
back, though supervisord never tells what environment a process has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from math import ceil
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.folders import LAUNCHER, Folders
from hrctl.model.address import Address
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Body, Json, canonical

PREFIX: Final = "; hrctl: "
_NOTE: Final = (
    "; Kept by hrctl. A change made here shows as drift, and the next apply takes it back.\n"
)
_LONGEST_NAME: Final = 180  # a file name has 255 bytes, and log files add to it

APPLYING: Final = "applying"  # an apply is at work, or was cut off
APPLIED: Final = "applied"
UNHEALTHY: Final = "unhealthy"  # the last apply did not get it healthy

AUTORESTART: Final = {"always": "true", "on-failure": "unexpected", "never": "false"}
LINE_BYTES: Final = 256  # what a line of a log is taken to be, to keep N of them


@dataclass(frozen=True, slots=True)
class Marker:
    """What hrctl wrote a group file for.

    Attributes:
        owner: the project.
        address: of the Service.
        digest: the effective digest that was applied.
        phase: APPLYING, APPLIED or UNHEALTHY.
        installed: digest of the install block whose commands ran (empty: none did).
        launch: keyed digest of the launch file as it was written.
        sealed: for each variable whose value came from a reference, a keyed digest of it.
        python: the interpreter that starts `launch`.
        launcher: the path of `launch`.
        nonce: of this apply, so that no version comes twice.
        sections: digest of the rest of the file as it was written.
        body: what was applied, with references in place of secrets.
    """

    owner: str
    address: Address
    digest: str
    phase: str
    installed: str
    launch: str
    sealed: dict[str, str]
    python: str
    launcher: str
    nonce: str
    body: Body
    sections: str = ""


def group_name(address: Address) -> str:
    """``acme/shop/prod:Service/api`` -> ``acme.shop.prod.api``.

    No part of an address has a dot or an underscore, so no two addresses share a name. A very
    long one is cut and ends with a digest of the whole.
    """
    name = f"{address.registry.replace('/', '.')}.{address.name}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


def read_marker(text: str) -> Marker | None:
    """The marker in a group file; None where there is none, or it cannot be read."""
    for line in text.splitlines():
        if line.startswith(PREFIX):
            try:
                found = json.loads(line.removeprefix(PREFIX))
                return Marker(**{**found, "address": Address.parse(found["address"])})
            except (ValueError, TypeError, KeyError, HrctlError):
                return None
        if line and not line.startswith(";"):
            return None
    return None


def render(marker: Marker, folders: Folders) -> str:
    """The whole file: marker, group, and one program a replica.

    Raises:
        HrctlError: HR083, where a path cannot be written in supervisord's configuration.
    """
    group = group_name(marker.address)
    spec = marker.body["spec"]
    names = [f"{group}_{replica}" for replica in range(spec.get("replicas", 1))]
    lines = [f"[group:{group}]", f"programs={','.join(names)}"]
    for replica, name in enumerate(names):
        lines += ["", f"[program:{name}]"]
        lines += [f"{key}={value}" for key, value in program(marker, replica, folders).items()]
    sections = "\n".join([*lines, ""])
    line = canonical_ascii(asdict(replace(marker, sections=_digest(sections))))
    return f"{_NOTE}{PREFIX}{line}\n{sections}"


def is_as_written(marker: Marker, text: str) -> bool:
    """Whether what supervisord reads of the file is what hrctl wrote."""
    _, _, rest = text.partition(PREFIX)
    _, _, sections = rest.partition("\n")
    return _digest(sections) == marker.sections


def program(marker: Marker, replica: int, folders: Folders) -> dict[str, str]:
    """The options of one replica's [program] section.

    supervisord waits 1, 2, 3, ... seconds between attempts to start: `startretries` is such that
    the wait grows to `restart.backoff`. A log file holds `logs.keep` lines of 256 bytes, and one
    full file is kept beside it.
    """
    from hrctl.drivers.supervisor import quoting

    spec, group = marker.body["spec"], group_name(marker.address)
    restart = spec.get("restart") or {}
    policy = restart.get("policy", "always")
    backoff = ceil(seconds(restart.get("backoff", "1s")))
    keep = (spec.get("logs") or {}).get("keep", 1000)
    boot = not folders.embedded and spec.get("state", "RUNNING") == "RUNNING"
    launch = (marker.python, "-I", "-S", marker.launcher, str(folders.launch(group)), str(replica))
    return {
        "process_name": str(replica),
        "command": quoting.command(launch),
        "autostart": str(boot).lower(),
        "autorestart": AUTORESTART[policy],
        "startsecs": "1",
        "startretries": "0" if policy == "never" else str(min(max(3, backoff), 100)),
        "stopsignal": "TERM",
        "stopwaitsecs": str(ceil(seconds(spec.get("stopTimeout", "10s")))),
        "stopasgroup": "true",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": quoting.log_file(folders.log(group, replica)),
        "stdout_logfile_maxbytes": str(max(keep, 1) * LINE_BYTES),
        "stdout_logfile_backups": "1",
    }


def current_runner() -> dict[str, str]:
    """`python` and `launcher` of a marker that is written now."""
    return {"python": sys.executable, "launcher": LAUNCHER}


def install_digest(spec: Mapping[str, Json]) -> str:
    """What is compared to see whether the install block changed; empty where there is none."""
    install = spec.get("install")
    if not install:
        return ""
    return _digest(canonical(install))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def canonical_ascii(value: Json) -> str:
    """Canonical JSON in ASCII: supervisord reads its files in the encoding of its locale."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
