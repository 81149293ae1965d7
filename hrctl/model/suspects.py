"""Values that look like a secret where plain text may stand: in `env` and `connection`.

Three signs: the form of a token that services issue; a name that says so, with a value that is no
word; and entropy, which text for people does not have. The entropy is Shannon's, in bits for each
character, against what the length allows; the thresholds were set on the examples of this
repository and on tokens of the known forms (`tests/model/test_suspects.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2
from typing import Any, Final, NamedTuple

from hrctl.model.values import Json, pointer

FIELDS: Final = ("env", "connection")
# Issued tokens have prefixes, so that programs like this one find them.
_ISSUED: Final = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}|glpat-[\w-]{20}"
    r"|xox[abprs]-[\w-]{10,}|sk_live_\w{16,}|AIza[\w-]{35}|npm_\w{36}|pypi-[\w-]{16,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|AGE-SECRET-KEY-1[0-9A-Z]{58}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_URL_PASSWORD: Final = re.compile(r"\w://[^/?#\s:@]*:[^/?#\s@]+@")
_NAMED: Final = re.compile(
    r"(?i)passw(or)?d|secret|token|api_?key|private_?key|credential|passphrase"
)
_NOT_ITSELF: Final = re.compile(r"(?i)(file|path|dir|url|uri|name|id|ttl|length|age|type|header)$")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})")
_DIGEST: Final = re.compile(r"\b(sha(1|256|384|512)|md5|blake2b)[:=-]\S*")
_SHARE: Final = 0.8  # of the entropy that the length allows
_HEX_BITS: Final = 3.0
_NAMED_BITS: Final = 2.5
_SHORTEST: Final = 8
_LOOKED_AT: Final = 10_000  # characters of a value: no pattern above takes long on so few


class Suspect(NamedTuple):
    """A value that looks like a secret: where, and why."""

    pointer: str
    why: str


def suspects(document: dict[str, Json]) -> Iterator[Suspect]:
    """Every value of a manifest that looks like a secret, in its order."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return
    yield from _within(spec, ["spec"])
    defaults = spec.get("defaults") if document.get("kind") == "Registry" else None
    for kind, part in defaults.items() if isinstance(defaults, dict) else ():
        if isinstance(part, dict):
            yield from _within(part, ["spec", "defaults", kind])


def _within(spec: dict[str, Json], at: list[str]) -> Iterator[Suspect]:
    for field in FIELDS:
        yield from _walk(spec.get(field), [*at, field])


def _walk(value: Any, at: list[str]) -> Iterator[Suspect]:
    if isinstance(value, dict):
        if "valueFrom" in value:
            return
        for key, one in value.items():
            yield from _walk(one, [*at, str(key)])
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(one, [*at, str(number)])
    elif isinstance(value, str) and (why := reason(at[-1], value)) is not None:
        yield Suspect(pointer(at), why)


def reason(name: str, value: str) -> str | None:
    """Why a value looks like a secret, without saying anything of it; None where it does not."""
    value = value[:_LOOKED_AT]
    if _ISSUED.search(value):
        return "has the form of an issued token or key"
    if _URL_PASSWORD.search(value):
        return "holds a URL with a password"
    if (
        _NAMED.search(name)
        and not _NOT_ITSELF.search(name)
        and len(value) >= _SHORTEST
        and not value.startswith(("/", "$", "./"))
        and entropy(value) >= _NAMED_BITS
    ):
        return "is called a secret and stands here in the clear"
    for token in _TOKEN.findall(_DIGEST.sub("", value)):
        if _is_random(token.rstrip("=")):
            return "has the entropy of a key"
    return None


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
