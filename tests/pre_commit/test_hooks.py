"""`.pre-commit-hooks.yaml` at work: real commits in a repository that uses the hooks.

pre-commit clones the hooks' repository, which here is made from the working tree, and installs it
with pip into an environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyrage import x25519

ROOT = Path(__file__).parents[2]
NEEDED = ("hrctl", "schemas", "examples", "pyproject.toml", "README.md", "LICENSE")
HOOKS = ".pre-commit-hooks.yaml"
BIN = Path(sys.executable).parent
IDENTITY = "[user]\nname = Robin\nemail = robin@example.org\n[init]\ndefaultBranch = main\n"

pytestmark = pytest.mark.skipif(
    not (BIN / "pre-commit").exists(), reason="needs pre-commit: make dev"
)


def environ(home: Path) -> dict[str, str]:
    """An environment in which nothing of the caller's git or pre-commit counts."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "PRE_COMMIT", "PYTHON", "VIRTUAL_ENV", "HRCTL"))
    }
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PRE_COMMIT_HOME": str(home / "pre-commit"),
        "PRE_COMMIT_COLOR": "never",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PIP_CACHE_DIR": str(Path.home() / ".cache/pip"),
        "PIP_CONFIG_FILE": os.environ.get(
            "PIP_CONFIG_FILE", str(Path.home() / ".config/pip/pip.conf")
        ),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


Git = Callable[..., "subprocess.CompletedProcess[str]"]


def hook_repository(folder: Path, env: dict[str, str]) -> str:
    """A repository with hrctl as it lies in the working tree; its commit."""
    folder.mkdir()
    for name in (*NEEDED, HOOKS):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".hrctl", ".git")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    commands = (["init", "-q"], ["add", "-A"], ["commit", "-qm", "hrctl"])
    for command in commands:
        subprocess.run(["git", *command], cwd=folder, env=env, check=True)
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, env=env, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(IDENTITY)
    return environ(home)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> str:
    """The part of a configuration that names the repository of the hooks."""
    folder = tmp_path_factory.mktemp("hooks") / "hrctl"
    commit = hook_repository(folder, env)
    names = ("hrctl-validate", "hrctl-fmt", "hrctl-secrets", "hrctl-schema")
    listed = "".join(f"      - id: {name}\n" for name in names)
    return f"repos:\n  - repo: {folder}\n    rev: {commit}\n    hooks:\n{listed}"


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str], hooks: str
) -> tuple[Path, Git]:
    """The quickstart with the hooks installed, and git in it. Its project lies below the top."""
    top = tmp_path_factory.mktemp("user") / "platform"
    top.mkdir()

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=top,
            env=env,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=top, env=env, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    git("init", "-q")
    run("hrctl", "init", "--example", "quickstart")
    (top / ".pre-commit-config.yaml").write_text(hooks)
    git("add", "-A")
    run("pre-commit", "install", "--install-hooks")
    first = git("commit", "-m", "Start")
    assert first.returncode == 0, first.stdout
    for name in ("validate", "fmt", "secrets", "schema"):
        assert f"hrctl {name}" in first.stdout
    assert "Failed" not in first.stdout
    return top, git


@pytest.fixture
def clean(project: tuple[Path, Git]) -> Iterator[tuple[Path, Git]]:
    """The same, and whatever a test does to it is undone."""
    top, git = project
    start = git("rev-parse", "HEAD").stdout.strip()
    yield top, git
    git("reset", "-q", "--hard", start)
    git("clean", "-qfd")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def failed(output: str) -> set[str]:
    """The hooks that a commit was refused by."""
    return {
        line.partition(".")[0].strip() for line in output.splitlines() if line.endswith("Failed")
    }


def test_a_bad_manifest_is_refused(clean: tuple[Path, Git]) -> None:
    top, git = clean
    edit(top / "app.yaml", "type: API", "type: APIS")
    done = git("commit", "-am", "Break it")
    assert done.returncode == 1
    assert failed(done.stdout) == {"hrctl validate"}
    assert "app.yaml:25:9: HR021 unknown value 'APIS' for type" in done.stdout
    assert "did you mean API?" in done.stdout


def test_a_default_reaches_every_descendant(clean: tuple[Path, Git]) -> None:
    top, git = clean
    edit(
        top / "registry.yaml",
        "  defaults:\n",
        "  defaults:\n    Config: {entries: {PAGE_SIZE: {max: 10}}}\n",
    )
    edit(top / "app.yaml", ", max: 100}", "}")
    git("add", "app.yaml")
    assert git("commit", "-m", "No bound").returncode == 0
    done = git("commit", "-am", "A bound that the value breaks")
    assert failed(done.stdout) == {"hrctl validate"}
    assert "app.yaml:9:39: HR031 20 is above max 10" in done.stdout


def test_a_deletion_that_others_need(clean: tuple[Path, Git]) -> None:
    top, git = clean
    text = (top / "app.yaml").read_text()
    first, _, rest = text.partition("---\n")
    (top / "app.yaml").write_text(rest)
    (top / "config.yaml").write_text(first)
    git("add", "-A")
    assert git("commit", "-m", "Split").returncode == 0
    git("rm", "-q", "config.yaml")
    done = git("commit", "-m", "Forget who needs it")
    assert failed(done.stdout) == {"hrctl validate"}
    assert "HR045 Config/app is not declared" in done.stdout


def test_secrets_in_plain_text_are_refused_and_never_shown(clean: tuple[Path, Git]) -> None:
    top, git = clean
    secrets = ("hunter2-is-no-secret", "9fK2xLq7Tz0WmB4vYc8R")
    edit(
        top / "app.yaml",
        'connection: {endpoint: "127.0.0.1:6379"}',
        f"connection:\n    endpoint: 127.0.0.1:6379\n    password: {secrets[0]}",
    )
    edit(top / "app.yaml", "  env:\n", f"  env:\n    API_TOKEN: {secrets[1]}\n")
    done = git("commit", "-am", "Say it in the clear")
    assert failed(done.stdout) == {"hrctl validate", "hrctl secrets"}
    assert "HR030 plaintext in connection.password" in done.stdout
    assert "HR296 env.API_TOKEN is called a secret" in done.stdout
    assert not any(one in done.stdout for one in secrets)


def test_recipients_that_differ_from_the_rule_are_refused(
    clean: tuple[Path, Git], env: dict[str, str]
) -> None:
    top, git = clean
    first, second = (str(x25519.Identity.generate().to_public()) for _ in range(2))
    edit(
        top / "hrctl.yaml",
        "spec:\n",
        f"spec:\n  secrets: {{recipients: [{{path: '**', keys: [{first}]}}]}}\n",
    )
    subprocess.run(
        ["hrctl", "secrets", "set", "quickstart:Config/app", "TOKEN"],
        cwd=top,
        env=env,
        check=True,
        input=b"hunter2",
        capture_output=True,
    )
    subprocess.run(["hrctl", "fmt", "--quiet"], cwd=top, env=env, check=True, capture_output=True)
    done = git("commit", "-am", "Keep a secret")
    assert done.returncode == 0, done.stdout
    edit(top / "hrctl.yaml", first, second)
    done = git("commit", "-am", "Read by another")
    assert failed(done.stdout) == {"hrctl validate", "hrctl secrets"}
    assert "HR174 the secret at quickstart:Config/app#/spec/entries/TOKEN" in done.stdout


def test_layout_is_mended(clean: tuple[Path, Git]) -> None:
    top, git = clean
    edit(
        top / "registry.yaml",
        "apiVersion: hrctl.dev/v1\nkind: Registry\n",
        "kind: Registry\napiVersion: hrctl.dev/v1\n",
    )
    done = git("commit", "-am", "Turn it round")
    assert failed(done.stdout) == {"hrctl fmt"}
    assert "files were modified by this hook" in done.stdout
    git("add", "-A")
    assert git("diff", "--cached", "--stat").stdout == ""  # it is as it was


def test_schemas_of_another_version(clean: tuple[Path, Git]) -> None:
    top, git = clean
    edit(top / "schemas/hrctl.schema.json", "What is declared.", "What was declared.")
    done = git("commit", "-am", "Edit by hand")
    assert failed(done.stdout) == {"hrctl schema"}
    assert "HR295 schemas/hrctl.schema.json is not of this version" in done.stdout
    assert "hrctl schema --write schemas" in done.stdout


def test_a_project_below_the_top_and_files_that_are_no_manifests(clean: tuple[Path, Git]) -> None:
    top, git = clean
    (top / "other").mkdir()
    for name in ("hrctl.yaml", "registry.yaml", "app.yaml", "schemas", "public"):
        git("mv", name, f"other/{name}")
    (top / "chart.yaml").write_text("apiVersion: v2\nname: {{ not yaml\n")
    (top / ".github").mkdir()
    (top / ".github/ci.yaml").write_text("on:   push\n")
    git("add", "-A")
    done = git("commit", "-m", "Move it down")
    assert done.returncode == 0, done.stdout
    edit(top / "other/app.yaml", "type: API", "type: APIS")
    done = git("commit", "-am", "Break it there")
    assert failed(done.stdout) == {"hrctl validate"}
    assert "app.yaml:25:9: HR021" in done.stdout


def test_a_commit_without_manifests_passes_whatever_the_tree_says(clean: tuple[Path, Git]) -> None:
    top, git = clean
    edit(top / "app.yaml", "type: API", "type: APIS")
    assert git("commit", "-anm", "Past the hooks").returncode == 0
    (top / "README.md").write_text("# Platform\n")
    git("add", "README.md")
    assert git("commit", "-m", "Read me").returncode == 0
