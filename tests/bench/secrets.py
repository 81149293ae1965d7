"""Rows about secrets: many decrypted at once, and all of a tree encrypted anew."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage

from hrctl.model.places import SecretPlace
from hrctl.secrets import Binding, seal
from hrctl.source.edit import dump
from tests.bench import generate
from tests.bench.measure import paired

if TYPE_CHECKING:
    from tests.bench.run import Table

_PROJECT = """\
apiVersion: hrctl.dev/v1
kind: Project
metadata: {{name: bench}}
spec: {{secrets: {{recipients: [{{path: "**", keys: [{}]}}]}}}}
"""
_ROOT = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: bench}\nspec: {level: ROOT}\n"
_LOOP = 'for file in ages/*; do age -d -i key.txt "$file" >/dev/null || exit 1; done'


def _tree(root: Path, count: int) -> tuple[str, str]:
    """A project with a secret in each of so many files; two public keys, the first one's."""
    keys = [pyrage.x25519.Identity.generate() for _ in range(2)]
    first, second = (str(key.to_public()) for key in keys)
    (root / "ages").mkdir(parents=True)
    (root / "key.txt").write_text(f"{keys[0]}\n")
    (root / "key.txt").chmod(0o600)
    (root / "hrctl.yaml").write_text(_PROJECT.format(first))
    (root / "registry.yaml").write_text(_ROOT)
    (root / ".gitignore").write_text(".hrctl/\nkey.txt\nages/\n")
    for number in range(count):
        name = f"c{number}"
        place = Binding("bench", SecretPlace(f"bench:Config/{name}", "/spec/entries/P"))
        source = seal(f"secret number {number}", place, [first])
        (root / "ages" / f"{name}.age").write_text(source["age"])
        entries = {"P": {"type": "SECRET", "valueFrom": source}}
        document = {
            "apiVersion": "hrctl.dev/v1",
            "kind": "Config",
            "metadata": {"name": name},
            "spec": {"scope": "GLOBAL", "entries": entries},
        }
        (root / f"{name}.yaml").write_text(dump(document))
    generate.commit(root)
    return first, second


def decrypt(table: Table, folder: Path, hrctl: str, count: int) -> None:
    """All secrets of a project decrypted by one command, beside `age -d` once for each."""
    root = folder / f"secrets-{count}"
    _tree(root, count)
    found = paired(
        {
            "age": (["sh", "-c", _LOOP], root),
            "hrctl": ([hrctl, "--identity", "key.txt", "secrets", "check"], root),
        },
        9,
    )
    ratio = found["age"].wall / found["hrctl"].wall
    table.add(
        f"{count} secrets decrypted and checked by one command",
        f"{found['hrctl'].wall * 1000:.0f} ms; {count} times age -d"
        f" {found['age'].wall * 1000:.0f} ms: {ratio:.1f} times faster",
        "3 times",
        reached=ratio >= 3,
    )


def rotate(table: Table, folder: Path, hrctl: str, count: int) -> None:
    """Every secret of a project encrypted to one more recipient."""
    root = folder / f"rotate-{count}"
    first, second = _tree(root, count)

    def one_more(_: str) -> None:
        subprocess.run(["git", "checkout", "-q", "--", "."], cwd=root, check=True)
        subprocess.run([hrctl, "validate"], cwd=root, check=True, capture_output=True)
        (root / "hrctl.yaml").write_text(_PROJECT.format(f"{first}, {second}"))

    rotating = [hrctl, "--identity", "key.txt", "secrets", "rotate"]
    found = paired({"rotate": (rotating, root)}, 5, one_more)
    seconds = found["rotate"].wall
    table.add(
        f"`secrets rotate` of {count:,} secrets in as many files",
        f"{seconds:.2f} s",
        "2 s",
        reached=seconds < 2,
    )
