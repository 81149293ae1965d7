"""What differs from the commit, and whether a resource is declared no more."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from hrctl.source.changes import loses_names, since_commit

REGISTRY = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\nspec: {level: ROOT}\n"
NODE = "apiVersion: hrctl.dev/v1\nkind: Node\nmetadata: {name: %s}\nspec: {}\n"
TWO = f"{NODE % 'a'}---\n{NODE % 'b'}"


def lost(folder: Any, *paths: str) -> bool:
    return loses_names(folder.root, paths, since_commit(folder.root))


def test_outside_git_nothing_differs(folder: Any) -> None:
    folder.write({"registry.yaml": REGISTRY})
    assert since_commit(folder.root) == {}
    assert not lost(folder, "registry.yaml")


def test_without_a_commit_everything_is_new(folder: Any) -> None:
    folder.write({"registry.yaml": REGISTRY})
    folder.git("init", "-q")
    assert since_commit(folder.root) == {"hrctl.yaml": None, "registry.yaml": None}
    folder.git("add", "-A")
    assert since_commit(folder.root) == {"hrctl.yaml": None, "registry.yaml": None}


def test_what_differs_is_told_with_what_it_was(folder: Any) -> None:
    folder.write({"a b.yaml": TWO, "sub/c.yaml": NODE % "c", "registry.yaml": REGISTRY})
    folder.commit()
    assert since_commit(folder.root) == {}
    old = folder.git("rev-parse", "HEAD:a b.yaml")
    (folder.root / "sub/c.yaml").unlink()
    folder.write({"a b.yaml": TWO + "# more\n", "new.yaml": NODE % "d", "notes.txt": "x"})
    folder.git("add", "new.yaml")
    gone = folder.git("rev-parse", "HEAD:sub/c.yaml")
    assert since_commit(folder.root) == {"a b.yaml": old, "sub/c.yaml": gone, "new.yaml": None}
    assert since_commit(folder.root, "sub") == {"sub/c.yaml": gone}
    assert since_commit(folder.root / "sub") == {"c.yaml": gone}


def test_a_file_in_conflict(folder: Any) -> None:
    folder.write({"a.yaml": NODE % "a"})
    folder.commit()
    folder.git("checkout", "-qb", "other")
    folder.write({"a.yaml": NODE % "b"})
    folder.commit()
    folder.git("checkout", "-q", "-")
    folder.write({"a.yaml": NODE % "c"})
    folder.commit()
    ours = folder.git("rev-parse", "HEAD:a.yaml")
    with pytest.raises(subprocess.CalledProcessError):
        folder.git("merge", "other")
    assert since_commit(folder.root) == {"a.yaml": ours}


def test_names_that_are_lost(folder: Any) -> None:
    folder.write({"two.yaml": TWO, "other.yaml": NODE % "c", "registry.yaml": REGISTRY})
    folder.commit()
    folder.write({"two.yaml": NODE % "a"})
    assert lost(folder, "two.yaml")
    assert not lost(folder, "other.yaml")  # an edit that nobody asks about
    folder.write({"moved.yaml": NODE % "b"})
    assert not lost(folder, "two.yaml")  # it moved within the folder
    (folder.root / "other.yaml").unlink()
    assert lost(folder)  # a deletion counts always
    folder.write({"two.yaml": "a: ["})
    assert lost(folder, "two.yaml")
