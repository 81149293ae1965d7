"""The names of runs, and who runs them."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime


def new_run() -> str:
    """A new name that sorts by time: ``20260311-101502-3f9a``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def who() -> str:
    """``user@host``, as the ledger records it."""
    from getpass import getuser
    from socket import gethostname

    try:
        user = getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{gethostname()}"


def command() -> str:
    """The command line as it was typed, for the ledger."""
    import shlex

    return shlex.join(["hrctl", *sys.argv[1:]])
