"""A branch beside its base."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.source import blobs, branch, git
from tests.conftest import ProjectFolder


@pytest.fixture
def repository(folder: ProjectFolder) -> ProjectFolder:
    """`main` with a file, and a branch `work` that is checked out."""
    folder.write({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n", "README.md": "one\n"})
    folder.git("init", "--quiet", "--initial-branch=main")
    folder.commit()
    folder.git("checkout", "--quiet", "-b", "work")
    return folder


def refused(folder: Path, base: str) -> HrctlError:
    with pytest.raises(HrctlError) as caught:
        branch.compare(folder, base)
    return caught.value


def on_main(folder: ProjectFolder, files: dict[str, str]) -> str:
    folder.git("checkout", "--quiet", "main")
    folder.write(files)
    commit = folder.commit()
    folder.git("checkout", "--quiet", "work")
    return commit


def test_a_branch_that_has_all_of_the_base_is_planned_as_it_lies_there(
    repository: ProjectFolder,
) -> None:
    base = repository.git("rev-parse", "main")
    head = repository.write({"a.yaml": "a: 2\n"}).commit()
    assert branch.compare(repository.root, "main") == branch.Branch(head, base, base, None)


def test_a_base_that_has_moved_on_is_merged_and_nothing_is_checked_out(
    repository: ProjectFolder,
) -> None:
    fork = repository.git("rev-parse", "main")
    repository.write({"a.yaml": "a: 2\n"}).commit()
    base = on_main(repository, {"b.yaml": "b: 2\n"})
    before = repository.git("status", "--porcelain", "--branch")
    found = branch.compare(repository.root, "main")
    assert (found.base, found.fork) == (base, fork)
    assert found.merged is not None
    listing = git.list_revision(repository.root, found.merged)
    contents = blobs.read(repository.root, [listing.files[one] for one in ("a.yaml", "b.yaml")])
    assert list(contents) == [b"a: 2\n", b"b: 2\n"]
    assert repository.git("status", "--porcelain", "--branch") == before
    assert repository.git("branch", "--contains", found.merged) == ""


def test_a_merge_commit_as_ci_checks_it_out(repository: ProjectFolder) -> None:
    repository.write({"a.yaml": "a: 2\n"}).commit()
    on_main(repository, {"b.yaml": "b: 2\n"})
    repository.git("merge", "--quiet", "--no-edit", "main")
    assert branch.compare(repository.root, "main").merged is None
    assert branch.compare(repository.root, "HEAD^2").merged is None


def test_a_conflict_in_a_manifest_is_told_and_one_elsewhere_is_not(
    repository: ProjectFolder,
) -> None:
    repository.write({"README.md": "two\n"}).commit()
    on_main(repository, {"README.md": "three\n"})
    assert branch.compare(repository.root, "main").merged is not None
    repository.write({"a.yaml": "a: 2\n"}).commit()
    on_main(repository, {"a.yaml": "a: 3\n"})
    (one,) = refused(repository.root, "main").diagnostics
    assert (one.code, one.summary) == ("HR282", "HEAD conflicts with 'main' in a.yaml")


def test_a_conflict_outside_of_the_project_is_none(tmp_path: Path) -> None:
    top = ProjectFolder(tmp_path)
    project = ProjectFolder(tmp_path / "platform")
    top.write({"ci.yaml": "a: 1\n"})
    top.git("init", "--quiet", "--initial-branch=main")
    top.commit()
    top.git("checkout", "--quiet", "-b", "work")
    top.write({"ci.yaml": "a: 2\n"}).commit()
    on_main(top, {"ci.yaml": "a: 3\n"})
    assert branch.compare(project.root, "main").merged is not None
    with pytest.raises(HrctlError):
        branch.compare(top.root, "main")


def test_a_base_that_is_not_there(repository: ProjectFolder) -> None:
    (one,) = refused(repository.root, "mian").diagnostics
    assert one.code == "HR065"
    repository.git("update-ref", "refs/remotes/origin/release", "main")
    (one,) = refused(repository.root, "release").diagnostics
    assert (one.code, one.hint) == ("HR065", "did you mean origin/release?")


def test_no_common_ancestor(repository: ProjectFolder) -> None:
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.write({"c.yaml": "c: 1\n"}).commit()
    (one,) = refused(repository.root, "main").diagnostics
    assert one.code == "HR281"


def test_a_shallow_clone_says_which_depth(repository: ProjectFolder, tmp_path: Path) -> None:
    repository.write({"a.yaml": "a: 2\n"}).commit()
    on_main(repository, {"b.yaml": "b: 2\n"})
    clone = tmp_path / "clone"
    url = f"file://{repository.root}"
    options = ("--quiet", "--depth=1", "--no-single-branch", "--branch=work")
    subprocess.run(["git", "clone", *options, url, str(clone)], check=True)
    (one,) = refused(clone, "origin/main").diagnostics
    assert one.code == "HR064"
    assert one.hint is not None
    assert "`fetch-depth: 0`" in one.hint
    assert "`GIT_DEPTH: 0`" in one.hint
    (one,) = refused(clone, "HEAD~5").diagnostics
    assert (one.code, "depth of 0" in (one.hint or "")) == ("HR064", True)
    subprocess.run(["git", "fetch", "--quiet", "--unshallow"], cwd=clone, check=True)
    assert branch.compare(clone, "origin/main").merged is not None


def test_no_repository_and_no_commit(folder: ProjectFolder) -> None:
    assert refused(folder.root, "main").diagnostics[0].code == "HR062"
    folder.git("init", "--quiet")
    assert refused(folder.root, "main").diagnostics[0].code == "HR063"
