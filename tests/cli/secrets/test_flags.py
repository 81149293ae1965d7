"""A flag's value may refer to a secret: who looks at the flag sees the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

PLAIN = "swordfish-and-chips"
FLAG = """\
apiVersion: hrctl.dev/v1
kind: FeatureFlag
metadata: {name: search}
spec:
  type: OBJECT
  status: ENABLED
  variants:
    on: {key: {valueFrom: {config: app, key: PASSWORD}}}
    off: {}
  default: "on"
"""


def test_a_flag_shows_no_secret(vault: Vault) -> None:
    text = vault.read("hrctl.yaml").rstrip() + "\n  drivers: {flags: {type: flagd, file: f.json}}\n"
    vault.write("hrctl.yaml", text)
    bound = vault.read("shop/prod/registry.yaml").replace(
        "level: ENVIRONMENT", "level: ENVIRONMENT, drivers: {FeatureFlag: flags}"
    )
    vault.write("shop/prod/registry.yaml", bound)
    vault.write("shop/prod/flag.yaml", FLAG)
    entries = vault.read("shop/prod/config.yaml") + "    PASSWORD: {type: SECRET}\n"
    vault.write("shop/prod/config.yaml", entries)
    vault.hrctl("secrets", "set", "prod:Config/app", "PASSWORD", typed=PLAIN)
    vault.commit()
    key = ["--identity", vault.key("ann")]
    for words in (
        ["apply", "--yes", "--target", "FeatureFlag", "--target", "Config"],
        ["flag", "evaluate", "search", "--user", "ann", "--live", "--explain"],
        ["flag", "show", "search"],
        ["flag", "list", "--live"],
        ["flag", "export"],
        ["flag", "stats"],
        ["state", "show", "acme/shop/prod:FeatureFlag/search"],
    ):
        for layout in ("text", "json"):
            vault.hrctl(*key, *words, "-o", layout)
            assert PLAIN not in vault.out + vault.err, words
    vault.hrctl(*key, "flag", "evaluate", "search", "--user", "ann")
    assert "valueFrom" in vault.out
    files = [path for path in vault.root.rglob("*") if path.is_file()]
    assert "f.json" in {path.name for path in files}
    assert not [path for path in files if PLAIN.encode() in path.read_bytes()]
