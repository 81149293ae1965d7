"""A tree of N resources: N/10 files of 10 documents, 12 fields each, five levels of registries.

Every fifth resource refers to a Config of a registry above it. The same edges are written as
Terraform configuration by `terraform`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PER_FILE = 10
FILES_PER_TENANT = 10
LEVELS = ("ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT")
FAN_OUT = 5

_SERVICE = """\
---
apiVersion: hrctl.dev/v1
kind: Service
metadata:
  name: s{n}
  labels: {{team: t{team}}}
spec:
  type: API
  state: RUNNING
  version: "1.{n}"
  command: python -m shop.s{n} --port {port}
  workingDirectory: /srv/shop/s{n}
  replicas: {replicas}
  stopTimeout: 10s
  ports:
    - {{name: http, port: {port}, protocol: HTTP}}
  env:
    REGION: eu-{team}
    LOG_LEVEL: {level}
"""
_CONFIG = """\
---
apiVersion: hrctl.dev/v1
kind: Config
metadata:
  name: shared
spec:
  scope: ENVIRONMENT
  entries:
    LOG_LEVEL: {type: STRING, value: info, allowed: [debug, info, warning]}
    REGION: {type: STRING, value: eu-1}
"""


def service(n: int) -> str:
    """The text of the n-th Service."""
    level = "{valueFrom: {config: shared, key: LOG_LEVEL}}" if n % 5 == 0 else "info"
    return _SERVICE.format(n=n, team=n % 7, port=10000 + n % 50000, replicas=1 + n % 3, level=level)


def registry(name: str, level: str, *, config: bool) -> str:
    """The text of a registry.yaml."""
    head = f"apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {{name: {name}}}\n"
    spec = f"spec: {{level: {level}, owner: team-{name}}}\n"
    return head + spec + (_CONFIG if config else "")


def tenants(count: int) -> list[str]:
    """Folders of as many tenants, spread over domains, projects and environments."""
    folders = []
    for n in range(count):
        environment = n // FAN_OUT
        project = environment // FAN_OUT
        domain = project // FAN_OUT
        folders.append(f"acme/d{domain}/p{project}/e{environment}/t{n}")
    return folders


def tree(root: Path, resources: int) -> None:
    """Write a project of as many Services (and the registries and Configs they need)."""
    files = resources // PER_FILE
    folders = tenants(max(1, files // FILES_PER_TENANT))
    for folder in folders:
        parts = folder.split("/")
        for depth, level in enumerate(LEVELS):
            path = root.joinpath(*parts[: depth + 1])
            path.mkdir(parents=True, exist_ok=True)
            text = registry(parts[depth], level, config=level == "ENVIRONMENT")
            (path / "registry.yaml").write_text(text)
    for number in range(files):
        place = root / folders[min(number // FILES_PER_TENANT, len(folders) - 1)]
        start = number * PER_FILE
        text = "".join(service(n) for n in range(start, start + PER_FILE))
        (place / f"services-{number}.yaml").write_text(text)
    (root / "hrctl.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: bench}\n"
    )
    (root / ".gitignore").write_text(".hrctl/\n")


def commit(root: Path, message: str = "Generate") -> None:
    """Put everything into git."""
    if not (root / ".git").exists():
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", message], cwd=root, check=True)


def edit(root: Path, documents: int) -> None:
    """Change one value in each of as many documents, each in a file of its own."""
    for path in sorted(root.rglob("services-*.yaml"))[:documents]:
        path.write_text(path.read_text().replace("replicas: 1", "replicas: 7", 1))


def terraform(folder: Path, resources: int) -> None:
    """The same resources as `terraform_data`, with the same edges."""
    folder.mkdir(parents=True, exist_ok=True)
    environments = (resources // PER_FILE // FILES_PER_TENANT) // FAN_OUT + 1
    lines = [
        f'resource "terraform_data" "shared_{n}" {{\n  input = {{ LOG_LEVEL = "info" }}\n}}\n'
        for n in range(environments)
    ]
    for n in range(resources):
        shared = n // (PER_FILE * FILES_PER_TENANT * FAN_OUT)
        level = f"terraform_data.shared_{shared}.output.LOG_LEVEL" if n % 5 == 0 else '"info"'
        lines.append(
            f'resource "terraform_data" "s{n}" {{\n  input = {{\n'
            f'    type = "API"\n    state = "RUNNING"\n    version = "1.{n}"\n'
            f'    command = "python -m shop.s{n}"\n    directory = "/srv/shop/s{n}"\n'
            f"    replicas = {1 + n % 3}\n    stop = 10\n    port = {10000 + n % 50000}\n"
            f'    protocol = "HTTP"\n    team = "t{n % 7}"\n    region = "eu-{n % 7}"\n'
            f"    level = {level}\n  }}\n}}\n"
        )
    (folder / "main.tf").write_text("".join(lines))


def undo(root: Path) -> None:
    """Put back what `edit` changed."""
    subprocess.run(["git", "checkout", "-q", "--", "."], cwd=root, check=True)
