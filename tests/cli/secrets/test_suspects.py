"""A value in plain text that looks like a secret is found by every command that checks the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

HARMLESS = "# pragma: allowlist secret"


@pytest.fixture
def plain(vault: Vault) -> Vault:
    """A project with a password in the `env` of a template, and another in a Config."""
    path = vault.root / "shop/services.yaml"
    path.write_text(f"{path.read_text()}    DB_PASSWORD: hunter2\n")
    path = vault.root / "shop/prod/config.yaml"
    path.write_text(f"{path.read_text()}    API_TOKEN: {{type: STRING, value: squeamish}}\n")
    vault.commit()
    return vault


def test_validate_finds_it_the_first_time_and_from_the_cache(plain: Vault) -> None:
    for _ in range(2):
        plain.hrctl("validate")
        entry, env = (line for line in plain.out.splitlines() if "HR296 warning" in line)
        assert env.startswith("shop/services.yaml:10:5: HR296 warning: env.DB_PASSWORD is called a")
        assert entry.startswith("shop/prod/config.yaml:8:")
        assert "entries.API_TOKEN.value is called a secret" in entry
        assert HARMLESS in plain.out
        assert "hunter2" not in plain.out + plain.err
        assert "squeamish" not in plain.out + plain.err
    found = plain.json("validate")["diagnostics"]
    assert [(one["code"], one["severity"]) for one in found] == [("HR296", "warning")] * 2
    assert plain.fails("validate", "--strict") == 1
    plain.hrctl("plan")
    assert plain.err.count("HR296 warning") == 2


def test_its_author_can_say_that_it_is_none(plain: Vault) -> None:
    for name in ("shop/services.yaml", "shop/prod/config.yaml"):
        path = plain.root / name
        path.write_text(path.read_text().rstrip("\n") + f"  {HARMLESS}\n")
    for _ in range(2):
        plain.hrctl("validate", "--strict")
        assert plain.out.endswith("all valid.\n")
    plain.hrctl("validate", "--secrets")


def test_the_comment_is_for_its_line_alone(plain: Vault) -> None:
    path = plain.root / "shop/services.yaml"
    text = path.read_text().replace(
        "LEVEL: info", f"OTHER_TOKEN: squeamish {HARMLESS}\n    LEVEL: info"
    )
    path.write_text(text)
    plain.hrctl("validate")
    assert "env.DB_PASSWORD is called a secret" in plain.out
    assert "OTHER_TOKEN" not in plain.out


def test_the_hook_takes_it_for_an_error_once(plain: Vault) -> None:
    assert plain.fails("validate", "--secrets") == 1
    assert plain.out.count("HR296") == 3, "two, and the way to learn more"
    assert "warning" not in plain.out


def test_what_is_handed_down_is_told_once(plain: Vault) -> None:
    plain.write(
        "shop/dev/registry.yaml",
        """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: dev}
        spec:
          level: ENVIRONMENT
          defaults: {Service: {env: {SMTP_PASSWORD: squeamish}}}
        """,
    )
    found = plain.json("validate")["diagnostics"]
    assert sorted(one["summary"].split()[0] for one in found) == [
        "defaults.Service.env.SMTP_PASSWORD",
        "entries.API_TOKEN.value",
        "env.DB_PASSWORD",
    ]
