"""Runs the jobs of `examples/ci` and `action.yml` as their runners do, on this machine."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples" / "ci"
_EXPRESSION: Final = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
# Steps whose commands another test runs: pip installs the working tree in tests/pre_commit.
ELSEWHERE: Final = frozenset({"Install"})


def read(path: Path) -> dict[str, Any]:
    """A file of YAML, `on` and all, as a mapping of strings."""
    found: dict[str, Any] = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - ours
    return found


@dataclass
class Done:
    """What a job did: its exit code, and all that it printed."""

    code: int
    output: str
    outputs: dict[str, str] = field(default_factory=dict)


class Runner:
    """One workspace. `values` are what expressions stand for; one that is not there is an error."""

    def __init__(self, folder: Path, env: Mapping[str, str], values: Mapping[str, str]) -> None:
        self.folder = folder
        self._given = dict(env)
        self._values = values

    @property
    def _env(self) -> dict[str, str]:
        """The environment, with the commit that is checked out."""
        here = git(self.folder, self._given, "rev-parse", "HEAD")
        return {"GITHUB_SHA": here, "CI_COMMIT_SHA": here, **self._given}

    @property
    def commit(self) -> str:
        """The commit that this run is for."""
        return self._env["GITHUB_SHA"]

    def steps(self, steps: list[dict[str, Any]], inputs: Mapping[str, str] | None = None) -> Done:
        """The `run` steps of a workflow or of a composite action, as GitHub runs them."""
        temporary = {"runner.temp": self._env["RUNNER_TEMP"]}
        values = {
            **self._values,
            **temporary,
            **{f"inputs.{k}": v for k, v in (inputs or {}).items()},
        }
        done = Done(0, "")
        outputs: dict[str, str] = {}
        for step in steps:
            if "run" not in step or step.get("name") in ELSEWHERE:
                continue
            assert "${{" not in step["run"], "what a user wrote could end the command"
            condition = step.get("if")
            if done.code and not (condition and "!cancelled()" in condition):
                continue
            values |= {f"steps.{key}": value for key, value in outputs.items()}
            if condition and not self._holds(condition, values):
                continue
            told = {name: _filled(one, values) for name, one in step.get("env", {}).items()}
            output = Path(self._env["RUNNER_TEMP"]) / "_outputs"
            output.write_text("")
            where = self.folder / _filled(step.get("working-directory", "."), values)
            env = {**self._env, **told, "GITHUB_OUTPUT": str(output)}
            shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            one = self._run(shell, where, env)
            done.code = done.code or one.code
            done.output += one.output
            lines = output.read_text().splitlines()
            written = dict(line.split("=", 1) for line in lines)
            done.outputs |= written
            outputs |= {f"{step.get('id')}.outputs.{key}": one for key, one in written.items()}
            output.unlink()
        return done

    def script(
        self, job: Mapping[str, Any], variables: Mapping[str, str], before: Sequence[str] = ()
    ) -> Done:
        """The `script` of a job of GitLab, after lines of its `before_script`."""
        env = {**self._env, **job.get("variables", {}), **variables}
        lines = "\n".join([*before, *job["script"]])
        return self._run(["bash", "-eo", "pipefail", "-c", lines], self.folder, env)

    def _holds(self, condition: str, values: Mapping[str, str]) -> bool:
        inner = _EXPRESSION.fullmatch(condition)
        text = inner.group(1) if inner else condition
        return all(self._part(part, values) for part in text.split(" && "))

    def _part(self, part: str, values: Mapping[str, str]) -> bool:
        if part == "!cancelled()":
            return True
        if found := re.fullmatch(r"(\S+) == '(.*)'", part):
            return values[found.group(1)] == found.group(2)
        if found := re.fullmatch(r"(\S+) == (\S+)", part):
            return values[found.group(1)] == values[found.group(2)]
        if found := re.fullmatch(r"!contains\(fromJSON\('(.*)'\), (\S+)\)", part):
            return values[found.group(2)] not in yaml.safe_load(found.group(1))
        raise AssertionError(f"what is {part}?")

    def _run(self, command: list[str], folder: Path, env: Mapping[str, str]) -> Done:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        return Done(done.returncode, done.stdout)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: values[found.group(1)], text)


def git(folder: Path, env: Mapping[str, str], *arguments: str) -> str:
    """Run git; what it prints."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=env,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"git {arguments}\n{done.stdout}"
    return done.stdout.strip()


def new_project(folder: Path, env: Mapping[str, str]) -> None:
    """A project in a git repository: two Services, and a Config that one of them needs."""
    folder.mkdir(parents=True)
    files = {
        ".gitignore": ".hrctl/\n",
        "hrctl.yaml": "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\nspec: {}\n",
        "registry.yaml": "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\n"
        "spec: {level: ROOT}\n",
        "services.yaml": "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: api}\nspec:\n"
        "  type: API\n  command: serve\n  env:\n"
        "    LEVEL: {valueFrom: {config: app, key: LEVEL}}\n  replicas: 2\n---\n"
        "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: worker}\nspec:\n"
        "  type: WORKER\n  command: work\n  replicas: 1\n",
        "config.yaml": "apiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: app}\nspec:\n"
        "  entries:\n    LEVEL: {type: STRING, value: info}\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, env, "init", "-q")
    git(folder, env, "add", "-A")
    git(folder, env, "commit", "-qm", "Start")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is there."""
    text = path.read_text("utf-8")
    assert old in text, f"{old} is not in {path}"
    path.write_text(text.replace(old, new), "utf-8")


def drift_by_hand(state: Path, address: str, field: str, value: object) -> None:
    """Change what is live behind hrctl's back: a row of the embedded registry."""
    with closing(sqlite3.connect(state / "registry.db")) as registry, registry:
        changed = registry.execute(
            "update resources set body = json_set(body, ?, ?) where address = ?",
            (f"$.{field}", value, address),
        )
        assert changed.rowcount == 1
