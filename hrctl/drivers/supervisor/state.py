"""States of processes, and what they make of a Service; and its live version."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from hrctl.drivers.supervisor.groupfile import APPLIED, APPLYING, UNHEALTHY, Marker

STOPPED: Final = 0
STARTING: Final = 10
RUNNING: Final = 20
BACKOFF: Final = 30
STOPPING: Final = 40
EXITED: Final = 100
FATAL: Final = 200
HALTED: Final = frozenset({STOPPED, EXITED, FATAL})


class Process(NamedTuple):
    """A process as supervisord knows it. `state` is supervisord's number, `uptime` in seconds."""

    name: str
    state: int
    pid: int
    exit_status: int
    error: str
    uptime: int


_UNDER_WAY: Final = {APPLYING: "STARTING", UNHEALTHY: "DEGRADED"}


class Condition(StrEnum):
    """A process, coarsely: what it passes through in a moment is no condition of its own."""

    UP = "up"  # runs, or supervisord is about to start it again
    DOWN = "down"  # stopped by someone, or never started
    FAILED = "failed"  # ended, and supervisord has given up


def condition(process: Process, policy: str) -> Condition:
    """STARTING, BACKOFF and an exit that is about to be mended count as UP.

    So a version does not change while supervisord restarts a process as it was told to; it does
    when supervisord gives up.
    """
    if process.state in {STARTING, RUNNING, BACKOFF}:
        return Condition.UP
    if process.state in {STOPPED, STOPPING}:
        return Condition.DOWN
    if process.state == EXITED and (
        policy == "always" or (policy == "on-failure" and process.exit_status != 0)
    ):
        return Condition.UP
    return Condition.FAILED


def conditions(marker: Marker, processes: Sequence[Process]) -> list[Condition]:
    """The condition of each replica; one that supervisord does not know is DOWN."""
    spec = marker.body["spec"]
    policy = (spec.get("restart") or {}).get("policy", "always")
    known = {process.name: condition(process, policy) for process in processes}
    return [known.get(str(i), Condition.DOWN) for i in range(spec.get("replicas", 1))]


def live_state(marker: Marker, found: Sequence[Condition]) -> tuple[str, int | None]:
    """The state that a Service is in, and how many replicas are up where that is not all or none.

    Where no process is wanted, one that ended by itself is as good as stopped.
    """
    wanted = marker.body["spec"].get("state", "RUNNING")
    up = sum(one is Condition.UP for one in found)
    applied = marker.phase == APPLIED
    if wanted != "RUNNING":
        return ("RUNNING" if up else wanted) if applied else ("DEGRADED" if up else "FAILED"), None
    if up and up < len(found):
        return "DEGRADED", up
    if up == len(found) and (up or applied):
        return ("RUNNING" if applied else _UNDER_WAY[marker.phase]), None
    return ("FAILED" if Condition.FAILED in found or not applied else "STOPPED"), None


def version(key: bytes, conf: bytes, launch: bytes, found: Sequence[Condition]) -> str:
    """The live version: of both files and of the conditions.

    Keyed, because it is recorded where others read it and the launch file holds secrets.
    """
    state = blake2b(key=key, digest_size=16)
    for part in (conf, launch, ",".join(found).encode()):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()


def seal(key: bytes, value: bytes) -> str:
    """A keyed digest of a secret: tells whether it changed, and nothing without the key."""
    return blake2b(value, key=key, digest_size=12).hexdigest()
