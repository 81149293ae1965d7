"""From files to a tree: what `Loaded` says beside the tree itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.diagnostics import HrctlError, Severity, Span
from hrctl.source import git, load, project, reading

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

ROOT = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\nspec: {level: ROOT}\n"
SERVICE = "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: %s}\nspec: {type: API}\n"


def test_the_state_of_the_repository(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "a.yaml": SERVICE % "a"})
    outside = folder.load()
    assert (outside.commit, outside.dirty, outside.in_git) == (None, True, False)
    assert [(one.code, one.severity) for one in outside.diagnostics] == [
        ("HR062", Severity.WARNING)
    ]
    commit = folder.commit()
    clean = folder.load()
    assert (clean.commit, clean.dirty, clean.in_git) == (commit, False, True)
    assert (clean.files, clean.documents) == (2, 2)
    assert clean.tree.digest == outside.tree.digest
    folder.write({"a.yaml": SERVICE % "b"})
    assert folder.load().dirty
    assert folder.load("HEAD").tree.digest == clean.tree.digest
    assert folder.load().tree.digest != clean.tree.digest


def test_a_revision_leaves_the_records_of_the_working_tree_alone(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "a.yaml": SERVICE % "a"})
    folder.commit()
    folder.write({"a.yaml": SERVICE % "b"})
    now = folder.load().tree
    assert "acme:Service/a" in folder.load("HEAD").tree.rows
    assert folder.load().tree.rows == now.rows


@pytest.mark.parametrize("is_faulty", [True, False])
def test_many_files_on_all_cores_come_to_the_same(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch, *, is_faulty: bool
) -> None:
    folder.write({"registry.yaml": ROOT})
    folder.write({f"f{n}.yaml": SERVICE % f"s{n}" for n in range(reading.PARALLEL_FROM + 20)})
    if is_faulty:
        folder.write({f"f{n}.yaml": SERVICE % "A" for n in range(0, 200, 50)})
    many = folder.load()
    folder.close()
    (folder.root / ".hrctl/cache.db").unlink()
    monkeypatch.setattr(reading, "PARALLEL_FROM", 10_000)
    one = folder.load()
    assert one.tree.digest == many.tree.digest
    assert one.diagnostics == many.diagnostics
    assert sum(found.code == "HR026" for found in one.diagnostics) == 4 * is_faulty


def test_a_line_for_the_caret(folder: ProjectFolder) -> None:
    made = project.load(folder.root)
    folder.write({"a.yaml": b"\xef\xbb\xbfone\x0c\r\ntwo\xe2\x80\xa8still two\rthree\xff\n"})
    lines = [load.read_line(made, Span("a.yaml", number)) for number in range(6)]
    assert lines == [None, "one\x0c", "two\u2028still two", "three\ufffd", "", None]
    assert load.read_line(made, Span("gone.yaml", 1)) is None


def test_the_cache_is_closed_where_loading_fails(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write({"registry.yaml": ROOT})
    made = project.load(folder.root)

    def fail(*_: object) -> None:
        raise HrctlError.of("HR067", "registry.yaml cannot be read")

    monkeypatch.setattr(git, "read_worktree", fail)
    with pytest.raises(HrctlError, match="HR067"):
        load.load(made)  # a connection left open would be a warning, and that an error


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  A: {type: SECRET, value: hunter2, descripton: x}", 1),
        ("  A:\n    type: SECRET\n    valu: hunter2", 3),
        ("  A:\n    valu: hunter2\n    type: 'SECRET'", 2),
        ("connection: {password: hunter2, usrname: x}", 1),
        ("  API_KEY: hunter2", 1),
        ("password:\n  valu: hunter2", 2),
    ],
)
def test_a_line_with_what_may_be_a_secret_is_not_shown(
    folder: ProjectFolder, text: str, line: int
) -> None:
    folder.write({"a.yaml": text})
    found = project.load(folder.root)
    assert load.read_line(found, Span("a.yaml", line)) is None
    folder.write({"a.yaml": text.replace("SECRET", "STRING").replace("password", "host")})
    if "API_KEY" not in text:
        assert load.read_line(found, Span("a.yaml", line)) is not None
