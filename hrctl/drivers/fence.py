"""The fence between a run and its drivers: closed as soon as the run loses its lease."""

from __future__ import annotations

from collections.abc import Callable


class Fence:
    """Let a driver go on only while its run holds the lease.

    A run that was stopped past its lease may wake up in the middle of a driver's work, when another
    run has changed the same things. So a driver calls the fence before each step that changes
    something outside of its own memory, undoing included, and lets the error end its work.

    It is open where no run is bound to it: for a plan, and for verbs that act without a lease.
    """

    def __init__(self) -> None:
        self._check: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Return while the run holds its lease.

        Raises:
            LeaseLostError: HR101, where it has lost it. Nothing may be changed any more.
        """
        if self._check is not None:
            self._check()

    def bind(self, check: Callable[[], None]) -> None:
        """Ask `check`, from any thread, until `release`."""
        self._check = check

    def release(self) -> None:
        """Open the fence: the run is over, and none of its calls is under way."""
        self._check = None
