"""A flag's values stand in the clear where applications read them: no secret gets there."""

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


def test_a_flag_refers_to_no_secret(vault: Vault) -> None:
    text = vault.read("hrctl.yaml").rstrip() + "\n  drivers: {flags: {type: flagd, file: f.json}}\n"
    vault.write("hrctl.yaml", text)
    bound = vault.read("shop/prod/registry.yaml").replace(
        "level: ENVIRONMENT", "level: ENVIRONMENT, drivers: {FeatureFlag: flags}"
    )
    vault.write("shop/prod/registry.yaml", bound)
    entries = vault.read("shop/prod/config.yaml") + "    PASSWORD: {type: SECRET}\n"
    vault.write("shop/prod/config.yaml", entries)
    vault.hrctl("secrets", "set", "prod:Config/app", "PASSWORD", typed=PLAIN)
    vault.write("shop/prod/flag.yaml", FLAG)
    vault.commit()
    key = ["--identity", vault.key("ann")]
    for words in (
        ["validate"],
        ["apply", "--yes", "--target", "FeatureFlag", "--target", "Config"],
        ["flag", "evaluate", "search", "--user", "ann", "--live", "--explain"],
        ["flag", "show", "search"],
    ):
        for layout in ("text", "json"):
            assert vault.fails(*key, *words, "-o", layout) == 1
            said = vault.out + vault.err
            assert "HR024" in said
            assert "variants.on.key is a valueFrom, and a flag's values stand in the clear" in said
            assert PLAIN not in said, words
    assert vault.fails("validate") == 1
    assert "shop/prod/flag.yaml:8:15: HR024" in vault.out
    files = [path for path in vault.root.rglob("*") if path.is_file()]
    assert "f.json" not in {path.name for path in files}
    assert not [path for path in files if PLAIN.encode() in path.read_bytes()]
