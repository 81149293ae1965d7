r"""What of a regular expression the library that a proxy has for them does not know.

The model reads expressions as Python does, and lets through what only proxies know, such as
``\pL``. Here each is looked at sign by sign: escapes, the names in ``[[:alpha:]]``, flags as in
``(?i)``, and constructs. Sources: RE2's ``syntax.txt`` and pcre2pattern(3); what both proxies take
and refuse is asked of them by tests.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Dialect(NamedTuple):
    """A library of regular expressions, as far as it differs from others."""

    name: str
    escapes: frozenset[str]  # letters that mean something behind a backslash
    flags: frozenset[str]
    constructs: re.Pattern[str]  # what it does not know, outside of escapes and sets
    plain: re.Pattern[str]  # escapes and sets in which nothing else counts
    sets: re.Pattern[str] | None = None  # what it does not know within a set


_SET: Final = r"\[\^?\]?(?:\[:\^?\w*:\]|\\.|[^\]\\])*\]"
_PROPERTY: Final = r"\\[pPx]\{[^}]*\}"
_OCTAL: Final = r"\\[1-3][0-7]{2}"
_COUNTED: Final = r"\\[1-9]"  # a group by its number
RE2: Final = Dialect(
    "Envoy's regular expressions (RE2)",
    frozenset("aAbBCdDEfnpPQrsStvwWxz"),
    frozenset("imsU"),
    # look-around, conditions, comments, atomic groups; references to groups; possessive repetitions
    re.compile(rf"\(\?(?:<?[=!]|[#(>]|P[=>])|{_COUNTED}|[*+?}}]\+"),
    re.compile(rf"{_PROPERTY}|{_OCTAL}|\\[^1-9]|{_SET}"),
)
# HAProxy has groups without names not counted, so nothing can refer to them
PCRE: Final = Dialect(
    "HAProxy's regular expressions (PCRE)",
    frozenset("aAbBcCdDeEfgGhHkKnNopPQrRsStvVwWxXzZ"),
    frozenset("imnsxJU"),
    re.compile(rf"\\N\{{|{_COUNTED}|\\g[{{<']?[-+]?\d|\(\?\(\d"),
    re.compile(rf"{_PROPERTY}|{_OCTAL}|\\[^1-9gN]|{_SET}"),
    re.compile(r"\[([.=]).*?\1\]"),
)
QUOTED: Final = re.compile(r"\\Q.*?\\E")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_CLASS: Final = re.compile(r"\[:\^?(\w*):\]")
_CLASSES: Final = re.compile(
    "alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit"
)
_FLAGS: Final = re.compile(r"\(\?([A-Za-z]*)(?:-([A-Za-z]*))?[:)]")


def unknown(regex: str, dialect: Dialect) -> str | None:
    """The first part that a dialect does not know; None where nothing is found."""
    text = QUOTED.sub("_", regex)
    for escape in _ESCAPE.finditer(text):
        if escape[1].isascii() and escape[1].isalpha() and escape[1] not in dialect.escapes:
            return escape[0]
    for found in re.findall(rf"\\.|({_SET})", text):
        for name in _CLASS.finditer(found):
            if not _CLASSES.fullmatch(name[1]):
                return name[0]
        collated = dialect.sets.search(found, 1) if dialect.sets else None
        if collated:
            return collated[0]
    text = dialect.plain.sub("_", text)
    for flags in _FLAGS.finditer(text):
        for flag in (flags[1] or "") + (flags[2] or ""):
            if flag not in dialect.flags:
                return f"(?{flag})"
    construct = dialect.constructs.search(text)
    return construct[0] if construct else None
