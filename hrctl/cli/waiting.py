"""`--wait`: waiting for the lease of another run, and planning again after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from hrctl.cli.app import WAIT
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.model.kinds import units
from hrctl.model.plan import Plan

DEFAULT: Final = "10m"
_MOVED: Final = "HR122"  # the ledger is not as the plan saw it


@dataclass(frozen=True, slots=True)
class Waiting:
    """Until when to wait (of the monotonic clock), and how to plan again; None plans only once."""

    deadline: float
    again: Callable[[Session], Plan] | None

    @classmethod
    def of(cls, duration: str | None, again: Callable[[Session], Plan] | None) -> Self | None:
        """Begin to wait for as long as an option says; None where it was not given.

        Raises:
            HrctlError: HR145, where it is no duration.
        """
        return None if duration is None else cls(time.monotonic() + _seconds(duration), again)

    @property
    def seconds(self) -> float:
        """How much time is left."""
        return max(0.0, self.deadline - time.monotonic())

    def plans_again(self, error: HrctlError) -> bool:
        """Return whether another run has made the plan stale, and time is left for a new one."""
        moved = all(one.code == _MOVED for one in error.diagnostics)
        return moved and self.again is not None and self.seconds > 0


def with_limit(args: Sequence[str]) -> list[str]:
    """Give a `--wait` that no duration follows the default one."""
    return [
        f"{WAIT}={DEFAULT}" if one == WAIT and not _is_duration(behind) else one
        for one, behind in zip(args, [*args[1:], ""], strict=True)
    ]


def _is_duration(text: str) -> bool:
    try:
        units.seconds(text)
    except ValueError:
        return False
    return bool(text)


def _seconds(text: str) -> float:
    if not _is_duration(text):
        raise HrctlError.of("HR145", f"'{text}' is no duration", hint="as --wait 90s or --wait 10m")
    return units.seconds(text)
