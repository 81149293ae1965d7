"""A value becomes an age file that is bound to its place, and comes back with a key alone."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from pathlib import Path

import pyrage
import pytest

from hrctl.diagnostics import HrctlError
from hrctl.model.places import SecretPlace
from hrctl.model.recipients import fingerprint
from hrctl.secrets.identities import Identities
from hrctl.secrets.opener import Opener
from hrctl.secrets.seal import Binding, seal, unseal

PLACE = SecretPlace("acme/shop:Config/app", "/spec/entries/TOKEN")
HERE = Binding("acme", PLACE)
VALUES = ("swordfish", "", "two\nlines\n", "ä \u2028 \U0001f511", " spaces ", "x" * 100_000)


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def public(key: pyrage.x25519.Identity) -> str:
    return str(key.to_public())


@pytest.mark.parametrize("value", VALUES)
def test_what_is_sealed_comes_back_with_its_place(value: str, key: pyrage.x25519.Identity) -> None:
    source = seal(value, HERE, [public(key)])
    opened = unseal(source, [key])
    assert (opened.value, opened.binding) == (value, HERE)
    assert list(opened.recipients) == source["recipients"] == [fingerprint(public(key))]
    assert "swordfish" not in repr(opened)


@pytest.mark.parametrize("value", VALUES)
def test_the_age_command_opens_it(value: str, key: pyrage.x25519.Identity, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(str(key))
    sealed = seal(value, HERE, [public(key)])["age"]
    done = subprocess.run(
        ["age", "-d", "-i", "key"],
        cwd=tmp_path,
        input=sealed.encode(),
        check=True,
        capture_output=True,
    )
    held = json.loads(done.stdout)
    assert held["value"] == value
    assert held["for"] == "acme/shop:Config/app#/spec/entries/TOKEN"
    assert held["project"] == "acme"


def test_what_the_age_command_encrypts_opens_where_it_holds_a_place(
    key: pyrage.x25519.Identity,
) -> None:
    payload = {"v": 2, "project": "acme", "for": str(PLACE), "to": [], "value": "swordfish"}
    done = subprocess.run(
        ["age", "-a", "-r", public(key)],
        input=json.dumps(payload).encode(),
        check=True,
        capture_output=True,
    )
    source = {"age": done.stdout.decode()}
    assert unseal(source, [key]).value == "swordfish"


def test_a_plain_age_file_is_refused_without_its_plaintext(key: pyrage.x25519.Identity) -> None:
    done = subprocess.run(
        ["age", "-a", "-r", public(key)], input=b"swordfish", check=True, capture_output=True
    )
    with pytest.raises(HrctlError, match="has not made") as error:
        unseal({"age": done.stdout.decode()}, [key])
    assert "swordfish" not in str(error.value)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_open_what_is_sealed_for_them(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "id"
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-f", file], check=True)
    text = file.with_suffix(".pub").read_text()
    source = seal("swordfish", HERE, [text])
    assert Opener(Identities([file]), "acme").open(source).value == "swordfish"
    told = subprocess.run(
        ["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True
    )
    assert source["recipients"][0] == told.stdout.split()[1]
    done = subprocess.run(
        ["age", "-d", "-i", file], input=source["age"].encode(), check=True, capture_output=True
    )
    assert json.loads(done.stdout)["value"] == "swordfish"


def test_each_of_several_recipients_can_open_it() -> None:
    keys = [pyrage.x25519.Identity.generate() for _ in range(3)]
    source = seal("swordfish", HERE, [public(key) for key in keys])
    assert {unseal(source, [key]).value for key in keys} == {"swordfish"}


def altered(text: str) -> list[str]:
    lines = text.splitlines()
    return [
        "\n".join(lines[:5]),
        "\n".join([*lines[:5], *lines[6:]]),
        text.replace(lines[-2], lines[-2][::-1]),
        "\n".join([*lines[:-1]]),
        text.replace(lines[2], lines[2].swapcase()),
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_one_is_told(number: int, key: pyrage.x25519.Identity) -> None:
    source = seal("swordfish", HERE, [public(key)])
    with pytest.raises(HrctlError) as error:
        unseal({"age": altered(source["age"])[number]}, [key], str(PLACE))
    assert error.value.diagnostics[0].code in {"HR172", "HR170"}
    assert str(PLACE) in str(error.value)


def test_another_key_opens_nothing_and_the_right_one_is_named(
    key: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    source = seal("swordfish", HERE, [public(key)])
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    other.chmod(0o600)
    for files, words in (([], "there is no identity"), ([other], "the identity here is another's")):
        with pytest.raises(HrctlError, match=words) as error:
            Opener(Identities(files), "acme", [public(key)])({**source, "for": str(PLACE)})
        assert error.value.diagnostics[0].code == "HR170"
        assert public(key)[:16] in str(error.value)
        assert str(PLACE) in str(error.value)


def test_a_copy_elsewhere_does_not_open(key: pyrage.x25519.Identity) -> None:
    source = seal("swordfish", HERE, [public(key)])
    opener = Opener(Identities(content=str(key)), "acme")
    assert opener({**source, "for": str(PLACE)}) == "swordfish"
    for place in (
        "acme/web:Config/app#/spec/entries/TOKEN",
        "acme/shop:Config/app#/spec/entries/B",
    ):
        with pytest.raises(HrctlError, match="is used at") as error:
            opener({**source, "for": place})
        assert error.value.diagnostics[0].code == "HR173"
        assert "swordfish" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("age1qyqs", "Bech32"),
        ("ssh-dss AAAAB3NzaC1kc3M", "ssh-dss are not for encryption"),
        ("ssh-ed25519 AAAA", "no valid SSH key"),
        ("age1nosuch1qypsx6tr", "Bech32"),
        ("hello", "no public key"),
    ],
)
def test_a_recipient_that_cannot_be_used_is_told_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(HrctlError, match=reason) as error:
        seal("swordfish", HERE, [text])
    assert error.value.diagnostics[0].code == "HR171"


@pytest.mark.parametrize(
    ("exponent", "modulus"),
    [(b"", b"\x01" * 257), (b"\x03", b""), (b"\x03", b"\x00"), (b"\x00", b"\x01" * 257)],
)
def test_an_rsa_key_over_which_the_library_panics(
    exponent: bytes, modulus: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = (b"ssh-rsa", exponent, modulus)
    data = b"".join(len(part).to_bytes(4) + part for part in parts)
    with pytest.raises(HrctlError, match="cannot be used: it is no valid SSH key") as error:
        seal("swordfish", HERE, [f"ssh-rsa {b64encode(data).decode()} mallory"])
    assert error.value.diagnostics[0].code == "HR171"
    assert capfd.readouterr().err == ""


def test_an_rsa_key_that_is_too_small(tmp_path: Path) -> None:
    file = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-qt", "rsa", "-b", "1024", "-N", "", "-f", file], check=True)
    with pytest.raises(HrctlError, match="RSA keys of 2048 to 16384 bits"):
        seal("swordfish", HERE, [file.with_suffix(".pub").read_text()])


def test_a_panic_of_the_library_is_an_error_like_another() -> None:
    from hrctl.secrets.agelib import AgeLibraryError, age_library

    data = b"".join(len(part).to_bytes(4) + part for part in (b"ssh-rsa", b"\x03", b"\x00"))
    text = f"ssh-rsa {b64encode(data).decode()}"
    with pytest.raises(AgeLibraryError, match="the age library fails on it"), age_library():
        pyrage.encrypt(b"x", [pyrage.ssh.Recipient.from_str(text)])
    with pytest.raises(KeyboardInterrupt), age_library():
        raise KeyboardInterrupt


def test_a_file_with_a_passphrase_is_no_secret(key: pyrage.x25519.Identity) -> None:
    data = pyrage.passphrase.encrypt(b"swordfish", "correct horse", armored=True)
    with pytest.raises(HrctlError, match="encrypted with a passphrase") as error:
        unseal({"age": data.decode()}, [key])
    assert error.value.diagnostics[0].code == "HR172"
