"""The real `yaml-language-server`, in a project that `hrctl init` made: what an editor shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from hrctl.model.kinds import KINDS

Found = list[dict[str, Any]]
MANIFEST = """\
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api}
spec:
  type: API
  state: RUNNIN
  replicas: "2"
  ports: [{name: http, port: 8000}]
---
apiVersion: hrctl.dev/v1
kind: Engine
metadata: {name: crunch}
spec:
  type: BATCH
  scaling:
    polcy: AUTO_CPU
---
apiVersion: hrctl.dev/v1
kind: Component
metadata: {name: cache}
spec:
  type: CACHE
  provider: kafka
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: Big_Name}
spec:
  entries:
    LEVEL: {type: STRING, value: info}
"""
WRONG = {
    (5, 9): "Value is not accepted",
    (6, 12): "Incorrect type",
    (15, 4): "Property polcy is not allowed",
    (22, 12): "Value is not accepted",
    (26, 17): "lower-case letters, digits and dashes, at most 63",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("editor") / "shop"
    made.mkdir()
    hrctl = Path(sys.executable).parent / "hrctl"
    run([hrctl, "init", "--vscode", "--no-git"], cwd=made, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def server(folder: Path, language_server: Any) -> Iterator[Any]:
    """With what `init --vscode` wrote as its settings, as VS Code hands them on."""
    settings = json.loads((folder / ".vscode/settings.json").read_text())
    yaml = {
        name.removeprefix("yaml."): value
        for name, value in settings.items()
        if name.startswith("yaml.")
    }
    with language_server(folder, yaml) as made:
        yield made


@pytest.fixture(scope="module")
def bare(folder: Path, language_server: Any) -> Iterator[Any]:
    """Without any settings: only the lines in the files tell which schema is meant."""
    with language_server(folder) as made:
        yield made


def opened(server: Any, name: str, text: str) -> Found:
    found: Found = server.open({name: text})[name]
    return found


def places(found: Found) -> dict[tuple[int, int], str]:
    return {
        (one["range"]["start"]["line"], one["range"]["start"]["character"]): one["message"]
        for one in found
    }


def test_errors_stand_in_the_right_place_of_each_document(server: Any) -> None:
    found = places(opened(server, "errors.yaml", MANIFEST))
    assert found.keys() == WRONG.keys()
    for place, words in WRONG.items():
        assert words in found[place]


def test_a_line_in_each_document_does_it_without_settings(bare: Any) -> None:
    line = "# yaml-language-server: $schema=schemas/hrctl.schema.json\n"
    text = line + MANIFEST.replace("---\n", f"---\n{line}")
    found = places(opened(bare, "lines.yaml", text))
    shift = {5: 1, 6: 1, 15: 2, 22: 3, 26: 4}  # how many such lines stand above
    assert found.keys() == {(line + shift[line], column) for line, column in WRONG}


def test_a_line_at_the_top_reaches_the_first_document_alone(bare: Any) -> None:
    """What docs/editors.md says of the server; where it fails, the page can be simplified."""
    line = "# yaml-language-server: $schema=schemas/hrctl.schema.json\n"
    found = places(opened(bare, "top.yaml", line + MANIFEST))
    assert found.keys() == {(6, 9), (7, 12)}


def test_what_init_wrote_has_no_errors(server: Any, bare: Any, folder: Path) -> None:
    for name in ("hrctl.yaml", "registry.yaml"):
        text = (folder / name).read_text()
        assert opened(server, name, text) == []
        assert opened(bare, name, text) == []
        wrong = text.replace("metadata: {name: shop}", "metadata: {nam: shop}")
        assert wrong != text
        for each, editor in (("a", server), ("b", bare)):
            inside = folder / each / name
            inside.parent.mkdir(exist_ok=True)
            deeper = wrong.replace("$schema=schemas", "$schema=../schemas")
            assert len(opened(editor, f"{each}/{name}", deeper)) == 2  # missing, and not allowed


@pytest.mark.parametrize("example", ["quickstart", "storefront"])
def test_every_example_is_free_of_errors(
    example: str, tmp_path: Path, language_server: Any
) -> None:
    hrctl = Path(sys.executable).parent / "hrctl"
    command = [str(hrctl), "init", "--example", example, "--no-git"]
    run(command, cwd=tmp_path, check=True, capture_output=True)
    files = {str(one.relative_to(tmp_path)): one.read_text() for one in tmp_path.rglob("*.yaml")}
    assert "hrctl.yaml" in files
    with language_server(tmp_path) as editor:
        assert editor.open(files) == {name: [] for name in files}


def test_completion_of_kinds(server: Any) -> None:
    text = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: a}\n---\nkind: \n"
    opened(server, "kinds.yaml", text)
    found = server.complete("kinds.yaml", 4, 6)
    assert found.keys() == set(KINDS)
    assert found["Engine"]["documentation"] == "a pool of workers that takes workloads from a queue"


FIELDS = """\
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api}
spec:
  type: API
  re
---
apiVersion: hrctl.dev/v1
kind: Engine
metadata: {name: crunch}
spec:
  type: BATCH
  scaling:
    pol
---
apiVersion: hrctl.dev/v1
kind: Service
metadata:
  name: web
  inst
"""


def test_completion_of_fields(server: Any) -> None:
    opened(server, "fields.yaml", FIELDS)
    service = server.complete("fields.yaml", 5, 4)
    assert service["replicas"]["documentation"] == "How many processes run side by side."
    assert {"restart", "resources", "healthCheck"} <= service.keys()
    assert "type" not in service  # it is there already
    assert not {"scaling", "entries", "destinations"} & service.keys()  # of other kinds
    assert "policy" in server.complete("fields.yaml", 13, 7)
    assert "instances" in server.complete("fields.yaml", 19, 6)


VALUES = """\
apiVersion: hrctl.dev/v1
kind: Engine
metadata: {name: crunch}
spec:
  type: BATCH
  scaling: {policy: A}
---
apiVersion: hrctl.dev/v1
kind: Component
metadata: {name: db, instances: T}
spec:
  type: DATABASE
  provider: #
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api}
spec:
  type: API
  stopTimeout: #
""".replace("#", "")


def test_completion_of_values(server: Any) -> None:
    opened(server, "values.yaml", VALUES)
    policies = server.complete("values.yaml", 5, 21)
    assert {"AUTO_CPU", "AUTO_QUEUE", "PREDICTIVE"} <= policies.keys()
    assert policies["AUTO_QUEUE"]["documentation"].startswith("follows the queue")
    levels = server.complete("values.yaml", 9, 33)
    assert levels["TENANT"]["documentation"] == "one customer or unit within an environment"
    assert {"30s", "10s"} <= server.complete("values.yaml", 19, 15).keys()  # sample and default


@pytest.mark.parametrize(
    ("type_", "providers"),
    [
        ("CACHE", {"redis"}),
        ("DATABASE", {"postgresql", "mongodb", "redis"}),
        ("QUEUE", {"kafka", "redis"}),
        ("STORAGE", {"s3", "minio"}),
        ("PROXY", {"nginx", "haproxy", "envoy"}),
    ],
)
def test_providers_are_narrowed_by_type(server: Any, type_: str, providers: set[str]) -> None:
    name = f"provider-{type_}.yaml"
    opened(server, name, VALUES.replace("DATABASE", type_))
    assert server.complete(name, 12, 12).keys() == providers


def test_a_sample_can_be_inserted(server: Any) -> None:
    text = "apiVersion: hrctl.dev/v1\nkind: Route\nmetadata: {name: a}\nspec:\n  \n"
    opened(server, "sample.yaml", text)
    sample = server.complete("sample.yaml", 4, 2)["Route example"]
    assert "destinations:" in sample["insertText"]


def test_hover(server: Any) -> None:
    opened(server, "hover.yaml", MANIFEST)
    assert "How many processes run side by side." in server.hover("hover.yaml", 6, 4)
    state = server.hover("hover.yaml", 5, 4)
    assert "The state that is wanted." in state
    assert "* `INSTALLED`: its install commands have run" in state
    kind = server.hover("hover.yaml", 10, 8)
    assert "* `Engine`: a pool of workers" in kind
    batch = server.hover("hover.yaml", 13, 9)
    assert "* `BATCH`: large jobs that end" in batch
    provider = server.hover("hover.yaml", 22, 13)
    assert "* `redis`: keys and values in memory" in provider
    assert "mongodb" not in provider  # it does not go with CACHE


def test_a_schema_of_one_kind(bare: Any, folder: Path) -> None:
    hrctl = Path(sys.executable).parent / "hrctl"
    made = folder / "all"
    run([hrctl, "schema", "--write", made], cwd=folder, check=True, capture_output=True)
    head = "# yaml-language-server: $schema=all/node.schema.json\napiVersion: hrctl.dev/v1\n"
    text = head + "kind: \nmetadata: {name: a}\nspec: {type: WORKER, address: nowhere}\n"
    found = places(opened(bare, "node.yaml", text))
    assert found[4, 30] == "an address is written as host:port, such as 10.0.0.5:7000"
    assert bare.complete("node.yaml", 2, 6).keys() == {"Node"}
    assert bare.complete("node.yaml", 4, 16).keys() >= {"WORKER"}


def test_every_pattern_means_something_in_javascript(folder: Path) -> None:
    texts = [path.read_text() for path in (folder / "schemas").glob("*.json")]
    patterns = {found for text in texts for found in _patterns(json.loads(text))}
    assert len(patterns) > 10
    script = "for (const one of JSON.parse(require('fs').readFileSync(0))) new RegExp(one, 'u');"
    run(["node", "-e", script], input=json.dumps(sorted(patterns)).encode(), check=True)


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _patterns(one)
    elif isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        for one in value.values():
            yield from _patterns(one)
