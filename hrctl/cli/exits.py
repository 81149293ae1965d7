"""How hrctl leaves. Scripts rely on these numbers; docs/diagnostics.md describes them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    ERROR = 1  # also: wrong usage
    CHANGES = 2  # only with --detailed-exitcode
    LOCKED = 3  # by another run
    UNSAFE = 4  # refused by thresholds, protection, a stale plan, or one that was not approved
    POLICY = 5  # refused by a policy
    PARTIAL = 6  # applied in part
    INTERRUPTED = 130  # Ctrl-C, as shells count it
    BROKEN_PIPE = 141  # the reader of our output left first
