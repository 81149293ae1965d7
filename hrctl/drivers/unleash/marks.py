"""The marks of hrctl on a feature.

Whose a feature is stands in a tag, which people see and can search for. What was applied, for each
environment that hrctl writes, stands in the description as one object of JSON, with whatever text
people write before and after it.
"""

from __future__ import annotations

import json
from secrets import token_hex
from time import time_ns
from typing import Any, Final

from hrctl.model.values import Body, digest

PROJECT: Final = "project"
ADDRESS: Final = "address"
SERIAL: Final = "serial"
BODY: Final = "body"
TAG: Final = "hrctl"  # the type of the tag; its value is the project

_SENTENCE: Final = "hrctl writes this flag; change it there."
_START: Final = "hrctl:{"
_LONGEST_TAG: Final = 50  # characters; and at least two
Marks = dict[str, dict[str, Any]]


def all_marks(description: str) -> Marks:
    """The marks of hrctl by environment; those that people broke are none."""
    return _parsed(description)[0]


def described(description: str, environment: str, mark: dict[str, Any] | None) -> str:
    """The description with the mark of one environment; without a mark that one is taken out.

    What people wrote around it stays; a mark that they broke goes.
    """
    marks, before, after = _parsed(description)
    marks.pop(environment, None)
    if mark is not None:
        marks[environment] = mark
    if not marks:
        kept = "" if before.strip() == _SENTENCE else before.rstrip("\n")
        return kept + after
    line = json.dumps(marks, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    head = before or f"{_SENTENCE}\n"
    return f"{head}{'' if head.endswith(chr(10)) else chr(10)}{_START[:-1]}{line}{after}"


def marked(project: str, address: str, body: Body) -> dict[str, Any]:
    """A mark, with a serial number that none had before."""
    serial = f"{time_ns():x}-{token_hex(4)}"
    return {PROJECT: project, ADDRESS: address, SERIAL: serial, BODY: body}


def tag_of(project: str) -> str:
    """The value of the tag that names a project; a tag has two to fifty characters."""
    if len(project) > _LONGEST_TAG:
        return f"{project[: _LONGEST_TAG - 9]}-{digest(project)[:8]}"
    return project if len(project) > 1 else f"{project}-"


def _parsed(description: str) -> tuple[Marks, str, str]:
    """The marks, and what stands before and after them."""
    end = len(description)
    while True:
        at = description.rfind(_START, 0, end)
        if at < 0:
            return {}, _without_broken(description), ""
        try:
            held, past = json.JSONDecoder().raw_decode(description, at + len(_START) - 1)
        except ValueError:
            held, past = None, at
        if _is_whole(held):
            return held, description[:at], description[past:]
        end = at


def _without_broken(description: str) -> str:
    lines = description.split("\n")
    if not any(_START in line for line in lines):
        return description
    return "\n".join(line for line in lines if _START not in line)


def _is_whole(held: Any) -> bool:
    if not isinstance(held, dict) or not held:
        return False
    for one in held.values():
        wanted = (PROJECT, ADDRESS, SERIAL)
        if not isinstance(one, dict) or not all(isinstance(one.get(k), str) for k in wanted):
            return False
        body = one.get(BODY)
        spec = body.get("spec") if isinstance(body, dict) else None
        if not isinstance(spec, dict) or not isinstance(spec.get("status"), str):
            return False
    return True
