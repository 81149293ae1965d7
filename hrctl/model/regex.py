r"""Regular expressions of manifests, on an engine whose time grows with the text alone.

RE2 never backtracks, so ``(a+)+$`` costs what ``a+$`` does. What it cannot do in linear time
(look-around, references to groups) or in little memory (``a{5000}``, ``((a{99}){99}){99}``) it
refuses, and a manifest with it gets a diagnostic. So does what Python, JavaScript and RE2 read
differently, see `_AMBIGUOUS`. Syntax: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

MAX_LENGTH: Final = 4096  # characters of an expression
MAX_WORK: Final = 10_000_000  # instructions of an expression times bytes of a text: about 30 ms
_MEMORY: Final = 2**20  # bytes of one compiled expression and of its states

_AMBIGUOUS: Final = (
    (re.compile(r"\[:\^?\w*:\]"), "write its characters, such as [A-Za-z0-9]"),
    (re.compile(r"\\Q"), r"write a \ before each special character instead"),
    (re.compile(r"\\C"), "write . for a character"),
)
_HINTS: Final = (
    (re.compile(r"perl operator: \(\?<?[=!]"), "look-around takes more than linear time"),
    (re.compile(r"perl operator: \(\?[>(#P|]"), "leave it out; (?:...) groups"),
    (re.compile(r"escape sequence: \\u"), r"write \x{20AC} for a character by its number"),
    (re.compile(r"escape sequence: \\[zZ]"), r"write \z, or $"),
    (re.compile(r"escape sequence: \\[1-9gk]"), "what a group matched cannot be referred to"),
    (re.compile(r"repetition operator: .\+"), "leave out the +: nothing backtracks here"),
    (
        re.compile(r"repetition size|too large|nesting"),
        "shorten it: nothing repeats more than 1,000 times in all",
    ),
)
_OVERSIZED: Final = re.compile(r"repetition size|too large|nesting depth")
_SHOWN: Final = 80  # characters of an expression in a message
_PAIR: Final = re.compile(r"\\\\")
_UNICODE_IN_PYTHON: Final = re.compile(r"\\[wWdDsSbB]")


class TooMuchWorkError(Exception):
    """A check would take longer than a manifest may ask for."""


class Refusal(NamedTuple):
    """Why a text is no expression of this engine, and what to do."""

    why: str
    hint: str | None = None
    oversized: bool = False


class Expression:
    """A compiled expression."""

    __slots__ = ("_program", "pattern", "size")

    def __init__(self, pattern: str, program: Any) -> None:
        self.pattern = pattern
        self._program = program
        self.size = int(program.programsize)

    def fullmatch(self, text: str) -> bool:
        """Return whether the whole text matches.

        Raises:
            TooMuchWorkError: where text and expression are too large together.
        """
        return self._program.fullmatch(self._checked(text)) is not None

    def search(self, text: str) -> bool:
        """Return whether any part of the text matches; see `fullmatch`."""
        return self._program.search(self._checked(text)) is not None

    def note(self, text: str) -> str | None:
        r"""Return why a text may fail to match that did match in Python: ``\w`` is ASCII here."""
        escape = _UNICODE_IN_PYTHON.search(_PAIR.sub("", self.pattern))
        if escape is None or text.isascii():
            return None
        return rf"{escape[0]} knows ASCII alone; \pL stands for any letter, \pN for any digit"

    def _checked(self, text: str) -> bytes:
        data = text.encode("utf-8", "surrogatepass")
        if self.size * len(data) > MAX_WORK:
            raise TooMuchWorkError
        return data


def portable(pattern: str) -> Expression | Refusal:
    """Return the compiled expression; refuse what other engines read differently, too."""
    plain = _PAIR.sub("", pattern)
    for ambiguous, hint in _AMBIGUOUS:
        part = ambiguous.search(plain)
        if part is not None:
            return Refusal(f"{part[0]} means something else to other engines", hint)
    return compiled(pattern)


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Expression | Refusal:
    """Return the compiled expression, or why it is refused."""
    import re2

    if len(pattern) > MAX_LENGTH:
        why = f"longer than {MAX_LENGTH:,} characters"
        return Refusal(why, "divide it, or list the values", oversized=True)
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.never_capture = True  # captures make the slow paths of the engine slower
    try:
        return Expression(pattern, re2.compile(pattern.encode("utf-8", "surrogatepass"), options))
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace")
    hint = next((hint for known, hint in _HINTS if known.search(why)), None)
    why = why if len(why) <= _SHOWN else f"{why[:_SHOWN]}..."
    return Refusal(why, hint, oversized=_OVERSIZED.search(why) is not None)
