"""Entries of Configs: looked up, set, taken away, traced and taken back."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hrctl.cli.verbs import dotenv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.verbs.conftest import Shell

APP = """\
    # What every environment starts with.
    apiVersion: hrctl.dev/v1
    kind: Config
    metadata: {name: app, instances: ENVIRONMENT}
    spec:
      scope: SERVICE
      entries:
        LOG_LEVEL: {type: STRING, value: info, default: warning, allowed: [debug, info, warning]}
        PORT: {type: INTEGER, value: 8080, min: 1024, max: 65535} # of the API
        RATIO: {type: FLOAT, value: 0.5}
        ON: {type: BOOLEAN, default: true}
        LIMITS:
          type: JSON
          value: {rate: 5}
          schema: {type: object, properties: {rate: {type: integer}}}
        TOKEN: {type: SECRET}
    """
ROOT = """\
    apiVersion: hrctl.dev/v1
    kind: Config
    metadata: {name: company}
    spec:
      entries:
        LOG_LEVEL: {type: STRING, value: error}
        NAME: {type: STRING, value: "Acme & Co"}
    """
OWN = """\
    apiVersion: hrctl.dev/v1
    kind: Config
    metadata: {name: own}
    spec:
      scope: USER
      entries:
        RATIO: {type: FLOAT, default: 0.25}
    """
KEY = "age1wgtgmzxufxruxpst6w9fxgekaqxh7krd2r4r7ppzz46ndm42zvks78fl6c"


@pytest.fixture
def config(shell: Shell) -> Shell:
    shell.write("shop/config.yaml", APP)
    shell.write("company.yaml", ROOT)
    shell.write("shop/prod/own.yaml", OWN)
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Configs")
    return shell


def piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(text.encode()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stream)


def test_a_key_is_looked_up_through_scopes_and_registries(config: Shell) -> None:
    assert config.hrctl("config", "get", "LOG_LEVEL", "--in", "prod") == "info\n"
    assert config.hrctl("config", "get", "LOG_LEVEL", "--in", "shop") == "error\n"
    assert config.hrctl("config", "get", "NAME", "--in", "prod") == "Acme & Co\n"
    # a value further away comes before a default nearby
    assert config.json("config", "get", "RATIO", "--in", "prod")["value"] == 0.5
    config.hrctl("config", "set", "RATIO", "2", "--in", "prod", "--config", "own")
    assert config.json("config", "get", "RATIO", "--in", "prod") == {
        "key": "RATIO",
        "value": 2,
        "type": "FLOAT",
        "scope": "USER",
        "address": "acme/shop/prod:Config/own",
        "default": False,
    }
    assert config.hrctl("config", "get", "ON", "--in", "dev") == "true\n"


def test_every_place_that_is_looked_at_is_explained(config: Shell) -> None:
    found = config.json("config", "get", "LOG_LEVEL", "--in", "prod", "--explain")
    assert [(one["value"], one["holds"], one["file"]) for one in found] == [
        ("info", True, "shop/config.yaml:8"),
        ("error", False, "company.yaml:6"),
    ]


def test_a_key_that_is_not_clear_or_not_there(config: Shell) -> None:
    assert config.fails("config", "get", "LOG_LEVEL") == 1
    assert "HR160" in config.err
    assert config.fails("config", "get", "LOG_LEVLE", "--in", "prod") == 1
    assert "did you mean LOG_LEVEL?" in config.err
    assert config.fails("config", "get", "TOKEN", "--in", "prod") == 1
    assert "HR199" in config.err


def test_setting_changes_one_line_and_keeps_the_rest(config: Shell) -> None:
    shell = config
    before = shell.read("company.yaml")
    shell.hrctl("config", "set", "NAME", "Acme: 2", "--in", "acme", "--commit", "-m", "Why not")
    assert shell.read("company.yaml") == before.replace('"Acme & Co"', '"Acme: 2"')
    assert shell.git("log", "-1", "--format=%s").strip() == "Why not"
    assert shell.git("status", "--porcelain") == ""


def test_an_instance_gets_a_patch_of_its_own(config: Shell) -> None:
    config.hrctl("config", "set", "PORT", "9000", "--in", "prod")
    assert config.hrctl("config", "get", "PORT", "--in", "prod") == "9000\n"
    assert config.hrctl("config", "get", "PORT", "--in", "dev") == "8080\n"
    assert "value: 9000" in config.read("shop/prod/patches.yaml")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("PORT", "80", "HR031"),
        ("PORT", "many", "HR197"),
        ("LOG_LEVEL", "loud", "HR031"),
        ("ON", "yes", "HR197"),
        ("LIMITS", '{"rate": "fast"}', "HR031"),
        ("LIMITS", "{", "HR197"),
        ("RATIO", "true", "HR197"),
    ],
)
def test_types_and_rules_are_checked(config: Shell, key: str, value: str, code: str) -> None:
    files = config.files()
    assert config.fails("config", "set", key, value, "--in", "prod", "--config", "app") == 1
    assert code in config.err
    assert config.files() == files


def test_a_new_key_gets_a_type(config: Shell) -> None:
    config.hrctl("config", "set", "NEW", "[1, 2]", "--type", "JSON", "--in", "acme")
    assert config.json("config", "get", "NEW")["value"] == [1, 2]
    assert config.fails("config", "set", "NEW", "1", "--type", "INTEGER", "--in", "acme") == 1
    assert "HR197" in config.err
    config.hrctl("config", "unset", "NEW", "--in", "acme")
    assert config.git("status", "--porcelain") == ""


def test_reset_and_unset_of_an_instance(config: Shell) -> None:
    config.hrctl("config", "reset", "LOG_LEVEL", "--in", "prod")
    assert config.hrctl("config", "get", "LOG_LEVEL", "--config", "prod:app") == "warning\n"
    config.hrctl("config", "unset", "LOG_LEVEL", "--in", "prod")
    assert config.hrctl("config", "get", "LOG_LEVEL", "--in", "prod") == "error\n"
    assert config.hrctl("config", "get", "LOG_LEVEL", "--in", "dev") == "info\n"
    assert config.fails("config", "reset", "PORT", "--in", "prod") == 1
    assert "has no default" in config.err


def test_history_and_rollback_of_a_key(config: Shell) -> None:
    where = ("--in", "prod")
    for port in ("9000", "9001"):
        config.hrctl("config", "set", "PORT", port, *where, "--commit")
    changes = config.json("config", "history", "PORT", *where)["changes"]
    values = [one["fields"][-1]["new"] for one in changes]
    assert values[:2] == [9001, 9000]
    assert changes[0]["author"] == "Robin"
    config.hrctl("config", "rollback", "PORT", *where, "--to", "HEAD~1")
    assert config.hrctl("config", "get", "PORT", *where) == "9000\n"
    assert config.git("log", "-1", "--format=%s").startswith("Roll back PORT of acme/shop/prod")
    config.write("shop/prod/patches.yaml", config.read("shop/prod/patches.yaml") + "# work\n")
    assert config.fails("config", "rollback", "PORT", *where, "--to", "HEAD~1") == 1
    assert "HR195" in config.err


def test_two_registries_configs_and_commits_compared(config: Shell) -> None:
    config.hrctl("config", "set", "PORT", "9000", "--in", "prod", "--commit")
    said = config.json("config", "diff", "dev", "prod")["differences"]
    assert said == [{"key": "PORT", "a": "8080", "b": "9000"}]
    assert config.json("config", "diff", "dev:app", "prod:app")["differences"] == said
    (found,) = config.json("config", "diff", "HEAD~1", "HEAD")["differences"]
    assert found["key"] == "acme/shop/prod:app PORT"
    assert "No differences." in config.hrctl("config", "diff", "dev", "dev")
    assert config.fails("config", "diff", "dev", "nowhere") == 1
    assert "HR065" in config.err


def test_export_and_import(config: Shell, tmp_path: Path) -> None:
    said = config.hrctl("config", "export", "--in", "prod", "--format", "dotenv")
    values = dotenv.load(said, "x")
    assert values["NAME"] == "Acme & Co"
    assert values["LIMITS"] == '{"rate": 5}'
    assert values["ON"] == "true"
    assert config.json("config", "export", "--config", "dev:app")["PORT"] == 8080
    assert "PORT: 8080\n" in config.hrctl("config", "export", "--config", "dev:app")
    file = tmp_path / "new.env"
    file.write_text("export PORT=9100 # busy\nNEW='a b'\nLOG_LEVEL=\"debug\"\n")
    config.hrctl("config", "import", str(file), "--config", "prod:app")
    assert config.json("config", "export", "--config", "prod:app") == {
        "LOG_LEVEL": "debug",
        "PORT": 9100,
        "RATIO": 0.5,
        "ON": True,
        "LIMITS": {"rate": 5},
        "NEW": "a b",
    }
    file = tmp_path / "new.json"
    file.write_text(json.dumps({"PORT": 80}))
    files = config.files()
    assert config.fails("config", "import", str(file), "--config", "prod:app") == 1
    assert "HR031" in config.err
    assert config.files() == files
    config.hrctl("config", "export", "--manifests")
    manifests = tmp_path / "all.yaml"
    manifests.write_text(config.out.partition("---\n")[0])
    config.hrctl("config", "import", str(manifests), "--in", "dev")
    assert config.json("config", "get", "NAME", "--in", "dev")["address"] == (
        "acme/shop/dev:Config/company"
    )


def test_validate_tells_of_configs_only(config: Shell) -> None:
    assert "obey their rules" in config.hrctl("config", "validate")
    config.write("company.yaml", ROOT.replace("value: error", "value: 5"))
    config.write("shop/dev/bad.yaml", "kind: [\n")
    assert config.fails("config", "validate") == 1
    assert "company.yaml" in config.err
    assert "bad.yaml" not in config.err


def test_values_that_references_lead_to_obey_the_rules_too(config: Shell) -> None:
    there = "{type: STRING, allowed: [loud], valueFrom: {config: company, key: LOG_LEVEL}}"
    config.write(
        "shop/prod/own.yaml", OWN.replace("RATIO: {type: FLOAT, default: 0.25}", f"LEVEL: {there}")
    )
    assert config.fails("config", "validate") == 1
    assert "'error' is not allowed" in config.err


class TestSecrets:
    """A SECRET entry: never from an argument, never in the clear, decrypted only on request."""

    @pytest.fixture
    def key(self, config: Shell, monkeypatch: pytest.MonkeyPatch) -> str:
        import pyrage

        made = pyrage.x25519.Identity.generate()
        public = made.to_public()
        config.write(
            "hrctl.yaml",
            "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
            f"spec: {{secrets: {{recipients: [{{path: '**', keys: ['{public}']}}]}}}}\n",
        )
        config.git("commit", "-qam", "Recipients")
        monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
        monkeypatch.setenv("HOME", "/nowhere")
        return str(made)

    def test_set_get_and_export(
        self, config: Shell, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        assert config.fails("config", "set", "TOKEN", "canary-1", "--in", "prod") == 1
        assert "HR179" in config.err
        piped(monkeypatch, "canary-2\n")
        config.hrctl("config", "set", "TOKEN", "--in", "prod", "--commit")
        assert "canary" not in config.out + config.err
        assert "canary" not in config.read("shop/prod/patches.yaml")
        for args in (
            ("get", "TOKEN", "--in", "prod", "--explain"),
            ("list", "--in", "prod"),
            ("export", "--in", "prod", "--format", "dotenv"),
            ("history", "TOKEN", "--in", "prod"),
            ("diff", "dev", "prod"),
            ("validate",),
        ):
            for more in ((), ("-o", "json")):
                said = config.hrctl("config", *args, *more) + config.err
                assert "BEGIN AGE" not in said
                assert "canary" not in said
        assert config.fails("config", "get", "TOKEN", "--in", "prod") == 1
        assert "HR185" in config.err
        assert config.fails("config", "get", "TOKEN", "--in", "prod", "--reveal") == 1
        assert "HR170" in config.err
        file = tmp_path / "key"
        file.write_text(key)
        file.chmod(0o600)
        reveal = ("--reveal", "--identity", str(file))
        assert config.hrctl("config", "get", "TOKEN", "--in", "prod", *reveal) == "canary-2\n"
        said = config.hrctl("config", "export", "--in", "prod", "--format", "dotenv", *reveal)
        assert "TOKEN=canary-2\n" in said

    def test_rollback_and_import(
        self, config: Shell, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        identity = tmp_path / "key"
        identity.write_text(key)
        identity.chmod(0o600)
        reveal = ("--in", "prod", "--reveal", "--identity", str(identity))
        for value in ("canary-1", "canary-2"):
            piped(monkeypatch, value)
            config.hrctl("config", "set", "TOKEN", "--in", "prod", "--commit")
        config.hrctl("config", "rollback", "TOKEN", "--in", "prod", "--to", "HEAD~1")
        assert "canary" not in config.out + config.err
        assert config.hrctl("config", "get", "TOKEN", *reveal) == "canary-1\n"
        file = tmp_path / "values.env"
        file.write_text("TOKEN=canary-3\nPORT=9000\n")
        config.hrctl("config", "import", str(file), "--config", "prod:app")
        assert "canary" not in config.out + config.err
        assert config.hrctl("config", "get", "TOKEN", *reveal) == "canary-3\n"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "a b",
        'q"uote',
        "back\\slash",
        "two\nlines",
        "$HOME #x",
        "é",
        "'s",
        "a\u2028b\x85c\x0bd\x1ce",
        "\u2028",
        "end\x85",
    ],
)
def test_dotenv_there_and_back(value: str) -> None:
    assert dotenv.load("\n".join(dotenv.dump({"A.b": value})), "x") == {"A_b": value}


def test_json_is_read_as_json(shell: Shell, tmp_path: Path) -> None:
    shell.write("company.yaml", ROOT)
    values = {"EMOJI": "\U0001f600", "DEL": "a\x7fb", "BREAKS": "a\u2028b\x85c"}
    file = tmp_path / "values.json"
    for text in (json.dumps(values), json.dumps(values, ensure_ascii=False)):
        file.write_text(text)
        shell.hrctl("config", "import", str(file), "--config", "company")
        said = shell.json("config", "export", "--config", "company", "--format", "json")
        assert {key: said[key] for key in values} == values
    for text, code in (('{"A": 1, "A": 2}', "HR004"), ('{"A": "\\ud800"}', "HR"), ("{A: 1}", "")):
        file.write_text(text)
        if code:
            assert shell.fails("config", "import", str(file), "--config", "company") == 1
            assert code in shell.err
        else:  # YAML in braces, as before
            shell.hrctl("config", "import", str(file), "--config", "company")


def test_dotenv_that_is_none(shell: Shell, tmp_path: Path) -> None:
    shell.write("company.yaml", ROOT)
    file = tmp_path / "bad.env"
    file.write_text("GOOD=1\nhunter2 secret line\n")
    assert shell.fails("config", "import", str(file), "--config", "company") == 1
    assert "line 2 of" in shell.err
    assert "hunter2" not in shell.err
