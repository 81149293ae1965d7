"""Keys of age plugins, with a plugin that hides the file key by adding one to each byte."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.model.places import SecretPlace
from hrctl.secrets import keys, plugins
from hrctl.secrets.identities import Identities
from hrctl.secrets.opener import Opener
from hrctl.secrets.seal import Binding, seal

PLUGIN = f"""#!{sys.executable}
import base64, sys

def read():
    head = sys.stdin.readline().split()[1:]
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\\n")
        body += line
        if len(line) < 64:
            return head, base64.b64decode(body + "==="[: -len(body) % 4])

def send(*head, body=b""):
    text = base64.b64encode(body).decode().rstrip("=")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)] or [""]
    sys.stdout.write("-> " + " ".join(head) + "\\n" + "\\n".join(lines) + "\\n")
    sys.stdout.flush()

def ask(*head, body=b""):
    send(*head, body=body)
    return read()

said = []
while not said or said[-1][0][0] != "done":
    said.append(read())
state = sys.argv[1].partition("=")[2]
if state == "recipient-v1":
    files = [body for head, body in said if head[0] == "wrap-file-key"]
    for number, key in enumerate(files):
        ask("recipient-stanza", str(number), "tst", body=bytes((one + 1) % 256 for one in key))
else:
    ask("msg", body=b"touch the key")
    for head, body in said:
        if head[0] == "recipient-stanza" and head[2] == "tst":
            ask("file-key", head[1], body=bytes((one - 1) % 256 for one in body))
send("done")
"""
PLACE = SecretPlace("acme:Config/app", "/spec/entries/P")
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(head: str, data: bytes) -> str:
    """BIP 173."""
    bits = "".join(f"{one:08b}" for one in data)
    values = [int(bits[at : at + 5].ljust(5, "0"), 2) for at in range(0, len(bits), 5)]
    expanded = [ord(one) >> 5 for one in head] + [0] + [ord(one) & 31 for one in head]
    check = 1
    for value in [*expanded, *values, 0, 0, 0, 0, 0, 0]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for number, generator in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            check ^= generator if top >> number & 1 else 0
    check ^= 1
    values += [check >> 5 * (5 - number) & 31 for number in range(6)]
    return f"{head}1{''.join(LETTERS[value] for value in values)}"


RECIPIENT = bech32("age1tst", b"public")
IDENTITY = bech32("age-plugin-tst-", b"private").upper()


class Listener:
    """A person who hears what a plugin says."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def tell(self, text: str) -> None:
        """Note it."""
        self.heard.append(text)

    def ask(self, question: str, *, secret: bool) -> str | None:
        """Never asked here."""
        raise AssertionError((question, secret))


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    program = tmp_path / "bin" / "age-plugin-tst"
    program.parent.mkdir()
    program.write_text(PLUGIN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    found = Listener()
    monkeypatch.setattr(plugins, "_person", found)
    keys.recipient.cache_clear()
    return found


def test_a_plugin_wraps_and_unwraps(listener: Listener, tmp_path: Path) -> None:
    source = seal("swordfish", Binding("acme", PLACE), [RECIPIENT])
    (tmp_path / "key").write_text(f"# of a plugin\n{IDENTITY}\n")
    (tmp_path / "key").chmod(0o600)
    opener = Opener(Identities([tmp_path / "key"]), "acme")
    assert opener({**source, "for": str(PLACE)}) == "swordfish"
    assert listener.heard == ["touch the key"]


def test_a_plugin_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    keys.recipient.cache_clear()
    with pytest.raises(HrctlError, match="age-plugin-tst") as error:
        seal("swordfish", Binding("acme", PLACE), [RECIPIENT])
    assert error.value.diagnostics[0].code == "HR171"
    with pytest.raises(HrctlError, match="age-plugin-tst") as error:
        _ = Identities(content=IDENTITY).keys
    assert error.value.diagnostics[0].code == "HR176"
