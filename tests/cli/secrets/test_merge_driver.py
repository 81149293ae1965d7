"""Git merges manifests through hrctl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault


@pytest.fixture
def merging(vault: Vault) -> Vault:
    """A project of which two branches set different secrets."""
    vault.patch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    vault.hrctl("secrets", "set", "Config/app", "BASE", typed="base")
    vault.hrctl("secrets", "merge-driver", "--install")
    vault.commit()
    vault.git("checkout", "-qb", "side")
    return vault


def on_both(vault: Vault, ours: tuple[str, str], theirs: tuple[str, str]) -> int:
    vault.hrctl("secrets", "set", "Config/app", theirs[0], typed=theirs[1])
    vault.commit()
    vault.git("checkout", "-q", "main")
    vault.hrctl("secrets", "set", "Config/app", ours[0], typed=ours[1])
    vault.commit()
    return subprocess.run(["git", "merge", "-q", "side"], cwd=vault.root, check=False).returncode


def test_two_secrets_on_two_branches_merge(merging: Vault) -> None:
    assert on_both(merging, ("ONE", "of one"), ("TWO", "of two")) == 0
    merging.patch.setenv("HRCTL_AGE_IDENTITY_FILE", merging.key("ann"))
    assert merging.hrctl("secrets", "check") == "3 secrets, all open and where they belong.\n"
    assert merging.hrctl("secrets", "get", "Config/app", "TWO") == "of two"


def test_one_secret_on_two_branches_conflicts(merging: Vault) -> None:
    assert on_both(merging, ("BASE", "mine"), ("BASE", "yours")) == 1
    text = merging.read("shop/prod/config.yaml")
    assert text.count("<<<<<<<") >= 1
    assert merging.git("diff", "--name-only", "--diff-filter=U") == "shop/prod/config.yaml\n"
    assert merging.fails("validate") == 1


def test_without_hrctl_git_merges_lines(merging: Vault) -> None:
    driver = merging.git("config", "merge.hrctl.driver").strip()
    program = driver.split()[3]
    merging.git("config", "merge.hrctl.driver", driver.replace(program, "/nowhere/hrctl"))
    assert on_both(merging, ("BASE", "mine"), ("BASE", "yours")) == 1
    assert "<<<<<<<" in merging.read("shop/prod/config.yaml")


def test_installing_twice_changes_nothing(merging: Vault) -> None:
    before = merging.read(".gitattributes")
    assert merging.json("secrets", "merge-driver", "--install")["files"] == []
    assert merging.read(".gitattributes") == before == "*.yaml merge=hrctl\n*.yml merge=hrctl\n"


def test_what_git_would_not_do_is_an_error(merging: Vault) -> None:
    assert merging.fails("secrets", "merge-driver", "one") == 1
    assert "HR187" in merging.err
    assert merging.fails("secrets", "merge-driver", "one", "two", "three") == 1
    assert "HR067" in merging.err


def test_init_installs_it(vault: Vault, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    vault.hrctl("-C", str(fresh), "init", "--name", "fresh")
    asked = ["git", "check-attr", "merge", "registry.yaml"]
    done = subprocess.run(asked, cwd=fresh, check=True, capture_output=True, text=True)
    assert done.stdout == "registry.yaml: merge: hrctl\n"
    done = subprocess.run(
        ["git", "config", "merge.hrctl.driver"],
        cwd=fresh,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "merge-driver %O %A %B" in done.stdout
