"""JSON values as YAML for people to read; `hrctl.source.layout` writes what is to be kept."""

from __future__ import annotations

from collections.abc import Iterator

from hrctl.cli.render.values import Secrets, printable, quoted, show
from hrctl.model.values import Json, is_reference

_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}


def document(value: Json) -> str:
    """A value in YAML's block style."""
    return "\n".join(_lines(value, ""))


def _lines(value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value and not is_reference(value):
        for key, item in value.items():
            yield from _item(f"{indent}{_scalar(key)}:", item, f"{indent}  ")
    elif isinstance(value, list) and value:
        for item in value:
            inside = list(_lines(item, ""))
            yield f"{indent}- {inside[0]}"
            yield from (f"{indent}  {line}" for line in inside[1:])
    else:
        yield f"{indent}{_scalar(value)}"


def _item(start: str, value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value and not is_reference(value):
        yield start
        yield from _lines(value, indent)
    else:
        yield f"{start} {_scalar(value)}"


def _scalar(value: Json) -> str:
    """A plain scalar where YAML reads it back as the same, else quoted or flow."""
    if is_reference(value):
        (source,) = value["valueFrom"].items() if len(value["valueFrom"]) == 1 else (None,)
        if source and source[0] == "age":
            return "{valueFrom: {age: ...}}"  # ciphertext is no use to a reader
        return _reference(value)
    if isinstance(value, str):
        return value if _is_plain(value) else quoted(value)
    return show(value, Secrets())


def _reference(value: Json) -> str:
    inside = ", ".join(f"{key}: {_scalar(item)}" for key, item in value["valueFrom"].items())
    return f"{{valueFrom: {{{inside}}}}}"


def _is_plain(text: str) -> bool:
    first = text[:1]
    return (
        bool(text)
        and printable(text) == text
        and (first.isalpha() or first in "/_")
        and ": " not in text
        and " #" not in text
        and not text.endswith((":", " "))
        and text.lower() not in _WORDS
    )
