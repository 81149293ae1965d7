"""The recipients in the header of an age file against those of a list."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyrage
import pytest

from hrctl.model.places import SecretPlace
from hrctl.model.recipients import fingerprint
from hrctl.secrets.agefile import Stanza
from hrctl.secrets.seal import Binding, header, seal
from hrctl.secrets.stanzas import difference

HERE = Binding("acme", SecretPlace("acme:Config/app", "/spec/entries/P"))
PLUGIN = "age1tst1wp6kyctdv9khxtn8"
X25519 = Stanza("X25519", ("share",))
OF_PLUGIN = Stanza("tst", ())
GREASE = Stanza("x-grease", ())


def public() -> str:
    return str(pyrage.x25519.Identity.generate().to_public())


def ssh_key(folder: Path, name: str, kind: str) -> str:
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-qt", kind, *bits, "-N", "", "-f", folder / name], check=True)
    return (folder / f"{name}.pub").read_text().strip()


def test_what_is_sealed_is_as_its_list_says(tmp_path: Path) -> None:
    keys = [public(), ssh_key(tmp_path, "a", "ed25519"), ssh_key(tmp_path, "b", "rsa"), public()]
    source = seal("swordfish", HERE, keys)
    stanzas = header(source).stanzas
    marks = [fingerprint(key) for key in keys]
    assert difference(stanzas, marks, keys) is None
    assert difference(stanzas, marks, ()) is None, "no key of the rules is needed"
    for less in marks:
        rest = [mark for mark in marks if mark != less]
        assert difference(stanzas, rest, keys) == "4 recipients, and the list names 3"
    assert difference(stanzas, [*marks, fingerprint(public())], keys) is not None


def test_another_ssh_key_is_seen_though_the_number_is_right(tmp_path: Path) -> None:
    key, other = (ssh_key(tmp_path, name, "ed25519") for name in "ab")
    stanzas = header(seal("swordfish", HERE, [key])).stanzas
    assert "an SSH key that the list does not name" in (
        difference(stanzas, [fingerprint(other)], [key, other]) or ""
    )


@pytest.mark.parametrize(
    ("stanzas", "plugins", "natives", "expected"),
    [
        ([X25519, GREASE], 0, 1, None),
        ([X25519, X25519], 0, 1, "2 recipients, and the list names 1"),
        ([GREASE], 0, 1, "0 recipients, and the list names 1"),
        ([X25519, OF_PLUGIN], 0, 1, "1 recipient of a plugin that the list does not name"),
        ([X25519, OF_PLUGIN], 1, 1, None),
        ([X25519, OF_PLUGIN, OF_PLUGIN], 1, 1, None),
        ([X25519, X25519, OF_PLUGIN], 1, 1, "2 recipients, and the list names 1"),
        ([X25519], 1, 1, "0 recipients of plugins, and the list names 1"),
        ([OF_PLUGIN], 1, 0, None),
    ],
)
def test_plugins_and_grease(
    stanzas: list[Stanza], plugins: int, natives: int, expected: str | None
) -> None:
    keys = [PLUGIN] * plugins + [public() for _ in range(natives)]
    assert difference(stanzas, [fingerprint(key) for key in keys], keys) == expected


def test_a_name_that_is_listed_twice_covers_nobody_else() -> None:
    key = public()
    mark = fingerprint(key)
    assert difference([X25519, X25519], [mark, mark], [key]) is not None
