"""What a Service runs as: argument vector, folder and environment of each replica.

A command is split as a shell would and executed without one. Only where it has something that
needs a shell (``$PORT``, ``*``, a pipe, a redirection, ``A=1 program``) it goes through
``/bin/sh -c``, with ``exec`` in front where the shell can be left out of the process tree.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address
from hrctl.model.values import Body, Json, canonical

_ASSIGNMENT: Final = re.compile(r"\s*[A-Za-z_][A-Za-z0-9_]*=")
_CONTROL: Final = frozenset("|&;()\n{}!")
_EXPANSION: Final = frozenset("$`*?[<>")


class Shell(IntEnum):
    """How much of a shell a command needs."""

    NONE = 0
    EXPANSION = 1  # one simple command with something to expand or redirect
    FULL = 2


def shell_needed(command: str) -> Shell:
    """Look for shell syntax outside of quotes; in double quotes ``$`` and a backquote count."""
    need, quote, previous = Shell.NONE, "", " "
    characters = iter(command)
    for one in characters:
        if one == "\\" and quote != "'":
            next(characters, None)
        elif quote:
            if one == quote:
                quote = ""
            elif quote == '"' and one in "$`":
                need = max(need, Shell.EXPANSION)
        elif one in "'\"":
            quote = one
        elif one in _CONTROL:
            return Shell.FULL
        elif one in _EXPANSION or (one in "~#" and previous.isspace()):
            need = max(need, Shell.EXPANSION)
        previous = one
    return Shell.FULL if _ASSIGNMENT.match(command) else need


def argv_of(command: str) -> list[str]:
    """The argument vector to execute.

    Raises:
        HrctlError: HR083, where a quotation does not end.
    """
    need = shell_needed(command)
    if need is Shell.FULL:
        return ["/bin/sh", "-c", command]
    if need is Shell.EXPANSION:
        return ["/bin/sh", "-c", f"exec {command}"]
    try:
        return shlex.split(command)
    except ValueError as error:
        raise HrctlError.of(
            "HR083",
            f"command cannot be split into arguments: {str(error).lower()}",
            hint="close the quotation, or write the command as a list",
        ) from None


def command_of(argv: list[str]) -> str:
    """The inverse of `argv_of`, for a vector that someone wrote by hand."""
    if argv[:2] == ["/bin/sh", "-c"] and len(argv) == 3:  # noqa: PLR2004  # sh -c TEXT
        return argv[2].removeprefix("exec ")
    return shlex.join(argv)


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port of one replica. `kind` is tcp or udp."""

    name: str
    replica: int
    number: int
    kind: str


def port_uses(spec: Mapping[str, Json], replicas: int) -> list[PortUse]:
    """Every port that the replicas listen on: replica i has the declared number + i."""
    return [
        PortUse(
            port["name"],
            replica,
            port["port"] + replica,
            "udp" if port.get("protocol") == "UDP" else "tcp",
        )
        for replica in range(replicas)
        for port in spec.get("ports") or ()
    ]


def check_ports(spec: Mapping[str, Json]) -> None:
    """Refuse ports of replicas that meet each other or leave the range.

    Raises:
        HrctlError: HR088.
    """
    taken: dict[tuple[str, int], PortUse] = {}
    for use in port_uses(spec, spec.get("replicas", 1)):
        if use.number > 65535:  # noqa: PLR2004  # the highest port
            raise HrctlError.of(
                "HR088",
                f"port {use.name} of replica {use.replica} would be {use.number}",
                hint="declare a lower port: replica i listens on the number + i",
            )
        other = taken.setdefault((use.kind, use.number), use)
        if other is not use:
            raise HrctlError.of(
                "HR088",
                f"port {use.number} is wanted twice: {other.name} of replica {other.replica}"
                f" and {use.name} of replica {use.replica}",
                hint="leave a gap as wide as the replicas: replica i listens on the number + i",
            )


def text_of(value: Json) -> str:
    """A value of `env` as the process sees it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else canonical(value)


def folder_of(spec: Mapping[str, Json], root: Path) -> str:
    """Where the command runs: `workingDirectory` from the project's root."""
    return str(root / Path(spec.get("workingDirectory") or ".").expanduser())


def base_environment(address: Address) -> dict[str, str]:
    """What every replica and every install command is told."""
    return {
        "HRCTL_ADDRESS": address,
        "HRCTL_REGISTRY": address.registry,
        "HRCTL_SERVICE": address.name,
    }


def replica_environments(spec: Mapping[str, Json]) -> list[dict[str, str]]:
    """HRCTL_REPLICA, PORT and PORT_<NAME> of each replica; what `env` declares goes before."""
    replicas = spec.get("replicas", 1)
    declared = spec.get("env") or {}
    environments: list[dict[str, str]] = [{"HRCTL_REPLICA": str(i)} for i in range(replicas)]
    for use in port_uses(spec, replicas):
        mine = environments[use.replica]
        mine.setdefault("PORT", str(use.number))
        mine[f"PORT_{use.name.upper().replace('-', '_')}"] = str(use.number)
    return [
        {name: value for name, value in one.items() if name not in declared} for one in environments
    ]


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch file holds."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    replicas: list[dict[str, str]]
    starts: str

    def encode(self) -> bytes:
        """The file's bytes; equal launches have equal bytes."""
        return canonical(
            {
                "argv": self.argv,
                "cwd": self.cwd,
                "env": self.env,
                "replicas": self.replicas,
                "starts": self.starts,
            }
        ).encode("utf-8", "surrogatepass")


def build_launch(
    address: Address, group: str, body: Body, env: Mapping[str, Json], folders: Folders
) -> Launch:
    """The launch of a Service whose `env` has been revealed.

    Raises:
        HrctlError: HR083 or HR088, where command, environment or ports cannot be.
    """
    spec = body["spec"]
    command = spec.get("command")
    if not command and spec.get("state", "RUNNING") == "RUNNING":
        raise HrctlError.of(
            "HR083",
            f"{address} has no command to run",
            hint="give it spec.command, or another spec.state than RUNNING",
        )
    check_ports(spec)
    values = {name: text_of(value) for name, value in env.items()}
    _refuse_nul(address, values.items())
    return Launch(
        argv_of(command) if command else [],
        folder_of(spec, folders.root),
        {**base_environment(address), **values},
        replica_environments(spec),
        str(folders.starts(group)),
    )


def _refuse_nul(address: Address, values: Iterable[tuple[str, str]]) -> None:
    for name, value in values:
        if "\0" in value:
            raise HrctlError.of(
                "HR083",
                f"env.{name} of {address} holds a NUL character",
                hint="no process can be given one; encode the value, or put it into a file",
            )
