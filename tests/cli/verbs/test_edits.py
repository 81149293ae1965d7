"""Edits change the lines that they must, are checked with the whole tree, and are taken back."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hrctl.cli.verbs import edits

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell


def test_only_the_edited_line_changes(shell: Shell) -> None:
    before = shell.read("shop/dev/jobs.yaml")
    out = shell.hrctl("service", "stop", "worker")
    assert shell.read("shop/dev/jobs.yaml") == before.replace(
        'state:   "RUNNING"  # for now', 'state:   "STOPPED"  # for now'
    )
    assert '-  state:   "RUNNING"  # for now\n+  state:   "STOPPED"  # for now\n' in out
    assert "\x1b" not in out
    assert shell.git("status", "--short") == " M shop/dev/jobs.yaml\n"


def test_line_ends_and_a_missing_last_one_stay(shell: Shell) -> None:
    text = shell.read("shop/dev/jobs.yaml").rstrip("\n").replace("\n", "\r\n")
    (shell.root / "shop/dev/jobs.yaml").write_bytes(text.encode())
    shell.hrctl("service", "stop", "worker")
    assert shell.read("shop/dev/jobs.yaml") == text.replace('"RUNNING"', '"STOPPED"')


def test_an_instance_gets_a_patch_of_its_own(shell: Shell) -> None:
    shell.hrctl("service", "stop", "prod:api")
    assert shell.git("status", "--short") == "?? shop/prod/patches.yaml\n"
    states = {row["address"]: row["status"] for row in shell.json("service", "list")}
    assert states["acme/shop/prod:Service/api"] == "STOPPED"
    assert states["acme/shop/dev:Service/api"] == "RUNNING"
    first = shell.read("shop/prod/patches.yaml")
    shell.hrctl("service", "start", "prod:api")
    assert shell.read("shop/prod/patches.yaml") == first.replace("STOPPED", "RUNNING")


def test_what_is_so_already_is_not_written(shell: Shell) -> None:
    before = shell.files()
    assert shell.hrctl("service", "start", "worker") == ""
    assert shell.err == "acme/shop/dev:Service/worker is so already.\n"
    assert shell.files() == before
    assert shell.json("service", "start", "worker")["files"] == []


def test_an_edit_that_breaks_the_tree_is_taken_back(shell: Shell) -> None:
    before = shell.files()
    assert shell.fails("service", "create", "new", "--in", "prod", "--type", "APIX") == 1
    assert shell.files() == before
    assert "shop/prod/new.yaml:6:9: HR021" in shell.err
    assert "6 |   type: APIX\n  |         ^^^^ did you mean API?" in shell.err
    assert shell.err.endswith("Nothing was changed.\n")
    assert shell.fails("registry", "create", "deep", "--in", "dev", "--set", "level=PROJECT") == 1
    assert shell.files() == before  # no empty folder stays
    assert shell.fails("service", "remove", "worker", "-o", "json") == 1
    assert (shell.out, '"code": "HR045"' in shell.err) == ("", True)
    assert shell.files() == before


def test_an_interruption_takes_the_edit_back(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        assert "STOPPED" in shell.read("shop/dev/jobs.yaml")
        raise KeyboardInterrupt

    monkeypatch.setattr(edits, "_check", interrupted)
    before = shell.files()
    assert shell.fails("service", "stop", "worker") == 130
    assert shell.files() == before


def test_a_commit_holds_these_files_and_no_others(shell: Shell) -> None:
    shell.write("staged.txt", "x\n")
    shell.git("add", "staged.txt")
    shell.write("shop/registry.yaml", shell.read("shop/registry.yaml") + "# dirty\n")
    hook = shell.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = shell.json("service", "stop", "worker", "--commit")
    assert shell.git("show", "--format=%s", "--name-only").split("\n\n") == [
        "Stop acme/shop/dev:Service/worker",
        "shop/dev/jobs.yaml\n",
    ]
    assert shell.git("status", "--short") == " M shop/registry.yaml\nA  staged.txt\n"
    assert done["commit"] == shell.git("rev-parse", "HEAD").strip()
    shell.hrctl("service", "stop", "prod:api", "--commit", "-m", "Close prod")
    assert shell.git("log", "-1", "--format=%s", "--name-only") == (
        "Close prod\n\nshop/prod/patches.yaml\n"
    )


def test_a_commit_tells_of_other_changes_of_its_files(shell: Shell) -> None:
    told = "shop/dev/jobs.yaml had other changes, which are in this commit, too.\n"
    shell.hrctl("service", "stop", "worker", "--commit")
    assert told not in shell.err
    shell.write("shop/dev/jobs.yaml", "# a note\n" + shell.read("shop/dev/jobs.yaml"))
    shell.hrctl("service", "start", "worker", "--commit")
    assert told in shell.err


def test_what_git_never_knew_leaves_without_a_commit(shell: Shell) -> None:
    shell.hrctl("service", "create", "new", "--type", "API")
    head = shell.git("rev-parse", "HEAD")
    assert shell.json("service", "remove", "new", "--commit")["commit"] is None
    assert shell.git("rev-parse", "HEAD") == head
    assert not (shell.root / "new.yaml").exists()


def test_outside_git_nothing_can_be_committed(shell: Shell) -> None:
    shutil.rmtree(shell.root / ".git")
    before = shell.files()
    for option in ("--commit", "--apply"):
        assert shell.fails("service", "stop", "worker", option) == 1
        assert "HR062" in shell.err
    assert shell.files() == before
    shell.hrctl("service", "stop", "worker")


def test_what_git_says_of_a_failure_is_told(shell: Shell) -> None:
    (shell.root / ".git/index.lock").touch()
    assert shell.fails("service", "stop", "worker", "--commit") == 1
    assert "HR066 git add failed" in shell.err
    assert "STOPPED" in shell.read("shop/dev/jobs.yaml")


def test_apply_takes_just_this(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    shell.write("shop/services.yaml", shell.read("shop/services.yaml").replace("serve", "other"))
    shell.hrctl("service", "stop", "worker", "--commit", "--apply", "--yes", "-q")
    live = shell.json("get", "acme/shop/dev:Service/worker")
    assert live["body"]["spec"]["state"] == "STOPPED"
    assert shell.fails("plan", "--detailed-exitcode", "--debug") == 2, shell.err
    assert "2 to change" in shell.out
    assert shell.fails("service", "start", "worker", "--apply") == 1
    assert "HR129" in shell.err
    out = shell.hrctl("service", "stop", "worker", "--apply", "--yes", "-o", "json")
    assert out.splitlines()[0].startswith('{"event":"edited",')
    assert out.splitlines()[1].startswith('{"event":"plan",')


def test_a_removed_one_is_deleted(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    shell.hrctl("service", "create", "spare", "--type", "API", "--commit", "--apply", "--yes")
    shell.hrctl("service", "remove", "spare", "--commit", "--apply", "--yes")
    assert "acme:Service/spare" not in shell.hrctl("get")
    assert shell.git("status", "--short") == ""


def test_the_difference_is_coloured_on_a_terminal(shell: Shell) -> None:
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "hrctl", "service", "stop", "worker"],
        cwd=shell.root,
        stdout=side,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(side)
        text = b""
        while chunk := _read(main):
            text += chunk
    os.close(main)
    assert process.returncode == 0
    assert b'\x1b[31m-  state:   "RUNNING"  # for now\x1b[0m' in text
    assert b'\x1b[32m+  state:   "STOPPED"  # for now\x1b[0m' in text
    assert b"\x1b[1m--- a/shop/dev/jobs.yaml\x1b[0m" in text


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux says so when the other side is closed
        return b""
