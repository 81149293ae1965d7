"""What was declared before comes back, as a commit, and nothing else changes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

JOBS = "shop/dev/jobs.yaml"
WORKER = "acme/shop/dev:Service/worker"


def edit(shell: Shell, path: str, old: str, new: str, subject: str = "Edit") -> str:
    file = shell.root / path
    text = file.read_bytes().decode()
    assert old in text
    file.write_bytes(text.replace(old, new).encode())
    shell.git("add", "-A")
    shell.git("commit", "-qm", subject)
    return shell.git("rev-parse", "HEAD").strip()


def test_a_resource_comes_back_with_its_comments(shell: Shell) -> None:
    before = shell.read(JOBS)
    edit(shell, JOBS, "WORKER     # aligned", "API")
    edit(shell, JOBS, "mail}", "mail --fast}")
    shell.hrctl("rollback", "HEAD~2", WORKER)
    assert shell.read(JOBS) == before.replace("mail}", "mail --fast}")
    assert shell.git("status", "--porcelain") == ""
    assert shell.git("log", "--format=%s").splitlines()[0] == (
        f"Roll back {WORKER} to HEAD~2 ({shell.git('rev-parse', '--short=7', 'HEAD~3').strip()})"
    )
    assert "Plan: " in shell.out


def test_everything_comes_back_byte_for_byte(shell: Shell) -> None:
    shell.write("shop/own stüff.yaml", "# kept\r\n" + shell.read(JOBS).replace("\n", "\r\n"))
    shell.git("mv", JOBS, "shop/dev/moved.yaml")
    edit(shell, "registry.yaml", "{level: ROOT}", "{level: ROOT, owner: me}")
    shell.write("hrctl.yaml", shell.read("hrctl.yaml") + "spec: {parallelism: 3}\n")
    (shell.root / "shop/own stüff.yaml").unlink()
    shell.git("commit", "-qam", "More")
    files = shell.files()
    shell.hrctl("rollback", "HEAD~2", "-m", "Undo all")
    assert {path for path, data in shell.files().items() if files.get(path) != data} == {
        "registry.yaml",
        JOBS,
    }
    assert shell.git("diff", "--stat", "HEAD~3", "HEAD", "--", "shop", "registry.yaml") == ""
    assert shell.git("log", "-1", "--format=%s").strip() == "Undo all"
    shell.hrctl("rollback", "HEAD~3", "registry.yaml")
    assert "is so already" in shell.err


def test_the_index_keeps_what_else_it_holds(shell: Shell) -> None:
    edit(shell, JOBS, "mail}", "mail --fast}")
    shell.write("staged.txt", "staged\n")
    shell.git("add", "staged.txt")
    shell.write("registry.yaml", shell.read("registry.yaml") + "# dirty\n")
    shell.hrctl("rollback", "HEAD~1", JOBS)
    assert shell.git("status", "--porcelain").splitlines() == [" M registry.yaml", "A  staged.txt"]
    assert shell.git("show", "--stat", "--format=", "HEAD").split()[0] == JOBS


@pytest.mark.parametrize("staged", [True, False])
def test_dirty_files_are_never_overwritten(shell: Shell, *, staged: bool) -> None:
    edit(shell, JOBS, "mail}", "mail --fast}")
    shell.write(JOBS, shell.read(JOBS) + "# work\n")
    if staged:
        shell.git("add", JOBS)
    files, head = shell.files(), shell.git("rev-parse", "HEAD")
    for what in ((), (WORKER,), (JOBS,)):
        assert shell.fails("rollback", "HEAD~1", *what) == 1
        assert "HR195" in shell.err
    assert (shell.files(), shell.git("rev-parse", "HEAD")) == (files, head)


def test_an_untracked_file_in_the_way_stays(shell: Shell) -> None:
    shell.git("rm", "-q", JOBS)
    shell.git("commit", "-qm", "Gone")
    shell.write(JOBS, "# mine\n")
    assert shell.fails("rollback", "HEAD~1") == 1
    assert "HR195" in shell.err
    assert shell.read(JOBS) == "# mine\n"


def test_a_branch_is_made_and_no_file_is_touched(shell: Shell) -> None:
    last = edit(shell, JOBS, "mail}", "mail --fast}")
    shell.write("dirty.txt", "1")
    files = shell.files()
    said = shell.json("rollback", "HEAD~1", "--branch", "undo")
    assert said["branch"] == "undo"
    assert said["plan"]["changes"]
    assert shell.files() == files
    assert shell.git("rev-parse", "HEAD").strip() == last
    assert shell.git("rev-parse", "undo").strip() == said["commit"]
    assert shell.git("diff", "--stat", "HEAD~1", "undo") == ""
    assert shell.git("rev-parse", "undo~1").strip() == last
    assert shell.fails("rollback", "HEAD~1", "--branch", "undo") == 1
    assert "HR192" in shell.err
    assert shell.fails("rollback", "HEAD~1", "--branch", "a b") == 1
    assert "HR192" in shell.err


def test_a_document_that_is_gone_comes_back_and_one_that_was_not_there_goes(shell: Shell) -> None:
    before = shell.read(JOBS)
    head, _, mailer = before.partition("\n---\n")
    shell.write(JOBS, "---\n" + mailer.replace("dependsOn: [Service/worker]\n", ""))
    shell.git("commit", "-qam", "No worker")
    assert head.startswith("# Takes jobs")
    shell.hrctl("rollback", "HEAD~1", WORKER)
    assert head in shell.read(JOBS)
    shell.write(
        "shop/new.yaml",
        "kind: Service\napiVersion: hrctl.dev/v1\nmetadata: {name: new}\n"
        "spec: {type: API, command: new}\n",
    )
    shell.git("add", "-A")
    shell.git("commit", "-qm", "New")
    shell.hrctl("rollback", "HEAD~1", "acme/shop:Service/new")
    assert not (shell.root / "shop/new.yaml").exists()


def test_a_patch_of_an_instance_is_its_own(shell: Shell) -> None:
    patch = "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: api, patch: true}\n"
    shell.write("shop/prod/patches.yaml", patch + "spec: {replicas: 4} # busy\n")
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Patch")
    edit(shell, "shop/prod/patches.yaml", "4} # busy", "9}")
    edit(shell, "shop/services.yaml", "command: serve", "command: other")
    shell.hrctl("rollback", "HEAD~2", "acme/shop/prod:Service/api")
    assert shell.read("shop/prod/patches.yaml") == patch + "spec: {replicas: 4} # busy\n"
    assert "command: other" in shell.read("shop/services.yaml")


def test_protected_resources_are_not_deleted(shell: Shell) -> None:
    shell.git("rm", "-q", JOBS)
    shell.git("commit", "-qm", "Without")
    shell.git("revert", "--no-edit", "HEAD")
    files, head = shell.files(), shell.git("rev-parse", "HEAD")
    for options in ((), ("--branch", "undo")):
        assert shell.fails("rollback", "HEAD~1", *options) == 1
        assert "HR196" in shell.err
        assert "acme/shop/dev:Service/mailer" in shell.err
    assert (shell.files(), shell.git("rev-parse", "HEAD")) == (files, head)
    assert shell.git("branch", "--list", "undo") == ""


def test_what_leaves_errors_in_the_tree_is_refused(shell: Shell) -> None:
    shell.write("shop/broken.yaml", shell.read(JOBS))
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Twice")
    shell.git("rm", "-q", "shop/broken.yaml")
    shell.git("commit", "-qm", "Once")
    edit(shell, JOBS, "kind: Service\napiVersion", "kind: Servise\napiVersion")
    edit(shell, JOBS, "kind: Servise\napiVersion", "kind: Service\napiVersion")
    files, head = shell.files(), shell.git("rev-parse", "HEAD")
    assert shell.fails("rollback", "HEAD~1") == 1
    assert "Servise" in shell.err
    assert (shell.files(), shell.git("rev-parse", "HEAD")) == (files, head)


def test_back_to_what_a_run_applied(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    run = shell.json("state", "runs")["runs"][0]["run"]
    edit(shell, JOBS, "mail}", "mail --fast}")
    shell.hrctl("apply", "--yes")
    shell.hrctl("rollback", run, "acme/shop/dev:Service/mailer", "--apply", "--yes")
    assert "mail --fast" not in shell.read(JOBS)
    assert f"as run {run} applied it" in shell.git("log", "-1", "--format=%s")
    shell.hrctl("plan")
    assert "No changes." in shell.out
    (change, *_) = shell.json("history", "acme/shop/dev:Service/mailer")["changes"]
    assert change["fields"][0]["applied"]


def test_hooks_are_not_run_and_a_commit_that_fails_changes_nothing(shell: Shell) -> None:
    edit(shell, JOBS, "mail}", "mail --fast}")
    hooks = shell.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "watch"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{shell.root}/ran-{name}'\nexit 1\n")
        (hooks / name).chmod(0o755)
    shell.git("-c", "core.hooksPath=/dev/null", "config", "core.fsmonitor", ".git/hooks/watch")
    shell.hrctl("rollback", "HEAD~1", JOBS)
    shell.hrctl("rollback", "HEAD~1", JOBS, "--branch", "again")
    assert not list(shell.root.glob("ran-*"))


def test_without_an_identity_nothing_changes(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    edit(shell, JOBS, "mail}", "mail --fast}")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME"):
        monkeypatch.delenv(name)
    monkeypatch.delenv("GIT_COMMITTER_EMAIL")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    shell.git("config", "user.useConfigOnly", "true")
    files = shell.files()
    assert shell.fails("rollback", "HEAD~1", JOBS) == 1
    assert "HR066" in shell.err
    assert shell.files() == files
    assert shell.git("status", "--porcelain") == ""


def test_detached_in_a_worktree_of_a_larger_repository(shell: Shell, tmp_path: Path) -> None:
    larger = tmp_path / "larger"
    larger.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=larger, check=True)
    inner = larger / "my plätform"
    for path, data in shell.files().items():
        if data:
            (inner / path).parent.mkdir(parents=True, exist_ok=True)
            (inner / path).write_bytes(data)
    who = ["-c", "user.name=R", "-c", "user.email=r@example.org"]
    for command in (["add", "-A"], ["commit", "-qm", "All"]):
        subprocess.run(["git", *who, *command], cwd=larger, check=True)
    file = inner / JOBS
    before = file.read_bytes()
    file.write_bytes(before.replace(b"mail}", b"mail --fast}"))
    subprocess.run(["git", *who, "commit", "-qam", "Fast"], cwd=larger, check=True)
    tree = tmp_path / "tree"
    subprocess.run(["git", "worktree", "add", "-q", "--detach", tree], cwd=larger, check=True)
    shell.hrctl("-C", str(tree / "my plätform"), "rollback", "HEAD~1", WORKER, "--branch", "b")
    assert "is so already" in shell.err
    mailer = "acme/shop/dev:Service/mailer"
    shell.hrctl("-C", str(tree / "my plätform"), "rollback", "HEAD~1", mailer, "--branch", "b")
    shown = subprocess.run(
        ["git", "show", f"b:./{JOBS}"], cwd=inner, check=True, capture_output=True
    )
    assert shown.stdout == before
    shell.hrctl("-C", str(tree / "my plätform"), "rollback", "HEAD~1", mailer)
    assert "HEAD is detached" in shell.err
    assert (tree / "my plätform" / JOBS).read_bytes() == before


def test_what_makes_no_sense(shell: Shell) -> None:
    for args, code in (
        (("nowhere",), "HR065"),
        (("HEAD", "acme/shop:Service/none"), "HR141"),
        (("HEAD", "nowhere.yaml"), "HR067"),
        (("HEAD", "--branch", "b", "--apply"), "HR145"),
    ):
        assert shell.fails("rollback", *args) == 1
        assert code in shell.err
