"""Versions of resources, held against the whole tree loaded at every commit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from hrctl.model.fields import compare_leaves
from hrctl.model.plan import ABSENT
from hrctl.source import project
from hrctl.source.blobs import Blobs
from hrctl.source.lineage import Step, steps
from hrctl.source.load import load
from hrctl.source.log import LogReader
from hrctl.source.manifests import Manifests
from hrctl.source.past import Past, Version

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder


def registry(name: str, level: str, spec: str = "") -> str:
    return (
        f"apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {{name: {name}}}\n"
        f"spec:\n  level: {level}\n{spec}"
    )


def service(name: str, metadata: str = "", spec: str = "") -> str:
    return (
        f"---\napiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {{name: {name}{metadata}}}\n"
        f"spec:\n  type: API\n  command: serve\n{spec}"
    )


BASE = {
    "registry.yaml": registry("acme", "ROOT"),
    "shop/registry.yaml": registry("shop", "PROJECT"),
    "shop/services.yaml": service("api", ", instances: ENVIRONMENT") + service("lone"),
    "shop/dev/registry.yaml": registry("dev", "ENVIRONMENT"),
    "shop/prod/registry.yaml": registry("prod", "ENVIRONMENT"),
}
API = Address("acme/shop/prod:Service/api")


class History:
    """What the commits of a folder were, for one address."""

    def __init__(self, root: Path, past: Past, address: Address) -> None:
        self.past = past
        self.steps: list[Step] = list(steps(root, past, address))

    def told(self) -> list[tuple[str, dict[str, tuple[Any, Any]]]]:
        """Subject and changed fields, newest first."""
        return [(one.commit.subject, fields(one)) for one in self.steps]


def fields(step: Step) -> dict[str, tuple[Any, Any]]:
    old, new = step.old, step.new
    if old is None or new is None:
        return {}
    return {one.path: (one.old, one.new) for one in compare_leaves(old.leaves, new.leaves)}


@pytest.fixture
def history(folder: ProjectFolder) -> Iterator[Any]:
    opened: list[Blobs] = []

    def make(address: str = API, revision: str = "HEAD", within: str = ".") -> History:
        blobs = Blobs(folder.root).__enter__()
        opened.append(blobs)
        past = Past(LogReader(folder.root, revision, within).read(), Manifests(blobs))
        return History(folder.root, past, Address(address))

    yield make
    for one in opened:
        one.__exit__()


def commit(folder: ProjectFolder, subject: str, files: Mapping[str, str | None]) -> str:
    if not (folder.root / ".git").exists():
        folder.git("init", "-q")
    for path, text in files.items():
        if text is None:
            (folder.root / path).unlink()
        else:
            folder.write({path: text})
    folder.git("add", "-A")
    folder.git("commit", "-q", "--allow-empty", "-m", subject)
    return folder.git("rev-parse", "HEAD")


def test_a_default_of_an_ancestor_is_a_change_of_all_that_inherit_it(
    folder: ProjectFolder, history: Any
) -> None:
    commit(folder, "begin", BASE)
    defaults = "  defaults: {Service: {replicas: 3}}\n"
    commit(folder, "default", {"registry.yaml": registry("acme", "ROOT", defaults)})
    patch = service("api", ", patch: true").replace("  type: API\n  command: serve\n", "")
    commit(folder, "patch", {"shop/prod/patches.yaml": patch + "  replicas: 5\n"})
    commit(folder, "other", {"shop/other.yaml": service("other")})
    root = registry("acme", "ROOT", defaults.replace("3", "4"))
    commit(folder, "hidden by the patch", {"registry.yaml": root})
    assert history().told() == [
        ("patch", {"/spec/replicas": (3, 5)}),
        ("default", {"/spec/replicas": (ABSENT, 3)}),
        ("begin", {}),
    ]
    assert [told[0] for told in history("acme/shop/dev:Service/api").told()] == [
        "hidden by the patch",
        "default",
        "begin",
    ]


def test_moves_and_renames_are_followed(folder: ProjectFolder, history: Any) -> None:
    commit(folder, "begin", BASE)
    long = "".join(
        f"  # line {n} that makes the file long enough to be known again\n" for n in range(9)
    )
    commit(folder, "alone", {"shop/gate.yaml": service("gate", "", f"{long}  replicas: 1\n")})
    folder.git("mv", "shop/gate.yaml", "shop/gateway.yaml")
    folder.git("commit", "-qm", "another file")
    moved = service("gate", ", movedFrom: 'shop:Service/gate'", f"{long}  replicas: 2\n")
    commit(folder, "moved", {"shop/gateway.yaml": None, "shop/prod/gate.yaml": moved})
    renamed = service("door", ", movedFrom: Service/gate", f"{long}  replicas: 2\n")
    commit(folder, "renamed", {"shop/prod/gate.yaml": renamed})
    found = history("acme/shop/prod:Service/door")
    assert [(one.commit.subject, one.moved_from) for one in found.steps] == [
        ("renamed", "acme/shop/prod:Service/gate"),
        ("moved", "acme/shop:Service/gate"),
        ("alone", None),
    ]
    assert fields(found.steps[1]) == {"/spec/replicas": (1, 2)}


def test_a_folder_that_git_sees_renamed_is_followed(folder: ProjectFolder, history: Any) -> None:
    commit(folder, "begin", BASE)
    commit(folder, "more", {"shop/prod/own.yaml": service("own", "", "  replicas: 2\n")})
    folder.git("mv", "shop/prod", "shop/live")
    commit(folder, "live", {"shop/live/registry.yaml": registry("live", "ENVIRONMENT")})
    found = history("acme/shop/live:Service/own")
    assert [(one.commit.subject, one.moved_from) for one in found.steps] == [
        ("live", "acme/shop/prod:Service/own"),
        ("more", None),
    ]


def test_what_was_removed_and_came_back(folder: ProjectFolder, history: Any) -> None:
    commit(folder, "begin", BASE)
    commit(folder, "away", {"shop/services.yaml": service("lone")})
    commit(folder, "back", {"shop/services.yaml": BASE["shop/services.yaml"]})
    assert [(one.commit.subject, one.new is None) for one in history().steps] == [
        ("back", False),
        ("away", True),
        ("begin", False),
    ]


def test_a_merge_is_named_only_where_it_is_like_none_of_its_sides(
    folder: ProjectFolder, history: Any
) -> None:
    def lone(replicas: int, stop: int) -> str:
        spec = f"  replicas: {replicas}\n  stopTimeout: {stop}s\n  logs: {{keep: 1}}\n"
        return service("lone", "", spec)

    files = {**BASE, "shop/services.yaml": lone(1, 1)}
    commit(folder, "begin", files)
    main = folder.git("rev-parse", "--abbrev-ref", "HEAD")
    folder.git("checkout", "-qb", "side")
    commit(folder, "side", {"shop/services.yaml": lone(2, 1)})
    folder.git("checkout", "-q", main)
    commit(folder, "elsewhere", {"shop/more.yaml": service("more")})
    folder.git("merge", "-q", "-m", "clean", "side")
    assert [told[0] for told in history("acme/shop:Service/lone").told()] == ["side", "begin"]
    folder.git("checkout", "-qb", "dropped")
    commit(folder, "dropped", {"shop/services.yaml": lone(9, 1)})
    folder.git("checkout", "-q", main)
    commit(folder, "ours", {"shop/services.yaml": lone(3, 1)})
    folder.git("merge", "-q", "-s", "ours", "-m", "keep ours", "dropped")
    assert [told[0] for told in history("acme/shop:Service/lone").told()] == [
        "ours",
        "side",
        "begin",
    ]
    folder.git("checkout", "-qb", "third")
    commit(folder, "third", {"shop/services.yaml": lone(3, 7)})
    folder.git("checkout", "-q", main)
    commit(folder, "four", {"shop/services.yaml": lone(4, 1)})
    folder.git("merge", "-q", "-s", "ours", "--no-commit", "third")
    commit(folder, "by hand", {"shop/services.yaml": lone(5, 7)})
    found = history("acme/shop:Service/lone")
    assert found.told()[0] == (
        "by hand",
        {"/spec/replicas": (4, 5), "/spec/stopTimeout": ("1s", "7s")},
    )
    assert {one.commit.subject for one in found.steps} == {
        "by hand",
        "four",
        "third",
        "ours",
        "side",
        "begin",
    }


def test_files_that_are_no_yaml_are_taken_to_say_what_they_said(
    folder: ProjectFolder, history: Any
) -> None:
    commit(folder, "begin", {**BASE, "shop/services.yaml": service("lone")})
    lone = service("lone", "", "  replicas: 2\n")
    broken = lone.replace("type: API", "type: [")
    commit(folder, "broken", {"shop/services.yaml": broken, "registry.yaml": "a: ["})
    assert [told[0] for told in history("acme/shop:Service/lone").told()] == ["begin"]
    commit(folder, "whole", {"shop/services.yaml": lone, "registry.yaml": BASE["registry.yaml"]})
    found = history("acme/shop:Service/lone")
    assert [one.commit.subject for one in found.steps] == ["whole", "begin"]
    assert {path for path, _ in found.past.manifests.broken} == {
        "shop/services.yaml",
        "registry.yaml",
    }


def test_names_with_spaces_and_letters_in_a_subfolder(tmp_path: Path) -> None:
    from tests.conftest import ProjectFolder

    outer = ProjectFolder(tmp_path / "larger")
    inner = ProjectFolder(tmp_path / "larger" / "my plätze")
    inner.write({**BASE, "shop/dïenste und mehr.yaml": service("own")})
    outer.commit()
    outer.write({"elsewhere.txt": "1"})
    outer.commit()
    inner.write({"shop/dïenste und mehr.yaml": service("own", "", "  replicas: 2\n")})
    outer.commit()
    with Blobs(inner.root) as blobs:
        past = Past(LogReader(inner.root).read(), Manifests(blobs))
        found = list(steps(inner.root, past, Address("acme/shop:Service/own")))
    assert next(fields(one) for one in found).keys() == {"/spec/replicas"}
    assert len(found) == 2


def test_a_shallow_clone_says_where_it_ends(folder: ProjectFolder, tmp_path: Path) -> None:
    commit(folder, "begin", BASE)
    last = commit(folder, "own", {"shop/prod/own.yaml": service("own")})
    folder.git("clone", "-q", "--depth", "1", f"file://{folder.root}", str(tmp_path / "clone"))
    log = LogReader(tmp_path / "clone").read()
    assert log.shallow == {last}
    assert list(log.commits) == [last]


@pytest.mark.parametrize("seed", range(6))
def test_every_version_is_what_the_tree_of_its_commit_says(
    folder: ProjectFolder, seed: int, history: Any
) -> None:
    """The oracle is the tree of each commit, loaded in full."""
    random_history(folder, seed)
    addresses = [API, Address("acme/shop/dev:Service/api"), Address("acme/shop:Service/lone")]
    found = {address: history(address) for address in addresses}
    checked = 0
    for revision in folder.git("rev-list", "HEAD").split():
        with load(project.find(folder.root), revision) as loaded:
            for address in addresses:
                version = found[address].past.trace(address)[revision]
                assert (version is not None) == (address in loaded.tree.rows)
                if version is not None:
                    checked += 1
                    assert version.text == Version(loaded.tree, address, "").text
    assert checked


def random_history(folder: ProjectFolder, seed: int) -> None:
    """Random edits, branches and merges."""
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    commit(folder, "begin", BASE)
    main = folder.git("rev-parse", "--abbrev-ref", "HEAD")
    for number in range(14):
        if number % 5 == 3:
            folder.git("checkout", "-qb", f"b{number}", f"HEAD~{dice.randint(0, 1)}")
        if number % 5 == 0 and number:
            folder.git("merge", "-q", "-s", "ours", "-m", f"merge {number}", main)
            folder.git("branch", "-f", main)
        commit(folder, f"edit {number}", _edit(dice, folder.root))


def _edit(dice: random.Random, root: Path) -> dict[str, str | None]:
    number = dice.randint(1, 9)
    patch = service("api", ", patch: true").replace("  type: API\n  command: serve\n", "")
    level = f"  defaults: {{Service: {{replicas: {number}, env: {{A: '{number}'}}}}}}\n"
    spec = f"  replicas: {number}\n"
    change: dict[str, str | None] = dice.choice(
        [
            {"registry.yaml": registry("acme", "ROOT", level)},
            {"shop/registry.yaml": registry("shop", "PROJECT", level)},
            {"shop/prod/patches.yaml": f"{patch}  replicas: {number}\n  env: {{A: null}}\n"},
            {"shop/sub dir/patches.yaml": service("extra"), "shop/services.yaml": service("lone")},
            {"shop/services.yaml": service("api", ", instances: ENVIRONMENT", spec)},
            {
                "shop/services.yaml": None,
                "shop/all.yaml": service("api", ", instances: ENVIRONMENT") + service("lone"),
            },
            {"shop/dev/registry.yaml": registry("dev", "ENVIRONMENT", f"  owner: o{number}\n")},
        ]
    )
    return {
        path: text for path, text in change.items() if text is not None or (root / path).exists()
    }
