"""The whole life of a change, against a bare remote: from a commit that is refused to a rollback.

An author with pre-commit, a CI that clones afresh for each run, a runner that keeps the ledger and
the live side, and a forge. All commands are those of `examples/ci/github`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.conftest import Forge
from tests.ci.runner import ROOT, Done, Runner, drift_by_hand, edit, git, new_project
from tests.ci.test_files import VALUES, digest_of, workflow


@dataclass
class World:
    """Everybody who takes part."""

    folder: Path
    env: dict[str, str]  # of the author, without any CI
    ci_env: dict[str, str]
    forge: Forge

    @property
    def author(self) -> Path:
        return self.folder / "author"

    @property
    def live(self) -> Path:
        return self.folder / "runner"

    def git(self, *arguments: str) -> str:
        return git(self.author, self.env, *arguments)

    def commit(self, message: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A commit as a person makes it, hooks and all."""
        return subprocess.run(
            ["git", "commit", "-am", message, *options],
            cwd=self.author,
            env=self.env,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def propose(self, request: int, branch: str) -> Done:
        """Push a branch, and have the CI plan it: a fresh clone of what a merge would give."""
        self.git("push", "-q", "origin", branch)
        number = len(list(self.folder.glob("ci-*")))
        clone = self.folder / f"ci-{number}"
        git(self.folder, self.env, "clone", "-q", "origin.git", clone.name)
        git(clone, self.env, "checkout", "-q", "--detach", "origin/main")
        git(clone, self.env, "merge", "-q", "--no-ff", "-m", "Merge", f"origin/{branch}")
        event = self.folder / f"event-{request}.json"
        event.write_text(json.dumps({"pull_request": {"number": request}}))
        more = {"GITHUB_EVENT_PATH": str(event), "GITHUB_BASE_REF": "main"}
        return Runner(clone, {**self.ci_env, **more}, VALUES).steps(workflow("plan"))

    def merge(self, request: int, branch: str) -> Done:
        """Merge as a forge does, and have the runner apply what came of it."""
        self.git("checkout", "-q", "main")
        self.git("pull", "-q", "--ff-only", "origin", "main")
        self.git("merge", "-q", "--no-ff", "-m", f"Merge #{request}", branch)
        self.git("push", "-q", "origin", "main")
        commit = self.git("rev-parse", "HEAD")
        self.forge.merged[commit] = request
        return self.on_runner("apply", commit)

    def on_runner(self, name: str, commit: str = "origin/main") -> Done:
        """A workflow where the ledger is; its checkout cleans nothing away."""
        git(self.live, self.env, "fetch", "-q")
        git(self.live, self.env, "checkout", "-q", "--detach", commit)
        sha = git(self.live, self.env, "rev-parse", "HEAD")
        return Runner(self.live, {**self.ci_env, "GITHUB_SHA": sha}, VALUES).steps(workflow(name))

    def hrctl(self, *arguments: str) -> str:
        """A command where the ledger is."""
        done = Runner(self.live, self.env, {}).script(
            {"script": [" ".join(["hrctl", *arguments])]}, {}
        )
        assert done.code == 0, done.output
        return done.output

    def replicas(self, name: str) -> int:
        """What is live."""
        body = json.loads(self.hrctl("get", f"acme:Service/{name}", "-o", "json"))
        found: int = body["body"]["spec"]["replicas"]
        return found


def hooks() -> str:
    """Our hooks by their own definitions, run by the hrctl that is installed here."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    wanted = [one for one in found if one["id"] != "hrctl-schema"]
    local = [{**one, "language": "system"} for one in wanted]
    return yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]})


@pytest.fixture
def world(tmp_path: Path, environ: dict[str, str], github: dict[str, str], forge: Forge) -> World:
    made = World(
        tmp_path, {**environ, "PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}, github, forge
    )
    new_project(made.author, environ)
    (made.author / ".pre-commit-config.yaml").write_text(hooks())
    made.git("add", "-A")
    made.git("commit", "-qm", "Use hooks")
    git(tmp_path, environ, "clone", "-q", "--bare", "author", "origin.git")
    made.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    subprocess.run(
        ["pre-commit", "install"], cwd=made.author, env=made.env, check=True, capture_output=True
    )
    git(tmp_path, environ, "clone", "-q", "origin.git", "runner")
    made.hrctl("apply", "--yes")
    return made


def test_the_life_of_a_change(world: World) -> None:  # noqa: PLR0915 - a life has its length
    services = world.author / "services.yaml"

    # a bad manifest is refused at the desk
    world.git("checkout", "-qb", "more-api")
    edit(services, "replicas: 2", "replicas: two")
    refused = world.commit("Give the API a second instance")
    assert refused.returncode == 1
    assert "services.yaml:9:13: HR022 wrong type for replicas" in refused.stdout

    # and by the CI, where someone goes past the hooks
    assert world.commit("Go past the hooks", "--no-verify").returncode == 0
    planned = world.propose(5, "more-api")
    assert planned.code == 1
    assert "::error file=services.yaml,line=9,col=13" in planned.output
    (comment,) = world.forge.bodies(5)
    assert "wrong type for replicas" in comment

    # repaired, planned, commented in place, graded
    edit(services, "replicas: two", "replicas: 4")
    assert world.commit("Repair it").returncode == 0
    planned = world.propose(5, "more-api")
    assert planned.code == 0, planned.output
    (comment,) = world.forge.bodies(5)
    assert "hrctl plan: 0 to add, 1 to change, 0 to destroy" in comment
    assert "Blast radius: low" in comment
    digest = digest_of(comment)

    # meanwhile the base moves: someone else's change is merged and applied
    world.git("checkout", "-qb", "worker", "main")
    edit(services, "replicas: 1", "replicas: 3")
    assert world.commit("More workers").returncode == 0
    assert world.propose(6, "worker").code == 0
    other = digest_of(world.forge.bodies(6)[0])
    applied = world.merge(6, "worker")
    assert applied.code == 0, applied.output
    assert (world.replicas("api"), world.replicas("worker")) == (2, 3)

    # planned again on the new base it is the same change, and no one else's
    world.git("checkout", "-q", "more-api")
    assert world.propose(5, "more-api").code == 0
    (comment,) = world.forge.bodies(5)
    assert "Service/worker" not in comment
    assert digest_of(comment) == digest != other

    # approved, merged, applied: exactly that
    applied = world.merge(5, "more-api")
    assert applied.code == 0, applied.output
    assert "1 done" in applied.output
    assert (world.replicas("api"), world.replicas("worker")) == (4, 3)

    # drifted by hand, and told by the scheduled job
    assert world.on_runner("drift").code == 0
    assert world.forge.issues == []
    drift_by_hand(world.live / ".hrctl", "acme:Service/worker", "spec.replicas", 9)
    assert world.on_runner("drift").code == 0
    (issue,) = world.forge.issues
    assert issue["state"] == "open"
    assert "Service/worker" in issue["body"]

    # rolled back by a commit, which is reviewed as any other, and leaves the drift alone
    world.git("checkout", "-qb", "rollback", "main")
    world.git("revert", "--no-edit", "-m", "1", "HEAD")
    planned = world.propose(7, "rollback")
    assert planned.code == 0, planned.output
    (comment,) = world.forge.bodies(7)
    assert "Service/worker" not in comment
    applied = world.merge(7, "rollback")
    assert applied.code == 0, applied.output
    assert (world.replicas("api"), world.replicas("worker")) == (2, 9)

    # what was drifted is brought back by hand, and the issue is closed
    world.hrctl("apply", "--yes")
    assert world.replicas("worker") == 3
    assert world.on_runner("drift").code == 0
    assert [one["state"] for one in world.forge.issues] == ["closed"]
    assert "No changes" in world.hrctl("plan")


def test_a_request_without_manifests(world: World) -> None:
    world.git("checkout", "-qb", "readme")
    (world.author / "README.md").write_text("# The platform of acme\n")
    world.git("add", "README.md")
    assert world.commit("Read me").returncode == 0
    assert world.propose(5, "readme").code == 0
    assert "no changes" in world.forge.bodies(5)[0]
    applied = world.merge(5, "readme")
    assert applied.code == 0, applied.output
    assert "No changes" in applied.output


def test_what_was_not_reviewed_is_not_applied(world: World) -> None:
    services = world.author / "services.yaml"
    world.git("checkout", "-qb", "more-api")
    edit(services, "replicas: 2", "replicas: 4")
    assert world.commit("More").returncode == 0
    assert world.propose(5, "more-api").code == 0
    edit(services, "replicas: 4", "replicas: 40")
    assert world.commit("Much more, after the review").returncode == 0
    applied = world.merge(5, "more-api")
    assert applied.code == 4
    assert "HR284 what would be applied is not what was approved" in applied.output
    assert world.replicas("api") == 2
