"""hrctl.yaml: found upwards, checked, completed, remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrctl.cli.main import main
from hrctl.diagnostics import HrctlError
from hrctl.source import parse, project
from tests.conftest import ProjectFolder

HEAD = "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"


def told(root: Path) -> list[str]:
    with pytest.raises(HrctlError) as caught:
        project.load(root)
    return [f"{one.span} {one.code}" for one in caught.value.diagnostics]


WRONG: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["hrctl.yaml:1:1 HR061"]),
    "comments": ("# nothing\n", ["hrctl.yaml:1:1 HR061"]),
    "two documents": (HEAD + "---\n" + HEAD, ["hrctl.yaml:4:1 HR061"]),
    "not UTF-8": (b"a: \xff\n", ["hrctl.yaml:1:4 HR001"]),
    "not YAML": ("a: [1\n", ["hrctl.yaml:1:4 HR002"]),
    "a list": ("- a\n", ["hrctl.yaml:1:1 HR009"]),
    "a manifest": (HEAD.replace("Project", "Service"), ["hrctl.yaml:2:7 HR061"]),
    "another version": (HEAD.replace("/v1", "/v9"), ["hrctl.yaml:1:13 HR061"]),
    "no name": (HEAD.replace("name: acme", ""), ["hrctl.yaml:3:1 HR061"]),
    "a bad name": (HEAD.replace("acme", "Acme!"), ["hrctl.yaml:3:18 HR061"]),
    "an unknown field": (HEAD + "spec:\n  paralel: 1\n", ["hrctl.yaml:5:3 HR061"]),
    "several": (
        HEAD + "spec:\n  parallelism: 0\n  ledger: mysql:x\n  safety: {maxDeletePercent: 120}\n",
        ["hrctl.yaml:6:11 HR061", "hrctl.yaml:7:30 HR061", "hrctl.yaml:5:16 HR061"],
    ),
    "drivers that are null": (HEAD + "spec: {drivers: null}\n", ["hrctl.yaml:4:17 HR061"]),
    "a spec that is null": (HEAD + "spec: null\n", ["hrctl.yaml:4:7 HR061"]),
    "a driver without type": (HEAD + "spec:\n  drivers:\n    a: {}\n", ["hrctl.yaml:6:5 HR061"]),
    "another local": (
        HEAD + "spec: {drivers: {local: {type: supervisor}}}\n",
        ["hrctl.yaml:4:32 HR061"],
    ),
    "drivers that are not there": (
        HEAD + "spec:\n  drivers:\n    a: {type: nope}\n    b: {type: supervisor, mod: x}\n",
        ["hrctl.yaml:6:15 HR081", "hrctl.yaml:7:27 HR061"],
    ),
    "a root above": (HEAD + "spec: {root: ../other}\n", ["hrctl.yaml:4:14 HR061"]),
    "a root elsewhere": (HEAD + "spec: {root: /etc}\n", ["hrctl.yaml:4:14 HR061"]),
    "a hidden root": (HEAD + "spec: {root: .platform}\n", ["hrctl.yaml:4:14 HR061"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(folder: ProjectFolder, name: str) -> None:
    content, wanted = WRONG[name]
    folder.write({"hrctl.yaml": content})
    assert sorted(told(folder.root)) == sorted(wanted)
    assert sorted(told(folder.root)) == sorted(wanted), "what is wrong is never remembered"


def test_defaults_are_filled_in(folder: ProjectFolder) -> None:
    made = project.load(folder.root)
    assert (made.name, made.root, made.manifests) == ("acme", folder.root, ".")
    assert made.ledger_path == folder.root / ".hrctl/ledger.db"
    assert made.safety["maxDeletes"] == 10
    assert made.drivers.keys() == {"local"}
    assert "Config" in made.drivers["local"].kinds
    assert project.load(folder.root) == made, "from the cache, too"


def test_the_second_time_nothing_is_parsed(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write({"hrctl.yaml": HEAD + "spec: {root: ./a/b/, drivers: {p: {type: supervisor}}}\n"})
    first = project.load(folder.root)
    assert first.manifests == "a/b"
    assert first.drivers["p"].kinds == {"Service"}
    monkeypatch.delattr(parse, "parse_chunk")
    assert project.load(folder.root) == first


def test_it_is_found_upwards(folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder.root / "a/b"
    inside.mkdir(parents=True)
    assert project.find(inside).root == folder.root
    link = folder.root.parent / "link"
    link.symlink_to(inside)
    assert project.find(link).root == folder.root
    monkeypatch.chdir(inside)
    assert project.find(Path()).root == folder.root
    (folder.root / "hrctl.yaml").unlink()
    with pytest.raises(HrctlError, match=r"HR060 no hrctl\.yaml in .*/a/b or above it"):
        project.find(inside)


def test_a_project_file_that_cannot_be_read(folder: ProjectFolder) -> None:
    (folder.root / "hrctl.yaml").unlink()
    (folder.root / "hrctl.yaml").mkdir()
    with pytest.raises(HrctlError, match=r"HR067 hrctl\.yaml cannot be read: Is a directory"):
        project.load(folder.root)


def test_a_project_file_behind_a_link_is_refused(folder: ProjectFolder) -> None:
    (folder.root / "hrctl.yaml").rename(folder.root / "other.yml")
    (folder.root / "hrctl.yaml").symlink_to("other.yml")
    for read in (project.load, project.find):
        with pytest.raises(HrctlError, match=r"HR310 hrctl\.yaml is a symbolic link"):
            read(folder.root)


def test_a_folder_behind_a_tracked_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`working-directory: platform` of a workflow, and a branch that makes `platform` a link."""
    repository = ProjectFolder(tmp_path / "repository")
    repository.write({"attacker/hrctl.yaml": HEAD, "attacker/a/b.txt": ""})
    (repository.root / "platform").symlink_to("attacker")
    repository.commit()
    for name in ("platform", "platform/a"):
        monkeypatch.chdir(repository.root / name)
        monkeypatch.setenv("PWD", str(repository.root / name))
        with pytest.raises(HrctlError, match="HR310 platform is a symbolic link"):
            project.find(Path.cwd())
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("PWD", str(repository.root))
    assert main(["-C", "platform", "validate"]) == 1

    monkeypatch.chdir(repository.root)
    away = tmp_path / "away"
    away.symlink_to(repository.root)
    monkeypatch.setenv("PWD", str(away))
    assert project.find(Path.cwd()).root == repository.root, "a link around the repository is fine"
    (repository.root / "mine").symlink_to("attacker")
    monkeypatch.chdir(repository.root / "mine")
    monkeypatch.setenv("PWD", str(repository.root / "mine"))
    assert project.find(Path.cwd()).root == repository.root / "attacker", "not tracked"
