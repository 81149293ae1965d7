"""Values that look like a secret where plain text may stand: `env`, `connection`, `entries`, maps.

Four signs: the form of a token that services issue; a URL with a password; a name that says so,
with a value that is no placeholder; and entropy, which text for people does not have. The entropy
is Shannon's, in bits for each character, against what the length allows; the thresholds were set on
the examples of this repository and on tokens of the known forms (`tests/model/test_suspects.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from math import log2
from typing import Any, Final, NamedTuple

from hrctl.model.kinds.sensitive import is_sensitive
from hrctl.model.values import Json, pointer

SUSPECT: Final = "HR296"
HARMLESS: Final = "pragma: allowlist secret"  # at the end of a line, as detect-secrets has it
ENCRYPT: Final = "hrctl secrets set encrypts it; valueFrom with env or config names it"
ALLOW: Final = f"where it is none, say so at the end of the line: # {HARMLESS}"
# Where a value may stand that somebody made up; of a Component, every map of free text.
FIELDS: Final = ("env", "connection", "entries", "config")
_MAPS: Final = frozenset({"settings", "headers", "options", "configs"})
_ENTRIES: Final = "entries"
_VALUES: Final = ("value", "default")  # of an entry
_OTHERWISE: Final = frozenset({"INTEGER", "FLOAT", "BOOLEAN", "SECRET"})  # no text, or checked
# Issued tokens have prefixes, so that programs like this one find them.
_ISSUED: Final = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}|glpat-[\w-]{20}"
    r"|xox[abprs]-[\w-]{10,}|sk_live_\w{16,}|AIza[\w-]{35}|npm_\w{36}|pypi-[\w-]{16,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|AGE-SECRET-KEY-1[0-9A-Z]{58}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SHORTEST_ISSUED: Final = 15
_LEAVES: Final = frozenset({str, int})
_URL_PASSWORD: Final = re.compile(r"\w://[^/?#\s:@]*:([^/?#\s@]+)@")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SENSITIVE: Final = re.compile(
    r"password|passwd|passphrase|pwd|secrets?|token|credentials?|apikey|authtoken|requirepass"
    r"|masterauth|authorization"
)
_KEYS: Final = re.compile(r"api|private|secret|access|signing|encryption|master|auth|shared")
# Behind the word that counts: `DB_PASSWORD_OLD` is one as much as `DB_PASSWORD`.
_QUALIFIER: Final = re.compile(
    r"[0-9]+|old|new|prod|production|dev|test|staging|primary|secondary|current|previous|default"
    r"|value|plain|raw|base|b|v"
)
_PLACEHOLDER: Final = re.compile(
    r"(?i)(none|null|nil|unset|unused|empty|dummy|fake|redacted|hidden|masked|tbd|todo|secret"
    r"|password|token|true|false|yes|no|on|off|enabled|disabled|required|optional|default|test"
    r"|(change|replace|fill|set|insert)[-_ ]?(me|this|it)\b.*|your[-_ ].*"
    r"|(example|sample|placeholder|dummy|fake|test)[-_ ].*|not[-_ ]?(set|used|needed))"
)
_ELSEWHERE: Final = re.compile(  # a path, a variable, a template, a name in a store of secrets
    r"(\.{0,2}/|[$<%{*]|\w+://|(vault|ssm|arn|op|file|env|gcp|azure|k8s|secret|aws):)"
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})")
_DIGEST: Final = re.compile(r"\b(sha(1|256|384|512)|md5|blake2b)[:=-]\S*")
_SHARE: Final = 0.8  # of the entropy that the length allows
_HEX_BITS: Final = 3.0
_SHORTEST: Final = 4  # of a value with a sensitive name
_FEWEST: Final = 3  # different characters in it
_LOOKED_AT: Final = 10_000  # characters of a value: no pattern above takes long on so few


class Suspect(NamedTuple):
    """A value that looks like a secret: where, and why."""

    pointer: str
    why: str


def called(at: str) -> str:
    """Return a pointer into a manifest as a person would write the field."""
    return ".".join(part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[2:])


def suspects(document: dict[str, Json]) -> Iterator[Suspect]:
    """Every value of a manifest that looks like a secret, in its order."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return
    kind = document.get("kind")
    yield from _within(kind, spec, ["spec"])
    defaults = spec.get("defaults") if kind == "Registry" else None
    for name, part in defaults.items() if isinstance(defaults, dict) else ():
        if isinstance(part, dict):
            yield from _within(name, part, ["spec", "defaults", str(name)])


def _within(kind: Json, spec: dict[str, Json], at: list[str]) -> Iterator[Suspect]:
    for field in FIELDS:
        value = spec.get(field)
        if not value:
            continue
        if field == _ENTRIES and isinstance(value, dict):
            yield from _entries(value, [*at, field])
        else:
            for one in _walk(value, [*at, field]):
                inner = one.pointer.removeprefix(pointer(at))
                if not is_sensitive(str(kind), f"/spec{inner}", spec):  # HR030 refuses those
                    yield one
    if kind == "Component":
        for field, block in spec.items():
            if field not in FIELDS and isinstance(block, dict):
                yield from _maps(block, [*at, field])


def _entries(entries: dict[str, Json], at: list[str]) -> Iterator[Suspect]:
    """The values of a Config, each by the name of its key."""
    for key, entry in entries.items():
        if not isinstance(entry, dict) or entry.get("type") in _OTHERWISE:
            continue
        for field in _VALUES:
            value = entry.get(field)
            if isinstance(value, str):
                if (why := reason(str(key), value)) is not None:
                    yield Suspect(pointer([*at, str(key), field]), why)
            elif value is not None:
                yield from _walk(value, [*at, str(key), field])


def _maps(value: Json, at: list[str]) -> Iterator[Suspect]:
    """The maps of free text somewhere in a block of a provider."""
    if isinstance(value, dict):
        for key, item in value.items():
            look = _walk if key in _MAPS else _maps
            yield from look(item, [*at, str(key)])
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _maps(item, [*at, str(number)])


def _walk(value: Any, at: list[str]) -> Iterator[Suspect]:
    if isinstance(value, dict):
        if "valueFrom" in value:
            return
        for key, item in value.items():
            if type(item) is not str:
                yield from _walk(item, [*at, str(key)])
            elif (why := reason(str(key), item)) is not None:
                yield Suspect(pointer([*at, str(key)]), why)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, [*at, str(number)])
    elif type(value) in _LEAVES and (why := reason(at[-1], str(value))) is not None:
        yield Suspect(pointer(at), why)


def reason(name: str, value: str) -> str | None:
    """Why a value looks like a secret, without saying anything of it; None where it does not."""
    if len(value) < _SHORTEST:
        return None
    value = value[:_LOOKED_AT]
    if "://" in value and (at := _URL_PASSWORD.search(value)) and not _is_placeholder(at[1]):
        return "holds a URL with a password"
    if is_sensitive_name(name) and not _is_placeholder(value):
        return "is called a secret and stands here in the clear"
    return _of_form(value) if len(value) >= _SHORTEST_ISSUED else None


def _of_form(value: str) -> str | None:
    """Why a value looks like a secret whatever its name is."""
    if _ISSUED.search(value):
        return "has the form of an issued token or key"
    for token in _TOKEN.findall(_DIGEST.sub("", value)):
        if _is_random(token.rstrip("=")):
            return "has the entropy of a key"
    return None


@lru_cache(maxsize=4096)
def is_sensitive_name(name: str) -> bool:
    """Whether a name says that its value is a secret: DB_PASSWORD, apiKey, not TOKEN_TTL."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and _QUALIFIER.fullmatch(words[-1]):
        words.pop()
    if not words:
        return False
    if words[-1] == "key":
        return len(words) > 1 and _KEYS.fullmatch(words[-2]) is not None
    return _SENSITIVE.fullmatch(words[-1]) is not None


def _is_placeholder(value: str) -> bool:
    """Whether a value only stands for one that is elsewhere, or for none."""
    few = len(set(value)) < _FEWEST
    return few or bool(_PLACEHOLDER.fullmatch(value) or _ELSEWHERE.match(value))


def _is_random(token: str) -> bool:
    if _HEX.fullmatch(token):
        return entropy(token) >= _HEX_BITS
    mixed = all(any(is_so(mark) for mark in token) for is_so in _CLASSES)
    return mixed and entropy(token) >= _SHARE * log2(min(len(token), 64))


_CLASSES: Final = (str.islower, str.isupper, str.isdigit)


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits for each."""
    length = len(text)
    return -sum(n / length * log2(n / length) for n in Counter(text).values()) if text else 0.0
