"""Asking before something is changed."""

from __future__ import annotations

import sys

from hrctl.cli.console import Console
from hrctl.diagnostics import HrctlError


class Declined(HrctlError):  # noqa: N818  # a kind of HrctlError, named for what it says
    """The person said no."""


def confirm(console: Console, question: str, *, yes: bool) -> None:
    """Go on only after a "yes", typed or given as an option.

    Raises:
        HrctlError: HR129, where there is no one to ask.
        Declined: HR150, for any other answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise HrctlError.of(
            "HR129", "there is no terminal to ask on", hint="say --yes to go on without a question"
        )
    console.error(f"{question} Only yes goes on.")
    sys.stderr.write("> ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != "yes":
        raise Declined.of("HR150", "nothing was changed: the answer was not yes")
