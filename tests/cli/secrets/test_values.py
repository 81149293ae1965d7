"""`hrctl secrets keygen`, `set`, `get`, and what the manifests look like then."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

APP = "acme/shop/prod:Config/app"


def test_a_value_goes_in_and_comes_out(vault: Vault) -> None:
    before = vault.read("shop/prod/config.yaml")
    out = vault.hrctl("secrets", "set", "prod:Config/app", "TOKEN", typed="swordfish\n")
    assert out == f"Encrypted {APP}#/spec/entries/TOKEN in shop/prod/config.yaml.\n"
    text = vault.read("shop/prod/config.yaml")
    assert text.startswith(before), "what was there stays, comments and all"
    assert "swordfish" not in text
    assert vault.hrctl("validate")
    assert (
        vault.hrctl("secrets", "get", APP, "TOKEN", "--identity", vault.key("ann")) == "swordfish"
    )


def test_setting_again_changes_the_secret_alone(vault: Vault) -> None:
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed="one")
    before = vault.read("shop/prod/config.yaml").splitlines()
    vault.hrctl("secrets", "set", "Config/app", "entries.TOKEN", typed="two")
    after = vault.read("shop/prod/config.yaml").splitlines()
    outside = [line for line in before if line not in after]
    assert all(line.startswith(" " * 10) for line in outside)
    got = vault.hrctl("--identity", vault.key("ann"), "secrets", "get", APP, "/spec/entries/TOKEN")
    assert got == "two"


@pytest.mark.parametrize(
    ("given", "held"),
    [("one\n", "one"), ("one", "one"), ("one\r\n", "one"), ("a\nb\n", "a\nb\n"), (" x ", " x ")],
)
def test_one_line_end_behind_one_line_is_no_part_of_it(vault: Vault, given: str, held: str) -> None:
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed=given.encode())
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    assert vault.hrctl("secrets", "get", "Config/app", "TOKEN") == held


def test_a_file_gives_the_value(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("-----BEGIN\nx\n")
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", "--file", str(tmp_path / "pem"))
    vault.patch.setenv("HRCTL_AGE_IDENTITY", str(vault.keys["ann"]))
    assert vault.hrctl("secrets", "get", "Config/app", "TOKEN") == "-----BEGIN\nx\n"


def test_an_instance_gets_a_patch_and_the_template_its_own(vault: Vault) -> None:
    vault.hrctl("secrets", "set", "acme/shop/prod:Service/api", "env.TOKEN", typed="of prod")
    assert "patch: true" in vault.read("shop/prod/patches.yaml")
    vault.hrctl("secrets", "set", "acme/shop:Service/api", "env.OTHER", typed="of all")
    assert "# how much it tells" in vault.read("shop/services.yaml")
    vault.hrctl("secrets", "set", "acme:Registry/acme", "defaults.Service.env.ROOT", typed="root")
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    for name, value in (("TOKEN", "of prod"), ("OTHER", "of all"), ("ROOT", "root")):
        got = vault.hrctl("secrets", "get", "acme/shop/prod:Service/api", f"env.{name}")
        assert got == value
    assert vault.hrctl("secrets", "check") == "3 secrets, all open and where they belong.\n"
    vault.commit()
    assert "3 done" in vault.hrctl("apply", "--yes", "-q") or vault.code == 0


def test_an_entry_in_the_clear_becomes_a_secret_without_being_shown(vault: Vault) -> None:
    vault.write(
        "shop/prod/config.yaml",
        """\
        apiVersion: hrctl.dev/v1
        kind: Config
        metadata: {name: app}
        spec:
          scope: SERVICE
          entries:
            TOKEN:
              type: STRING
              value: in-the-clear
        """,
    )
    for more in ((), ("-o", "json")):
        vault.hrctl("secrets", "set", "Config/app", "TOKEN", *more, typed="swordfish")
        assert "in-the-clear" not in vault.out + vault.err
    assert "in-the-clear" not in vault.read("shop/prod/config.yaml")


@pytest.mark.parametrize(
    ("args", "typed", "code"),
    [
        (("Config/app", "TOKEN", "swordfish"), "x", "HR145"),
        (("Config/app", "TOKEN"), "", "HR179"),
        (("Config/app", "TOKEN"), b"\xff\xfe", "HR179"),
        (("Config/app", "TOKEN", "--file", "none"), "x", "HR067"),
        (("Config/nope", "TOKEN"), "x", "HR141"),
        (("Service/api", "env.A"), "x", "HR160"),
        (("prod:Service/api", "image"), "x", "HR020"),
        (("prod:Service/api", "ports[web].port"), "x", "HR022"),
        (("Config/app", "TOKEN", "--commit", "-m", "x", "-C", "/"), "x", "HR060"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    vault: Vault, args: tuple[str, ...], typed: str | bytes, code: str
) -> None:
    before = vault.git("status", "--porcelain")
    assert vault.fails("secrets", "set", *args, typed=typed) == 1
    assert code in vault.err, vault.err
    assert "swordfish" not in vault.err
    if code != "HR060":
        assert vault.git("status", "--porcelain") == before


def test_without_a_rule_there_is_nobody_to_encrypt_to(vault: Vault) -> None:
    vault.rules("{path: 'acme/other/**', keys: [ANN]}")
    assert vault.fails("secrets", "set", "Config/app", "TOKEN", typed="x") == 1
    assert "HR178 hrctl.yaml names no recipient for secrets of acme/shop/prod" in vault.err


def test_a_recipient_that_cannot_be_used_is_told_with_the_reason(vault: Vault) -> None:
    vault.rules("{path: '**', keys: [age1qyqs]}")
    assert vault.fails("secrets", "set", "Config/app", "TOKEN", typed="x") == 1
    assert (
        "HR171 the recipient age1qyqs cannot be used: it is not spelled as age spells" in vault.err
    )


def test_get_is_refused_on_a_terminal(vault: Vault) -> None:
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed="swordfish")
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    vault.patch.setattr("sys.stdout.isatty", lambda: True)
    assert vault.fails("secrets", "get", "Config/app", "TOKEN") == 1
    assert "HR185" in vault.err
    assert vault.hrctl("secrets", "get", "Config/app", "TOKEN", "--reveal") == "swordfish\n"


@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_get_says_whose_key_is_missing(vault: Vault, more: tuple[str, ...]) -> None:
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed="swordfish")
    assert vault.fails("secrets", "get", "Config/app", "TOKEN", *more) == 1
    assert "HR170" in vault.out + vault.err
    assert vault.public("ann")[:16] in (vault.out + vault.err).replace("\n", " ")
    assert vault.fails("secrets", "get", "Config/app", "LEVEL") == 1
    assert "HR147" in vault.err


def test_keygen_writes_what_only_its_owner_reads(vault: Vault, tmp_path: Path) -> None:
    public = vault.hrctl("secrets", "keygen").strip()
    file = tmp_path / "config/hrctl/identities.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert public in file.read_text()
    assert "AGE-SECRET-KEY" not in vault.out + vault.err
    assert vault.fails("secrets", "keygen") == 1
    assert "HR143" in vault.err
    made = vault.json("secrets", "keygen", "--out", "other.key")
    assert made["recipient"].startswith("age1")
    vault.keys["made"] = vault.keys["ann"]
    vault.rules(f"{{path: '**', keys: [{public}]}}")
    vault.hrctl("secrets", "set", "Config/app", "TOKEN", typed="swordfish")
    assert vault.hrctl("secrets", "get", "Config/app", "TOKEN") == "swordfish"


def test_a_prompt_asks_twice(vault: Vault) -> None:
    answers = iter(["swordfish", "swordfihs", "swordfish", "swordfish"])
    vault.patch.setattr("sys.stdin.isatty", lambda: True)
    vault.patch.setattr("getpass.getpass", lambda *_: next(answers))
    assert vault.fails("secrets", "set", "Config/app", "TOKEN") == 1
    assert "the two entries differ" in vault.err
    vault.hrctl("secrets", "set", "Config/app", "TOKEN")
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    assert vault.hrctl("secrets", "get", "Config/app", "TOKEN") == "swordfish"


@pytest.mark.parametrize("typed", ["", None])
def test_nothing_typed_is_no_value(vault: Vault, typed: str | None) -> None:
    def asked(*_: object) -> str:
        if typed is None:
            raise EOFError
        return typed

    vault.patch.setattr("sys.stdin.isatty", lambda: True)
    vault.patch.setattr("getpass.getpass", asked)
    assert vault.fails("secrets", "set", "Config/app", "TOKEN") == 1
    assert "HR179 there is no value: nothing was typed" in vault.err
