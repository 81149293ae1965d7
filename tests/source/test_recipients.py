"""Secrets whose recipients are not those of the rules are told without any key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrctl.model.recipients import fingerprint

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

ANN, BOB, EVE = (f"age1{name * 6}" for name in ("ann", "bqb", "eve"))
RULES = f"""
apiVersion: hrctl.dev/v1
kind: Project
metadata: {{name: acme}}
spec:
  secrets:
    recipients:
      - {{path: "**", keys: [{ANN}]}}
      - {{path: "acme/shop/**", keys: [{BOB}], mode: add}}
"""
ROOT = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\nspec: {level: ROOT}\n"
SHOP = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: shop}\nspec: {level: DOMAIN}\n"


def config(*keys: str, clear: bool = True) -> str:
    listed = f", recipients: [{', '.join(map(fingerprint, keys))}]" if clear else ""
    age = "-----BEGIN AGE ENCRYPTED FILE----- x -----END AGE ENCRYPTED FILE-----"
    return f"""
apiVersion: hrctl.dev/v1
kind: Config
metadata: {{name: app}}
spec:
  scope: GLOBAL
  entries:
    TOKEN:
      type: SECRET
      valueFrom: {{age: "{age}"{listed}}}
"""


def told(folder: ProjectFolder, shop: str, root: str = "") -> list[str]:
    files = {"hrctl.yaml": RULES, "registry.yaml": ROOT, "shop/registry.yaml": SHOP}
    folder.write({**files, "shop/app.yaml": shop, "app.yaml": root or config(ANN)})
    return [str(one) for one in folder.load().diagnostics if one.code == "HR174"]


def test_those_of_the_rules_in_any_order_are_right(folder: ProjectFolder) -> None:
    assert told(folder, config(BOB, ANN)) == []
    assert told(folder, config(ANN, BOB)) == []


def test_one_too_few_and_one_too_many_are_named(folder: ProjectFolder) -> None:
    (one,) = told(folder, config(ANN, EVE))
    assert one.startswith("shop/app.yaml:9:")
    assert "acme/shop:Config/app#/spec/entries/TOKEN is not encrypted to age1bqb" in one
    assert f"encrypted to {fingerprint(EVE)} as well" in one


def test_a_cached_registry_is_judged_by_the_rules_of_now(folder: ProjectFolder) -> None:
    assert told(folder, config(ANN, BOB)) == []
    folder.write({"hrctl.yaml": RULES.replace(BOB, EVE)})
    assert [one.code for one in folder.load().diagnostics if one.code != "HR062"] == ["HR174"]


def test_one_that_does_not_say_is_told(folder: ProjectFolder) -> None:
    (one,) = told(folder, config(clear=False))
    assert "does not say whom it is encrypted to" in one


def test_without_rules_nothing_is_asked(folder: ProjectFolder) -> None:
    assert told(folder, config(ANN, BOB), config(ANN)) == []
    folder.write({"hrctl.yaml": RULES.partition("spec:")[0], "shop/app.yaml": config(EVE)})
    assert [one.code for one in folder.load().diagnostics if one.code != "HR062"] == []


def test_a_rule_that_reaches_nothing_and_a_secret_without_a_rule_are_warned_of(
    folder: ProjectFolder,
) -> None:
    told(folder, config(BOB, ANN))
    assert not [one for one in folder.load().diagnostics if one.code == "HR178"]
    folder.write({"hrctl.yaml": RULES.replace('"**"', '"acme/shop"').replace("p/**", "pp/**")})
    found = [one for one in folder.load().diagnostics if one.code == "HR178"]
    assert {str(one.severity) for one in found} == {"warning"}
    assert [one.summary.partition(":")[0] for one in found] == [
        "the rule for 'acme/shopp/**' under spec.secrets.recipients matches no registry",
        "hrctl.yaml names no recipient for secrets of acme",
    ]
