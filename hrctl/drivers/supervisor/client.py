"""supervisord's XML-RPC over a unix socket. Imported only where one is spoken to."""

from __future__ import annotations

import base64
import http.client
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import Fault, dumps, loads

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.state import Process

_TIMEOUT: Final = 30.0


class Code(IntEnum):
    """The faults that hrctl knows how to answer."""

    BAD_NAME = 10
    ALREADY_ADDED = 90
    STILL_RUNNING = 91
    CANT_REREAD = 92


class RpcFaultError(Exception):
    """supervisord refused a call. `code` is its number, `text` what it says."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class UnreachableError(HrctlError):
    """HR080: nothing answers at the socket."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reloaded configuration differs in from what runs: names of groups."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self.path))


class Client:
    """Calls to one supervisord. Safe to share among threads: each call has its own connection."""

    def __init__(
        self,
        path: Path,
        *,
        username: str | None = None,
        password: str | None = None,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._fence = fence
        self._headers = {"Content-Type": "text/xml"}
        if username is not None:
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def call(self, method: str, *parameters: Any, timeout: float = _TIMEOUT) -> Any:
        """Call ``supervisor.<method>``.

        Raises:
            LeaseLostError: HR101, where it is to change something and the run lost its lease.
            RpcFaultError: it was refused.
            UnreachableError: nothing answers, or not as supervisord does.
        """
        if not method.startswith("get"):
            self._fence()
        return self._request(f"supervisor.{method}", parameters, timeout)

    def _request(self, method: str, parameters: tuple[Any, ...], timeout: float) -> Any:
        request = dumps(parameters, method).encode()
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request("POST", "/RPC2", request, self._headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise UnreachableError.of(
                "HR080",
                f"supervisord at {self.path} answered {response.status} {response.reason}",
                hint="give username and password in hrctl.yaml"
                if response.status == http.HTTPStatus.UNAUTHORIZED
                else "is this the socket of a supervisord?",
            )
        try:
            (result,), _ = loads(answer)
        except Fault as fault:
            raise RpcFaultError(fault.faultCode, fault.faultString) from None
        return result

    def _unreachable(self, error: Exception) -> HrctlError:
        if isinstance(error, FileNotFoundError):
            what, hint = "there is no such socket", "start that supervisord, or mend the path"
        elif isinstance(error, ConnectionRefusedError):
            what, hint = "nothing listens there", "start that supervisord"
        elif isinstance(error, PermissionError):
            what, hint = "permission denied", "run hrctl as a user who may use the socket"
        elif isinstance(error, TimeoutError):
            what, hint = "it does not answer", "see what that supervisord is busy with"
        else:
            what, hint = str(error) or type(error).__name__, "is this the socket of a supervisord?"
        return UnreachableError.of(
            "HR080", f"cannot reach supervisord at {self.path}: {what}", hint=hint
        )

    def reload(self) -> Reload:
        """Read the configuration again, changing nothing that runs."""
        added, changed, removed = self.call("reloadConfig")[0]
        return Reload(frozenset(added), frozenset(changed), frozenset(removed))

    def processes(self) -> dict[str, list[Process]]:
        """All processes by group, in the order of their names."""
        return _by_group(self.call("getAllProcessInfo"))

    def groups(self, replicas: Mapping[str, int]) -> dict[str, list[Process]]:
        """The processes 0, 1, ... of these groups, as far as they are there; by group.

        What is asked costs what it is about, however many other groups there are.
        """
        names = [f"{group}:{index}" for group, count in replicas.items() for index in range(count)]
        calls = [{"methodName": "supervisor.getProcessInfo", "params": [name]} for name in names]
        if not calls:
            return {}
        rows = self._request("system.multicall", (calls,), _TIMEOUT)
        return _by_group(row for row in rows if "faultCode" not in row)


def _by_group(rows: Iterable[dict[str, Any]]) -> dict[str, list[Process]]:
    groups: dict[str, list[Process]] = {}
    for row in rows:
        process = Process(
            row["name"],
            row["state"],
            row["pid"],
            row["exitstatus"],
            row["spawnerr"],
            row["now"] - row["start"] if row["start"] else 0,
        )
        groups.setdefault(row["group"], []).append(process)
    for processes in groups.values():
        processes.sort(key=lambda one: (len(one.name), one.name))
    return groups
