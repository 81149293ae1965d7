"""A person at a terminal, for what asks while it works: passphrases, plugins of age."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from hrctl.cli.console import Console


@dataclass(frozen=True, slots=True)
class Terminal:
    """Asks where standard input is a terminal; else nobody answers."""

    console: Console

    def tell(self, text: str) -> None:
        """Show a message, even with -q: someone waits for a hand."""
        self.console.error(text)

    def ask(self, question: str, *, secret: bool) -> str | None:
        """A line that is typed."""
        if not sys.stdin.isatty():
            return None
        from getpass import getpass

        try:
            if secret:
                return getpass(f"{question}: ", sys.stderr)
            sys.stderr.write(f"{question}: ")
            sys.stderr.flush()
            return sys.stdin.readline().rstrip("\n")
        except EOFError:
            return None


def at_terminal(console: Console) -> None:
    """Have questions asked here."""
    from hrctl.secrets.plugins import set_person

    set_person(Terminal(console))
