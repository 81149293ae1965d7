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
from typing import Final

_TYPES: Final = "Boolean|String|Number|Integer|Int|Long|Float|Double|Object"
_SNAKE: Final = "boolean|bool|string|number|integer|int|float|object|struct"
_LITERAL: Final = r"""@?[rRuUbB]?(?P<quote>["'`])(?P<key>[^"'`\\\n{}$]+)(?P=quote)"""
_NAMED: Final = r"(?:(?:flag_key|flagKey|feature_name|key|name)\s*[:=]\s*)?"
_OPEN: Final = r"\s*(?:<[^<>()\n]{1,80}>)?\(\s*"

_KEY_FIRST: Final = (
    rf"get_(?:{_SNAKE})_(?:value|details)(?:_async)?",
    rf"fetch_(?:{_SNAKE})_(?:value|details)",
    rf"[gG]et(?:{_TYPES})(?:Value|Details)(?:Async)?",
    rf"use(?:{_TYPES})Flag(?:Value|Details)",
    r"useFlag",
    r"useSuspenseFlag",
)
_CONTEXT_FIRST: Final = rf"(?:{_TYPES})Value(?:Details)?"
_UNLEASH: Final = (
    r"[iI]sEnabled",
    r"is_enabled",
    r"[gG]etVariant",
    r"get_variant",
    r"useFlag",
    r"useVariant",
)
_RUBY: Final = r"(?:is_enabled\?|if_enabled)"
_START: Final = r"(?<![\w$])"

OPENFEATURE: Final = re.compile(
    rf"{_START}(?:{'|'.join(_KEY_FIRST)}){_OPEN}{_NAMED}{_LITERAL}\s*,".encode()
)
GO: Final = re.compile(
    rf"{_START}{_CONTEXT_FIRST}\(\s*[\w.]+(?:\(\s*\))?\s*,\s*{_LITERAL}\s*,".encode()
)
ELEMENT: Final = re.compile(
    rf"(?:<FeatureFlag\b[^<>]*?\bflagKey\s*=\s*\{{?|@\w*FeatureFlag\(\s*\{{[^{{}}]*?\bflagKey\s*:)"
    rf"\s*{_LITERAL}".encode()
)
UNLEASH: Final = re.compile(
    rf"{_START}(?:{'|'.join(_UNLEASH)}){_OPEN}{_NAMED}{_LITERAL}\s*[,)]"
    rf"|{_START}{_RUBY}[ (]\s*[\"'](?P<ruby>[^\"'\\\n{{}}$#]+)[\"']".encode()
)
_SAYS_UNLEASH: Final = re.compile(rb"unleash", re.IGNORECASE)
# Words of which one stands in every file with a call: most files need no second look.
_WORDS: Final = (
    *(
        f"{verb}{kind}{what}{end}"
        for verb in ("get", "Get")
        for kind in _TYPES.split("|")
        for what in ("Value", "Details")
        for end in ("", "Async")
    ),
    *(
        f"{verb}_{kind}_{what}{end}"
        for verb, ends in (("get", ("", "_async")), ("fetch", ("",)))
        for kind in _SNAKE.split("|")
        for what in ("value", "details")
        for end in ends
    ),
    *(f"use{kind}Flag{what}" for kind in _TYPES.split("|") for what in ("Value", "Details")),
    *(f"{kind}Value{end}" for kind in _TYPES.split("|") for end in ("", "Details")),
    *("useFlag", "useSuspenseFlag", "flagKey", "useVariant"),
    *("isEnabled", "IsEnabled", "is_enabled", "getVariant", "GetVariant", "get_variant"),
    "if_enabled",
)
_COMMENTS: Final = (b"#", b"//", b"*", b"/*", b"--", b"<!--", b";;")


class Calls:
    """Finds the keys that calls ask for; `own` are names of functions of the user's."""

    def __init__(self, own: Sequence[str] = ()) -> None:
        self.words: frozenset[bytes] = frozenset(
            word.encode() for word in (*_WORDS, *(one.rpartition(".")[2] for one in own))
        )
        named = "|".join(re.escape(one) for one in own)
        self._own = (
            re.compile(rf"{_START}(?:{named}){_OPEN}{_NAMED}{_LITERAL}\s*[,)]".encode())
            if own
            else None
        )

    def keys(self, text: bytes) -> Iterator[tuple[bytes, int]]:
        """Each key that a call in a text asks for, and where it begins; comments do not count."""
        patterns = [OPENFEATURE, GO, ELEMENT]
        if self._own is not None:
            patterns.append(self._own)
        if _SAYS_UNLEASH.search(text) is not None:
            patterns.append(UNLEASH)
        told: set[int] = set()
        for pattern in patterns:
            for found in pattern.finditer(text):
                group = "ruby" if found.groupdict().get("ruby") is not None else "key"
                at = found.start(group)
                if at not in told and not _is_comment(text, found.start()):
                    told.add(at)
                    yield found[group], at


def _is_comment(text: bytes, at: int) -> bool:
    """Whether the line begins as a comment does."""
    start = text.rfind(b"\n", 0, at) + 1
    return text[start:at].lstrip().startswith(_COMMENTS)
