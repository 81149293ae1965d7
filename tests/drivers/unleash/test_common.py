"""What the environments of a feature have in common, its tags and its parents, by the command."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.drivers.unleash import parents
from tests.drivers.unleash.project import UnleashProject
from tests.drivers.unleash.server import Unleash

FEATURES = "/api/admin/projects/default/features"
FLAG = """\
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {{name: express, instances: ENVIRONMENT, labels: {{team: {team}}}}}
    spec:
      type: BOOLEAN
      hash: unleash
      status: ENABLED
      rollout: {{strategy: GRADUAL, percentage: {share}}}
    """


def declare(project: UnleashProject, *, team: str = "shop", share: int = 10) -> None:
    project.write("express.yaml", FLAG.format(team=team, share=share))
    project.commit()


def parent(unleash: Unleash, name: str = "parent", **more: Any) -> None:
    """Make the flag depend on another feature, as people do."""
    if not more:
        unleash.call("POST", FEATURES, {"name": name})
    unleash.call("POST", f"{FEATURES}/express/dependencies", {"feature": name, **more})


def test_a_label_changes_in_all_environments_at_once(
    project: UnleashProject, unleash: Unleash
) -> None:
    project.configure(unleash.url, more="      tags: [team]\n")
    declare(project)
    project.hrctl("apply", "--yes")
    declare(project, team="top")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    tags = unleash.call("GET", "/api/admin/features/express/tags")["tags"]
    assert {one["value"] for one in tags} == {"acme", "top"}

    unleash.call("DELETE", "/api/admin/features/express/tags/team/top")
    assert project.hrctl("plan").count("labels.team") == 2
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")


def test_a_parent_that_people_add_is_drift(project: UnleashProject, unleash: Unleash) -> None:
    declare(project)
    project.hrctl("apply", "--yes")
    parent(unleash)
    told = project.hrctl("plan")
    assert told.count('live [{parent: "parent"}], wanted []') == 2
    parent(unleash, enabled=False)
    assert '[{parent: "parent", enabled: false}]' in project.hrctl("drift")
    project.hrctl("apply", "--yes")
    assert unleash.call("GET", f"{FEATURES}/express")["dependencies"] == []
    assert "No changes." in project.hrctl("plan")


def test_parents_are_found_on_every_page(
    project: UnleashProject, unleash: Unleash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parents, "_PAGE", 1)
    declare(project)
    project.hrctl("apply", "--yes")
    for name in ("a", "z"):
        unleash.call("POST", FEATURES, {"name": name})
    parent(unleash)
    assert 'parent: "parent"' in project.hrctl("plan")


def test_a_flag_that_people_made_is_adopted_without_its_parents(
    project: UnleashProject, unleash: Unleash
) -> None:
    unleash.call("POST", FEATURES, {"name": "express"})
    parent(unleash)
    declare(project)
    assert 'parent: "parent"' in project.hrctl("plan", "--adopt")
    project.hrctl("apply", "--yes", "--adopt")
    assert unleash.call("GET", f"{FEATURES}/express")["dependencies"] == []


def test_drift_that_no_field_says_is_not_kept_beside_an_edit(
    project: UnleashProject, unleash: Unleash
) -> None:
    declare(project)
    project.hrctl("apply", "--yes")
    parent(unleash)
    project.hrctl("plan", "--keep-drift")
    assert "2 resources drifted and left so." in project.err
    declare(project, share=20)
    assert project.fails("apply", "--yes", "--keep-drift") == 1
    assert "HR252" in project.err
    assert "leave --keep-drift out" in project.err
    assert unleash.call("GET", f"{FEATURES}/express")["dependencies"] != []
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")


def test_what_others_depend_on_is_not_deleted(project: UnleashProject, unleash: Unleash) -> None:
    """Unleash refuses that with the status that it also has for tokens."""
    declare(project)
    project.hrctl("apply", "--yes")
    unleash.call("POST", FEATURES, {"name": "child"})
    unleash.call("POST", f"{FEATURES}/child/dependencies", {"feature": "express"})
    project.git("rm", "-q", "express.yaml")
    project.commit()
    assert project.fails("apply", "--yes") != 0
    assert "HR083" in project.err
    assert "depend on it" in " ".join(project.err.split())
    assert "token" not in project.err
    unleash.call("DELETE", f"{FEATURES}/child/dependencies")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
