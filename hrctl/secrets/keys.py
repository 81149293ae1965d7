"""Keys as text to keys of pyrage, and why one cannot be used."""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.recipients import short
from hrctl.secrets.agelib import AgeLibraryError, age_library

_AGE: Final = "age1"
_RSA: Final = "ssh-rsa"
_RSA_BITS: Final = (2048, 16_384)
_KINDS: Final = "X25519 (age1...), ssh-ed25519, ssh-rsa, and plugins (age1NAME1...) can be used"


@lru_cache(maxsize=1024)
def recipient(key: str) -> Any:
    """The recipient of pyrage for a public key.

    Raises:
        HrctlError: HR171, with the reason.
    """
    text = key.strip()
    try:
        if text.startswith(f"{_RSA} "):
            _check_rsa(text.split()[1])
        with age_library(quote=is_plugin(text)):
            return _recipient(text)
    except AgeLibraryError as error:
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


def _recipient(text: str) -> Any:
    import pyrage

    if text.startswith("ssh-"):
        return pyrage.ssh.Recipient.from_str(text)
    if text.startswith("age1tag1"):
        return pyrage.tag.Recipient.from_str(text)
    if text.startswith("age1tagpq1"):
        return pyrage.tagpq.Recipient.from_str(text)
    if is_plugin(text):
        return _plugin(text)
    return pyrage.x25519.Recipient.from_str(text)


def _plugin(text: str) -> Any:
    import pyrage

    from hrctl.secrets.plugins import callbacks

    made = pyrage.plugin.Recipient.from_str(text)
    return pyrage.plugin.RecipientPluginV1(made.plugin(), [made], [], callbacks())


def _check_rsa(data: str) -> None:
    """Check the numbers of an RSA key, over some of which the age library panics.

    Raises:
        AgeLibraryError: where the key is not one of the usual sizes, or damaged (RFC 4253).
    """
    try:
        kind, exponent, modulus, rest = _strings(b64decode(data, validate=True))
    except ValueError:
        raise AgeLibraryError("it is no valid SSH key") from None
    numbers = int.from_bytes(exponent), int.from_bytes(modulus)
    is_odd = all(number % 2 for number in numbers) and numbers[0] > 1
    if kind != _RSA.encode() or rest or not is_odd:
        raise AgeLibraryError("it is no valid SSH key")
    least, most = _RSA_BITS
    if not least <= numbers[1].bit_length() <= most:
        raise AgeLibraryError(f"RSA keys of {least} to {most} bits can be used")


def _strings(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the first three strings of an SSH key, and what is behind them."""
    parts: list[bytes] = []
    for _ in range(3):
        size = int.from_bytes(data[:4])
        if len(data) < 4 + size:
            raise ValueError(size)
        parts.append(data[4 : 4 + size])
        data = data[4 + size :]
    return parts[0], parts[1], parts[2], data


def _reason(text: str, error: AgeLibraryError) -> str:
    if not text.startswith(("ssh-", _AGE)):
        return "it is no public key"
    for word in ("ecdsa", "dss", "sk-ssh"):
        if word in text.partition(" ")[0]:
            return f"keys of type {text.partition(' ')[0]} are not for encryption"
    return str(error)
