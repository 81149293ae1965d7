"""Whom secrets are to be encrypted to: the rules of hrctl.yaml, and the names of keys.

Only text is looked at here; `hrctl.secrets` makes keys of it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

_SHORT: Final = 16  # characters of an age key that a person is shown


def keys_for(rules: Sequence[Mapping[str, Any]], registry: str) -> list[str]:
    """The public keys that secrets of a registry are encrypted to, in the order of the rules.

    Each rule that matches adds its keys to those before (`mode: add`) or takes their place
    (`replace`).

    Args:
        rules: `spec.secrets.recipients` of hrctl.yaml: maps of path, keys and mode.
        registry: the path of the registry that the declaring document is in.
    """
    found: dict[str, str] = {}
    for rule in rules:
        if not matches(rule["path"], registry):
            continue
        if rule.get("mode") != "add":
            found.clear()
        found.update((fingerprint(key), key) for key in rule["keys"])
    return list(found.values())


@lru_cache(maxsize=4096)
def matches(glob: str, registry: str) -> bool:
    """Whether a registry path matches: ``*`` is one segment or a part of it, ``**`` any number.

    So ``acme/**`` is the registry acme with all below it. A glob is of whoever wrote the branch:
    it is walked through side by side with the path, and nothing is tried twice.
    """
    parts = glob.strip("/").split("/")
    names = registry.split("/")
    # how many of the names may be matched by the parts so far
    reached = {0}
    for number, part in enumerate(parts):
        if part == "**":
            # none, too, but not of the whole path
            alone = number == 0 and not (glob.startswith("**/") and len(parts) > 1)
            reached = set(range(min(reached, default=len(names) + 1) + alone, len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and _fits(part, names[at])}
    return len(names) in reached


def _fits(part: str, name: str) -> bool:
    """Whether a segment of a glob, with ``*`` and ``?``, fits a segment of a path.

    Only the last ``*`` is ever tried further on: what is before it fits as well as it can.
    """
    at, place = 0, 0
    star, resume = -1, 0
    while place < len(name):
        if at < len(part) and part[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(part) and part[at] in ("?", name[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return not part[at:].strip("*")


@lru_cache(maxsize=4096)
def fingerprint(key: str) -> str:
    """``SHA256:`` and the digest of a public key in base64, as `ssh-keygen -l` writes it.

    Of an SSH key it is the digest of the key itself, without its comment; of an age key, which is
    text, that of the text in lower case.
    """
    data = key.strip().lower().encode()
    if key.startswith("ssh-"):
        try:
            data = b64decode(key.split()[1], validate=True)
        except (IndexError, ValueError):
            data = key.encode()
    return "SHA256:" + b64encode(sha256(data).digest()).decode().rstrip("=")


def short(key: str) -> str:
    """A public key for people: the comment of an SSH key, or how an age key begins."""
    words = key.split()
    if not key.startswith("ssh-"):
        return f"{key[:_SHORT]}..." if len(key) > _SHORT else key
    return " ".join(words[2:]) or f"{words[0]} {fingerprint(key)[:19]}..."


def name_of(mark: str, keys: Iterable[str]) -> str:
    """What a person calls the key with this fingerprint, where it is one of these."""
    return next((short(key) for key in keys if fingerprint(key) == mark), mark)


def all_keys(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every public key that a rule names."""
    return list(dict.fromkeys(key for rule in rules for key in rule["keys"]))
