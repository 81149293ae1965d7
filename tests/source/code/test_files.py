"""Which files of a folder are code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.source.code.files import list_code


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def git(folder: Path, *args: str) -> None:
    who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.org"]
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def listed(folder: Path, *skip: str) -> list[str]:
    found = list_code(folder, skip)
    assert all(one.is_absolute() for one in found)
    return [one.relative_to(folder).as_posix() for one in found]


def test_in_a_repository_what_git_ignores_is_left_out(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "src/a.py", "src/é b.py", ".github/ci.yml", "old.py")
    write(tmp_path, "node_modules/x.js", "src/vendor/y.go", "README.md", "build/out.js")
    (tmp_path / ".gitignore").write_text("build/\n", encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "x")
    write(tmp_path, "src/new.py")
    (tmp_path / "old.py").unlink()
    everything = [".github/ci.yml", ".gitignore", "old.py", "src/a.py", "src/new.py", "src/é b.py"]
    assert listed(tmp_path) == everything  # git still knows old.py; who reads it finds it gone
    assert listed(tmp_path / "src") == ["a.py", "new.py", "é b.py"]
    assert listed(tmp_path, "src/*", ".*") == ["old.py"]
    assert listed(tmp_path / "build") == ["out.js"]  # ignored, but asked for by name


def test_outside_of_git_it_walks(tmp_path: Path) -> None:
    write(tmp_path, "b/c.py", "a.py", ".hidden/x.py", ".env", "venv/lib.py", "b/notes.rst")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert listed(tmp_path) == ["a.py", "b/c.py"]


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, "README.md")
    assert list_code(tmp_path / "README.md") == [tmp_path / "README.md"]


def test_there_is_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(HrctlError) as caught:
        list_code(tmp_path / "servces")
    assert caught.value.diagnostics[0].code == "HR261"


def test_an_empty_folder(tmp_path: Path) -> None:
    assert listed(tmp_path) == []
