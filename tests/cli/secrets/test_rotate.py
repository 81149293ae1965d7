"""`hrctl secrets rotate`, `rebind`, `check` and `list`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hrctl.source.edit import dump

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

ENTRIES = "  entries:\n"
BOTH = "{path: '**', keys: [ANN, BOB]}"


def config(vault: Vault, name: str, *keys: str, at: str = "acme/shop/prod", **more: str) -> str:
    """A manifest with a secret that is bound to where it says."""
    place = more.get("place", f"{at}:Config/{name}")
    source = vault.sealed(f"of {name}", place, "/spec/entries/P", *keys)
    entries = {"P": {"type": "SECRET", "valueFrom": source}}
    return dump(
        {
            "apiVersion": "hrctl.dev/v1",
            "kind": "Config",
            "metadata": {"name": name},
            "spec": {"scope": "SERVICE", "entries": entries},
        }
    )


@pytest.fixture
def many(vault: Vault) -> Vault:
    vault.key("bob")
    text = "---\n".join(f"# about {name}\n{config(vault, name, 'ann')}" for name in "abc")
    vault.write("shop/prod/many.yaml", "")
    (vault.root / "shop/prod/many.yaml").write_text(f"# all of them\n{text}# the end\n")
    vault.commit()
    vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", vault.key("ann"))
    return vault


def plain(text: str) -> str:
    """Without ciphertexts and recipients."""
    return re.sub(r" *(-----BEGIN AGE[^*]*?END AGE.*|recipients:\n( *- SHA256:.*\n)+)", "", text)


def test_a_new_recipient_is_added_and_all_else_stays(many: Vault) -> None:
    before = many.read("shop/prod/many.yaml")
    many.rules(BOTH)
    assert many.fails("validate") == 1
    assert many.out.count("HR174 the") == 3
    assert "not encrypted to age1" in many.out
    out = many.hrctl("secrets", "rotate", "--commit")
    assert out == "Encrypted 3 secrets in 1 file anew.\n"
    after = many.read("shop/prod/many.yaml")
    assert plain(after) == plain(before)
    assert len(plain(before)) > 300
    many.hrctl("validate")
    for name in ("ann", "bob"):
        many.patch.setenv("HRCTL_AGE_IDENTITY_FILE", many.key(name))
        assert many.hrctl("secrets", "get", "Config/a", "P") == "of a"
    assert many.git("log", "-1", "--format=%s") == "Encrypt 3 secrets anew\n"


def test_an_approval_made_without_the_key_says_what_rotated_secrets_do_to_it(many: Vault) -> None:
    many.hrctl("apply", "--yes")
    many.hrctl("secrets", "rotate", "--all")
    path = "shop/prod/many.yaml"
    text = many.read(path).replace(ENTRIES, f"{ENTRIES}    P2: {{type: STRING, value: new}}\n", 1)
    (many.root / path).write_text(text)
    many.commit()
    key = many.key("ann")
    many.patch.delenv("HRCTL_AGE_IDENTITY_FILE")
    digest = many.hrctl("plan", "--digest").strip()
    many.patch.setenv("HRCTL_AGE_IDENTITY_FILE", key)
    assert many.fails("apply", "--approved", digest) == 4
    assert "HR284" in many.err
    assert "make both plans with the key, or both without" in " ".join(many.err.split())
    many.hrctl("apply", "--approved", many.hrctl("plan", "--digest").strip())


def test_only_what_differs_is_written(many: Vault) -> None:
    many.rules("{path: '**', keys: [ANN]}", "{path: 'acme/shop/prod/**', keys: [ANN], mode: add}")
    many.hrctl("secrets", "rotate")
    assert "so already" in many.err
    assert many.git("diff", "--stat", "--", "shop") == ""
    many.hrctl("secrets", "rotate", "--all", "prod:Config/b")
    diff = many.git("diff", "-U0", "--", "shop")
    assert diff.count("-----BEGIN") == 0, "the frame of the armour stays"
    assert diff.count("@@ -") == 1


@pytest.mark.parametrize("layout", ["flow", "crlf", "quoted", "folded indent", "twice"])
def test_other_layouts_are_rewritten_too(many: Vault, layout: str) -> None:
    text = many.read("shop/prod/many.yaml")
    if layout == "crlf":
        text = text.replace("\n", "\r\n")
    elif layout in {"flow", "quoted"}:
        source = many.sealed("of a", "acme/shop/prod:Config/a", "/spec/entries/P", "ann")
        armour = source["age"].replace("\n", "\\n")
        marks = ", ".join(source["recipients"])
        value = f'{{age: "{armour}", recipients: [{marks}]}}'
        if layout == "quoted":
            value = f'\n        age: "{armour}"\n        recipients: [{marks}]'
        first, rest = text.split("\n---\n", 1)
        head = first.partition("valueFrom:")[0]
        text = f"{head}valueFrom: {value}\n---\n{rest}"
    elif layout == "folded indent":
        text = text.replace("        recipients:\n          - ", "        recipients:\n        - ")
    else:
        text += "---\n" + config(many, "d", "ann") + "# " + text.splitlines()[12].strip() + "\n"
    (many.root / "shop/prod/many.yaml").write_bytes(text.encode())
    many.rules(BOTH)
    many.hrctl("secrets", "rotate")
    assert many.hrctl("validate")
    many.hrctl("secrets", "check")
    assert many.read("shop/prod/many.yaml").count("# about") == 3


def test_without_the_key_of_one_nothing_is_changed(many: Vault) -> None:
    many.write("shop/prod/other.yaml", "")
    (many.root / "shop/prod/other.yaml").write_text(config(many, "other", "bob"))
    many.rules(BOTH)
    many.commit()
    assert many.fails("secrets", "rotate") == 1
    assert "shop/prod/other.yaml:11:9: HR170" in many.err
    assert many.git("status", "--porcelain") == ""
    many.hrctl("secrets", "rotate", "prod:Config/a")
    assert many.fails("secrets", "check", "acme/shop") == 1
    assert "1 error" in many.err


def test_a_move_is_bound_anew(many: Vault) -> None:
    text = many.read("shop/prod/many.yaml").replace("name: b", "name: moved")
    (many.root / "shop/prod/many.yaml").write_text(text)
    many.commit()
    assert many.fails("secrets", "check") == 1
    assert "HR173 secret made for acme/shop/prod:Config/b#/spec/entries/P is used at" in many.err
    assert many.fails("plan") == 1
    assert "HR173" in many.err
    assert many.fails("secrets", "rebind") == 1
    assert "HR129" in many.err, "it asks"
    assert many.git("status", "--porcelain") == ""
    assert many.hrctl("secrets", "rebind", "--yes") == "Bound 1 secret in 1 file to its place.\n"
    assert "made for acme/shop/prod:Config/b#" in many.err
    many.hrctl("secrets", "check")
    assert many.hrctl("secrets", "get", "Config/moved", "P") == "of b"


def test_a_copy_is_not_bound_anew(many: Vault) -> None:
    text = many.read("shop/prod/many.yaml").split("\n---\n")[0].replace("name: a", "name: thief")
    (many.root / "shop/prod/thief.yaml").write_text(text)
    many.commit()
    assert many.fails("secrets", "rebind", "--yes") == 1
    assert "it was copied, not moved" in many.err
    assert many.git("status", "--porcelain") == ""
    assert many.fails("apply", "--yes") == 1
    assert "HR173" in many.err
    assert many.fails("secrets", "get", "Config/thief", "P") == 1
    assert "HR173" in many.err


def test_a_clear_list_that_lies_is_told_with_a_key(many: Vault) -> None:
    from hrctl.model.recipients import fingerprint

    text = many.read("shop/prod/many.yaml")
    mark = fingerprint(many.public("ann"))
    lie = fingerprint(many.public("bob"))
    (many.root / "shop/prod/many.yaml").write_text(text.replace(mark, lie, 1))
    many.rules("{path: '**', keys: [BOB]}")
    assert many.fails("validate") == 1
    assert many.out.count("HR174 the") == 2, "one of the three claims to be right"
    assert many.fails("secrets", "check") == 1
    assert many.err.count("HR175 the") == 1


def test_check_tells_what_is_damaged(many: Vault) -> None:
    text = many.read("shop/prod/many.yaml")
    line = text.splitlines()[14]
    (many.root / "shop/prod/many.yaml").write_text(
        text.replace(line, f"{line[:12]}AAAA{line[16:]}")
    )
    assert many.fails("secrets", "check") == 1
    assert "shop/prod/many.yaml:13:9: HR172 the secret at acme/shop/prod:Config/a#" in many.err
    report = many.fails("secrets", "check", "-o", "json")
    assert report == 1


def test_check_without_any_key_says_so_once(many: Vault) -> None:
    many.patch.delenv("HRCTL_AGE_IDENTITY_FILE")
    assert many.fails("secrets", "check") == 1
    assert many.err.startswith("HR170 3 secrets cannot be checked: there is no identity here")


def test_list_tells_where_for_whom_and_since_when(many: Vault) -> None:
    many.patch.delenv("HRCTL_AGE_IDENTITY_FILE")
    listed = many.json("secrets", "list")["secrets"]
    assert [one["address"] for one in listed] == [f"acme/shop/prod:Config/{name}" for name in "abc"]
    assert listed[0]["file"] == "shop/prod/many.yaml"
    lines = many.read("shop/prod/many.yaml").splitlines()
    assert all("-----BEGIN" in lines[one["line"] - 1] for one in listed)
    head = many.git("rev-parse", "HEAD").strip()
    assert {one["commit"] for one in listed} == {head}
    assert listed[0]["recipients"][0]["name"].startswith("age1")
    many.hrctl("secrets", "set", "Config/b", "P", typed="new")
    text = many.hrctl("secrets", "list", "prod")
    first, *rows = [line.split() for line in text.splitlines() if line.startswith("  ")]
    assert first[0] == "P"
    assert [row[-2:] for row in (first, *rows)] == [
        ["just", "now"],
        ["not", "committed"],
        ["just", "now"],
    ]


def test_list_without_git(many: Vault) -> None:
    import shutil

    shutil.rmtree(many.root / ".git")
    assert {one["commit"] for one in many.json("secrets", "list")["secrets"]} == {None}
