"""State is never part of the tree, and outputs go where they were sent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.ci.runner import edit, git, new_project
from tests.ci.test_tree_runs_nothing import hrctl

READERS = [
    ("validate",),
    ("plan",),
    ("plan", "--base", "main"),
    ("drift",),
    ("state", "runs"),
    ("history", "acme:Service/api"),
    ("get", "acme:Service/api"),
]


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A project that was applied."""
    root = tmp_path / "project"
    new_project(root, environ)
    assert hrctl(root, environ, "apply", "--yes").returncode == 0
    return root


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_committed_state_is_refused_before_it_is_opened(
    project: Path, environ: dict[str, str], command: tuple[str, ...]
) -> None:
    git(project, environ, "add", "-f", ".hrctl/ledger.db")
    for path in (project / ".hrctl").iterdir():
        path.write_bytes(b"whoever opens this finds no database")
    done = hrctl(project, environ, *command)
    assert done.returncode == 1
    assert "HR320 the state folder" in done.stdout
    assert "git tracks files in it" in done.stdout


def test_a_forged_ledger_does_not_hide_a_change(project: Path, environ: dict[str, str]) -> None:
    edit(project / "services.yaml", "replicas: 2", "replicas: 9")
    assert hrctl(project, environ, "apply", "--yes").returncode == 0
    git(project, environ, "add", "-f", ".")
    git(project, environ, "commit", "-qm", "Nothing to see")
    clone = project.parent / "clone"
    git(project.parent, environ, "clone", "-q", "project", "clone")
    done = hrctl(clone, environ, "plan")
    assert "No changes" not in done.stdout
    assert "HR320" in done.stdout
    outside = {**environ, "HRCTL_STATE_DIR": str(project.parent / "state")}
    done = hrctl(clone, outside, "plan")
    assert done.returncode == 0, done.stdout
    assert "4 to add" in done.stdout


@pytest.mark.parametrize("name", ["", "ledger.db", "cache.db", "run"])
def test_a_link_to_state_or_in_it_is_refused(
    project: Path, environ: dict[str, str], name: str
) -> None:
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    place = project / ".hrctl" / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    place.symlink_to(elsewhere)
    done = hrctl(project, environ, "plan")
    assert done.returncode == 1
    assert "HR320 the state folder" in done.stdout
    assert "symbolic link" in done.stdout
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("version", ["2", "4"])
def test_each_format_of_the_index_is_searched(
    project: Path, environ: dict[str, str], version: str
) -> None:
    (project / ".hrctm").write_text("")  # its neighbour, whose name the fourth version shortens
    git(project, environ, "add", "-f", ".hrctm", ".hrctl/cache.db")
    git(project, environ, "update-index", "--index-version", version)
    assert "HR320" in hrctl(project, environ, "validate").stdout
    git(project, environ, "rm", "-q", "--cached", ".hrctl/cache.db")
    assert hrctl(project, environ, "validate").returncode == 0


def test_a_split_index_and_a_worktree_are_searched(project: Path, environ: dict[str, str]) -> None:
    git(project, environ, "add", "-f", ".hrctl/cache.db")
    git(project, environ, "update-index", "--split-index")
    assert "HR320" in hrctl(project, environ, "validate").stdout
    git(project, environ, "commit", "-qm", "State")
    git(project, environ, "worktree", "add", "-q", "../second")
    assert "HR320" in hrctl(project.parent / "second", environ, "validate").stdout


def test_state_lies_where_the_environment_says(project: Path, environ: dict[str, str]) -> None:
    shutil.rmtree(project / ".hrctl")
    state = project.parent / "state"
    outside = {**environ, "HRCTL_STATE_DIR": str(state)}
    assert hrctl(project, outside, "apply", "--yes").returncode == 0
    assert {"ledger.db", "cache.db", "registry.db"} <= {one.name for one in state.iterdir()}
    assert not (project / ".hrctl").exists()
    assert "No changes" in hrctl(project, outside, "plan").stdout
    relative = {**environ, "HRCTL_STATE_DIR": "state"}
    assert "HR323" in hrctl(project, relative, "plan").stdout


LEDGERS = [
    ("tracked.db", "HR322 the ledger"),
    ("link/ledger.db", "HR321 the ledger"),
    ("../ledger.db", "HR324 the ledger"),
]


@pytest.mark.parametrize(("place", "refusal"), LEDGERS)
def test_a_ledger_of_a_commits_making_is_refused(
    project: Path, environ: dict[str, str], place: str, refusal: str
) -> None:
    spec = f"spec: {{ledger: 'sqlite:{place}'}}"
    edit(project / "hrctl.yaml", "spec: {}", spec)
    shutil.copy(project / ".hrctl" / "ledger.db", project / "tracked.db")
    (project / "link").symlink_to("..")
    git(project, environ, "add", "-A")
    git(project, environ, "commit", "-qm", "A ledger of our own")
    done = hrctl(project, environ, "plan")
    assert done.returncode == 1
    assert refusal in done.stdout
    assert not (project.parent / "ledger.db").exists()


OUTPUTS = [
    ("plan", "--report", "markdown=OUT"),
    ("plan", "--out", "OUT"),
    ("validate", "--report", "sarif=OUT"),
    ("drift", "--report", "junit=OUT"),
]


@pytest.mark.parametrize("command", OUTPUTS, ids=" ".join)
def test_no_output_through_a_link_or_over_a_tracked_file(
    project: Path, environ: dict[str, str], command: tuple[str, ...]
) -> None:
    victim = project.parent / "victim"
    victim.write_text("mine\n")
    (project / "out.md").symlink_to(victim)
    (project / "folder").symlink_to(project.parent)
    (project / "hook").symlink_to(".git/hooks/pre-commit")
    (project / "plan.md").write_text("### a plan that nobody made\n")
    git(project, environ, "add", "-A")
    git(project, environ, "commit", "-qm", "Some files")
    for name, code in {
        "out.md": "HR321",
        "folder/victim": "HR321",
        "hook": "HR321",
        "plan.md": "HR322",
        str(project / "plan.md"): "HR322",
    }.items():
        done = hrctl(project, environ, *(word.replace("OUT", name) for word in command))
        assert done.returncode == 1, done.stdout
        assert code in done.stdout
    assert victim.read_text() == "mine\n"
    assert not (project / ".git" / "hooks" / "pre-commit").exists()
    for free in ("new.out", str(project.parent / "new.out")):
        done = hrctl(project, environ, *(word.replace("OUT", free) for word in command))
        assert done.returncode == 0, done.stdout
        assert (project / free).exists()


DRIVERS = {
    "a flag file behind a link": ("{type: flagd, file: link.json}", "HR321"),
    "a flag file that git tracks": ("{type: flagd, file: tracked.json}", "HR322"),
    "a flag file outside": ("{type: flagd, file: ../flags.json}", "HR324"),
    "a registry behind a link": ("{type: local, path: link.json}", "HR321"),
    "a registry that git tracks": ("{type: local, path: tracked.json}", "HR322"),
    "a configuration of haproxy": (
        "{type: haproxy, mode: external, config: tracked.json, socket: s, reload: ['true']}",
        "HR322",
    ),
    "a folder of envoy": (
        "{type: envoy, mode: external, configDir: folder, admin: '127.0.0.1:1'}",
        "HR321",
    ),
    "a folder of flags with one that git tracks": ("{type: flagd, folder: flags}", "HR322"),
    "a folder of supervisor with a file that git tracks": (
        "{type: supervisor, mode: external, configDir: flags, socket: s}",
        "HR322",
    ),
    "a folder of supervisor": (
        "{type: supervisor, mode: external, configDir: folder, socket: s}",
        "HR321",
    ),
}


@pytest.mark.parametrize("name", DRIVERS)
def test_drivers_write_to_nothing_that_a_commit_brought(
    project: Path, environ: dict[str, str], name: str
) -> None:
    block, code = DRIVERS[name]
    outside = project.parent / "outside"
    outside.mkdir()
    (project / "link.json").symlink_to(outside / "flags.json")
    (project / "folder").symlink_to(outside)
    (project / "tracked.json").write_text(json.dumps({"flags": {}}))
    (project / "flags").mkdir()
    (project / "flags" / "acme.json").write_text(json.dumps({"flags": {}}))
    edit(project / "hrctl.yaml", "spec: {}", f"spec: {{drivers: {{x: {block}}}}}")
    kind = "FeatureFlag" if "flagd" in block else "Node"
    kind = "Service" if "supervisor" in block or "local" in block else kind
    edit(project / "registry.yaml", "level: ROOT", f"level: ROOT, drivers: {{{kind}: x}}")
    (project / "more.yaml").write_text(MANIFESTS[kind])
    git(project, environ, "add", "-A")
    git(project, environ, "commit", "-qm", "Write over there")
    before = (project / "tracked.json").read_bytes()
    done = hrctl(project, environ, "apply", "--yes")
    assert done.returncode == 1, done.stdout
    assert code in done.stdout
    assert not list(outside.iterdir())
    assert (project / "tracked.json").read_bytes() == before


_HEAD = "apiVersion: hrctl.dev/v1\nkind: {kind}\nmetadata: {{name: extra}}\nspec: {spec}\n"
MANIFESTS = {
    "FeatureFlag": _HEAD.format(kind="FeatureFlag", spec="{type: BOOLEAN, status: ENABLED}"),
    "Node": _HEAD.format(kind="Node", spec="{type: COMPUTE, address: '127.0.0.1:8080'}"),
    "Service": _HEAD.format(kind="Service", spec="{type: API, command: serve}"),
}


def test_two_projects_never_share_one_state(project: Path, environ: dict[str, str]) -> None:
    shared = {**environ, "HRCTL_STATE_DIR": str(project.parent / "state")}
    assert hrctl(project, shared, "apply", "--yes").returncode == 0
    other = project.parent / "other"
    new_project(other, environ)
    edit(other / "hrctl.yaml", "name: acme", "name: billing")
    done = hrctl(other, shared, "plan")
    assert done.returncode == 1
    assert "is that of project acme, not of billing" in done.stdout
    assert "HR325" in done.stdout


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_approval_approves_nothing(
    project: Path, environ: dict[str, str], empty: str
) -> None:
    edit(project / "services.yaml", "replicas: 2", "replicas: 9")
    done = hrctl(project, environ, "apply", "--yes", "--approved", empty)
    assert done.returncode == 1
    assert "HR145 --approved is empty, so nothing is approved" in done.stdout
    assert "1 to change" in hrctl(project, environ, "plan").stdout
