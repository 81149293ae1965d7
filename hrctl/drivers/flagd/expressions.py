"""A flag's rules and shares as JSONLogic, so that every evaluator of flagd gives the same answer.

Two evaluators are held to it: `openfeature-provider-flagd` (Python, panzi-json-logic) and
`@openfeature/flagd-core` (Node, json-logic-engine). Where they differ, the form is written on which
they agree:

- Python's ``in`` and ``===`` take true for 1; the digits of the value tell them apart.
- Node stops with an error where ``<`` meets what is no number, or ``in`` looks into one. So what is
  compared is first asked for its type, through the text that ``cat`` makes of it.
- Python hashes the key of `fractional` in CBOR, as flagd's specification has it now; Node hashes
  the bare text. See `_bucket_key`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hrctl.logic.flags.conditions import DATES, KEY, attribute_path, conditions
from hrctl.model.kinds import compared
from hrctl.model.values import Json

Logic = Any

# What `cat` makes of values that are neither text nor a number. In Python and in Node.
_NO_NUMBERS: Final = [
    "",
    "null",
    "None",
    "true",
    "false",
    "True",
    "False",
    "[object Object]",
    "NaN",
]
_SIGNS: Final = {"gt": ">", "le": "<=", "lt": "<", "ge": ">="}
_VERSION_SIGNS: Final = {"Eq": "=", "Ne": "!=", "Gt": ">", "Le": "<=", "Lt": "<", "Ge": ">="}

# True where the evaluator hashes bare text: the hash of "d" is in the lower half only then, and
# in CBOR in the upper one.
_HASHES_TEXT: Final[Logic] = {"fractional": [{"cat": ["d"]}, ["text", 1], ["", 1]]}
_BRIEF: Final = 24  # CBOR's head of a text is one byte for lengths below this, else x and another
_HEADS: Final = "".join(chr(length + 0x60 * (length < _BRIEF)) for length in range(256))
LONGEST: Final = 64  # characters of what is hashed behind the salt


def fractional(
    prefix: str, stickiness: str, weights: Sequence[tuple[str, int]], *, bare_text: bool = True
) -> Logic:
    """What the hash decides; null where the attribute is missing, which gives the default.

    With `bare_text` evaluators that hash the bare text agree with those that hash CBOR.
    """
    name = attribute_path(stickiness)
    # the targeting key is text in every SDK; anything else may be 0
    there = _var(name) if name == KEY else {"!": [{"in": [_var(name), [None, ""]]}]}
    arms = [[variant, weight] for variant, weight in weights]
    key = _bucket_key(prefix, name) if bare_text else {"cat": [prefix, _var(name)]}
    return {"if": [there, {"fractional": [key, *arms]}, None]}


def _bucket_key(prefix: str, name: str) -> Logic:
    """The key of `fractional`, with which bare text and CBOR are the same bytes.

    CBOR puts a head before a text: one byte for lengths below 24, else two. An evaluator that
    hashes the bare text is given the head as text. Which one it is, it tells itself, by the
    bucket of a constant; so one that goes over to CBOR one day moves nobody. Holds for ASCII and
    for at most `LONGEST` characters behind the prefix.
    """
    if name == KEY:
        head = _head(len(prefix), _var(f"{name}.length"))
    else:  # it may be a number; `reduce` over one item gives its text a name
        text, length = {"merge": [_text_of(name)]}, _var("current.length")
        head = {"reduce": [text, _head(len(prefix), length), ""]}
    return {"cat": [{"if": [_HASHES_TEXT, head, ""]}, prefix, _var(name)]}


def _head(before: int, length: Logic) -> Logic:
    """The head of a text of `before` and `length` characters, looked up in a list of them."""
    second = {"substr": [_HEADS[before : before + LONGEST + 1], length, 1]}
    if before >= _BRIEF:
        return {"cat": ["x", second]}
    return {"cat": [{"if": [{"<": [length, _BRIEF - before]}, "", "x"]}, second]}


def rule(target: Mapping[str, Json]) -> Logic:
    """Whether all conditions of a rule hold."""
    return every([condition(one) for one in conditions(target)])


def every(parts: Sequence[Logic]) -> Logic:
    """All of these, and each asked only where those before it hold."""
    flat: list[Logic] = []
    for part in parts:
        flat += part["and"] if isinstance(part, dict) and "and" in part else [part]
    return flat[0] if len(flat) == 1 else {"and": flat}


def condition(asked: Mapping[str, Json]) -> Logic:
    """Whether one condition holds."""
    word: str = asked.get("operator") or "eq"
    name, values = attribute_path(asked["attribute"]), list(asked["values"])
    if word in _SIGNS:
        return every([*_is_number(name), {_SIGNS[word]: [_var(name), values[0]]}])
    if word.startswith("semver"):
        sign = _VERSION_SIGNS[word.removeprefix("semver")]
        there = {"!==": [_var(name), None]}
        return every([there, {"sem_ver": [_var(name), sign, _plain_version(values[0])]}])
    if word in DATES:
        return _dated(name, _SIGNS[DATES[word]], values[0])
    made = {
        "eq": _equal,
        "in": _equal,
        "ne": _equal,
        "notIn": _equal,
        "contains": _contains,
        "notContains": _contains,
        "startsWith": _starts,
        "notStartsWith": _starts,
        "endsWith": _ends,
        "notEndsWith": _ends,
    }[word](name, values)
    negated = word == "ne" or word.startswith("not")
    return {"!": [made]} if negated else made


def _var(name: str) -> Logic:
    return {"var": name}


def _either(parts: Sequence[Logic]) -> Logic:
    return parts[0] if len(parts) == 1 else {"or": list(parts)}


def _text_of(name: str) -> Logic:
    return {"cat": [_var(name)]}


def _is_number(name: str) -> list[Logic]:
    """What holds for numbers alone: not text, not empty, not true, no list and no map."""
    return [
        {"!==": [_text_of(name), _var(name)]},
        {"!": [{"in": [_text_of(name), _NO_NUMBERS]}]},
        {"!": [_var(f"{name}.length")]},
    ]


def _equal(name: str, values: list[Json]) -> Logic:
    """One of the values, of the same type; 0, 1, true and false by their text as well."""
    plain = [one for one in values if isinstance(one, str) or one not in (0, 1)]
    parts: list[Logic] = []
    if len(plain) == 1:
        parts.append({"===": [_var(name), plain[0]]})
    elif plain:
        parts.append({"in": [_var(name), plain]})
    for one in values:
        if isinstance(one, str) or one not in (0, 1):
            continue
        digits = {"===": [_text_of(name), str(int(one))]}
        same = {"===": [_var(name), one]}
        parts.append({"and": [same, {"!": [digits]} if isinstance(one, bool) else digits]})
    return _either(parts)


def _contains(name: str, values: list[Json]) -> Logic:
    parts = [{"in": [one, _var(name)]} for one in values]
    return {"and": [_var(f"{name}.length"), _either(parts)]}


def _starts(name: str, values: list[Json]) -> Logic:
    return _either([{"starts_with": [_var(name), one]} for one in values])


def _ends(name: str, values: list[Json]) -> Logic:
    return _either([{"ends_with": [_var(name), one]} for one in values])


def _plain_version(text: str) -> str:
    """A version as flagd's schema wants it: no v, and all three numbers."""
    text = text.lstrip("vV")
    numbers = text.split("-")[0].split("+")[0]
    return numbers + ".0" * (2 - numbers.count(".")) + text[len(numbers) :]


def _dated(name: str, sign: str, value: str) -> Logic:
    """Dates in UTC compare as text, once both have seconds: 10, 20 or 24 characters."""
    held, length = _var(name), _var(f"{name}.length")
    whole = {"===": [length, 10]}
    moment = {"if": [whole, {"cat": [held, "T00:00:00"]}, {"substr": [held, 0, 19]}]}
    form = [
        {"===": [_text_of(name), held]},
        {"in": [length, [10, 20, 24]]},
        {"or": [whole, {"ends_with": [held, "Z"]}]},
        {"===": [{"substr": [held, 4, 1]}, "-"]},
        {"===": [{"substr": [held, 7, 1]}, "-"]},
        {"<": [held, ":"]},
    ]
    return {"and": [*form, {sign: [moment, compared.moment(value)]}]}
