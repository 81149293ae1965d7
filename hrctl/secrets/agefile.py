"""The age file format, read strictly: the armour, and the stanzas of the header.

The age library passes over two faults that the specification (C2SP, age.md) calls an error: a
stanza without a body, and one whose last line is full. What is read here is what the library gets,
so that both see the same bytes, and so that the recipients can be counted.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_BEGIN: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END: Final = b"-----END AGE ENCRYPTED FILE-----"
_VERSION: Final = b"age-encryption.org/v1"
_COLUMNS: Final = 64
_MAC: Final = 32  # bytes
_NONCE: Final = 16
_HIGHEST_WORK: Final = 22  # of scrypt, as in age: more takes minutes and gigabytes
_ARGUMENTS: Final = re.compile(rb"-> ([\x21-\x7e]+(?: [\x21-\x7e]+)*)")
_NUMBER: Final = re.compile(r"[1-9][0-9]?")
_SCRYPT: Final = "scrypt"
_SCRYPT_ARGUMENTS: Final = 2


class AgeFileError(ValueError):
    """A file that is not in the age format; the text says why, as one clause."""


@dataclass(frozen=True, slots=True)
class Stanza:
    """What one recipient finds the file key in: its type, and the arguments behind that."""

    type: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgeFile:
    """An age file without its armour, and the stanzas of its header."""

    data: bytes
    stanzas: tuple[Stanza, ...]

    @property
    def has_passphrase(self) -> bool:
        """Whether it is encrypted with a passphrase and not to keys."""
        return any(stanza.type == _SCRYPT for stanza in self.stanzas)


@lru_cache(maxsize=16)  # who opens a file counts its recipients next; there are only ciphertexts
def parse(data: bytes) -> AgeFile:
    """Read an age file, armoured or not.

    Raises:
        AgeFileError: where it is not in the format.
    """
    if data.lstrip(b" \t\r\n").startswith(b"-----"):
        data = _without_armour(data)
    return AgeFile(data, _header(data))


def _without_armour(data: bytes) -> bytes:
    lines = data.strip(b" \t\r\n").replace(b"\r\n", b"\n").split(b"\n")
    if lines[0] != _BEGIN:
        raise AgeFileError("its armour does not begin with the line of age")
    if lines[-1] != _END or len(lines) < 3:  # noqa: PLR2004 - with a line between the two
        raise AgeFileError("its armour is cut short")
    inner = lines[1:-1]
    if any(len(line) != _COLUMNS for line in inner[:-1]) or not 0 < len(inner[-1]) <= _COLUMNS:
        raise AgeFileError("a line of its armour has another length than 64 characters")
    return _decoded(b"".join(inner), "its armour")


def _header(data: bytes) -> tuple[Stanza, ...]:
    line, rest = _line(data)
    if line != _VERSION:
        raise AgeFileError("it does not begin with the version line of age")
    stanzas: list[Stanza] = []
    line, rest = _line(rest)
    while not line.startswith(b"---"):
        head = _ARGUMENTS.fullmatch(line)
        if head is None:
            raise AgeFileError("its header holds a line that begins no stanza")
        kind, *arguments = head[1].decode("ascii").split(" ")
        stanzas.append(Stanza(kind, tuple(arguments)))
        rest = _without_body(rest)
        line, rest = _line(rest)
    if not stanzas:
        raise AgeFileError("its header names no recipient")
    if not line.startswith(b"--- ") or len(_unpadded(line[4:])) != _MAC:
        raise AgeFileError("its header does not end with a checksum")
    if len(rest) < _NONCE:
        raise AgeFileError("it is cut short")
    _check_passphrase(stanzas)
    return tuple(stanzas)


def _without_body(rest: bytes) -> bytes:
    """What follows the body of a stanza: full lines, and then one that is not full."""
    size = _COLUMNS
    body = b""
    while size == _COLUMNS:
        line, rest = _line(rest)
        size = len(line)
        if size > _COLUMNS:
            raise AgeFileError("a line of its header is too long")
        body += line
    _unpadded(body)
    return rest


def _check_passphrase(stanzas: list[Stanza]) -> None:
    found = [stanza for stanza in stanzas if stanza.type == _SCRYPT]
    if not found:
        return
    if len(stanzas) > 1 or len(found[0].arguments) != _SCRYPT_ARGUMENTS:
        raise AgeFileError("it is encrypted with a passphrase and to someone else too")
    work = found[0].arguments[1]
    if _NUMBER.fullmatch(work) is None or int(work) > _HIGHEST_WORK:
        raise AgeFileError(f"its passphrase takes more work than age allows (2^{_HIGHEST_WORK})")


def _line(data: bytes) -> tuple[bytes, bytes]:
    line, end, rest = data.partition(b"\n")
    if not end:
        raise AgeFileError("its header is cut short")
    return line, rest


def _unpadded(text: bytes) -> bytes:
    if b"=" in text:
        raise AgeFileError("its header is no canonical base64")
    return _decoded(text + b"=" * (-len(text) % 4), "its header")


def _decoded(text: bytes, where: str) -> bytes:
    """Decode base64 of which there is only one spelling."""
    try:
        data = b64decode(text, validate=True)
    except Base64Error:
        raise AgeFileError(f"{where} is no base64") from None
    if b64encode(data) != text:
        raise AgeFileError(f"{where} is no canonical base64")
    return data
