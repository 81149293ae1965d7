"""Ciphertexts in the text of manifests: found and replaced there, without reading any YAML.

An armoured age file is a block of lines that no other text has, so a thousand of them are replaced
in the time that it takes to write the files. What is not laid out as `hrctl` lays it out is left to
`hrctl.source.edit`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from hrctl.model.values import Json

_BEGIN: Final = "-----BEGIN AGE ENCRYPTED FILE-----"
_HEAD: Final = re.compile(r"(?P<indent>[ ]*)age:[ ]+\|[-+]?[ ]*(?:#[^\r\n]*)?\Z")
_ITEM: Final = re.compile(r"[ ]*-[ ]+SHA256:[A-Za-z0-9+/]+[ ]*\Z")


class Cut(NamedTuple):
    """A stretch of a text, and what is to stand there."""

    start: int
    end: int
    new: str


def line_of(text: str, age: str) -> int | None:
    """The line, from 1, on which an armoured file begins; None where it does not stand so."""
    lines = age.strip().splitlines()
    at = text.find(lines[1]) if len(lines) > 1 else -1
    if at < 0:
        return None
    return max(text.count("\n", 0, at), 1)


def replaced(text: str, cuts: Iterable[Cut]) -> str:
    """The text with stretches that do not meet replaced."""
    parts: list[str] = []
    at = 0
    for cut in sorted(cuts):
        parts += (text[at : cut.start], cut.new)
        at = cut.end
    return "".join([*parts, text[at:]])


def cuts(text: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Cut] | None:
    """What to replace so that `new` stands in place of `old`, both as inside of `valueFrom`.

    None where it cannot be told for sure: the ciphertext stands there twice or in another layout.
    """
    lines = str(old["age"]).strip().splitlines()
    at = text.find(lines[1]) if len(lines) > 3 else -1  # noqa: PLR2004 - with frame and body
    if at < 0 or text.find(lines[1], at + 1) >= 0:
        return None
    line_end = "\r\n" if text.startswith("\r\n", at + len(lines[1])) else "\n"
    row = text.rfind("\n", 0, at) + 1
    indent = text[row:at]
    start = row - len(line_end) - len(_BEGIN) - len(indent)
    block = line_end.join(indent + line for line in lines)
    if indent.strip(" ") or start < 0 or not text.startswith(block, start):
        return None
    head_end = start - len(line_end)
    head = _HEAD.match(text[text.rfind("\n", 0, max(head_end, 0)) + 1 : max(head_end, 0)])
    if head is None:
        return None
    fresh = line_end.join(indent + line for line in str(new["age"]).strip().splitlines())
    found = [Cut(start, start + len(block), fresh)]
    if old.get("recipients") == new.get("recipients"):
        return found
    marks = _recipients(text, start + len(block), line_end, head["indent"], new)
    return None if marks is None else [*found, marks]


def _recipients(
    text: str, at: int, line_end: str, indent: str, new: Mapping[str, Json]
) -> Cut | None:
    """The lines of `recipients:` right below a ciphertext."""
    start = at + len(line_end)
    lines = text[start : start + 100_000].split(line_end)
    if lines[0].rstrip(" ") != f"{indent}recipients:":
        if re.fullmatch(rf"{indent}recipients: \[[A-Za-z0-9+/:, ]*\]", lines[0]) is None:
            return None
        flow = f"{indent}recipients: [{', '.join(map(str, new['recipients']))}]"
        return Cut(start, start + len(lines[0]), flow)
    count = 1
    while count < len(lines) and _ITEM.match(lines[count]):
        count += 1
    if count == 1:
        return None
    dash = lines[1][: lines[1].index("-")]
    made = line_end.join([lines[0], *(f"{dash}- {mark}" for mark in new["recipients"])])
    return Cut(start, start + len(line_end.join(lines[:count])), made)
