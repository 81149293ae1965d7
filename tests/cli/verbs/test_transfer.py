"""Manifests that leave one project and come into another."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.verbs.conftest import Shell


@pytest.mark.parametrize("layout", ["yaml", "json"])
def test_what_is_exported_comes_back_where_it_was(
    shell: Shell, tmp_path: Path, layout: str
) -> None:
    before = {
        row["address"]: shell.json("service", "show", row["address"])
        for row in shell.json("service", "list")
    }
    file = tmp_path / f"all.{layout}"
    file.write_text(shell.hrctl("service", "export", "--format", layout))
    (shell.root / "shop/services.yaml").unlink()
    (shell.root / "shop/dev/jobs.yaml").unlink()
    assert shell.json("service", "list") == []
    done = shell.json("service", "import", str(file))
    assert done["files"] == ["shop/dev/services.yaml", "shop/prod/services.yaml"]
    for address, shown in before.items():
        again = shell.json("service", "show", address)
        assert {**again, "file": ""} == {**shown, "file": ""}
    assert "protect: true" in shell.read("shop/dev/services.yaml")
    assert "hrctl.dev/registry" not in shell.read("shop/dev/services.yaml")


def test_registries_come_back_with_their_children(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    shell.hrctl("registry", "create", "eu", "--set", "level=DOMAIN", "-q")
    shell.hrctl("registry", "create", "pay", "--in", "eu", "--set", "level=PROJECT", "-q")
    file.write_text(shell.hrctl("registry", "export", "--in", "eu", "-o", "json"))
    shell.hrctl("registry", "remove", "eu", "--cascade")
    done = shell.json("registry", "import", str(file))
    assert done["targets"] == ["acme/eu:Registry/eu", "acme/eu/pay:Registry/pay"]
    assert done["files"] == ["eu/pay/registry.yaml", "eu/registry.yaml"]


def test_in_says_where(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = {
        "apiVersion": "hrctl.dev/v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"type": "API"},
    }
    data = io.BytesIO(json.dumps([manifest, {**manifest, "metadata": {"name": "two"}}]).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    done = shell.json("service", "import", "-", "--in", "prod", "--commit")
    assert done["targets"] == ["acme/shop/prod:Service/one", "acme/shop/prod:Service/two"]
    assert shell.git("log", "-1", "--format=%s") == "Import 2 services\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "HR163"),
        ("[1]", "HR163"),
        ("[", "HR163"),
        ("a: [", "HR002"),
        ("{kind: Service, metadata: {}}", "HR163"),
        ("{kind: Config, metadata: {name: a}}", "HR163"),
        ("{kind: Service, apiVersion: hrctl.dev/v1, metadata: {name: a}, spec: {x: 1}}", "HR020"),
    ],
)
def test_a_bad_file_changes_nothing(shell: Shell, tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    before = shell.files()
    assert shell.fails("service", "import", str(file)) == 1
    assert code in shell.err
    assert shell.files() == before


def test_a_file_that_is_not_there(shell: Shell) -> None:
    assert shell.fails("service", "import", "nowhere.yaml") == 1
    assert "HR067 nowhere.yaml cannot be read: No such file" in shell.err


def test_an_unknown_format(shell: Shell) -> None:
    assert shell.fails("service", "export", "--format", "xml") == 1
    assert "HR162 'xml' is no format" in shell.err
