"""A project whose flags go to a real Unleash, and hrctl run in it within this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.verbs.conftest import Shell
from tests.drivers.unleash.server import Unleash

ENVIRONMENT = """\
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {{name: {name}}}
spec: {{level: ENVIRONMENT}}
"""
FILES = {
    ".gitignore": ".hrctl/\n",
    "registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: acme}
        spec: {level: ROOT, drivers: {FeatureFlag: toggles}}
        """,
    "dev/registry.yaml": ENVIRONMENT.format(name="dev"),
    "prod/registry.yaml": ENVIRONMENT.format(name="prod"),
}
TOKEN = "{valueFrom: {env: UNLEASH_TOKEN}}"  # noqa: S105 - a reference


@dataclass
class UnleashProject(Shell):
    """Its files and commits."""

    def configure(
        self, url: str, token: str = TOKEN, *, name: str = "acme", more: str = ""
    ) -> None:
        """Write hrctl.yaml."""
        self.write(
            "hrctl.yaml",
            f"apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {{name: {name}}}\nspec:\n"
            f"  drivers:\n    toggles:\n      type: unleash\n      url: {url}\n"
            f"      token: {token}\n{more}",
        )

    def flag(self, spec: str, *, environment: str = "dev", name: str = "express") -> None:
        """Declare one flag in a file of its own, and commit."""
        self.write(
            f"{environment}/{name}.yaml",
            "apiVersion: hrctl.dev/v1\nkind: FeatureFlag\n"
            f"metadata: {{name: {name}, labels: {{team: shop}}}}\nspec: {spec}\n",
        )
        self.commit()

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "State")


def made(root: Path, capsys: pytest.CaptureFixture[str], unleash: Unleash) -> UnleashProject:
    """The project with no flag in it, committed."""
    project = UnleashProject(root, capsys)
    for path, text in FILES.items():
        project.write(path, text)
    project.configure(unleash.url)
    project.git("init", "--quiet", "-b", "main")
    project.commit()
    return project
