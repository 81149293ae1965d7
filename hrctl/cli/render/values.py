"""Values, field paths and places as text for people.

Nothing that comes from a file or a live system can act on a terminal: what is not printable is
escaped, so that a value can never end its line, move the cursor or turn the direction of writing.
"""

from __future__ import annotations

import json
import re
from typing import Final

from hrctl.diagnostics import Span
from hrctl.model.plan import ABSENT, Absent
from hrctl.model.values import (
    Body,
    Json,
    canonical,
    is_reference,
    is_sensitive_reference,
    pointer_parts,
)

NONE: Final = "(none)"
UNKNOWN: Final = "(known after apply)"
DOTS: Final = "..."
_PLAIN_KEY: Final = re.compile(r"[\w-]+")
_NAMES: Final = ("name", "subset", "service", "grid", "address", "key", "attribute", "id")


def printable(text: str) -> str:
    r"""The text with everything that is not printable escaped: ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    code = ord(char)
    if code < 0x100:  # noqa: PLR2004  # two hexadecimal digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  # four


def columns(text: str) -> int:
    """How many columns a printable text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int) -> str:
    """The text with spaces up to `width` columns."""
    return text + " " * (width - columns(text))


class Secrets:
    """Numbers sensitive values in the order of their appearance; equal ones get one number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def show(self, value: Json) -> str:
        """``(sensitive #2)``."""
        number = self._numbers.setdefault(canonical(value), len(self._numbers) + 1)
        return f"(sensitive #{number})"


def show(  # noqa: PLR0911  # one for each kind of value
    value: Json | Absent, secrets: Secrets, *, sensitive: bool = False
) -> str:
    """A value on one line, as YAML's flow style would write it, secrets numbered."""
    if isinstance(value, Absent):
        return NONE
    if sensitive or is_sensitive_reference(value) or _is_masked(value):
        return secrets.show(value)
    if is_reference(value):
        return UNKNOWN
    if isinstance(value, dict):
        items = (f"{_key(key)}: {show(item, secrets)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(item, secrets) for item in value) + "]"
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value)


def _is_masked(value: Json) -> bool:
    """Whether it stands where a live system showed a secret (see `reconcile.bodies.MASKED`)."""
    return is_reference(value) and "masked" in value["valueFrom"]


def quoted(text: str) -> str:
    """A string in double quotes, everything that is not printable escaped."""
    return printable(json.dumps(text, ensure_ascii=False))


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.isprintable() else quoted(key)


def elide(text: str, width: int, around: int = 0) -> str:
    """At most `width` columns of the text, with the character at `around` in them."""
    if columns(text) <= width:
        return text
    room = max(width - 2 * len(DOTS), 4)
    if around < width - len(DOTS):
        return _first(text, width - len(DOTS)) + DOTS
    start = min(max(around - room // 3, 0), len(text) - 1)
    rest = text[start:]
    if columns(rest) <= width - len(DOTS):
        return DOTS + _last(text, width - len(DOTS))
    return DOTS + _first(rest, room) + DOTS


def elide_pair(left: str, right: str, width: int) -> tuple[str, str]:
    """Two texts that differ, each in at most `width` columns, with the difference in sight."""
    around = next(
        (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )
    return elide(left, width, around), elide(right, width, around)


def elide_left(text: str, width: int) -> str:
    """At most `width` columns of the text's end."""
    if columns(text) <= width:
        return text
    return DOTS + _last(text, width - len(DOTS))


def _first(text: str, width: int) -> str:
    cut = text[: max(width, 1)]
    while columns(cut) > width and len(cut) > 1:
        cut = cut[:-1]
    return cut


def _last(text: str, width: int) -> str:
    cut = text[-max(width, 1) :]
    while columns(cut) > width and len(cut) > 1:
        cut = cut[1:]
    return cut


def place(span: Span) -> str:
    """``services/api.yaml:9``."""
    return f"{printable(span.path)}:{span.line}"


def field_name(path: str, body: Body | None, instead: Json | Absent = ABSENT) -> str:
    """A field path for people: ``/spec/destinations/1/weight`` -> ``destinations[v2].weight``.

    Elements of lists are named by what names them in `body`, else by index. `instead` is the value
    at the path itself where the body does not have it.
    """
    parts = pointer_parts(path)
    here: Json = body
    name = ""
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(here, list):
            found = here[int(part)] if part.isdigit() and int(part) < len(here) else None
            here = instead if found is None and last else found
            name += f"[{_element(here, part)}]"
            continue
        here = here.get(part) if isinstance(here, dict) else None
        if depth == 0 and part in {"spec", "metadata"} and not last:
            continue
        if _PLAIN_KEY.fullmatch(part) and part.isprintable():
            name += f".{part}" if name else part
        else:
            name += f"[{quoted(part)}]"
    return name


def _element(item: Json | Absent, index: str) -> str:
    if isinstance(item, dict):
        for key in _NAMES:
            if isinstance(label := item.get(key), str):
                return printable(label)
    return index
