"""How words, times and sections are written in HAProxy's configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from hrctl.model.kinds.units import seconds

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%=(),+*|&!-]+")
_BINDING: Final = re.compile(r"^(frontend \S+)|^\s+bind ", re.MULTILINE)
_LONGEST: Final = 2_073_600_000  # milliseconds, 24 days: HAProxy counts to 2**31
_MOST: Final = 2**31 - 1
OWNER: Final = "    # "  # before the address that the lines below were made for
ALL: Final = "all routes here"
MOST_WORDS: Final = 40  # patterns in one line, which may have 64 words in all


def quoted(word: str) -> str:
    """One word, whatever signs it has; between strong quotes nothing but them means anything."""
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def formatted(text: str) -> str:
    """As `quoted`, where a percent sign would begin a variable."""
    return quoted(text.replace("%", "%%"))


def duration(written: str | float) -> str:
    """A time in milliseconds: never 0, which would be none."""
    return f"{min(_LONGEST, max(1, round(seconds(written) * 1000)))}ms"


def times(count: int) -> int:
    """A number of checks or failures; beyond what HAProxy counts to it is as good as never."""
    return min(_MOST, count)


FOREVER: Final = "24d"


def condition(fetch: str, how: str, patterns: Iterable[str]) -> list[str]:
    """Conditions of which one must be met, each with as many patterns as fit into a line."""
    some = [quoted(one) for one in patterns]
    return [
        f"{quoted(fetch)} -m {how} -- {' '.join(some[start : start + MOST_WORDS])}"
        for start in range(0, len(some), MOST_WORDS)
    ]


def exactly(fetch: str, value: str) -> str:
    """The condition that a text is another one; an empty pattern would be none."""
    return condition(fetch, "str", [value])[0] if value else f"{quoted(fetch)} -m len 0"


def without_binds(text: str, frontends: Collection[str]) -> str:
    """Return a configuration in which some frontends (``frontend NAME``) listen nowhere."""
    section, lines = "", []
    for line in text.splitlines():
        if line.strip() and not line[0].isspace():
            section = " ".join(line.split()[:2])
        if section not in frontends or line.split()[:1] != ["bind"]:
            lines.append(line)
    return "\n".join(lines) + "\n"


def binding(text: str) -> set[str]:
    """Return the frontends of a configuration (``frontend NAME``) that listen somewhere."""
    found, frontend = set(), ""
    for match in _BINDING.finditer(text):
        frontend = match[1] or frontend
        if not match[1]:
            found.add(frontend)
    return found


def blocks(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Section, address that it was made for, and line, of each line with something in it."""
    section, owner = "", None
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line[0].isspace():
            section, owner = " ".join(line.split()[:2]), None
            if line.startswith("#"):
                continue
        if line.startswith(OWNER):
            said = line[len(OWNER) :].strip()
            owner = None if said == ALL else said
            continue
        yield section, owner, line
