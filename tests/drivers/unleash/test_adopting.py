"""A flag that people made is adopted without a word only where nobody gets another answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.drivers.unleash.project import UnleashProject
from tests.drivers.unleash.server import Unleash
from tests.drivers.unleash.test_cli import DEVELOPMENT, GRADUAL, by_hand, share
from tests.drivers.unleash.test_cli import beta as beta_segment

beta = beta_segment
INSTANT = "{type: BOOLEAN, status: ROLLOUT, hash: unleash, rollout: {strategy: INSTANT}}"
GOLD = {"contextName": "plan", "operator": "IN", "values": ["gold", "silver"]}
RULE = (
    "{{type: BOOLEAN, status: ENABLED, hash: unleash, targeting: [{{attribute: {}, operator: {},"
    " values: [{}], variant: 'on'}}]}}"
)
PLAN = RULE.format("plan", "in", "gold, silver")


def declare(project: UnleashProject, spec: str) -> None:
    """Write the flag without labels, which are no part of what people made."""
    head = "apiVersion: hrctl.dev/v1\nkind: FeatureFlag\nmetadata: {name: express}\n"
    project.write("dev/express.yaml", f"{head}spec: {spec}\n")
    project.commit()


def parameters(**changed: str) -> dict[str, Any]:
    return {
        "name": "flexibleRollout",
        "parameters": {
            "rollout": "100",
            "stickiness": "default",
            "groupId": "express",
            **changed,
        },
    }


def test_everybody_by_an_attribute_is_not_everybody(
    project: UnleashProject, unleash: Unleash
) -> None:
    """Unleash turns a share of 100 % off for who lacks the attribute that it goes by."""
    by_hand(unleash, parameters(stickiness="account"))
    declare(project, INSTANT)
    shown = project.hrctl("plan", "--adopt")
    assert "1 to change" in shown
    assert "strategy" in shown
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")


@pytest.mark.parametrize("stickiness", ["default", "random"])
def test_everybody_is_adopted_as_it_is(
    project: UnleashProject, unleash: Unleash, stickiness: str
) -> None:
    by_hand(unleash, parameters(stickiness=stickiness))
    declare(project, INSTANT)
    assert "1 to adopt" in project.hrctl("plan", "--adopt")


def test_a_segment_that_the_manifest_does_not_name_is_a_difference(
    project: UnleashProject, unleash: Unleash, beta: dict[str, Any]
) -> None:
    by_hand(unleash, {**parameters(), "segments": [beta["id"]]})
    declare(project, PLAN)
    shown = project.hrctl("plan", "--adopt")
    assert "1 to change" in shown
    assert "targeting[plan].segment" in shown
    assert "beta" in shown


def test_a_group_of_another_name_is_a_difference(project: UnleashProject, unleash: Unleash) -> None:
    """Another salt spreads everybody anew."""
    by_hand(unleash, parameters(rollout="10", stickiness="userId", groupId="other"))
    declare(project, GRADUAL.format(10))
    shown = project.hrctl("plan", "--adopt")
    assert "1 to change" in shown
    assert "rollout.salt" in shown
    assert "other" in shown


def test_a_clean_adopt_asks_the_driver(project: UnleashProject, unleash: Unleash) -> None:
    """What the apply would refuse to write is refused by the plan already."""
    date = "2027-03-31T10:00:00Z"
    clock = {"contextName": "currentTime", "operator": "DATE_AFTER", "value": date}
    by_hand(unleash, {**parameters(), "constraints": [clock]})
    declare(project, RULE.format("currentTime", "after", f"'{date}'"))
    assert project.fails("plan", "--adopt") == 1
    assert "HR252" in project.err


def test_taking_over_destroys_nothing(project: UnleashProject, unleash: Unleash) -> None:
    """What no field can say has no type; that is no reason to destroy the feature."""
    by_hand(unleash, share(50, constraints=[GOLD]))
    declare(project, INSTANT)
    shown = project.hrctl("plan", "--adopt")
    assert "1 to change, 0 to destroy" in shown
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")


def test_what_people_add_to_a_rule_is_drift(
    project: UnleashProject, unleash: Unleash, beta: dict[str, Any]
) -> None:
    """The same conditions by a segment are another rule: who changes the segment changes it."""
    declare(project, PLAN)
    project.hrctl("apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    path = f"{DEVELOPMENT}/strategies/{one['id']}"
    unleash.call("PUT", path, {**one, "constraints": [], "segments": [beta["id"]]})
    shown = project.hrctl("plan")
    assert "1 drifted" in shown
    assert "targeting[plan].segment" in shown
    project.hrctl("apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert (one["segments"], len(one["constraints"])) == ([], 1)
    assert "No changes." in project.hrctl("plan")


def test_a_salt_that_people_add_is_drift(project: UnleashProject, unleash: Unleash) -> None:
    declare(project, GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    first, *_ = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    changed = {"rollout": "10", "stickiness": "userId", "groupId": "other"}
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{first['id']}", {**first, "parameters": changed})
    shown = project.hrctl("plan")
    assert "1 drifted" in shown
    assert "other" in shown
    project.hrctl("apply", "--yes")
    first, *_ = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert first["parameters"]["groupId"] == "express"
