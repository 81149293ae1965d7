"""age's own test vectors: what has to open opens, and what has to fail does, in our words."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyrage
import pytest

from hrctl.secrets.agefile import AgeFileError, parse
from hrctl.secrets.agelib import AgeLibraryError, decrypt, decrypt_with

FOLDER = Path(__file__).parent / "testkit"
HYBRID = "AGE-SECRET-KEY-PQ-1"  # of a kind of key that the library does not have yet
FORMAT_FAULTS = {"header failure", "armor failure"}


@dataclass(frozen=True)
class Vector:
    """An age file, and what is to come of it."""

    name: str
    head: dict[str, list[str]]
    data: bytes

    @property
    def expected(self) -> str:
        return self.head["expect"][0]

    def opened(self) -> bytes:
        file = parse(self.data)
        if self.head.get("passphrase"):
            return decrypt_with(file, self.head["passphrase"][0])
        keys = [pyrage.x25519.Identity.from_str(text) for text in self.head.get("identity", [])]
        return decrypt(file, keys)


def read(path: Path) -> Vector:
    head: dict[str, list[str]] = defaultdict(list)
    text, _, data = path.read_bytes().partition(b"\n\n")
    for line in text.decode().splitlines():
        key, _, value = line.partition(": ")
        head[key].append(value)
    compressed = head.get("compressed") == ["zlib"]
    return Vector(path.name, dict(head), zlib.decompress(data) if compressed else data)


ALL = [
    read(path)
    for path in sorted(FOLDER.iterdir())
    if path.name not in {"README.md", ".gitattributes"}
]
OF_KEYS = [one for one in ALL if not any(HYBRID in text for text in one.head.get("identity", []))]
GOOD = [one for one in OF_KEYS if one.expected == "success"]
BAD = [one for one in OF_KEYS if one.expected != "success"]


def test_there_are_enough_of_each() -> None:
    assert len(ALL) > 140
    assert len(GOOD) > 15
    assert len(BAD) > 90


@pytest.mark.parametrize("vector", GOOD, ids=lambda one: one.name)
def test_what_must_open_opens(vector: Vector) -> None:
    assert sha256(vector.opened()).hexdigest() == vector.head["payload"][0]


@pytest.mark.parametrize("vector", BAD, ids=lambda one: one.name)
def test_what_must_fail_fails(vector: Vector) -> None:
    with pytest.raises((AgeFileError, AgeLibraryError)) as error:
        vector.opened()
    text = str(error.value)
    assert text == text[:1].lower() + text[1:].rstrip(".")
    is_foreign = isinstance(error.value, AgeLibraryError) and error.value.is_foreign
    assert is_foreign <= (vector.expected == "no match")
    for word in ("rage", "bech32 enc", "DecodeError", "buffer", "panick"):
        assert word not in text, "in the words of the library"


@pytest.mark.parametrize(
    "vector", [one for one in ALL if one.expected not in FORMAT_FAULTS], ids=lambda one: one.name
)
def test_a_header_that_is_right_is_read(vector: Vector) -> None:
    file = parse(vector.data)
    assert file.stanzas
    assert file.data.startswith(b"age-encryption.org/v1\n-> ")


@pytest.mark.parametrize("name", ["stanza_missing_body", "stanza_missing_final_line"])
def test_the_library_alone_would_open_it(name: str) -> None:
    vector = next(one for one in ALL if one.name == name)
    keys = [pyrage.x25519.Identity.from_str(vector.head["identity"][0])]
    assert pyrage.decrypt(vector.data, keys), "no check of ours is needed any more"
    with pytest.raises(AgeFileError, match="header"):
        parse(vector.data)
