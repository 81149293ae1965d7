"""The stanzas of an age file against the recipients that stand beside it in the clear."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable
from typing import Final

from hrctl.model.recipients import fingerprint
from hrctl.secrets.agefile import Stanza
from hrctl.secrets.keys import is_plugin

_GREASE: Final = "-grease"  # random stanzas that the age library adds, so that readers pass over
_SSH: Final = frozenset({"ssh-ed25519", "ssh-rsa"})
_NATIVE: Final = _SSH | {"X25519"}
_TAG: Final = 4  # bytes of the digest of an SSH key that stand in its stanza
_PREFIX: Final = "SHA256:"


def difference(stanzas: Iterable[Stanza], marks: Iterable[str], known: Iterable[str]) -> str | None:
    """Return in what the recipients of an age file differ from a list of fingerprints, or None.

    An X25519 stanza does not name its recipient, so those are counted; an SSH stanza bears the
    beginning of its key's digest. How many stanzas a plugin makes is its own affair.

    Args:
        stanzas: of the header.
        marks: the fingerprints, `model.recipients.fingerprint`.
        known: public keys, by which the fingerprints of plugins are known.
    """
    listed = set(marks)
    plugins = listed & {fingerprint(key) for key in known if is_plugin(key)}
    real = [stanza for stanza in stanzas if not stanza.type.endswith(_GREASE)]
    native = [stanza for stanza in real if stanza.type in _NATIVE]
    others = len(real) - len(native)
    if not plugins and others:
        return f"{_many(others)} of a plugin that the list does not name"
    if others < len(plugins):
        return f"{_many(others)} of plugins, and the list names {len(plugins)}"
    if len(native) != len(listed - plugins):
        return f"{_many(len(native))}, and the list names {len(listed - plugins)}"
    strangers = [s for s in native if s.type in _SSH and not _is_listed(s, listed)]
    if strangers:
        return f"an SSH key that the list does not name (tag {strangers[0].arguments[0]})"
    return None


def _many(number: int) -> str:
    return f"{number} recipient{'' if number == 1 else 's'}"


def _is_listed(stanza: Stanza, marks: Collection[str]) -> bool:
    tag = stanza.arguments[0] if stanza.arguments else ""
    return any(_tag(mark) == tag for mark in marks)


def _tag(mark: str) -> str:
    """Return the beginning of a fingerprint as a stanza of SSH bears it."""
    text = mark.removeprefix(_PREFIX)
    try:
        digest = b64decode(text + "=" * (-len(text) % 4), validate=True)[:_TAG]
    except ValueError:
        return ""
    return b64encode(digest).decode("ascii").rstrip("=")
