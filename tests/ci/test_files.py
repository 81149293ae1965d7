"""Every file of `examples/ci` and `action.yml`: valid by its published schema, and run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.ci.conftest import BOT, GITLAB_BOT, Forge
from tests.ci.runner import EXAMPLES, ROOT, Runner, drift_by_hand, edit, git, new_project, read

SCHEMAS = {
    "examples/ci/github/hrctl-plan.yml": ["vendor.github-workflows"],
    "examples/ci/github/hrctl-apply.yml": ["vendor.github-workflows"],
    "examples/ci/github/hrctl-drift.yml": ["vendor.github-workflows"],
    "action.yml": ["vendor.github-actions"],
    "examples/ci/gitlab-ci.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}
DIGEST = re.compile(r"^Approval: `(sha256:[0-9a-f]{64})`$", re.MULTILINE)
VALUES = {
    "github.token": "a-token-that-must-not-show",
    "github.repository": "acme/platform",
    "github.event.pull_request.head.repo.full_name": "acme/platform",
    "secrets.HRCTL_AGE_IDENTITY": "",
    "inputs.digest": "",
    "vars.HRCTL_COMMIT": "",
}
ACTION = {
    "directory": ".",
    "base": "",
    "fail-on": "critical",
    "comment": "true",
    "approved": "",
    "state-dir": "",
    "token": VALUES["github.token"],
}


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_each_file_is_valid_by_its_published_schema(file: str, schema: list[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        *schema,
        str(ROOT / file),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_each_file_is_among_them() -> None:
    files = {str(path.relative_to(ROOT)) for path in EXAMPLES.rglob("*.yml")}
    assert {*files, "action.yml"} == SCHEMAS.keys()


@pytest.fixture
def branch(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A clone, on a branch that changes the replicas of a Service."""
    new_project(tmp_path / "origin", environ)
    git(tmp_path, environ, "clone", "-q", "origin", "clone")
    clone = tmp_path / "clone"
    git(clone, environ, "checkout", "-qb", "change")
    edit(clone / "services.yaml", "replicas: 2", "replicas: 3")
    git(clone, environ, "commit", "-qam", "More of it")
    return clone


def workflow(name: str) -> list[dict[str, Any]]:
    jobs = read(EXAMPLES / "github" / f"hrctl-{name}.yml")["jobs"]
    (job,) = jobs.values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def digest_of(text: str) -> str:
    found = DIGEST.search(text)
    assert found, text
    return found.group(1)


def test_plan_on_github(branch: Path, forge: Forge, github: dict[str, str]) -> None:
    env = {**github, "GITHUB_BASE_REF": "main"}
    runner = Runner(branch, env, VALUES)
    done = runner.steps(workflow("plan"))
    assert done.code == 0, done.output
    assert "::notice file=services.yaml,line=1" in done.output
    (body,) = forge.bodies(5)
    assert body.startswith("<!-- hrctl:plan:acme -->\n### hrctl plan: 0 to add, 1 to change")
    assert "Blast radius: low" in body
    assert Path(github["GITHUB_STEP_SUMMARY"]).read_text() == body
    assert Path(github["RUNNER_TEMP"], "hrctl-plan", "hrctl.sarif").exists()
    assert git(branch, github, "status", "--porcelain") == ""

    edit(branch / "services.yaml", "type: WORKER", "type: WORKERS")
    done = runner.steps(workflow("plan"))
    assert done.code == 1
    assert "::error file=services.yaml,line=15,col=9" in done.output
    (body,) = forge.bodies(5)  # the same comment
    assert "unknown value 'WORKERS' for type" in body


def test_a_fork_gets_a_summary_and_no_comment(
    branch: Path, forge: Forge, github: dict[str, str]
) -> None:
    fork = {**VALUES, "github.event.pull_request.head.repo.full_name": "mallory/platform"}
    done = Runner(branch, {**github, "GITHUB_BASE_REF": "main"}, fork).steps(workflow("plan"))
    assert done.code == 0
    assert forge.comments == {}
    assert "1 to change" in Path(github["GITHUB_STEP_SUMMARY"]).read_text()


def test_apply_on_github(branch: Path, forge: Forge, github: dict[str, str]) -> None:
    runner = Runner(branch, {**github, "GITHUB_BASE_REF": "main"}, VALUES)
    git(branch, github, "checkout", "-q", "main")
    runner.script({"script": ["hrctl apply --yes"]}, {})
    git(branch, github, "checkout", "-q", "change")
    assert runner.steps(workflow("plan")).code == 0
    done = runner.steps(workflow("apply"))
    assert f"HR300 commit {runner.commit[:12]} came from no merged request" in done.output
    edit(branch / "services.yaml", "replicas: 1", "replicas: 7")  # what nobody reviewed
    git(branch, github, "commit", "-qam", "One more thing")
    forge.merged[runner.commit] = 5
    done = runner.steps(workflow("apply"))
    assert done.code == 4
    assert "HR284" in done.output
    git(branch, github, "reset", "-q", "--hard", "HEAD~1")
    forge.merged[runner.commit] = 5
    done = runner.steps(workflow("apply"))
    assert done.code == 0, done.output
    assert "1 done" in done.output
    assert "a-token" not in done.output


def test_apply_of_a_digest_that_a_person_gives(branch: Path, github: dict[str, str]) -> None:
    runner = Runner(branch, github, VALUES)
    digest = runner.script({"script": ["hrctl plan --digest"]}, {}).output.strip()
    done = runner.steps(workflow("apply"), {"digest": digest})
    assert done.code == 0, done.output
    assert "4 done" in done.output


def test_drift_on_github(branch: Path, forge: Forge, github: dict[str, str]) -> None:
    runner = Runner(branch, github, VALUES)
    runner.script({"script": ["hrctl apply --yes"]}, {})
    done = runner.steps(workflow("drift"))
    assert done.code == 0, done.output
    assert forge.issues == []
    drift_by_hand(branch / ".hrctl", "acme:Service/api", "spec.replicas", 9)
    for _ in range(2):
        assert runner.steps(workflow("drift")).code == 0
    ((title, body, by),) = [(one["title"], one["body"], one["by"]) for one in forge.issues]
    assert (title, by) == ("hrctl: drift", BOT)
    assert "Service/api" in body
    assert "9" in body
    drift_by_hand(branch / ".hrctl", "acme:Service/api", "spec.replicas", 3)
    assert runner.steps(workflow("drift")).code == 0
    assert [one["state"] for one in forge.issues] == ["closed"]
    (branch / "hrctl.yaml").write_text("kind: [")
    assert runner.steps(workflow("drift")).code == 1


def test_the_action(branch: Path, forge: Forge, github: dict[str, str]) -> None:
    steps = read(ROOT / "action.yml")["runs"]["steps"]
    inputs = read(ROOT / "action.yml")["inputs"]
    assert {*ACTION, "command"} == inputs.keys()
    for name, one in inputs.items():
        assert name == "command" or ACTION[name] == one["default"] or "${{" in one["default"]
    env = {**github, "GITHUB_BASE_REF": "main"}
    runner = Runner(branch, env, VALUES)
    git(branch, github, "checkout", "-q", "main")
    runner.script({"script": ["hrctl apply --yes"]}, {})
    git(branch, github, "checkout", "-q", "change")
    done = runner.steps(steps, {**ACTION, "command": "plan"})
    assert done.code == 0, done.output
    (body,) = forge.bodies(5)
    assert done.outputs == {"approved": digest_of(body)}
    forge.merged[runner.commit] = 5
    done = runner.steps(steps, {**ACTION, "command": "apply"})
    assert done.code == 0, done.output
    assert "1 done" in done.output
    assert runner.steps(steps, {**ACTION, "command": "drift"}).outputs == {"drifted": "false"}
    drift_by_hand(branch / ".hrctl", "acme:Service/api", "spec.replicas", 9)
    assert runner.steps(steps, {**ACTION, "command": "drift"}).outputs == {"drifted": "true"}
    assert len(forge.issues) == 1
    done = runner.steps(steps, {**ACTION, "command": "aply"})
    assert done.code == 1
    assert "::error::" in done.output
    low = runner.steps(steps, {**ACTION, "command": "plan", "base": "main", "fail-on": "low"})
    assert low.code == 4
    assert low.outputs == {}


def test_gitlab(branch: Path, forge: Forge, gitlab: dict[str, str]) -> None:
    jobs = read(EXAMPLES / "gitlab-ci.yml")
    runner = Runner(branch, gitlab, {})
    git(branch, gitlab, "checkout", "-q", "main")
    runner.script({"script": ["hrctl apply --yes"]}, {})
    git(branch, gitlab, "checkout", "-q", "change")
    target = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PROJECT_DIR": str(branch)}
    begin = jobs[".hrctl"]["before_script"][:2]  # what follows installs hrctl
    state = {"HRCTL_STATE_DIR": str(branch / ".hrctl")}
    for _ in range(2):
        done = runner.script(jobs["hrctl plan"], target, begin)
        assert done.code == 0, done.output
    (note,) = forge.bodies(5, GITLAB_BOT)
    assert "1 to change" in note
    assert (branch / "hrctl-out" / "hrctl.xml").exists()
    forge.merged[runner.commit] = 5
    done = runner.script(jobs["hrctl apply"], state, begin)
    assert done.code == 0, done.output
    assert "1 done" in done.output
    assert runner.script(jobs["hrctl drift"], state, begin).code == 0
    assert forge.issues == []
    drift_by_hand(branch / ".hrctl", "acme:Service/api", "spec.replicas", 9)
    assert runner.script(jobs["hrctl drift"], state, begin).code == 0
    assert [one["by"] for one in forge.issues] == [GITLAB_BOT]


def test_the_script(branch: Path, environ: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = EXAMPLES / "hrctl-ci.sh"
    runner = Runner(branch, {**environ, "HRCTL_OUT": str(out)}, {})

    def run(*arguments: str) -> tuple[int, str]:
        done = runner.script({"script": [" ".join([str(script), *arguments])]}, {})
        return done.code, done.output

    git(branch, environ, "checkout", "-q", "main")
    runner.script({"script": ["hrctl apply --yes"]}, {})
    git(branch, environ, "checkout", "-q", "change")
    code, output = run("plan", "main")
    assert code == 0, output
    made = {path.name for path in out.iterdir()}
    assert made == {"plan.md", "approved.txt", "hrctl.sarif", "hrctl.xml"}
    assert digest_of((out / "plan.md").read_text()) in (out / "approved.txt").read_text()
    code, output = run("apply", str(out / "approved.txt"))
    assert code == 0, output
    assert "1 done" in output
    assert run("drift")[0] == 0
    drift_by_hand(branch / ".hrctl", "acme:Service/api", "spec.replicas", 9)
    assert run("drift")[0] == 2
    assert "Service/api" in (out / "drift.md").read_text()
    code, output = run("aply")
    assert code == 64
    assert "hrctl-ci.sh plan BASE" in output


HOSTILE = [
    "</code></td></tr></table><script>alert(1)</script>",
    "`` ` ``` <img src=x onerror=alert(1)>",
    "a | b | c",
    "%0A::error file=x::injected",
    "\n::error file=hrctl.yaml,line=1::injected",
    "::add-mask::x",
    "\x1b[2J\x1b]0;title\x07",
    "<!-- hrctl:plan:acme --> @everyone #1 https://evil.example",
    "$(touch pwned) `touch pwned` ; touch pwned",
]


OURS = re.compile(
    r"::(notice|warning) (file=h?\w+\.yaml,line=\d+|title=(HR283|hrctl plan%3A))|::(end)?group::"
    r"|::stop-commands::[0-9a-f]{64}$|::[0-9a-f]{64}::$"
)


def test_a_value_of_the_users_acts_nowhere(
    branch: Path, forge: Forge, github: dict[str, str], tmp_path: Path
) -> None:
    for number, value in enumerate(HOSTILE):
        document = {
            "apiVersion": "hrctl.dev/v1",
            "kind": "Service",
            "metadata": {"name": f"h{number}", "annotations": {"note": value}},
            "spec": {"type": "API", "command": "serve", "env": {"VALUE": value}},
        }
        (branch / f"h{number}.yaml").write_text(json.dumps(document))
    git(branch, github, "add", "-A")
    git(branch, github, "commit", "-qm", HOSTILE[0] + HOSTILE[-1])
    done = Runner(branch, {**github, "GITHUB_BASE_REF": "main"}, VALUES).steps(workflow("plan"))
    assert done.code == 0, done.output
    commands = [line for line in map(str.strip, done.output.splitlines()) if line[:2] == "::"]
    assert len(commands) > len(HOSTILE)
    assert [line for line in commands if not OURS.match(line)] == []
    assert "\x1b" not in done.output
    (body,) = forge.bodies(5)
    assert "\x1b" not in body
    tags = Tags()
    tags.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    assert tags.seen <= TAGS
    assert not list(branch.rglob("pwned"))
    assert not list(tmp_path.rglob("pwned"))


# What hrctl's own Markdown is made of.
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = {"p", "h3", "h4", "strong", "code", "pre", "details", "summary", "br", "blockquote", *_TABLE}


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.seen.add(tag)
