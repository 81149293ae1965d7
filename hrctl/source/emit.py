"""Values to YAML that readers of 1.2 and of 1.1 understand alike: block style, two spaces.

A list stands two columns to the right of its key. Text of several lines becomes a literal block, no
text is folded.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

from hrctl.model.values import Json
from hrctl.source.order import ordered
from hrctl.source.yaml12 import needs_quotes

INDENT: Final = 2
_LONG_KEY: Final = 1000  # the parser looks that far ahead for the colon of a key, and no farther
_INDICATORS: Final = frozenset("-?:,[]{}#&*!|>'\"%@`")
_FLOW: Final = frozenset(",[]{}")
_UNSAFE: Final = re.compile(r":(?: |$)| #")
_JSON_ESCAPES: Final = re.compile(r"[^\x20-\x7e]")


def dump(doc: dict[str, Json]) -> str:
    """The text of a manifest: keys in canonical order, a line end at the end, no `---`.

    `doc` holds JSON values, integers within 64 bits, no lone surrogates (ValueError).
    """
    kind = doc.get("kind")
    lines: list[str] = []
    for key in ordered(doc, "", kind):
        value = doc[key]
        if isinstance(value, dict):
            value = {name: value[name] for name in ordered(value, f"/{key}", kind)}
        lines += entry(key, value, 0)
    return "\n".join(lines or ["{}"]) + "\n"


def entry(key: str, value: Json, indent: int) -> list[str]:
    """The lines of a key and its value, `indent` columns from the left."""
    pad = " " * indent
    name = scalar(key)
    if len(name) > _LONG_KEY:
        return [f"{pad}? {name}", *behind(f"{pad}:", value, indent)]
    return behind(f"{pad}{name}:", value, indent)


def item(value: Json, indent: int) -> list[str]:
    """The lines of one item of a list, its dash `indent` columns from the left."""
    dash = " " * indent + "-"
    if not value or not isinstance(value, dict | list):
        return behind(dash, value, indent)
    lines = _nested(value, indent + INDENT)
    return [f"{dash} {lines[0].lstrip(' ')}", *lines[1:]]


def behind(head: str, value: Json, indent: int) -> list[str]:
    """The lines of a value whose first line begins with `head`."""
    if isinstance(value, dict | list) and value:
        return [head, *_nested(value, indent + INDENT)]
    if isinstance(value, str) and is_literal(value):
        return [f"{head} {chomping(value)}", *literal(value, indent + INDENT)]
    return [f"{head} {inline(value)}"]


def _nested(value: Json, indent: int) -> list[str]:
    if isinstance(value, dict):
        return [line for key in value for line in entry(key, value[key], indent)]
    return [line for one in value for line in item(one, indent)]


def is_literal(text: str) -> bool:
    """Whether text can be a literal block: several lines, none of white space alone."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and text[0] not in " \n\t"
        and all(not line or (line.strip() and _is_printable(line)) for line in lines)
    )


def _is_printable(line: str) -> bool:
    return line.replace("\t", "").isprintable()


def chomping(text: str) -> str:
    """The header of a literal block: what becomes of the line ends behind it."""
    if not text.endswith("\n"):
        return "|-"
    return "|+" if text.endswith("\n\n") else "|"


def literal(text: str, indent: int) -> list[str]:
    """The lines of a literal block, without its header."""
    pad = " " * indent
    lines = text.split("\n")
    if text.endswith("\n"):
        lines.pop()
    return [pad + line if line else "" for line in lines]


def inline(value: Json, *, flow: bool = False) -> str:
    """A value on one line; `flow`: inside of brackets."""
    if isinstance(value, dict):
        inner = ", ".join(
            f"{scalar(key, flow=True)}: {inline(one, flow=True)}" for key, one in value.items()
        )
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(inline(one, flow=True) for one in value)}]"
    return scalar(value, flow=flow)


def scalar(value: Json, *, flow: bool = False) -> str:
    """A scalar on one line, in double quotes where it would be misread without."""
    if isinstance(value, str):
        return value if _is_plain(value, flow=flow) else quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def quoted(text: str) -> str:
    """A string in double quotes.

    Raises:
        ValueError: for a lone surrogate, which no YAML can hold.
    """
    text.encode()
    body = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_JSON_ESCAPES.sub(_escape, body)}"'


def _escape(match: re.Match[str]) -> str:
    one = match.group()
    if one.isprintable():
        return one
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(one)
    if short is not None:
        return short
    code = ord(one)
    if code <= 0xFF:  # noqa: PLR2004 (as far as two digits reach)
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 (likewise)


def _is_plain(text: str, *, flow: bool) -> bool:
    return (
        text.isprintable()
        and text == text.strip()
        and text[:1] not in _INDICATORS
        and _UNSAFE.search(text) is None
        and not needs_quotes(text)
        and not text.startswith("...")
        and not (flow and not _FLOW.isdisjoint(text))
    )
