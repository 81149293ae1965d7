"""What the cache spares must never be seen: loading on top of it equals loading from scratch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrctl.diagnostics import Severity
from hrctl.source import load, project

Doc = dict[str, Any]
BEFORE = "# to stand before what the file holds\n"

_LEVELS = {
    "": "ROOT",
    "d/": "DOMAIN",
    "d/p/": "PROJECT",
    "d/p/e/": "ENVIRONMENT",
    "d/p/f/": "ENVIRONMENT",
    "d/p/e/t/": "TENANT",
    "x/": "DOMAIN",
}
_KEYS = st.sampled_from(["K", "L"])
_TEXTS = st.sampled_from(["1", "2"])
# Names that stand in one file only, mostly, so that most trees are without errors.
_PLAIN = {"registry.yaml": "ab", "a.yaml": "cd", "sub/b.yaml": "ef"}
_SHARED = st.sampled_from([*["base"] * 12, "a", "c"])


def _rarely(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 24)) == 24


def _envelope(kind: str, name: str, spec: Doc, **metadata: Any) -> Doc:
    return {
        "apiVersion": "hrctl.dev/v1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


@st.composite
def _value(draw: st.DrawFn, *, plain: bool = False) -> Any:
    if plain or draw(st.booleans()):
        return draw(_TEXTS)
    if _rarely(draw):
        return {"valueFrom": {"env": "TOKEN"}}
    return {"valueFrom": {"config": draw(_SHARED), "key": draw(_KEYS)}}


@st.composite
def _spec(draw: st.DrawFn, kind: str, *, plain: bool, part: bool) -> Doc:
    if kind == "Config":
        entries: Doc = {}
        for key in draw(st.sets(_KEYS)):
            entries[key] = {"type": "STRING", "value": draw(_value(plain=plain))}
        if part and draw(st.booleans()):
            entries[draw(_KEYS)] = None
        spec: Doc = {"entries": entries, "scope": "GLOBAL"}
    else:
        spec = {"env": draw(st.dictionaries(_KEYS, st.one_of(_value(), st.none()), max_size=2))}
        if draw(st.booleans()):
            spec["replicas"] = draw(st.sampled_from([1, 2, None]))
        spec["type"] = draw(st.sampled_from(["API", "WORKER"]))
    if (part and draw(st.booleans())) or _rarely(draw):
        spec.pop("type" if kind == "Service" else "scope")
    return spec


@st.composite
def _document(draw: st.DrawFn, folder: str, name: str) -> Doc:
    kind = draw(st.sampled_from(["Config", "Service", "Service"]))
    sort = draw(st.sampled_from(["plain", "plain", "moved", "shared"]))
    metadata: Doc = {"labels": {"team": draw(_TEXTS)}} if draw(st.booleans()) else {}
    local = draw(st.sampled_from(_PLAIN[name]))
    if sort == "moved":
        metadata["movedFrom"] = f"{kind}/old-{local}"
    elif sort == "shared" and (not folder or _rarely(draw)):
        local = f"t-{local}"
        metadata["instances"] = draw(st.sampled_from(["PROJECT", "ENVIRONMENT", "TENANT"]))
    elif sort == "shared":
        local = "t-c" if _rarely(draw) else "t"
        metadata["patch"] = True
    spec = draw(_spec(kind, plain=not _rarely(draw), part="patch" in metadata))
    document = _envelope(kind, local, spec, **metadata)
    if not draw(st.integers(0, 3)):
        document["dependsOn"] = [f"Config/{draw(_SHARED)}"]
    return document


@st.composite
def _documents(draw: st.DrawFn, folder: str, name: str) -> list[Doc]:
    found: dict[tuple[str, str], Doc] = {}
    for one in draw(st.lists(_document(folder, name), max_size=3)):
        found[one["kind"], one["metadata"]["name"]] = one
    if name != "registry.yaml":
        return list(found.values())
    if not folder or _rarely(draw):
        entries = {key: {"type": "STRING", "value": draw(_TEXTS)} for key in "KL"}
        if _rarely(draw):
            entries.popitem()
        found["Config", "base"] = _envelope(
            "Config", "base", {"scope": "GLOBAL", "entries": entries}
        )
    if not folder:
        for kind in ("Config", "Service"):
            spec = draw(_spec(kind, plain=True, part=False))
            found[kind, "t"] = _envelope(kind, "t", spec, instances="TENANT")
    return [draw(_registry(folder)), *found.values()]


@st.composite
def _registry(draw: st.DrawFn, folder: str) -> Doc:
    spec: Doc = {"level": "PROJECT" if _rarely(draw) else _LEVELS[folder]}
    if draw(st.booleans()):
        spec["defaults"] = {
            "Service": {"env": {draw(_KEYS): draw(_value())}},
            "Config": {"scope": "SERVICE"},
        }
    if not draw(st.integers(0, 7)):
        spec["drivers"] = {"Service": "nowhere" if _rarely(draw) else "local"}
    return _envelope("Registry", folder.strip("/").rpartition("/")[2] or "acme", spec)


def _text(documents: list[Doc]) -> str:
    return "".join(f"---\n{json.dumps(one)}\n" for one in documents)


@st.composite
def _file(draw: st.DrawFn) -> tuple[str, str | None]:
    folder = draw(st.sampled_from(list(_LEVELS)))
    name = draw(st.sampled_from(list(_PLAIN)))
    if draw(st.booleans()):  # what is in the file already stays, but not where it was
        one = draw(_document(folder, name))
        one["metadata"]["name"] += draw(st.sampled_from(["-x", "-y"]))
        return folder + name, BEFORE + _text([one])
    if _rarely(draw):
        return folder + name, draw(st.sampled_from([None, "a: [\n", ""]))
    return folder + name, _text(draw(_documents(folder, name)))


@st.composite
def _whole(draw: st.DrawFn) -> dict[str, str | None]:
    return {
        f"{folder}registry.yaml": _text(draw(_documents(folder, "registry.yaml")))
        for folder in _LEVELS
        if folder in {"", "d/", "d/p/"} or draw(st.booleans())
    }


def _write(root: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        path = root / name
        if text is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = path.read_text() if text.startswith(BEFORE) and path.exists() else ""
        path.write_text(text + rest)


def _seen(root: Path, revision: str | None = None) -> dict[str, Any]:
    """Everything that a command can see of the project."""
    with load.load(project.load(root), revision) as loaded:
        tree = loaded.tree
        is_whole = not any(one.severity is Severity.ERROR for one in loaded.diagnostics)
        return {
            "diagnostics": [one for one in loaded.diagnostics if one.code != "HR062"],
            "digest": tree.digest,
            "rows": dict(tree.rows),
            "links": {address: links for address, links in tree.links.items() if links},
            "moves": dict(tree.moves) if tree.records else {},
            "registries": dict(tree.registries),
            "dependents": {address: tree.dependents(address) for address in tree.rows},
            # a tree with errors is never looked at any closer
            "resources": {one: tree.resource(one) for one in tree.rows} if is_whole else None,
            "explained": [tree.explain(one) for one in list(tree.rows)[-3:]] if is_whole else None,
        }


def _from_scratch(root: Path) -> dict[str, Any]:
    aside = root / ".aside"
    (root / ".hrctl").rename(aside)
    try:
        return _seen(root)
    finally:
        shutil.rmtree(root / ".hrctl")
        aside.rename(root / ".hrctl")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(whole=_whole(), edits=st.lists(st.lists(_file(), min_size=1, max_size=2), max_size=3))
def test_a_load_on_top_of_the_cache_equals_one_from_scratch(
    whole: dict[str, str | None], edits: list[list[tuple[str, str | None]]]
) -> None:
    with TemporaryDirectory() as name:
        root = Path(name)
        _write(
            root, {"hrctl.yaml": "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: a}\n"}
        )
        for files in [whole, *map(dict, edits), {}]:
            _write(root, files)
            assert _seen(root) == _from_scratch(root)
