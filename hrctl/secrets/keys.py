"""Keys as text to keys of pyrage, and why one cannot be used."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.recipients import short
from hrctl.secrets.seal import first_line

_AGE: Final = "age1"
_KINDS: Final = "X25519 (age1...), ssh-ed25519, ssh-rsa, and plugins (age1NAME1...) can be used"


@lru_cache(maxsize=1024)
def recipient(key: str) -> Any:
    """The recipient of pyrage for a public key.

    Raises:
        HrctlError: HR171, with the reason.
    """
    import pyrage

    text = key.strip()
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        if text.startswith("age1tag1"):
            return pyrage.tag.Recipient.from_str(text)
        if text.startswith("age1tagpq1"):
            return pyrage.tagpq.Recipient.from_str(text)
        if is_plugin(text):
            return _plugin(text)
        return pyrage.x25519.Recipient.from_str(text)
    except (pyrage.RecipientError, pyrage.EncryptError) as error:
        raise HrctlError(
            Diagnostic(
                "HR171",
                f"the recipient {short(text)} cannot be used: {_reason(text, error)}",
                hint="mend it in hrctl.yaml, spec.secrets.recipients",
                note=_KINDS,
            )
        ) from None


def is_plugin(key: str) -> bool:
    """Whether a public key is that of an age plugin: ``age1yubikey1...``."""
    return key.startswith(_AGE) and key.rfind("1") >= len(_AGE)


def _plugin(text: str) -> Any:
    import pyrage

    from hrctl.secrets.plugins import callbacks

    made = pyrage.plugin.Recipient.from_str(text)
    return pyrage.plugin.RecipientPluginV1(made.plugin(), [made], [], callbacks())


def _reason(text: str, error: Exception) -> str:
    reason = first_line(error)
    if not text.startswith(("ssh-", _AGE)):
        return "it is no public key"
    for word in ("ecdsa", "dss", "sk-ssh"):
        if word in text.partition(" ")[0]:
            return f"keys of type {text.partition(' ')[0]} are not for encryption"
    return reason
