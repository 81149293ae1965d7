"""What is listed of real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.source import blobs, git

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

A = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\nspec: {level: ROOT}\n"


def refused(code: str, listing: object) -> str:
    with pytest.raises(HrctlError) as caught:
        listing()  # type: ignore[operator]
    assert [one.code for one in caught.value.diagnostics] == [code]
    return str(caught.value)


def test_blob_ids_are_those_of_git(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": A, "empty.yaml": ""})
    folder.commit()
    listing = git.list_worktree(folder.root)
    assert listing.files["a.yaml"] == folder.git("hash-object", "a.yaml") == git.blob_id(A.encode())
    assert listing.files["empty.yaml"] == git.blob_id(b"")
    assert set(listing.files) == {"a.yaml", "empty.yaml", "hrctl.yaml"}
    assert (listing.dirty, listing.in_git) == (False, True)
    assert listing.commit == folder.git("rev-parse", "HEAD")


def test_every_sort_of_change(folder: ProjectFolder) -> None:
    files = {
        f"{name}.yaml": f"name: {name}\n" for name in ("same", "edited", "gone", "old", "staged")
    }
    folder.write(files)
    folder.commit()
    folder.write({"edited.yaml": "1", "staged.yaml": "2", "new.yaml": "3", "added.yaml": "4"})
    (folder.root / "gone.yaml").unlink()
    folder.git("mv", "old.yaml", "renamed.yaml")
    folder.git("add", "staged.yaml")
    folder.git("add", "--intent-to-add", "added.yaml")
    listing = git.list_worktree(folder.root)
    assert listing.dirty
    assert listing.files == {
        path: git.blob_id((folder.root / path).read_bytes())
        for path in sorted(one.name for one in folder.root.glob("*.yaml"))
    }
    assert "gone.yaml" not in listing.files
    assert "old.yaml" not in listing.files


def test_names_with_spaces_and_letters_of_all_sorts(folder: ProjectFolder) -> None:
    names = [
        "a b.yaml",
        "dé/ñ ü.yaml",
        '"quoted".yaml',
        "日本.yml",
        "tab\tand\nline.yaml",
        "[x]*.yaml",
    ]
    folder.write(dict.fromkeys(names, A))
    assert set(git.list_worktree(folder.root).files) == {*names, "hrctl.yaml"}
    folder.commit()
    assert set(git.list_worktree(folder.root).files) == {*names, "hrctl.yaml"}
    assert set(git.list_revision(folder.root, "HEAD").files) == {*names, "hrctl.yaml"}
    folder.write(dict.fromkeys(names, "changed"))
    listing = git.list_worktree(folder.root)
    assert {listing.files[name] for name in names} == {git.blob_id(b"changed")}


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_name_that_is_not_utf8_is_told(folder: ProjectFolder, *, is_committed: bool) -> None:
    bad = os.fsencode(folder.root) + b"/caf\xe9.yaml"
    Path(os.fsdecode(bad)).write_bytes(b"a: 1\n")
    if is_committed:
        folder.commit()
    assert folder.told() == ["HR040", "HR067"]
    (one,) = (one for one in git.list_worktree(folder.root).diagnostics if one.code == "HR067")
    assert r"'caf\udce9.yaml'" in one.summary


def test_a_project_in_a_subfolder_of_a_larger_repository(folder: ProjectFolder) -> None:
    folder.git("init", "--quiet")
    folder.write({"sub dir/x/hrctl.yaml": "", "sub dir/x/a.yaml": A, "other.yaml": "o"})
    folder.commit()
    root = folder.root / "sub dir/x"
    assert set(git.list_worktree(root).files) == {"hrctl.yaml", "a.yaml"}
    assert git.list_revision(root, "HEAD").files == git.list_worktree(root).files
    folder.write({"other.yaml": "changed", "sub dir/x/a.yaml": "changed", "sub dir/x/n.yaml": "n"})
    listing = git.list_worktree(root)
    assert listing.files["a.yaml"] == git.blob_id(b"changed")
    assert listing.files["n.yaml"] == git.blob_id(b"n")
    folder.git("checkout", "--", "sub dir")
    (root / "n.yaml").unlink()
    assert not git.list_worktree(root).dirty, "what lies beside the project does not matter"


def test_manifests_in_a_folder_with_an_odd_name(folder: ProjectFolder) -> None:
    folder.write({"[m]*/a.yaml": A, "mm/b.yaml": "b", "m/c.yaml": "c"})
    folder.commit()
    assert list(git.list_worktree(folder.root, "[m]*").files) == ["[m]*/a.yaml", "hrctl.yaml"]
    assert list(git.list_revision(folder.root, "HEAD", "[m]*").files) == ["[m]*/a.yaml"]
    folder.write({"[m]*/new.yaml": "n"})
    assert "[m]*/new.yaml" in git.list_worktree(folder.root, "[m]*").files
    folder.git("add", "-A")
    folder.git("commit", "--quiet", "-m", "x")
    folder.write({"m/c.yaml": "changed"})
    assert not git.list_worktree(folder.root, "[m]*").dirty
    folder.write({"hrctl.yaml": "# changed"})
    assert git.list_worktree(folder.root, "[m]*").dirty


def test_a_folder_of_manifests_that_is_not_there(folder: ProjectFolder) -> None:
    said = refused("HR067", lambda: git.list_worktree(folder.root, "nowhere"))
    assert "there is no folder 'nowhere'" in said


def test_a_linked_worktree_and_a_detached_head(folder: ProjectFolder, tmp_path: Path) -> None:
    folder.write({"a.yaml": A})
    commit = folder.commit()
    folder.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), commit)
    linked = tmp_path / "linked"
    (linked / "a.yaml").write_text("changed")
    listing = git.list_worktree(linked)
    assert (listing.commit, listing.dirty) == (commit, True)
    assert listing.files["a.yaml"] == git.blob_id(b"changed")
    assert git.toplevel(linked) == linked


def test_no_commit_yet(folder: ProjectFolder) -> None:
    folder.git("init", "--quiet")
    folder.write({"a.yaml": A})
    listing = git.list_worktree(folder.root)
    assert (listing.commit, listing.dirty, listing.in_git) == (None, True, True)
    assert set(listing.files) == {"a.yaml", "hrctl.yaml"}
    refused("HR063", lambda: git.require_commit(folder.root, listing))
    refused("HR063", lambda: git.resolve(folder.root, "HEAD"))
    commit = folder.commit()
    assert git.require_commit(folder.root, git.list_worktree(folder.root)) == commit


def test_no_repository(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": A, "sub/b.yml": "b", ".hidden/c.yaml": "c", "d.txt": "d"})
    (folder.root / "link.yaml").symlink_to("a.yaml")
    os.mkfifo(folder.root / "pipe.yaml")
    listing = git.list_worktree(folder.root)
    assert list(listing.files) == ["a.yaml", "hrctl.yaml", "sub/b.yml"]
    assert (listing.commit, listing.dirty, listing.in_git) == (None, True, False)
    assert [one.code for one in listing.diagnostics] == ["HR062"]
    assert list(git.list_worktree(folder.root, "sub").files) == ["sub/b.yml"]
    refused("HR062", lambda: git.require_commit(folder.root, listing))
    refused("HR062", lambda: git.list_revision(folder.root, "HEAD"))


def test_a_project_that_the_repository_around_it_ignores(folder: ProjectFolder) -> None:
    folder.write({".gitignore": "build/\n", "build/hrctl.yaml": "", "build/a.yaml": A})
    folder.commit()
    listing = git.list_worktree(folder.root / "build")
    assert list(listing.files) == ["a.yaml", "hrctl.yaml"]
    assert not listing.in_git


def test_ignored_hidden_and_foreign_files_are_passed_over(folder: ProjectFolder) -> None:
    names = [".x.yaml", ".dir/a.yaml", "sub/.dir/a.yaml", "skip.yaml", "a.txt", "a.yaml.bak"]
    folder.write({".gitignore": "skip.yaml\n", **dict.fromkeys(names, A)})
    assert list(git.list_worktree(folder.root).files) == ["hrctl.yaml", "skip.yaml"]
    folder.commit()
    assert list(git.list_worktree(folder.root).files) == ["hrctl.yaml"]
    assert list(git.list_revision(folder.root, "HEAD").files) == ["hrctl.yaml"]


def test_links_and_submodules_are_passed_over(folder: ProjectFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.yaml").write_text("b")
    (other / "hrctl.yaml").write_text("")
    done = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*done, *arguments], cwd=other, check=True)
    folder.write({"a.yaml": A, "real/c.yaml": "c"})
    folder.git("init", "--quiet")
    allowed = ("-c", "protocol.file.allow=always")
    folder.git(*allowed, "submodule", "--quiet", "add", str(other), "module.yaml")
    (folder.root / "link.yaml").symlink_to("a.yaml")
    (folder.root / "linked").symlink_to("real")
    wanted = ["a.yaml", "hrctl.yaml", "real/c.yaml"]
    assert list(git.list_worktree(folder.root).files) == wanted
    folder.commit()
    assert list(git.list_worktree(folder.root).files) == wanted
    assert list(git.list_revision(folder.root, "HEAD").files) == wanted
    (folder.root / "module.yaml/b.yaml").write_text("changed")
    assert list(git.list_worktree(folder.root).files) == wanted
    assert list(git.list_worktree(folder.root / "module.yaml").files) == ["b.yaml", "hrctl.yaml"]
    (folder.root / "a.yaml").unlink()
    (folder.root / "a.yaml").symlink_to("real/c.yaml")
    assert list(git.list_worktree(folder.root).files) == wanted[1:]


def test_a_conflict_that_is_not_resolved_is_read_as_it_lies_there(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": "a: 1\n"})
    folder.commit()
    folder.git("checkout", "--quiet", "-b", "side")
    folder.write({"a.yaml": "a: 2\n"})
    folder.commit()
    folder.git("checkout", "--quiet", "-")
    folder.write({"a.yaml": "a: 3\n"})
    folder.commit()
    with pytest.raises(subprocess.CalledProcessError):
        folder.git("merge", "side")
    listing = git.list_worktree(folder.root)
    text = (folder.root / "a.yaml").read_bytes()
    assert b"<<<<<<<" in text
    assert listing.files["a.yaml"] == git.blob_id(text)


def test_revisions(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": "old\n"})
    first = folder.commit()
    folder.git("tag", "v1")
    folder.write({"a.yaml": "new\n"})
    (folder.root / "hrctl.yaml").unlink()
    folder.commit()
    for revision in (first, first[:9], "v1", "HEAD~1", "HEAD^{commit}~1"):
        listing = git.list_revision(folder.root, revision)
        assert (listing.commit, listing.dirty) == (first, False)
        assert next(blobs.read(folder.root, list(listing.files.values()))) == b"old\n"
    for unknown in ("nope", "HEAD~9", "--help", "-1", "", "HEAD:a.yaml"):
        assert "no revision" in refused(
            "HR065", lambda name=unknown: git.resolve(folder.root, name)
        )


def test_a_shallow_clone(folder: ProjectFolder, tmp_path: Path) -> None:
    folder.write({"a.yaml": "1"})
    first = folder.commit()
    folder.write({"a.yaml": "2"})
    folder.commit()
    clone = tmp_path / "clone"
    url = f"file://{folder.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, str(clone)], check=True)
    assert git.list_worktree(clone).files["a.yaml"] == git.blob_id(b"2")
    assert git.resolve(clone, "HEAD") == git.list_worktree(clone).commit
    assert "shallow" in refused("HR064", lambda: git.resolve(clone, first))
    refused("HR064", lambda: git.resolve(clone, "HEAD~1"))


def test_a_repository_with_sha256(folder: ProjectFolder) -> None:
    try:
        folder.git("init", "--quiet", "--object-format=sha256")
    except subprocess.CalledProcessError:
        pytest.skip("this git knows no sha256")
    folder.write({"registry.yaml": A})
    commit = folder.commit()
    listing = git.list_worktree(folder.root)
    blob = listing.files["registry.yaml"]
    assert (len(commit), len(blob), listing.commit) == (64, 64, commit)
    assert git.holds(A.encode(), blob)
    assert not git.holds(b"other", blob)
    assert list(blobs.read(folder.root, [blob])) == [A.encode()]
    assert folder.told() == folder.told("HEAD") == []
    folder.write({"registry.yaml": A + "# more\n"})
    assert git.list_worktree(folder.root).dirty


def test_a_blob_that_git_does_not_have(folder: ProjectFolder) -> None:
    folder.commit()
    said = refused("HR066", lambda: list(blobs.read(folder.root, ["0" * 40])))
    assert "git has no blob 0000" in said


def test_crlf_line_ends_that_git_converts(folder: ProjectFolder) -> None:
    folder.write({".gitattributes": "*.yaml text eol=crlf\n", "a.yaml": A.replace("\n", "\r\n")})
    folder.commit()
    listing = git.list_worktree(folder.root)
    assert listing.files["a.yaml"] == git.blob_id(A.encode())
    assert git.holds((folder.root / "a.yaml").read_bytes(), listing.files["a.yaml"])
    assert not listing.dirty


def test_no_hook_runs_and_the_index_stays_as_it_is(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": A})
    folder.commit()
    hooks = folder.root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{folder.root}/ran'\n")
        (hooks / name).chmod(0o755)
    index = folder.root / ".git/index"
    os.utime(folder.root / "a.yaml")  # so that git would like to refresh its index
    before = index.read_bytes()
    git.list_worktree(folder.root)
    git.list_revision(folder.root, "HEAD")
    assert index.read_bytes() == before
    assert not (folder.root / "ran").exists()
    assert not (folder.root / ".git/index.lock").exists()


def test_another_git_holding_its_lock_is_not_in_the_way(folder: ProjectFolder) -> None:
    folder.write({"a.yaml": A})
    folder.commit()
    (folder.root / ".git/index.lock").touch()
    assert "a.yaml" in git.list_worktree(folder.root).files


def test_what_a_hook_of_git_sets_does_not_lead_elsewhere(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write({"sub/a.yaml": A})
    folder.commit()
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/nowhere")
    monkeypatch.setenv("GIT_PREFIX", "elsewhere/")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert list(git.list_worktree(folder.root / "sub").files) == ["a.yaml"]


def test_git_that_fails_gives_its_reason(folder: ProjectFolder) -> None:
    (folder.root / ".git").write_text("gitdir: /nowhere\n")
    assert "git ls-files failed: not a git repository" in refused(
        "HR066", lambda: git.list_worktree(folder.root)
    )


def test_no_git(folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.commit()
    monkeypatch.setenv("PATH", "/nowhere")
    assert "git was not found" in refused("HR066", lambda: git.list_worktree(folder.root))


def test_files_that_cannot_be_read(folder: ProjectFolder) -> None:
    said = refused("HR067", lambda: list(git.read_worktree(folder.root, ["gone.yaml"])))
    assert "gone.yaml cannot be read: No such file or directory" in said
    (folder.root / "folder.yaml").mkdir()
    refused("HR067", lambda: list(git.read_worktree(folder.root, ["folder.yaml"])))
