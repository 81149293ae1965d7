"""What plain scalars and tags mean in the core schema of YAML 1.2, and how to show them safely.

In short: `null`, `true` and `false` in three spellings each, decimal, octal (`0o14`) and
hexadecimal (`0x1F`) integers, floating point numbers with `.inf` and `.nan`. Everything else is a
string: `on`, `no`, `1_000`, `1:30`, `2024-01-31`. `012` is twelve.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hrctl.model.values import Json

MISSING: Final = object()
MERGE: Final = "<<"

# Plain scalars that are not what they look like. The empty one is `key:` with nothing behind it.
WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMBER_START: Final = frozenset("+-.0123456789")

_NUMBER: Final = re.compile(
    r"(?P<int>[-+]?[0-9]+)|(?P<oct>0o[0-7]+)|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_SPECIAL: Final = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_BASES: Final = {"int": 10, "oct": 8, "hex": 16}
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_MAX_DIGITS: Final = 400  # leading zeros included; longer ones cost quadratic time to convert

_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_SCALAR_TAGS: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}

# What readers of YAML 1.1, which are many, take for a boolean, a number or a date.
_LEGACY: Final = re.compile(
    r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)"
    r"|[-+]?(?:[0-9][0-9_]*)?\.[0-9_.]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9:.]+(?:[ \t]*(?:Z|[-+][0-9:]+))?)?"
    r"|<<|="
)


class OutOfRangeError(ValueError):
    """A number that 64 bits cannot hold."""


def resolve(text: str) -> Json:
    """The value of a plain scalar.

    Raises:
        OutOfRangeError: for an integer outside of -2**63 to 2**64-1, or a float beyond a double.
    """
    value = WORDS.get(text, MISSING)
    if value is not MISSING:
        return value
    return number(text) if text[0] in NUMBER_START else text


def number(text: str) -> Json:
    """The value of a plain scalar that begins as numbers do: a number, or the text itself."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _SPECIAL.get(text, text)
    base = _BASES.get(match.lastgroup or "")
    if base is None:
        real = float(text)
        if real - real != 0:  # infinite
            raise OutOfRangeError(text)
        return real
    if len(text) > _MAX_DIGITS:
        raise OutOfRangeError(text)
    value = int(text if base == 10 else text[2:], base)  # noqa: PLR2004 (a base, as it reads)
    if not _SMALLEST <= value <= _LARGEST:
        raise OutOfRangeError(text)
    return value


def is_string(text: str) -> bool:
    """Whether a plain scalar is a string, and no merge key."""
    if text in WORDS or text == MERGE:
        return False
    if text[0] not in NUMBER_START:
        return True
    try:
        return isinstance(number(text), str)
    except OutOfRangeError:
        return False


def needs_quotes(text: str) -> bool:
    """Whether a string must be quoted so that readers of YAML 1.2 and of 1.1 take it for one."""
    return not is_string(text) or _LEGACY.fullmatch(text) is not None


def apply_tag(tag: str, text: str) -> Json:
    """The value of a scalar with an explicit tag; `MISSING` for a tag outside of the core schema.

    Raises:
        ValueError: where the text does not fit the tag.
    """
    name = tag.removeprefix(_TAG_PREFIX)
    if name == tag:
        return MISSING
    if name == "str":
        return text
    wanted = _SCALAR_TAGS.get(name)
    if wanted is None:
        return MISSING
    value: Any = resolve(text)
    fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
    if not fits:
        raise ValueError(text)
    return float(value) if name == "float" else value


def short_tag(tag: str) -> str:
    """A tag as a person writes it: ``!!set`` for ``tag:yaml.org,2002:set``."""
    if tag.startswith(_TAG_PREFIX):
        return "!!" + tag[len(_TAG_PREFIX) :]
    return tag if tag.startswith("!") else f"!<{tag}>"


def printable(text: str, limit: int = 60) -> str:
    """`text` on one line and harmless to a terminal: what cannot be printed is escaped.

    Control characters (so terminal escapes), marks that turn the direction of text, and lone
    surrogates are all among what cannot be printed. Longer than `limit` characters, it is cut.
    """
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode("ascii")
        for one in cut
    )
