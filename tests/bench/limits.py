"""What checking rules of users costs, and how soon a hostile manifest is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench import generate
from tests.bench.measure import median, once

if TYPE_CHECKING:
    from tests.bench.run import Table

_REGISTRY: Final = """\
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: %s}
spec: {level: %s}
"""
_PROJECT: Final = """\
apiVersion: hrctl.dev/v1
kind: Project
metadata: {name: bench}
spec: {}
"""
_CONFIG: Final = """\
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: c%d}
spec:
  entries:
"""
_SERVICE: Final = """\
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: s%d, instances: ENVIRONMENT}
spec: {type: API, command: [run]}
"""


def rows(table: Table, folder: Path, hrctl: str, configs: int) -> None:
    """Patterns and schemas beside the same values without them; then attacks."""
    _rules(table, folder, hrctl, configs)
    _attack(
        table,
        folder,
        hrctl,
        "pattern `(a+)+$`, 60 characters",
        {"c.yaml": _CONFIG % 0 + f"    K: {{value: {'a' * 60}!, pattern: (a+)+$}}\n"},
    )
    doubled = ", ".join(
        f"a{at}: {{allOf: [{{$ref: '#/$defs/a{at + 1}'}}, {{$ref: '#/$defs/a{at + 1}'}}]}}"
        for at in range(30)
    )
    schema = f"{{$ref: '#/$defs/a0', $defs: {{{doubled}, a30: {{}}}}}}"
    _attack(
        table,
        folder,
        hrctl,
        "schema that doubles itself 30 times",
        {"c.yaml": _CONFIG % 0 + f"    K: {{type: JSON, value: 1, schema: {schema}}}\n"},
    )
    _attack(
        table,
        folder,
        hrctl,
        "1,500 documents with instances in 1,500 registries",
        {"s.yaml": "".join(_SERVICE % at for at in range(1500))}
        | {f"e{at}/registry.yaml": _REGISTRY % (f"e{at}", "ENVIRONMENT") for at in range(1500)},
    )


def _tree(root: Path, files: dict[str, str]) -> Path:
    whole = {
        "hrctl.yaml": _PROJECT,
        "registry.yaml": _REGISTRY % ("acme", "ROOT"),
        **files,
    }
    for name, text in whole.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    generate.commit(root)
    return root


def _rules(table: Table, folder: Path, hrctl: str, configs: int) -> None:
    kinds = {
        "none": "",
        "pattern": ", pattern: '[a-z]+-[0-9]{1,6}'",
        "schema": ", type: JSON, schema: {pattern: '^[a-z]+-[0-9]+$'}",
    }
    roots = {
        kind: _tree(
            folder / f"rules-{kind}",
            {
                f"c{number}.yaml": "".join(
                    _CONFIG % (number * 100 + at)
                    + "".join(
                        f"    K{key}: {{value: app-{number * 1000 + at * 10 + key}{rule}}}\n"
                        for key in range(10)
                    )
                    for at in range(100)
                )
                for number in range(configs // 100)
            },
        )
        for kind, rule in kinds.items()
    }
    runs: dict[str, list[float]] = {kind: [] for kind in roots}
    for _ in range(3):  # in turn, each with an empty cache
        for kind, root in roots.items():
            shutil.rmtree(root / ".hrctl", ignore_errors=True)
            runs[kind].append(once([hrctl, "validate"], root).wall)
    plain, pattern, schema = (sorted(runs[kind])[1] for kind in kinds)
    table.add(
        f"{configs:,} Configs of 10 values: first validate, each value with a `pattern`",
        f"{pattern:.2f} s; with a `schema` {schema:.2f} s; without rules {plain:.2f} s:"
        f" {pattern / plain:.2f} times",
        "2 times",
        reached=pattern / plain <= 2,
    )


def _attack(table: Table, folder: Path, hrctl: str, words: str, files: dict[str, str]) -> None:
    root = _tree(folder / f"attack-{len(table.rows)}", files)
    found = median([once([hrctl, "validate"], root, (1,)) for _ in range(3)])
    table.add(
        f"refused by `validate`: {words}",
        f"{found.wall:.2f} s, {found.memory:.0f} MiB",
        "10 s, 1 GiB",
        reached=found.wall <= 10 and found.memory <= 1024,
    )
