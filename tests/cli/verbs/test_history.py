"""What `history` and `blame` tell, and that an answer which is kept is the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.source import past

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

WORKER = "acme/shop/dev:Service/worker"
JOBS = "shop/dev/jobs.yaml"


def edit(shell: Shell, old: str, new: str) -> None:
    text = shell.read(JOBS)
    assert old in text
    (shell.root / JOBS).write_bytes(text.replace(old, new).encode())
    shell.git("commit", "-qam", f"From {old} to {new}")


def test_an_answer_is_kept_until_a_commit_or_a_run_changes_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(shell, "command: work", "command: w2")
    first = shell.json("history", WORKER)

    def forbidden(*_: Any) -> None:
        raise AssertionError("git's history was read again")

    with monkeypatch.context() as patched:
        patched.setattr(past._Trace, "run", forbidden)
        assert shell.json("history", WORKER) == first
        assert shell.json("history", WORKER, "-n", "1")["changes"] == first["changes"][:1]
    assert first["changes"][0]["fields"][0]["applied"] is None
    shell.hrctl("apply", "--yes")
    assert shell.json("history", WORKER)["changes"][0]["fields"][0]["applied"]["run"]
    edit(shell, "command: w2", "command: w3")
    assert len(shell.json("history", WORKER)["changes"]) == 3
    assert shell.json("history", WORKER, "--rev", "HEAD~1")["changes"] == [
        {**one} for one in shell.json("history", WORKER)["changes"][1:]
    ]


def test_what_is_built_in_is_told_in_place_of_nothing(shell: Shell) -> None:
    edit(shell, "command: work\n", "command: work\n  stopTimeout: 3s\n")
    assert '"10s" (built in) -> "3s"' in shell.hrctl("history", WORKER)


def test_a_secret_is_a_number_in_every_commit(shell: Shell) -> None:
    text = (
        "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: app}\n"
        "spec: {entries: {TOKEN: {type: STRING, value: %s}}}\n"
    )
    for value in ("canary-1", "canary-2", "canary-1"):
        shell.write("app.yaml", text % value)
        shell.git("add", "-A")
        shell.git("commit", "-qm", "Token")
    shell.write("app.yaml", (text % "x").replace("STRING, value: x", "SECRET"))
    shell.git("commit", "-qam", "A secret from now on")
    for layout in ("text", "json"):
        said = shell.hrctl("history", "acme:Config/app", "-o", layout)
        assert "canary" not in said
        assert "(sensitive #1)" in said
        assert "(sensitive #2)" in said
        assert "(sensitive #3)" not in said
    for file in (shell.root / ".hrctl").glob("cache.db*"):
        kept = file.read_bytes()
        assert b"(sensitive #2)" in kept or file.suffix != ".db"


def test_blame_of_what_is_not_committed_and_not_declared(shell: Shell) -> None:
    text = shell.read(JOBS)
    (shell.root / JOBS).write_bytes(text.replace("command: work", "command: other").encode())
    values = {one["field"]: one for one in shell.json("blame", WORKER)["values"]}
    assert values["command"]["committed"] is False
    assert values["state"]["commit"]["subject"] == "Start"
    assert values["restart.policy"]["layer"] == "built in"
    assert shell.fails("blame", "acme:Service/none") == 1
    assert "HR141" in shell.err
    shell.write(
        "new.yaml",
        "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: n}\nspec: {scope: USER}\n",
    )
    assert "not committed" in shell.hrctl("blame", "acme:Config/n")
    assert shell.fails("history", "acme:Config/n") == 1
    assert "HR190" in shell.err


def test_a_shallow_clone_says_what_it_cannot_see(shell: Shell) -> None:
    edit(shell, "command: work", "command: w2")
    clone = shell.root.parent / "clone"
    shell.git("clone", "-q", "--depth", "1", f"file://{shell.root}", str(clone))
    shell.hrctl("-C", str(clone), "history", WORKER)
    assert "This is a shallow clone" in shell.err
    shell.hrctl("-C", str(clone), "blame", WORKER)
    assert "may be older" in shell.err
    assert shell.fails("-C", str(clone), "history", WORKER, "--rev", "HEAD~1") == 1
    assert "HR064" in shell.err


def test_without_git_and_without_a_commit(shell: Shell) -> None:
    (shell.root / ".git").rename(shell.root / "no-git")
    for command in ("history", "blame"):
        assert shell.fails(command, WORKER) == 1
        assert "HR062" in shell.err
    shell.git("init", "-q")
    for command in ("history", "blame"):
        assert shell.fails(command, WORKER) == 1
        assert "HR063" in shell.err


def test_a_merge_changed_nothing_that_a_side_changed(shell: Shell) -> None:
    shell.git("branch", "side")
    edit(shell, "command: work", "command: w2")
    shell.git("checkout", "-q", "side")
    edit(shell, "labels: {team: 'shop'}", "labels: {team: 'jobs'}")
    shell.git("checkout", "-q", "-")
    shell.git("merge", "-q", "--no-edit", "side")
    told = shell.json("history", WORKER)["changes"]
    subjects = [one["subject"] for one in told]
    assert len(subjects) == 3
    assert not any(one.startswith("Merge") for one in subjects)
    lines = {one["field"]: one for one in shell.json("blame", WORKER)["values"]}
    assert lines["labels.team"]["commit"]["subject"].startswith("From labels")
    assert lines["command"]["commit"]["subject"] == "From command: work to command: w2"


def test_a_merge_changed_what_it_decided_itself(shell: Shell) -> None:
    shell.git("branch", "side")
    edit(shell, "command: work", "command: w2")
    shell.git("checkout", "-q", "side")
    edit(shell, "labels: {team: 'shop'}", "labels: {team: 'jobs'}")
    shell.git("checkout", "-q", "-")
    shell.git("merge", "-q", "--no-commit", "side")
    text = shell.read(JOBS).replace("command: w2", "command: w3")
    (shell.root / JOBS).write_bytes(text.encode())
    shell.git("commit", "-qam", "Merge and decide")
    newest = shell.json("history", WORKER)["changes"][0]
    assert newest["subject"] == "Merge and decide"
    assert [one["field"] for one in newest["fields"]] == ["command"]
