"""A tree of N resources: N/10 files of 10 documents, 12 fields each, five levels of registries.

Every fifth resource refers to a Config of a registry above it. The same edges are written as
Terraform configuration by `terraform`.
"""

from __future__ import annotations

import json
import subprocess
import uuid
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


def edit(root: Path, documents: int, value: int) -> None:
    """Change `replicas` in each of as many documents, each in a file of its own.

    A value that was not there before makes documents that no cache has seen.
    """
    for path in sorted(root.rglob("services-*.yaml"))[:documents]:
        path.write_text(path.read_text().replace("replicas: 1", f"replicas: {value}", 1))


def _shared(n: int) -> int:
    """The number of the Config that the n-th resource refers to."""
    return n // (PER_FILE * FILES_PER_TENANT * FAN_OUT)


def _input(n: int) -> dict[str, str | int]:
    return {
        "type": "API",
        "state": "RUNNING",
        "version": f"1.{n}",
        "command": f"python -m shop.s{n}",
        "directory": f"/srv/shop/s{n}",
        "replicas": 1 + n % 3,
        "stop": 10,
        "port": 10000 + n % 50000,
        "protocol": "HTTP",
        "team": f"t{n % 7}",
        "region": f"eu-{n % 7}",
        "level": "info",
    }


def _environments(resources: int) -> int:
    return _shared(max(0, resources - 1)) + 1


def terraform(folder: Path, resources: int) -> None:
    """The same resources as `terraform_data`, with the same edges."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = {f"shared_{n}": {"LOG_LEVEL": '"info"'} for n in range(_environments(resources))}
    for n in range(resources):
        values = {key: json.dumps(value) for key, value in _input(n).items()}
        if n % 5 == 0:
            values["level"] = f"terraform_data.shared_{_shared(n)}.output.LOG_LEVEL"
        blocks[f"s{n}"] = values
    (folder / "main.tf").write_text(
        "".join(
            f'resource "terraform_data" "{name}" {{\n  input = {{\n'
            + "".join(f"    {key} = {value}\n" for key, value in values.items())
            + "  }\n}\n"
            for name, values in blocks.items()
        )
    )


def terraform_state(folder: Path, resources: int) -> None:
    """The state that an apply of these would leave; applying 10,000 takes terraform an hour."""
    values: dict[str, dict[str, str | int]] = {
        f"shared_{n}": {"LOG_LEVEL": "info"} for n in range(_environments(resources))
    }
    values |= {f"s{n}": _input(n) for n in range(resources)}
    rows = []
    for number, (name, value) in enumerate(values.items()):
        kinds = {key: "number" if isinstance(one, int) else "string" for key, one in value.items()}
        dynamic = {"value": value, "type": ["object", kinds]}
        identity = str(uuid.UUID(int=number))
        attributes = {"id": identity, "input": dynamic, "output": dynamic, "triggers_replace": None}
        instance: dict[str, object] = {"schema_version": 0, "attributes": attributes}
        if name.startswith("s") and name[1:].isdigit() and int(name[1:]) % 5 == 0:
            instance["dependencies"] = [f"terraform_data.shared_{_shared(int(name[1:]))}"]
        rows.append(
            {
                "mode": "managed",
                "type": "terraform_data",
                "name": name,
                "provider": 'provider["terraform.io/builtin/terraform"]',
                "instances": [instance],
            }
        )
    state = {
        "version": 4,
        "terraform_version": "1.0.0",
        "serial": 1,
        "lineage": str(uuid.UUID(int=0)),
        "outputs": {},
        "resources": rows,
    }
    (folder / "terraform.tfstate").write_text(json.dumps(state))


def undo(root: Path) -> None:
    """Put back what `edit` changed."""
    subprocess.run(["git", "checkout", "-q", "--", "."], cwd=root, check=True)
