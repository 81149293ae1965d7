"""How hrctl starts modules of its own environment: isolated from the current folder."""

from __future__ import annotations

import site
import sys


def module(name: str, *arguments: str) -> list[str]:
    """Return the words of a command that runs an installed module.

    Neither the current folder nor PYTHONPATH is searched, both of which may lead into files that a
    branch brought along. The user's own site-packages stay where hrctl itself may be installed in
    them; `-I` alone would leave them out.
    """
    flags = ("-E", "-P") if site.ENABLE_USER_SITE else ("-I",)
    return [sys.executable, *flags, "-m", name, *arguments]
