"""Where identities come from, and what is said of those that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.secrets import plugins
from hrctl.secrets.identities import Identities


def written(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# a comment\n\n{pyrage.x25519.Identity.generate()}\n")
    path.chmod(mode)
    return path


def test_all_sources_are_asked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {
        "HOME": str(home),
        "HRCTL_AGE_IDENTITY_FILE": str(written(tmp_path / "file")),
        "HRCTL_AGE_IDENTITY_COMMAND": f"cat '{written(tmp_path / 'of command')}'",
    }
    written(home / ".config/hrctl/identities.txt")
    (home / ".ssh").mkdir()
    subprocess.run(
        ["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", home / ".ssh/id_ed25519"], check=True
    )
    content = str(pyrage.x25519.Identity.generate())
    told: list[Diagnostic] = []
    found = Identities([written(tmp_path / "named")], content, environ, told.append)
    assert len(found.keys) == 6
    assert not told
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "none")
    assert len(Identities((), None, environ).keys) == 3


def test_none_is_no_error() -> None:
    assert Identities().keys == ()


def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    told: list[Diagnostic] = []
    found = Identities([written(tmp_path / "key", 0o644)], warn=told.append)
    assert len(found.keys) == 1
    assert [one.code for one in told] == ["HR177"]
    assert "mode 0644" in told[0].summary


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("", "holds no identity"),
        ("# only a comment\n", "holds no identity"),
        ("AGE-SECRET-KEY-1TOOSHORT\n", "a line of it is not an identity"),
        ("swordfish\n", "a line of it is not an identity"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "cannot",
        ),
    ],
)
def test_a_file_that_cannot_be_used(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HrctlError, match=words) as error:
        _ = Identities([path]).keys
    assert error.value.diagnostics[0].code == "HR176"
    assert "swordfish" not in str(error.value)
    assert "TOOSHORT" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-t", "ecdsa", "-N", ""], "ed25519 and RSA"),
        (["-t", "ed25519", "-N", "pw123"], "passphrase"),
    ],
)
def test_an_ssh_key_that_cannot_be_used(options: list[str], words: str, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *options, "-f", tmp_path / "id"], check=True)
    with pytest.raises(HrctlError, match=words):
        _ = Identities([tmp_path / "id"]).keys


def test_one_that_need_not_be_there_is_only_noted(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    file = tmp_path / ".ssh/id_ed25519"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "pw123", "-f", file], check=True)
    found = Identities(environ={"HOME": str(tmp_path)})
    assert found.keys == ()
    assert "passphrase" in found.notes[0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-command-here", "no such file"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "left with 3"),
        ("echo hello", "not an identity"),
        ("cat 'unbalanced", "quotation"),
    ],
)
def test_a_command_that_gives_none(command: str, words: str) -> None:
    with pytest.raises(HrctlError, match=words) as error:
        _ = Identities(environ={"HRCTL_AGE_IDENTITY_COMMAND": command}).keys
    assert error.value.diagnostics[0].code == "HR176"


class Typist:
    """A person who types one thing."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def tell(self, text: str) -> None:
        """Nothing is told to it."""

    def ask(self, question: str, *, secret: bool) -> str | None:
        """The same each time."""
        assert secret
        assert "Passphrase of" in question
        return self.text


# An identity for nothing, encrypted with the passphrase "correct horse", which takes a second.
LOCKED = """\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAwWTd1QnBPakZWdnJxaU1i
M29UZFhRIDE5CjVyajcrNWNxMXJNcVZucUU4ampDeXBpaUQ0QVBvbWlxNUtMZVFO
YW50aDQKLS0tIHplSkw1VUZRQjNaelVQSEpiYVBtaEUxNW1WdkRUUEN3bmZKdytY
NXQzcGsK8klsEhjZWL4CXv/5glIj+zSBbF0g42UxwYhQeJvbWbos5+CFVfDzYdDW
vfrvrsOh2x7zu5VYk+kBq3XLwozS1rYgirVuNv/sAP0L9CwlxS5wn7wtvNAnDXNE
K1zXu96G9ZtRUTp45ISrRYY=
-----END AGE ENCRYPTED FILE-----
"""


@pytest.mark.parametrize("typed", ["correct horse", "wrong", None])
def test_a_file_with_a_passphrase(
    typed: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.age"
    path.write_text(f"\n{LOCKED}\n")
    path.chmod(0o600)
    monkeypatch.setattr(plugins, "_person", Typist(typed))
    if typed == "correct horse":
        assert len(Identities([path]).keys) == 1
        return
    with pytest.raises(HrctlError, match="passphrase is wrong" if typed else "no terminal"):
        _ = Identities([path]).keys
