"""A ciphertext is good in one project, at one place, and for one server where it names one."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from hrctl.cli.console import Console
from hrctl.cli.session import Session
from hrctl.model.address import Address
from hrctl.model.recipients import fingerprint
from hrctl.source.edit import dump

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

APP = "acme/shop/prod:Config/app"
PLACE = f"{APP}#/spec/entries/TOKEN"
URL = "https://unleash.example.org/api/"
ORIGIN = "https://unleash.example.org:443"
VERBS = (
    ("secrets", "set", APP, "TOKEN"),
    ("config", "set", "TOKEN", "--in", "prod", "--type", "SECRET"),
)


@pytest.fixture
def keyed(vault: Vault) -> Vault:
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    return vault


def payload(vault: Vault) -> dict[str, str]:
    """What the age command finds in the one secret of the project."""
    lines = vault.read("shop/prod/config.yaml").splitlines()
    begin = next(at for at, line in enumerate(lines) if "-----BEGIN" in line)
    end = next(at for at, line in enumerate(lines) if "-----END" in line)
    armour = "\n".join(line.strip() for line in lines[begin : end + 1])
    done = subprocess.run(
        ["age", "-d", "-i", vault.key("ann")],
        input=armour.encode(),
        check=True,
        capture_output=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def plant(vault: Vault, content: dict[str, object], *hidden: str) -> None:
    """Write an entry whose age file holds this payload, and which these can open too."""
    others = [word for name in hidden for word in ("-r", vault.public(name))]
    done = subprocess.run(
        ["age", "-a", "-r", vault.public("ann"), *others],
        input=json.dumps(content).encode(),
        check=True,
        capture_output=True,
    )
    source = {"age": done.stdout.decode(), "recipients": [fingerprint(vault.public("ann"))]}
    entries = {"TOKEN": {"type": "SECRET", "valueFrom": source}}
    document = {
        "apiVersion": "hrctl.dev/v1",
        "kind": "Config",
        "metadata": {"name": "app"},
        "spec": {"scope": "SERVICE", "entries": entries},
    }
    (vault.root / "shop/prod/config.yaml").write_text(dump(document))
    vault.commit()


def rename_project(vault: Vault, name: str) -> None:
    path = vault.root / "hrctl.yaml"
    path.write_text(
        path.read_text().replace("metadata: {name: acme}", f"metadata: {{name: {name}}}")
    )
    vault.commit()


def test_a_ciphertext_of_another_project_does_not_open(keyed: Vault) -> None:
    keyed.hrctl("secrets", "set", APP, "TOKEN", typed="swordfish")
    assert payload(keyed)["project"] == "acme"
    rename_project(keyed, "thief")
    for command in (
        ("secrets", "get", APP, "TOKEN"),
        ("secrets", "check"),
        ("secrets", "rotate", "--all"),
        ("plan",),
        ("apply", "--yes"),
    ):
        assert keyed.fails(*command) == 1, command
        assert f"HR173 secret made for the project acme is used in thief, at {PLACE}" in " ".join(
            keyed.err.split()
        )
        assert "swordfish" not in keyed.out + keyed.err


def test_a_renamed_project_binds_its_secrets_anew(keyed: Vault) -> None:
    keyed.hrctl("secrets", "set", APP, "TOKEN", "--audience", URL, typed="swordfish")
    rename_project(keyed, "bazaar")
    assert keyed.fails("secrets", "rebind") == 1
    assert "HR129" in keyed.err, "it asks"
    keyed.hrctl("secrets", "rebind", "--yes")
    assert f"made for project acme, {PLACE}\n  now in project bazaar, {PLACE}" in keyed.err
    assert keyed.hrctl("secrets", "get", APP, "TOKEN") == "swordfish"
    assert payload(keyed)["audience"] == ORIGIN


def test_the_first_format_is_refused_until_somebody_binds_it(keyed: Vault) -> None:
    plant(keyed, {"v": 1, "for": PLACE, "to": [], "value": "swordfish"})
    for command in (
        ("secrets", "get", APP, "TOKEN"),
        ("secrets", "check"),
        ("secrets", "rotate", "--all"),
        ("plan",),
    ):
        assert keyed.fails(*command) == 1, command
        assert f"HR181 the secret at {PLACE} is bound to no project" in keyed.err
        assert "swordfish" not in keyed.out + keyed.err
    assert keyed.fails("secrets", "rebind") == 1
    assert "HR129" in keyed.err, "it asks"
    keyed.hrctl("secrets", "rebind", "--yes")
    assert "made for any project" in keyed.err
    assert keyed.hrctl("secrets", "get", APP, "TOKEN") == "swordfish"
    keyed.hrctl("secrets", "check")


@pytest.mark.parametrize(
    "content",
    [
        {"v": 2, "for": PLACE, "to": [], "value": "swordfish"},
        {"v": 2, "project": ["acme"], "for": PLACE, "to": [], "value": "swordfish"},
        {"v": 2, "project": "acme", "audience": 1, "for": PLACE, "to": [], "value": "swordfish"},
        {"v": 3, "project": "acme", "for": PLACE, "to": [], "value": "swordfish"},
        ["swordfish"],
    ],
)
def test_a_payload_of_another_shape_is_refused(keyed: Vault, content: dict[str, object]) -> None:
    plant(keyed, content)
    assert keyed.fails("secrets", "get", APP, "TOKEN") == 1
    assert "HR172" in keyed.err
    assert "swordfish" not in keyed.err


@pytest.mark.parametrize("verb", VERBS)
def test_a_secret_names_the_server_that_it_is_for(keyed: Vault, verb: tuple[str, ...]) -> None:
    keyed.hrctl(*verb, "--audience", URL, typed="swordfish")
    assert payload(keyed)["audience"] == ORIGIN
    keyed.hrctl("secrets", "rotate", "--all")
    assert payload(keyed)["audience"] == ORIGIN, "a rotation keeps it"
    console = Console()
    with Session(console) as session:
        entry = session.tree().resource(Address(APP)).body["spec"]["entries"]["TOKEN"]
        assert session.opener.audience(entry["value"]["valueFrom"]) == ORIGIN
    keyed.hrctl(*verb, typed="swordfish")
    assert "audience" not in payload(keyed)


def test_editing_keeps_the_server(keyed: Vault) -> None:
    keyed.hrctl("secrets", "set", APP, "TOKEN", "--audience", URL, typed="swordfish")
    keyed.patch.setenv("EDITOR", "sed -i s/swordfish/halibut/")
    keyed.patch.delenv("VISUAL", raising=False)
    keyed.hrctl("secrets", "edit", APP)
    found = payload(keyed)
    assert (found["value"], found["audience"]) == ("halibut", ORIGIN)


def test_an_audience_that_is_no_server_changes_nothing(keyed: Vault) -> None:
    for verb in VERBS:
        assert keyed.fails(*verb, "--audience", "unleash", typed="swordfish") == 1
        assert "HR182" in keyed.err
        assert keyed.git("status", "--porcelain") == ""
    assert keyed.fails("config", "set", "LEVEL", "debug", "--in", "prod", "--audience", URL) == 1
    assert "HR145 --audience is for secrets" in keyed.err


@pytest.mark.parametrize("command", ["check", "rotate"])
def test_a_hidden_recipient_is_seen_in_the_header(keyed: Vault, command: str) -> None:
    keyed.key("mallory")
    mark = fingerprint(keyed.public("ann"))
    content = {"v": 2, "project": "acme", "for": PLACE, "to": [mark], "value": "swordfish"}
    plant(keyed, dict(content))
    keyed.hrctl("secrets", "check")
    plant(keyed, dict(content), "mallory")
    keyed.patch.setenv("HRCTL_AGE_IDENTITY_FILE", keyed.key("mallory"))
    assert keyed.hrctl("secrets", "get", APP, "TOKEN") == "swordfish", "it is open to somebody else"
    keyed.patch.setenv("HRCTL_AGE_IDENTITY_FILE", keyed.key("ann"))
    if command == "check":
        assert keyed.fails("secrets", "check") == 1
        assert f"HR175 the secret at {PLACE} is not encrypted to whom it says" in keyed.err
        assert "its header holds 2 recipients, and the list names 1" in keyed.err
        return
    assert keyed.hrctl("secrets", "rotate") == "Encrypted 1 secret in 1 file anew.\n"
    keyed.hrctl("secrets", "check")
    keyed.patch.setenv("HRCTL_AGE_IDENTITY_FILE", keyed.key("mallory"))
    assert keyed.fails("secrets", "get", APP, "TOKEN") == 1
    assert "HR170" in keyed.err
