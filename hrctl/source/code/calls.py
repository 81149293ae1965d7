r"""What a call that asks for a flag looks like, in each language: as the SDKs document them.

    client.get_boolean_value("key", False)            OpenFeature: Python, and Rust (get_bool_value)
    client.getBooleanValue('key', false)              JavaScript, Java, Kotlin, PHP
    client.BooleanValue(ctx, "key", false, attrs)     Go
    await client.GetBooleanValueAsync("key", false)   C#
    client.fetch_boolean_value(flag_key: "key", ...)  Ruby
    useFlag('key', false)                             React, and useBooleanFlagValue, <FeatureFlag>
    unleash.isEnabled("key"), is_enabled, getVariant  Unleash, all languages

Only a literal is a key; what is put together while the program runs is not guessed. OpenFeature's
calls always have a second argument. Unleash's names are too common: they count only in a file in
which the word ``unleash`` stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_TYPES: Final = (
    "Boolean",
    "String",
    "Number",
    "Integer",
    "Int",
    "Long",
    "Float",
    "Double",
    "Object",
)
_SNAKE: Final = (
    "boolean",
    "bool",
    "string",
    "number",
    "integer",
    "int",
    "float",
    "object",
    "struct",
)
_LITERAL: Final = r"""@?[rRuUbB]?(?P<quote>["'`])(?P<key>[^"'`\\\n{}$]+)(?P=quote)"""
_NAMED: Final = r"(?:(?:flag_key|flagKey|feature_name|key|name)\s*[:=]\s*)?"
_OPEN: Final = r"\s*(?:<[^<>()\n]{1,80}>)?\(\s*"
_COMMENTS: Final = (b"#", b"//", b"*", b"/*", b"--", b"<!--", b";;")


class Shape(NamedTuple):
    """What stands before the name of a function, and what follows it."""

    after: re.Pattern[bytes]
    before: bytes = b""
    unleash: bool = False  # only in a file that says so


KEY_FIRST: Final = Shape(re.compile(rf"{_OPEN}{_NAMED}{_LITERAL}\s*,".encode()))
CONTEXT_FIRST: Final = Shape(re.compile(rf"\(\s*[\w.]+(?:\(\s*\))?\s*,\s*{_LITERAL}\s*,".encode()))
ELEMENT: Final = Shape(
    re.compile(rf"\s[^<>]*?\bflagKey\s*=\s*\{{?\s*{_LITERAL}".encode()), before=b"<"
)
DECORATOR: Final = Shape(
    re.compile(rf"\(\s*\{{[^{{}}]*?\bflagKey\s*:\s*{_LITERAL}".encode()), before=b"@"
)
UNLEASH: Final = Shape(re.compile(rf"{_OPEN}{_NAMED}{_LITERAL}\s*[,)]".encode()), unleash=True)
OWN: Final = re.compile(  # a context may come first, as is usual in Go
    rf"{_OPEN}(?:[\w.]+(?:\(\s*\))?\s*,\s*)?{_NAMED}{_LITERAL}\s*[,)]".encode()
)
RUBY: Final = Shape(
    re.compile(rb"\??[ (]\s*(?P<quote>[\"'])(?P<key>[^\"'\\\n{}$#]+)(?P=quote)"), unleash=True
)


def _known() -> Iterator[tuple[str, Shape]]:
    for kind in _TYPES:
        for what in ("Value", "Details"):
            for end in ("", "Async"):
                yield f"get{kind}{what}{end}", KEY_FIRST
                yield f"Get{kind}{what}{end}", KEY_FIRST
            yield f"use{kind}Flag{what}", KEY_FIRST
        yield f"{kind}Value", CONTEXT_FIRST
        yield f"{kind}ValueDetails", CONTEXT_FIRST
        yield f"{kind}FeatureFlag", DECORATOR
    for kind in _SNAKE:
        for what in ("value", "details"):
            yield f"get_{kind}_{what}", KEY_FIRST
            yield f"get_{kind}_{what}_async", KEY_FIRST
            yield f"fetch_{kind}_{what}", KEY_FIRST
    yield "useFlag", KEY_FIRST
    yield "useSuspenseFlag", KEY_FIRST
    yield "FeatureFlag", ELEMENT
    for name in ("isEnabled", "IsEnabled", "is_enabled", "useFlag", "useVariant"):
        yield name, UNLEASH
    for name in ("getVariant", "GetVariant", "get_variant"):
        yield name, UNLEASH
    for name in ("is_enabled", "if_enabled", "get_variant"):
        yield name, RUBY


class Calls:
    """Finds the keys that calls ask for; `own` are names of functions of the user's."""

    def __init__(self, own: Sequence[str] = ()) -> None:
        self._shapes: dict[bytes, list[Shape]] = {}
        for name, shape in _known():
            self._shapes.setdefault(name.encode(), []).append(shape)
        for one in own:
            before, dot, name = one.rpartition(".")
            shape = Shape(OWN, before=(before + dot).encode())
            self._shapes.setdefault(name.encode(), []).append(shape)
        self.words = frozenset(self._shapes)

    def key(self, text: bytes, at: int, word: bytes, *, unleash: bool) -> tuple[bytes, int] | None:
        """The key that a call of the function `word`, which stands at `at`, asks for, and where.

        None where it is no such call, or stands in a comment.
        """
        for shape in self._shapes[word]:
            if (unleash or not shape.unleash) and text.endswith(shape.before, 0, at):
                found = shape.after.match(text, at + len(word))
                if found is not None and not _is_comment(text, at):
                    return found["key"], found.start("key")
        return None


def says_unleash(text: bytes) -> bool:
    """Whether the word stands anywhere in a file."""
    return b"unleash" in text.lower()


def _is_comment(text: bytes, at: int) -> bool:
    """Whether the line begins as a comment does."""
    start = text.rfind(b"\n", 0, at) + 1
    return text[start:at].lstrip().startswith(_COMMENTS)
