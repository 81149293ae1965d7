"""HAProxy's runtime socket, and that of its master process: a line goes in, an answer comes out."""

from __future__ import annotations

import csv
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.configuration import State

_TIMEOUT: Final = 5.0
ABSENT: Final = 5.0  # seconds that a master process may need to listen anew after a reload
_LINE: Final = 8000  # of the 16 kB that HAProxy reads at once
_SOCKETS: Final = {"socket": "stats socket", "master": "master process's socket (-S)"}
_DONE: Final = {"New server registered.", "Server deleted."}
_FORCED: Final = 0x01 | 0x08  # maintenance and drain, by hand at the socket
MAINTENANCE: Final = 0x01

Row = Mapping[str, str]


class RefusedError(Exception):
    """HAProxy does not do what a command asks for; `str` is what it says."""


class Runtime:
    """Asks one HAProxy. `place` is the path of a socket, or ``host:port``.

    `field` is what names it in the instance's block.
    """

    def __init__(
        self, place: str, field: str = "socket", fence: Callable[[], None] = lambda: None
    ) -> None:
        self.place = place
        self._fence = fence
        self._field = field

    def ask(self, line: str) -> str:
        """The answer to a line; one that only does something answers with nothing.

        Raises:
            HrctlError: HR080, where nothing answers.
        """
        try:
            with self._connect() as connection:
                connection.sendall(line.encode() + b"\n")
                connection.shutdown(socket.SHUT_WR)
                found = bytearray()
                while data := connection.recv(1 << 16):
                    found += data
        except OSError as error:
            why = (error.strerror or str(error) or type(error).__name__).lower()
            raise HrctlError.of(
                "HR080",
                f"HAProxy's socket at {self.place} cannot be reached: {why}",
                hint=f"see whether that HAProxy runs, and that `{self._field}` names its"
                f" {_SOCKETS[self._field]}",
            ) from error
        return found.decode("utf-8", "replace").strip()

    def _connect(self) -> socket.socket:
        if not is_path(self.place):
            host, _, port = self.place.rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(_TIMEOUT)
            made.connect(self.place)
        except OSError:
            made.close()
            raise
        return made

    def tell(self, commands: Sequence[str]) -> None:
        """Have commands done, in their order.

        Raises:
            LeaseLostError: HR101, where the run lost its lease.
            RefusedError: where one is refused; those before it are done.
            HrctlError: HR080.
        """
        start = 0
        while start < len(commands):
            end, size = start, 0
            while end < len(commands) and (end == start or size + len(commands[end]) < _LINE):
                size += len(commands[end]) + 1
                end += 1
            self._fence()
            answer = self.ask(";".join(commands[start:end]))
            said = {line.strip() for line in answer.splitlines()} - {"", *_DONE}
            if said:
                raise RefusedError("; ".join(sorted(said)))
            start = end

    def info(self) -> dict[str, str]:
        """What it says of itself: Version, Pid, Uptime_sec and the like."""
        pairs = (line.partition(":") for line in self.ask("show info").splitlines())
        return {name.strip(): value.strip() for name, _, value in pairs}

    def pid(self) -> int | None:
        """The process that works; None where it does not answer."""
        try:
            return int(self.info().get("Pid", ""))
        except (HrctlError, ValueError):
            return None

    def answers(self) -> bool:
        """Whether a process works."""
        return self.pid() is not None

    def require(self) -> None:
        """See that it is there.

        Raises:
            HrctlError: HR080, where it does not answer, with what is wrong.
        """
        self.ask("show info")

    def servers(self, backends: Iterable[str]) -> dict[str, Row]:
        """backend/server -> what `show servers state` says of it, of these backends."""
        lines = self.ask("show servers state").splitlines()
        heads = next((line[1:].split() for line in lines if line.startswith("#")), [])
        wanted = set(backends)
        found: dict[str, Row] = {}
        for line in lines:
            row = dict(zip(heads, line.split(), strict=False))
            if row.get("be_name") in wanted and not line.startswith("#"):
                found[f"{row['be_name']}/{row['srv_name']}"] = row
        return found

    def cuts(self, table: str) -> dict[str, str]:
        """The table of splits; empty where HAProxy has loaded none."""
        lines = (line.split() for line in self.ask(f"show map {table}").splitlines())
        return {line[1]: line[2] for line in lines if len(line) == 3}  # noqa: PLR2004 - and an id

    def state(self, backends: Iterable[str], table: str) -> State:
        """What runs, as `Configuration.state` has it."""
        found = self.servers(backends)
        return {
            "servers": {
                name: [_address(row), _weight(row), forced(row)] for name, row in found.items()
            },
            "cuts": dict(self.cuts(table)),
        }

    def stat(self, whom: str = "") -> list[Row]:
        """Numbers of frontends, backends and servers, by the names of `show stat`.

        A master process asks the worker that `whom` names, such as ``@!4711``.
        """
        text = self.ask(f"{whom}show stat").removeprefix("# ")
        return list(csv.DictReader(StringIO(text)))


def is_path(place: str) -> bool:
    """Whether a socket is a file, and no ``host:port``."""
    return "/" in place or not place.rpartition(":")[2].isdigit()


def forced(row: Row) -> int:
    """What somebody did to a server at the socket: `MAINTENANCE`, or drain."""
    return int(row["srv_admin_state"]) & _FORCED


def _weight(row: Row) -> int:
    return int(row["srv_uweight"])


def _address(row: Row) -> str:
    host = row["srv_fqdn"] if row.get("srv_fqdn", "-") != "-" else row["srv_addr"]
    return f"[{host}]:{row['srv_port']}" if ":" in host else f"{host}:{row['srv_port']}"
