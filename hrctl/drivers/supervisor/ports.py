"""Whether the ports of a Service are free, before it is started."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor import procs
from hrctl.drivers.supervisor.command import PortUse
from hrctl.model.address import Address


def in_use(use: PortUse) -> bool:
    """Whether something has the port on any of this machine's addresses."""
    kind = socket.SOCK_DGRAM if use.kind == "udp" else socket.SOCK_STREAM
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104  # asked, not served
        try:
            probe = socket.socket(family, kind)
        except OSError:
            continue  # no IPv6 here
        with probe:
            if use.kind == "tcp":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((host, use.number))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False


def require_free(
    address: Address,
    uses: Iterable[PortUse],
    *,
    groups: Callable[[], Mapping[int, str]],
    patience: Callable[[str], float] | None = None,
) -> None:
    """Refuse where a port is taken.

    Args:
        address: who wants them.
        uses: the ports.
        groups: the groups that this supervisord runs, by the process id of each replica.
        patience: how many seconds to wait where this group of ours holds a port: it may be on
            its way out.

    Raises:
        HrctlError: HR088, naming the port and, where that can be found out, who has it.
    """
    for use in uses:
        deadline = time.monotonic()
        while in_use(use):
            holders = {pid: _group_of(pid, groups()) for pid in procs.port_holders(*_key(use))}
            ours = next((group for group in holders.values() if group is not None), None)
            wait = patience(ours) if patience is not None and ours is not None else 0.0
            if time.monotonic() >= deadline + wait:
                raise _taken(address, use, holders)
            time.sleep(0.05)


def _key(use: PortUse) -> tuple[int, str]:
    return use.number, use.kind


def _group_of(pid: int, groups: Mapping[int, str]) -> str | None:
    """Supervisord makes each replica the leader of a process group."""
    with suppress(ProcessLookupError, PermissionError):
        return groups.get(os.getpgid(pid))
    return None


def _taken(address: Address, use: PortUse, holders: Mapping[int, str | None]) -> HrctlError:
    who = " and ".join(
        f"service group {group}" if group else f"{procs.name_of(pid)} (process {pid})"
        for pid, group in sorted(holders.items())
    )
    return HrctlError.of(
        "HR088",
        f"port {use.number} ({use.name}) of {address} is taken" + (f" by {who}" if who else ""),
        hint="stop what has it, or declare another port",
    )
