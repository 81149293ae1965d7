"""Versions on the way of a branch itself, held against the tree loaded at each of its commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.model.address import Address
from hrctl.source import project
from hrctl.source.blobs import Blobs
from hrctl.source.load import load
from hrctl.source.log import LogReader
from hrctl.source.mainline import Mainline
from hrctl.source.past import Version
from tests.source.test_past import API, BASE, commit, random_history, service

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

LONE = Address("acme/shop:Service/lone")
ADDRESSES = [API, Address("acme/shop/dev:Service/api"), LONE]


def told(folder: ProjectFolder, *addresses: Address) -> dict[Address, list[tuple[str, str | None]]]:
    """Commit and text of each version, the latest first."""
    names = {one.name for one in addresses}
    with Blobs(folder.root) as blobs:
        line = Mainline(LogReader(folder.root, main=True).read(), blobs, names)
        return {
            one: [(at.id, was.text if was else None) for at, was in line.versions(one)]
            for one in addresses
        }


@pytest.mark.parametrize("seed", range(6))
def test_every_version_is_what_the_tree_of_the_commit_says(
    folder: ProjectFolder, seed: int
) -> None:
    random_history(folder, seed)
    found = told(folder, *ADDRESSES)
    present: dict[Address, str | None] = {}
    for revision in reversed(folder.git("rev-list", "--first-parent", "HEAD").split()):
        with load(project.find(folder.root), revision) as loaded:
            for address in ADDRESSES:
                there = address in loaded.tree.rows
                wanted = Version(loaded.tree, address, "").text if there else None
                present[address] = dict(found[address]).get(revision, present.get(address))
                assert present[address] == wanted


def test_what_a_branch_made_counts_from_its_merge_on(folder: ProjectFolder) -> None:
    first = commit(folder, "begin", BASE)
    main = folder.git("rev-parse", "--abbrev-ref", "HEAD")
    folder.git("checkout", "-qb", "other")
    lone = service("lone", spec="  replicas: 3\n")
    commit(folder, "on a branch", {"shop/services.yaml": lone})
    folder.git("checkout", "-q", main)
    commit(folder, "meanwhile", {"shop/more.yaml": service("more")})
    folder.git("merge", "-q", "--no-ff", "-m", "merge", "other")
    assert [at for at, _ in told(folder, LONE)[LONE]] == [folder.git("rev-parse", "HEAD"), first]


def test_a_commit_of_another_file_changes_nothing(folder: ProjectFolder) -> None:
    first = commit(folder, "begin", BASE)
    commit(folder, "other", {"shop/more.yaml": service("more") + "# lone, too\n"})
    assert [at for at, _ in told(folder, LONE)[LONE]] == [first]


def test_one_that_came_and_went(folder: ProjectFolder) -> None:
    commit(folder, "begin", BASE)
    commit(folder, "gone", {"shop/services.yaml": None})
    commit(folder, "again", {"shop/services.yaml": service("lone")})
    declared = [was is not None for _, was in told(folder, LONE)[LONE]]
    assert declared == [True, False, True]


def test_a_name_that_no_commit_has(folder: ProjectFolder) -> None:
    commit(folder, "begin", BASE)
    nobody = Address("acme/shop:Service/nobody")
    assert [was for _, was in told(folder, nobody)[nobody]] == [None]
