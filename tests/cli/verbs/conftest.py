"""A project in git with two environments, and hrctl run in it within this process."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hrctl.cli.main import main

FILES = {
    ".gitignore": ".hrctl/\n",
    "hrctl.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Project
        metadata: {name: acme}
        """,
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
    "shop/services.yaml": """\
        # One in every environment.
        apiVersion: hrctl.dev/v1
        kind: Service
        metadata: {name: api, instances: ENVIRONMENT}
        spec: {type: API, command: serve}
        """,
    "shop/dev/registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: dev}
        spec: {level: ENVIRONMENT}
        """,
    "shop/dev/jobs.yaml": """\
        # Takes jobs.
        apiVersion: hrctl.dev/v1
        kind: Service
        metadata: {name: worker, labels: {team: 'shop'}}
        spec:
          type:    WORKER     # aligned
          state:   "RUNNING"  # for now
          command: work

        ---
        kind: Service
        apiVersion: hrctl.dev/v1
        metadata: {name: mailer}
        dependsOn: [Service/worker]
        lifecycle: {protect: true}
        spec: {type: WORKER, command: mail}
        """,
    "shop/prod/registry.yaml": """\
        apiVersion: hrctl.dev/v1
        kind: Registry
        metadata: {name: prod}
        spec: {level: ENVIRONMENT}
        """,
}


@dataclass
class Shell:
    """Runs hrctl in the project's folder."""

    root: Path
    capsys: pytest.CaptureFixture[str]
    code: int = 0
    out: str = ""
    err: str = ""

    def hrctl(self, *args: str) -> str:
        """Standard output of a run that must do well."""
        assert self.fails(*args) == 0, self.err
        return self.out

    def fails(self, *args: str) -> int:
        """The exit code."""
        self.code = main(list(args))
        self.out, self.err = self.capsys.readouterr()
        return self.code

    def json(self, *args: str) -> Any:
        """What a run with -o json says."""
        return json.loads(self.hrctl(*args, "-o", "json"))

    def git(self, *args: str) -> str:
        """Standard output of git."""
        who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.org"]
        return subprocess.run(
            ["git", *who, *args], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def write(self, path: str, text: str) -> None:
        """A file, its text dedented."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(textwrap.dedent(text).encode())

    def read(self, path: str) -> str:
        """A file, its line ends as they are."""
        return (self.root / path).read_bytes().decode()

    def files(self) -> dict[str, bytes]:
        """Every file and folder but git's and hrctl's own."""
        return {
            str(file.relative_to(self.root)): file.read_bytes() if file.is_file() else b""
            for file in self.root.rglob("*")
            if not {".git", ".hrctl"} & set(file.parts)
        }


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    root = tmp_path / "acme"
    made = Shell(root, capsys)
    for path, text in FILES.items():
        made.write(path, text)
    made.git("init", "-q", "-b", "main")
    made.git("add", ".")
    made.git("commit", "-qm", "Start")
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Robin")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "robin@example.org")
    yield made
    for file in (root / ".hrctl" / "run").glob("*/daemon.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text().split()[0]), 15)
