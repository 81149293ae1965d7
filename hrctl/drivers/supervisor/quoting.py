"""Words and paths as supervisord's configuration has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hrctl.diagnostics import HrctlError


def command(words: Iterable[str]) -> str:
    """For `command=`, quoted by backslashes alone: supervisord cuts at `` ;`` even in quotes.

    Raises:
        HrctlError: HR083, where a word has a line break.
    """
    return " ".join(map(_argument, words))


def _argument(text: str) -> str:
    _refuse_line_break(text)
    return re.sub(r"([^\w@+=:,./-])", r"\\\1", text, flags=re.ASCII).replace("%", "%%")


def log_file(path: Path) -> str:
    """For `stdout_logfile=`, which supervisord expands twice and does not unquote.

    Raises:
        HrctlError: HR083, where the path cannot be written so.
    """
    return directory(path).replace("%", "%%")


def directory(path: Path) -> str:
    """For `directory=`, which supervisord expands once and does not unquote.

    Raises:
        HrctlError: HR083, where the path cannot be written so.
    """
    text = str(path)
    _refuse_line_break(text)
    if re.search(r"\s[;#]", text) or text != text.strip():
        raise HrctlError.of(
            "HR083",
            f"supervisord's configuration cannot hold the path '{text}'",
            hint="move the project to a folder without ' ;' and ' #' in its path",
        )
    return text.replace("%", "%%")


def _refuse_line_break(text: str) -> None:
    if "\n" in text or "\r" in text:
        raise HrctlError.of(
            "HR083",
            f"supervisord's configuration cannot hold the path {text!r}",
            hint="move the project to a folder without line breaks in its path",
        )
