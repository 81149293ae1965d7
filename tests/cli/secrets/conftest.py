"""A project with secrets and keys, and hrctl run in it within this process."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
import pytest

from hrctl.model.places import SecretPlace
from hrctl.secrets import Binding, seal
from tests.cli.verbs.conftest import Shell

FILES = {
    ".gitignore": ".hrctl/\n*.key\n",
    "registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: acme}
        spec: {level: ROOT}
        """,
    "shop/registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: shop}
        spec: {level: PROJECT}
        """,
    "shop/prod/registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: prod}
        spec: {level: ENVIRONMENT}
        """,
    "shop/services.yaml": """\
        # One in every environment.
        apiVersion: hrctl.dev/v1
        kind: Service
        metadata: {name: api, instances: ENVIRONMENT}
        spec:
          type: API
          command: serve
          env:
            LEVEL: info   # how much it tells
        """,
    "shop/prod/config.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Config
        metadata: {name: app}
        spec:
          scope: SERVICE
          entries:
            LEVEL: {type: STRING, value: info}   # how much
        """,
}


@dataclass
class Vault(Shell):
    """Runs hrctl in the project's folder; `keys` are identities by name."""

    patch: pytest.MonkeyPatch = field(kw_only=True)
    keys: dict[str, pyrage.x25519.Identity] = field(default_factory=dict)

    def hrctl(self, *args: str, typed: str | bytes | None = None) -> str:
        """Standard output of a run that must do well."""
        assert self.fails(*args, typed=typed) == 0, self.err
        return self.out

    def fails(self, *args: str, typed: str | bytes | None = None) -> int:
        """The exit code; `typed` comes in by standard input."""
        data = typed.encode() if isinstance(typed, str) else typed
        if data is not None:
            self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        return super().fails(*args)

    def public(self, name: str) -> str:
        return str(self.keys[name].to_public())

    def key(self, name: str) -> str:
        """The file of an identity that is made here."""
        if name not in self.keys:
            self.keys[name] = pyrage.x25519.Identity.generate()
            path = self.root / f"{name}.key"
            path.write_text(f"{self.keys[name]}\n")
            path.chmod(0o600)
        return str(self.root / f"{name}.key")

    def rules(self, *rules: str) -> None:
        """Write hrctl.yaml with these rules; NAME in them stands for the key of that name."""
        listed = "".join(f"    - {rule}\n" for rule in rules)
        for name in self.keys:
            listed = listed.replace(name.upper(), self.public(name))
        head = "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\nspec:\n"
        (self.root / "hrctl.yaml").write_text(f"{head}  secrets:\n    recipients:\n{listed}")

    def sealed(self, value: str, address: str, pointer: str, *names: str) -> dict[str, Any]:
        """What stands in valueFrom for a place."""
        binding = Binding("acme", SecretPlace(address, pointer))
        return seal(value, binding, [self.public(name) for name in names])

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "State")


@pytest.fixture
def vault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Vault:
    root = tmp_path / "acme"
    made = Vault(root, capsys, patch=monkeypatch)
    for path, text in FILES.items():
        made.write(path, text)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Robin")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "robin@example.org")
    for name in ("HRCTL_AGE_IDENTITY", "HRCTL_AGE_IDENTITY_FILE", "HRCTL_AGE_IDENTITY_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(root)
    made.key("ann")
    made.rules("{path: '**', keys: [ANN]}")
    made.git("init", "-q", "-b", "main")
    made.commit()
    return made
