"""Every call of the age library: what it refuses, and where it fails, in words of hrctl."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hrctl.model.revealed import redact
from hrctl.secrets.agefile import AgeFile

_PANIC: Final = "PanicException"  # of pyo3: a subclass of BaseException without a name to import
_UNKNOWN: Final = "the age library refuses it"
# The text of the library, and what is said instead.
_REASONS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (r"header mac", "its header was altered"),
        (r"header is invalid|unknown age format", "its header is not as age writes it"),
        (r"excessive work", "its passphrase takes more work than this machine can do"),
        (r"truncated|fill whole buffer", "it is cut short"),
        (r"decryption (error|failed)|chunk", "what it holds was cut short or altered"),
        (r"could not find '([^']+)' on the path", r"the plugin \1 is not in PATH"),
        (r"must be decrypted", "an SSH key with a passphrase is more than the library can open"),
        (r"unsupported key|unsupported\(", "only ed25519 and RSA keys of SSH can be used"),
        (r"invalid ssh", "it is no valid SSH key"),
        (r"bech32|incorrect hrp|unknown prefix", "it is not spelled as age spells a key (Bech32)"),
    )
)


class AgeLibraryError(Exception):
    """The age library cannot do it; the text says why, as one clause.

    Attributes:
        is_foreign: whether the reason is only that none of the keys fits.
    """

    def __init__(self, reason: str, *, is_foreign: bool = False) -> None:
        super().__init__(reason)
        self.is_foreign = is_foreign


@contextmanager
def age_library(*, quote: bool = False) -> Iterator[None]:
    """Turn what the library raises into an `AgeLibraryError`, a panic included.

    Args:
        quote: whether a text that is not known is passed on. Only right for plugins: of a key
            file, the library may quote the key.
    """
    import pyrage

    try:
        yield
    except (
        pyrage.DecryptError,
        pyrage.EncryptError,
        pyrage.IdentityError,
        pyrage.RecipientError,
    ) as error:
        text = str(error)
        raise AgeLibraryError(
            reason(text, quote=quote), is_foreign="matching keys" in text
        ) from None
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise AgeLibraryError("the age library fails on it") from None


def reason(text: str, *, quote: bool = False) -> str:
    """Return what a text of the library means, as one clause."""
    for pattern, meaning in _REASONS:
        if match := pattern.search(text):
            return match.expand(meaning)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not quote or not lines:
        return _UNKNOWN
    return f"{_UNKNOWN} ({redact(lines[0].rstrip('.'))})"


def decrypt(file: AgeFile, identities: Sequence[Any]) -> bytes:
    """Decrypt with the first identity that fits.

    Raises:
        AgeLibraryError: where none does, or where the file was altered.
    """
    import pyrage

    with age_library():
        data: bytes = pyrage.decrypt(file.data, identities)
    return data


def decrypt_with(file: AgeFile, passphrase: str) -> bytes:
    """Decrypt what was encrypted with a passphrase.

    Raises:
        AgeLibraryError: where it is another, or where the file was altered.
    """
    import pyrage

    with age_library():
        data: bytes = pyrage.passphrase.decrypt(file.data, passphrase)
    return data
