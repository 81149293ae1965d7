"""Over random trees, hrctl comes to the values and origins that docs/hierarchy.md says."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from hrctl.diagnostics import Severity
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import pointer_parts
from hrctl.source import load, project
from tests.source.hierarchy_oracle import LEVELS, Expected, Folder, Leaf, Written, expected

ABSENT = "absent"
TEXTS = st.sampled_from(["1", "2", "3"])
REFERENCE = {"valueFrom": {"config": "c", "key": "K"}}


@st.composite
def some(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """A map with some of the fields."""
    drawn = {name: draw(st.just(ABSENT) | values) for name, values in fields.items()}
    return {name: value for name, value in drawn.items() if value != ABSENT}


def spec(*, part: bool, refers: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Of a Service; `part` may remove."""
    null = st.none() if part else st.nothing()
    values = TEXTS | st.just(REFERENCE) if refers else TEXTS
    texts = some(dict.fromkeys(("A", "B"), values | null))
    return some(
        {
            "replicas": st.integers(1, 3) | null,
            "version": TEXTS | null,
            "env": texts | null,
            "restart": some({"policy": st.sampled_from(["always", "never"]) | null}) | null,
        }
    )


@st.composite
def content(draw: st.DrawFn, *, part: bool) -> dict[str, Any]:
    """A manifest of a Service, without its head."""
    null = st.none() if part else st.nothing()
    labels = some(dict.fromkeys(("team", "tier"), TEXTS | null))
    needs: st.SearchStrategy[Any] = st.just(["Config/c"]) | st.just([]) | null
    life = some(
        {
            "protect": st.booleans() | null,
            "ignore": st.sampled_from([["/spec/replicas"], ["/spec/version", "/spec/env"]]) | null,
            "deletion": st.sampled_from(["delete", "retain"]) | null,
        }
    )
    beside = draw(some({"dependsOn": needs, "lifecycle": life | null}))
    metadata = draw(some({"labels": labels | null, "annotations": labels | null}))
    written = draw(spec(part=part))
    return {"metadata": metadata, "spec": written if part else {"type": "API", **written}, **beside}


@st.composite
def documents(draw: st.DrawFn, folder: str, level: str, inherited: frozenset[str]) -> list[Written]:
    """Those of one registry, at most one of each name and sort."""
    rank = LEVELS.index(level)
    found = []
    if rank == 0 or draw(st.integers(0, 3)) == 0:
        value = {"K": {"type": "STRING", "value": draw(TEXTS)}}
        found.append(Written(f"{folder}c.yaml", "Config", "c", {"spec": {"entries": value}}))
    for name in ("a", "b"):
        file = f"{folder}{name}"
        each = 9 if name in inherited else 1
        if rank + 1 < len(LEVELS) and draw(st.integers(0, each)) == 0:
            target = draw(st.sampled_from(LEVELS[rank + 1 :]))
            inside = draw(content(part=False))
            found.append(Written(f"{file}-each.yaml", "Service", name, inside, target))
        likely = 1 if name in inherited else 24  # most patches have something to patch
        if rank and draw(st.integers(0, likely)) == 0:
            inside = draw(content(part=True))
            found.append(Written(f"{file}-patch.yaml", "Service", name, inside, patch=True))
        if draw(st.integers(0, 24 if name in inherited else 4)) == 0:
            found.append(Written(f"{file}.yaml", "Service", name, draw(content(part=False))))
    return found


@st.composite
def folders(
    draw: st.DrawFn,
    name: str = "root",
    level: str = "ROOT",
    at: str = "",
    inherited: frozenset[str] = frozenset(),
) -> Folder:
    """A registry with all below it; levels may be skipped."""
    rank = LEVELS.index(level)
    own = draw(documents(at, level, inherited))
    inherited |= {one.name for one in own if one.instances}
    children = []
    if rank + 1 < len(LEVELS):
        for child in ("x", "y")[: draw(st.integers(1 if rank < 2 else 0, 2))]:
            deeper = draw(st.sampled_from(LEVELS[rank + 1 : rank + 3]))
            children.append(draw(folders(child, deeper, f"{at}{child}/", inherited)))
    defaults = draw(some({"Service": spec(part=True, refers=False)}))
    return Folder(name, level, f"{at}registry.yaml", defaults, own, children)


def write(root: Path, folder: Folder) -> None:
    """The files of a tree; JSON is YAML."""
    own = {"level": folder.level, **({"defaults": folder.defaults} if folder.defaults else {})}
    _write(root / folder.file, "Registry", folder.name, {"spec": own})
    for document in folder.documents:
        more: dict[str, Any] = {"instances": document.instances} if document.instances else {}
        more |= {"patch": True} if document.patch else {}
        _write(root / document.file, document.kind, document.name, document.content, **more)
    for child in folder.children:
        write(root, child)


def _write(path: Path, kind: str, name: str, inside: Any, **metadata: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"name": name, **inside.get("metadata", {}), **metadata}
    head = {"apiVersion": "hrctl.dev/v1", "kind": kind}
    path.write_text(json.dumps({**head, **inside, "metadata": metadata}))


def compare(tree: Tree, wanted: Expected) -> None:
    """Every value of every resource, and the file and layer that it comes from."""
    addresses = {one for one in tree.rows if one.kind != "Registry"}
    assert addresses == wanted.resources.keys()
    for address in addresses:
        if address.kind != "Service":
            continue
        leaves = wanted.resources[address]
        values = tree.explain(Address(address))
        written = {
            tuple(pointer_parts(one.pointer)): Leaf(one.value, one.span.path, one.layer)
            for one in values
            if one.span is not None and one.pointer != "/driver"
        }
        assert written == leaves, address
        built_in = {tuple(pointer_parts(one.pointer)) for one in values if one.span is None}
        assert built_in.isdisjoint(leaves)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(folders())
def test_values_and_origins_are_as_the_page_says(root: Folder) -> None:
    wanted = expected(root)
    with TemporaryDirectory() as name:
        place = Path(name)
        _write(place / "hrctl.yaml", "Project", "root", {})
        write(place, root)
        with load.load(project.load(place)) as loaded:
            errors = [one.code for one in loaded.diagnostics if one.severity is Severity.ERROR]
            event("errors" if wanted.errors else f"{len(wanted.resources) > 4} over 4 resources")
            assert set(errors) == set(wanted.errors)
            if not errors:
                compare(loaded.tree, wanted)
