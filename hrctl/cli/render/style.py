"""Colour: a help for the eye that carries no meaning of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Paint = Callable[[str, str], str]

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

RECORDED_ONLY: Final = "recorded only"  # beside a resource that no driver acts on


def plain(text: str, style: str) -> str:  # noqa: ARG001  # the same signature as `ansi`
    """The text as it is."""
    return text


def ansi(text: str, style: str) -> str:
    """The text in one or several styles (`"bold red"`); an empty text or style stays as it is."""
    if not text or not style:
        return text
    codes = ";".join(_CODES[name] for name in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def paint(*, color: bool) -> Paint:
    """`ansi` or `plain`."""
    return ansi if color else plain
