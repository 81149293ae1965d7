"""Dotenv files: ``NAME=value`` lines, as most tools read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hrctl.diagnostics import HrctlError

_LINE: Final = re.compile(
    r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*(.*)", re.DOTALL
)
_BREAK: Final = re.compile(r"\r\n?|\n")  # `splitlines` knows more, which stand in values
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_]")


def dump(values: Mapping[str, str]) -> Iterator[str]:
    """Lines; what is not plain stands in double quotes, on one line.

    Raises:
        HrctlError: HR198, where two keys would get one name.
    """
    names: dict[str, str] = {}
    for key, value in values.items():
        name = _NOT_A_NAME.sub("_", key)
        if names.setdefault(name, key) != key:
            raise HrctlError.of(
                "HR198",
                f"{names[name]} and {key} are both {name} in a dotenv file",
                hint="export as json or yaml",
            )
        yield f"{name}={value if _PLAIN.fullmatch(value) else _quoted(value)}"


def _quoted(value: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(char, escape)
    return f'"{value}"'


def load(text: str, path: str) -> dict[str, str]:
    """The values of a file.

    Raises:
        HrctlError: HR198, with the line that is none of the form.
    """
    found = {}
    lines = _BREAK.split(text)
    number = 0
    while number < len(lines):
        first = number
        line = lines[number].strip(" \t")
        number += 1
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise _wrong(path, first, "it is not NAME=value")
        value = match[2]
        while value[:1] in {'"', "'"} and not _is_closed(value) and number < len(lines):
            value += "\n" + lines[number]
            number += 1
        found[match[1]] = _value(value, path, first)
    return found


def _is_closed(value: str) -> bool:
    mark = value[0]
    if mark == "'":
        return "'" in value[1:]
    return re.fullmatch(r'"(?:[^"\\]|\\.)*"\s*(?:#.*)?', value, re.DOTALL) is not None


def _value(text: str, path: str, line: int) -> str:
    if text.startswith("'"):
        inner, closed, _ = text[1:].partition("'")
        if not closed:
            raise _wrong(path, line, "a quote is not closed")
        return inner
    if text.startswith('"'):
        match = re.match(r'"((?:[^"\\]|\\.)*)"', text, re.DOTALL)
        if match is None:
            raise _wrong(path, line, "a quote is not closed")
        return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[0]), match[1], flags=re.DOTALL)
    return re.split(r"[ \t]+#", text, maxsplit=1)[0].rstrip(" \t")


def _wrong(path: str, line: int, why: str) -> HrctlError:
    # no span, which would show the line: it may hold a secret
    return HrctlError.of("HR198", f"line {line + 1} of {path}: {why}")
