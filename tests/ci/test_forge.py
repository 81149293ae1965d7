"""`hrctl ci` against a forge: in place, of our own, and never with the token in sight."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hrctl.model import approval
from tests.ci.runner import git

DIGEST = f"sha256:{'ab' * 32}"
OTHER = f"sha256:{'cd' * 32}"
PLAN = f"<!-- hrctl:plan:acme -->\n### hrctl plan: 1 to add\n\nApproval: `{DIGEST}`\n"


@pytest.fixture(params=["github", "gitlab"])
def ci(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.getfixturevalue(request.param)
    return found


def mine(ci: dict[str, str]) -> str:
    return "github-actions[bot]" if "GITHUB_ACTIONS" in ci else "project_7_bot"


def hrctl(folder: Path, env: dict[str, str], *arguments: str, exits: int = 0) -> str:
    done = subprocess.run(
        ["hrctl", *arguments],
        cwd=folder,
        env=env,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert done.returncode == exits, done.stdout
    assert "a-token" not in done.stdout
    return done.stdout


def checked_out(folder: Path, ci: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A commit, and the environment of a run of the CI for it."""
    git(folder, ci, "init", "-q")
    git(folder, ci, "commit", "-q", "--allow-empty", "-m", "Merge")
    commit = git(folder, ci, "rev-parse", "HEAD")
    return commit, {**ci, "GITHUB_SHA": commit, "CI_COMMIT_SHA": commit}


def test_a_comment_is_updated_in_place(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(PLAN)
    forge.add(5, "mallory", PLAN.replace(DIGEST, OTHER))  # looks like ours, and is not
    assert hrctl(tmp_path, ci, "ci", "comment", "plan.md").startswith("Commented ")
    (tmp_path / "plan.md").write_text(PLAN.replace("1 to add", "2 to add"))
    assert hrctl(tmp_path, ci, "ci", "comment", "plan.md").startswith("Updated ")
    assert forge.bodies(5, mine(ci)) == [PLAN.replace("1 to add", "2 to add")]
    assert forge.bodies(5, "mallory") == [PLAN.replace(DIGEST, OTHER)]
    (tmp_path / "other.md").write_text(PLAN.replace(":acme", ":billing"))
    assert hrctl(tmp_path, ci, "ci", "comment", "other.md").startswith("Commented ")
    assert len(forge.bodies(5, mine(ci))) == 2


def test_a_comment_far_down(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    for number in range(230):
        forge.add(5, "robin", f"comment {number}")
    forge.add(5, mine(ci), PLAN)
    (tmp_path / "plan.md").write_text(PLAN)
    assert hrctl(tmp_path, ci, "ci", "comment", "plan.md").startswith("Updated ")


def test_what_was_approved(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged[commit] = 5
    forge.add(5, "mallory", PLAN.replace(DIGEST, OTHER))
    forge.add(5, mine(ci), f"Of another sort: `{OTHER}`")
    told = hrctl(tmp_path, ci, "ci", "approved", exits=1)
    assert told.startswith(f"HR300 request 5 has no comment of {mine(ci)} with a digest")
    forge.add(5, mine(ci), PLAN)
    assert hrctl(tmp_path, ci, "ci", "approved") == f"{DIGEST}\n"
    answer = json.loads(hrctl(tmp_path, ci, "ci", "approved", "-o", "json"))
    assert answer == {"request": 5, "approval": DIGEST}
    forge.merged.clear()
    told = hrctl(tmp_path, ci, "ci", "approved", exits=1)
    assert told.startswith(f"HR300 commit {commit[:12]} came from no merged request")


def test_only_the_commit_that_is_checked_out_is_approved(
    forge: Any, ci: dict[str, str], tmp_path: Path
) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged |= {commit: 5, "badc0de": 5}
    forge.add(5, mine(ci), PLAN)
    assert hrctl(tmp_path, ci, "ci", "approved") == f"{DIGEST}\n"
    refused = hrctl(tmp_path, ci, "ci", "approved", "--commit", "badc0de", exits=1)
    assert f"HR326 commit {commit[:12]} is checked out, not badc0de" in refused
    git(tmp_path, ci, "commit", "-q", "--allow-empty", "-m", "Something else")
    assert "HR326" in hrctl(tmp_path, ci, "ci", "approved", exits=1)


def test_a_request_that_only_contains_the_commit_approves_nothing(
    forge: Any, ci: dict[str, str], tmp_path: Path
) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged[commit] = 5
    forge.merge_commits[commit] = "badc0de"
    forge.add(5, mine(ci), PLAN)
    assert "came from no merged request" in hrctl(tmp_path, ci, "ci", "approved", exits=1)


def test_a_request_for_another_branch_approves_nothing(
    forge: Any, ci: dict[str, str], tmp_path: Path
) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged[commit] = 5
    forge.target = "playground"
    forge.add(5, mine(ci), PLAN)
    told = hrctl(tmp_path, ci, "ci", "approved", exits=1)
    assert "HR327 request 5 was merged into 'playground'" in told
    assert "what is applied is 'main'" in told
    forge.target = "v1"
    tag = {**ci, "GITHUB_REF": "refs/tags/v1", "CI_COMMIT_BRANCH": ""}
    assert "HR327" in hrctl(tmp_path, tag, "ci", "approved", exits=1)


def test_a_plan_without_changes_approves_of_nothing(
    forge: Any, ci: dict[str, str], tmp_path: Path
) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged[commit] = 5
    forge.add(5, mine(ci), "<!-- hrctl:plan:acme -->\n### hrctl plan: no changes of this branch\n")
    assert hrctl(tmp_path, ci, "ci", "approved") == f"{approval.digest(())}\n"


def test_the_approval_of_this_project(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    commit, ci = checked_out(tmp_path, ci)
    forge.merged[commit] = 5
    forge.add(5, mine(ci), PLAN)
    forge.add(5, mine(ci), PLAN.replace(":acme", ":acme-2").replace(DIGEST, OTHER))
    (tmp_path / "hrctl.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
    )
    assert hrctl(tmp_path, ci, "ci", "approved") == f"{DIGEST}\n"


def test_one_issue(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    assert hrctl(tmp_path, ci, "ci", "issue", "--close") == "There is none open.\n"
    drift = tmp_path / "drift.md"
    drift.write_text("<!-- hrctl:drift:acme -->\n1 drifted\n")
    assert hrctl(tmp_path, ci, "ci", "issue", "drift.md").startswith("Opened ")
    drift.write_text("<!-- hrctl:drift:acme -->\n2 drifted\n")
    assert hrctl(tmp_path, ci, "ci", "issue", "drift.md").startswith("Updated ")
    ((title, body, state),) = [(one["title"], one["body"], one["state"]) for one in forge.issues]
    assert (title, state) == ("hrctl: drift", "open")
    assert "2 drifted" in body
    assert hrctl(tmp_path, ci, "ci", "issue", "--close").startswith("Closed ")
    assert hrctl(tmp_path, ci, "ci", "issue", "drift.md").startswith("Opened ")
    assert [one["state"] for one in forge.issues] == ["closed", "open"]


def test_a_bad_moment_passes_and_a_refusal_does_not(
    forge: Any, ci: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "plan.md").write_text(PLAN)
    forge.failures = [503]
    hrctl(tmp_path, ci, "ci", "comment", "plan.md")
    forge.failures = [403]
    told = hrctl(tmp_path, ci, "ci", "comment", "plan.md", exits=1)
    assert "refuses GET" in told
    assert "with 403: Resource not accessible by integration" in told
    assert "the token may not do that" in told
    wrong = {name: "nonsense" if name.endswith("TOKEN") else value for name, value in ci.items()}
    told = hrctl(tmp_path, wrong, "ci", "comment", "plan.md", exits=1)
    assert "with 401" in told
    assert "nonsense" not in told


def test_the_token_follows_no_redirect(forge: Any, ci: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(PLAN)
    forge.failures = [302]
    assert "with 302" in hrctl(tmp_path, ci, "ci", "comment", "plan.md", exits=1)
    assert not any(one.endswith("/x") for one in forge.seen)


def test_a_forge_that_does_not_answer(forge: Any, github: dict[str, str], tmp_path: Path) -> None:
    forge.server.shutdown()
    forge.server.server_close()
    (tmp_path / "plan.md").write_text(PLAN)
    told = hrctl(tmp_path, github, "ci", "comment", "plan.md", exits=1)
    assert "HR299" in told
    assert "does not answer" in told


def test_what_is_missing(environ: dict[str, str], ci: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(PLAN)
    (tmp_path / "mine.md").write_text("My own words.\n")
    assert "neither GitHub Actions nor" in hrctl(
        tmp_path, environ, "ci", "comment", "plan.md", exits=1
    )
    bare = {name: value for name, value in ci.items() if not name.endswith("TOKEN")}
    assert "TOKEN is not set" in hrctl(tmp_path, bare, "ci", "comment", "plan.md", exits=1)
    gone = {"CI_MERGE_REQUEST_IID", "GITHUB_EVENT_PATH"}
    push = {name: value for name, value in ci.items() if name not in gone}
    assert "is for no pull or" in hrctl(tmp_path, push, "ci", "comment", "plan.md", exits=1)
    assert "has no mark" in hrctl(tmp_path, ci, "ci", "comment", "mine.md", exits=1)
    assert "HR067" in hrctl(tmp_path, ci, "ci", "comment", "none.md", exits=1)
    assert "HR145" in hrctl(tmp_path, ci, "ci", "issue", exits=1)
