"""`hrctl secrets import-sops`, with the real SOPS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

SOPS = shutil.which("sops") or str(Path(sys.executable).with_name("sops"))
VALUES = {
    "db": {"password": "swordfish", "port": 5432},
    "list": ["one", True],
    "motd_unencrypted": "hello",
    "42 is": "odd",
}


@pytest.fixture
def sops(vault: Vault) -> Vault:
    if not os.access(SOPS, os.X_OK):
        pytest.skip("sops is not installed")
    vault.patch.setenv("HRCTL_AGE_IDENTITY", str(vault.keys["ann"]))
    return vault


def encrypt(vault: Vault, path: str, text: str, *names: str) -> None:
    keys = ",".join(vault.public(name) for name in names or ("ann",))
    (vault.root / path).write_text(text)
    command = [SOPS, "encrypt", "--age", keys, "--in-place", path]
    subprocess.run(command, cwd=vault.root, capture_output=True, check=True)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_each_value_becomes_an_entry(sops: Vault, suffix: str) -> None:
    encrypt(sops, f"shop/prod/db.enc.{suffix}", json.dumps(VALUES))
    out = sops.hrctl("secrets", "import-sops", f"shop/prod/db.enc.{suffix}")
    assert out == "Imported 6 values into acme/shop/prod:Config/db in shop/prod/db-config.yaml.\n"
    text = sops.read("shop/prod/db-config.yaml")
    assert "swordfish" not in text
    for key, value in {
        "db.password": "swordfish",
        "db.port": "5432",
        "list.0": "one",
        "list.1": "true",
        "_42_is": "odd",
    }.items():
        sops.patch.setenv("HRCTL_AGE_IDENTITY", str(sops.keys["ann"]))
        assert sops.hrctl("secrets", "get", "prod:Config/db", key) == value
    assert "motd_unencrypted:\n      type: STRING\n      value: hello" in text
    sops.patch.setenv("HRCTL_AGE_IDENTITY", str(sops.keys["ann"]))
    assert sops.hrctl("secrets", "check") == "5 secrets, all open and where they belong.\n"


def test_dotenv_goes_into_a_config_that_is_there(sops: Vault) -> None:
    encrypt(sops, "app.env", "TOKEN=swordfish\nLEVEL=quiet\n")
    sops.hrctl("secrets", "import-sops", "app.env", "--into", "prod:Config/app", "--commit")
    sops.patch.setenv("HRCTL_AGE_IDENTITY", str(sops.keys["ann"]))
    assert sops.hrctl("secrets", "get", "Config/app", "TOKEN") == "swordfish"
    assert "value: info" not in sops.read("shop/prod/config.yaml"), "LEVEL is a secret now"
    assert sops.git("log", "-1", "--format=%s").startswith("Import app.env into")


def test_what_cannot_be_imported_changes_nothing(sops: Vault) -> None:
    sops.key("bob")
    encrypt(sops, "bob.enc.yaml", "a: swordfish\n", "bob")
    (sops.root / "plain.env").write_text("a=swordfish\n")
    sops.git("add", "-A")
    before = sops.git("status", "--porcelain")
    for file in ("bob.enc.yaml", "none.yaml", "plain.env"):
        sops.patch.setenv("HRCTL_AGE_IDENTITY", str(sops.keys["ann"]))
        assert sops.fails("secrets", "import-sops", file) == 1
        assert "HR184 sops cannot decrypt" in sops.err, sops.err
        assert "swordfish" not in sops.err
    assert sops.git("status", "--porcelain") == before


def test_without_sops_it_says_how_to_get_it(sops: Vault) -> None:
    encrypt(sops, "app.env", "TOKEN=swordfish\n")
    sops.patch.setattr("shutil.which", lambda *_: None)
    sops.patch.setattr("sys.executable", "/nowhere/python")
    assert sops.fails("secrets", "import-sops", "app.env") == 1
    assert "HR184 sops was not found" in sops.err


def test_two_keys_that_meet_are_told(sops: Vault) -> None:
    encrypt(sops, "x.enc.yaml", '"a b": one\n"a_b": two\n')
    assert sops.fails("secrets", "import-sops", "x.enc.yaml") == 1
    assert "would both be 'a_b'" in sops.err
