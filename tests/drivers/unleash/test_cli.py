"""Plans and applies from the command line, while people work in Unleash's interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.drivers.unleash.project import UnleashProject, made
from tests.drivers.unleash.server import Unleash

FEATURES = "/api/admin/projects/default/features"
FLAG = f"{FEATURES}/express"
DEVELOPMENT = f"{FLAG}/environments/development"
GRADUAL = (
    "{{type: BOOLEAN, status: ROLLOUT, hash: unleash,"
    " rollout: {{strategy: GRADUAL, percentage: {}}}}}"
)


def by_hand(unleash: Unleash, *strategies: dict[str, Any], description: str = "theirs") -> None:
    """Make the flag as people do, on for development."""
    body = {"name": "express", "type": "release", "description": description}
    unleash.call("POST", FEATURES, body)
    for one in strategies:
        unleash.call("POST", f"{DEVELOPMENT}/strategies", one)
    unleash.call("POST", f"{DEVELOPMENT}/on")


def share(percentage: int, **more: Any) -> dict[str, Any]:
    """A strategy as the interface makes it."""
    parameters = {"rollout": str(percentage), "stickiness": "userId", "groupId": "express"}
    return {"name": "flexibleRollout", "parameters": parameters, **more}


def everybody(**more: Any) -> dict[str, Any]:
    """A strategy for all who match, whatever attribute they lack."""
    parameters = {"rollout": "100", "stickiness": "default", "groupId": "express"}
    return {"name": "flexibleRollout", "parameters": parameters, **more}


def newest_event(unleash: Unleash) -> int:
    return int(unleash.call("GET", "/api/admin/search/events?limit=1")["events"][0]["id"])


def test_a_flag_from_its_first_day_to_its_last(project: UnleashProject, unleash: Unleash) -> None:
    project.flag(GRADUAL.format(10))
    assert "1 to add" in project.hrctl("plan")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert one["parameters"]["rollout"] == "10"

    (first,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{first['id']}", share(25))
    shown = project.hrctl("plan")
    assert "rollout.percentage" in shown
    assert "live 25, wanted 10" in shown
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")

    project.flag(GRADUAL.format(50))
    project.hrctl("apply", "--yes")
    project.hrctl("rollback", "HEAD~1", "--apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert one["parameters"]["rollout"] == "10"

    project.git("rm", "-q", "dev/express.yaml")
    project.commit()
    assert "1 to destroy" in project.hrctl("plan")
    project.hrctl("apply", "--yes")
    assert unleash.call("GET", FEATURES)["features"] == []

    project.flag(GRADUAL.format(5))
    project.hrctl("apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert one["parameters"]["rollout"] == "5"
    assert "No changes." in project.hrctl("plan")


def test_a_plan_leaves_no_trace(project: UnleashProject, unleash: Unleash) -> None:
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    before = newest_event(unleash)
    for _ in range(2):
        project.hrctl("plan")
    assert newest_event(unleash) == before


def test_what_people_made_is_adopted_field_by_field(
    project: UnleashProject, unleash: Unleash
) -> None:
    gold = {"contextName": "plan", "operator": "IN", "values": ["gold"]}
    by_hand(unleash, everybody(constraints=[gold]), share(25), description="Theirs.\nOf old.")
    project.flag(GRADUAL.format(10))
    assert project.fails("plan") == 4
    assert "HR126" in project.err
    assert "--adopt" in project.err
    assert project.fails("apply", "--yes") == 4
    assert unleash.call("GET", FLAG)["description"] == "Theirs.\nOf old."

    shown = project.hrctl("plan", "--adopt")
    assert "takes over what is live" in shown
    assert "rollout.percentage" in shown
    assert "25 -> 10" in shown
    assert "targeting" in shown
    assert 'attribute: "plan", operator: "in"' in shown
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert (one["parameters"]["rollout"], one["constraints"]) == ("10", [])
    assert unleash.call("GET", FLAG)["description"].startswith("Theirs.\nOf old.\nhrctl:{")


def test_what_is_as_it_is_declared_is_adopted_with_its_mark(
    project: UnleashProject, unleash: Unleash
) -> None:
    by_hand(unleash, share(10))
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")
    assert "hrctl:{" in unleash.call("GET", FLAG)["description"]
    tags = unleash.call("GET", "/api/admin/features/express/tags")["tags"]
    assert [(one["type"], one["value"]) for one in tags] == [("hrctl", "acme")]


def test_an_environment_that_people_use_is_adopted(
    project: UnleashProject, unleash: Unleash
) -> None:
    project.flag(GRADUAL.format(10), environment="prod")
    project.hrctl("apply", "--yes")
    unleash.call("POST", f"{DEVELOPMENT}/strategies", share(40))
    unleash.call("POST", f"{DEVELOPMENT}/on")
    project.flag(GRADUAL.format(10))
    assert project.fails("plan") == 4
    assert "HR126" in project.err
    assert "40 -> 10" in project.hrctl("plan", "--adopt")
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")


def test_another_projects_flag_is_not_adopted(
    project: UnleashProject, unleash: Unleash, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    other = made(project.root.parent / "other", project.capsys, unleash)
    other.configure(unleash.url, name="other")
    other.write("registry.yaml", other.read("registry.yaml").replace("name: acme", "name: other"))
    monkeypatch.chdir(other.root)
    for environment in ("dev", "prod"):
        other.flag(GRADUAL.format(50), environment=environment)
        assert other.fails("apply", "--yes", "--adopt") == 1
        assert "HR267" in other.err
        assert "project 'acme' (acme/dev:FeatureFlag/express)" in " ".join(other.err.split())
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert one["parameters"]["rollout"] == "10"


def test_a_description_that_people_wrote_over_is_mended(
    project: UnleashProject, unleash: Unleash
) -> None:
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    (first,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{first['id']}", share(25))
    patch = [{"op": "replace", "path": "/description", "value": "Ours now."}]
    unleash.call("PATCH", FLAG, patch)
    shown = project.hrctl("plan")
    assert "live 25, wanted 10" in shown
    assert "1 to add" not in shown
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    assert unleash.call("GET", FLAG)["description"].startswith("Ours now.\nhrctl:{")


def test_text_around_the_mark_is_kept(project: UnleashProject, unleash: Unleash) -> None:
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    held = unleash.call("GET", FLAG)["description"]
    text = f"Above.\n{held} See the wiki.\nBelow.\n"
    unleash.call("PATCH", FLAG, [{"op": "replace", "path": "/description", "value": text}])
    assert "No changes." in project.hrctl("plan")
    project.flag(GRADUAL.format(20))
    project.hrctl("apply", "--yes")
    now = unleash.call("GET", FLAG)["description"]
    assert now.startswith("Above.\n")
    assert now.endswith("} See the wiki.\nBelow.\n")
    project.git("rm", "-q", "dev/express.yaml")
    project.commit()
    project.hrctl("apply", "--yes")
    assert unleash.call("GET", FEATURES)["features"] == []


def test_what_people_archived_is_brought_back(project: UnleashProject, unleash: Unleash) -> None:
    for environment in ("dev", "prod"):
        project.flag(GRADUAL.format(10), environment=environment)
    project.hrctl("apply", "--yes")
    unleash.call("DELETE", FLAG)
    assert "2 drifted" in project.hrctl("plan")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    for one in unleash.call("GET", FLAG)["environments"]:
        assert [held["parameters"]["rollout"] for held in one["strategies"]] == ["10"]
        assert one["enabled"]


def test_the_open_source_edition_has_one_project(project: UnleashProject, unleash: Unleash) -> None:
    """Making another is 404 there, so one that is mapped and missing is told by every plan."""
    with pytest.raises(AssertionError, match="404"):
        unleash.call("POST", "/api/admin/projects", {"id": "shop", "name": "Shop"})
    project.configure(unleash.url, more="      projects: {acme/dev: shop}\n")
    project.flag(GRADUAL.format(10))
    assert project.fails("plan") == 1
    assert "HR266" in project.err
    assert "has no project 'shop'" in project.err
    project.configure(unleash.url, more="      projects: {acme/dev: default}\n")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")


def test_the_order_of_strategies_is_seen(project: UnleashProject, unleash: Unleash) -> None:
    """The first that matches gives the value; a PUT says all, and titles are people's."""
    rule = "{{attribute: plan, operator: in, values: [{}], variant: {}}}"
    rules = ", ".join(rule.format(plan, value) for plan, value in (("gold", "a"), ("free", "b")))
    project.flag(
        "{type: STRING, status: ENABLED, hash: unleash, variants: {a: A, b: B}, default: b,"
        f" targeting: [{rules}]}}"
    )
    project.hrctl("apply", "--yes")
    path = f"{DEVELOPMENT}/strategies"
    first, second, third = unleash.call("GET", path)
    swapped = [{"id": one["id"], "sortOrder": at} for at, one in enumerate((second, first, third))]
    unleash.call("POST", f"{path}/set-sort-order", swapped)
    shown = project.hrctl("plan")
    assert "targeting[plan].values" in shown
    assert "1 drifted" in shown
    unleash.call("PUT", f"{path}/{first['id']}", {**first, "title": "Who pays", "disabled": True})
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    now = unleash.call("GET", path)
    said = ("constraints", "variants", "parameters", "segments", "disabled", "sortOrder")
    for one, wanted in zip(now, (first, second, third), strict=True):
        assert {key: one[key] for key in said} == {key: wanted[key] for key in said}
    assert [one["title"] for one in now].count("Who pays") == 1


@pytest.fixture
def beta(unleash: Unleash) -> Iterator[dict[str, Any]]:
    """A segment: who has the plan gold or silver."""
    plans = {"contextName": "plan", "operator": "IN", "values": ["silver", "gold"]}
    made = unleash.call("POST", "/api/admin/segments", {"name": "beta", "constraints": [plans]})
    yield dict(made)
    unleash.clear()
    unleash.call("DELETE", f"/api/admin/segments/{made['id']}")


def test_a_segment_that_people_add_is_drift(
    project: UnleashProject, unleash: Unleash, beta: dict[str, Any]
) -> None:
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    path = f"{DEVELOPMENT}/strategies/{one['id']}"
    unleash.call("PUT", path, {**one, "segments": [beta["id"]]})
    shown = project.hrctl("plan")
    assert "targeting" in shown
    assert '[{segments: ["beta"], strategy:' in shown
    project.hrctl("apply", "--yes")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert one["segments"] == []


SEGMENT = (
    "{{type: BOOLEAN, status: TESTING, hash: unleash, targeting: [{{segment: beta,"
    " attribute: plan, operator: in, values: [gold, {}], variant: 'on'}}]}}"
)


def test_a_rule_that_is_a_segment(
    project: UnleashProject, unleash: Unleash, beta: dict[str, Any]
) -> None:
    project.flag(SEGMENT.format("silver"))
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    assert (one["segments"], one["constraints"]) == ([beta["id"]], [])
    for plan, wanted in (("gold", "true"), ("free", "false")):
        said = project.hrctl(
            "flag", "evaluate", "dev:express", "--user", "u", "--context", f"plan={plan}", "--live"
        )
        assert f"value    {wanted}" in said
        assert "(the same)" in said

    path = f"{DEVELOPMENT}/strategies/{one['id']}"
    unleash.call("PUT", path, {**one, "segments": []})
    assert "targeting" in project.hrctl("plan")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")

    plans = {"contextName": "plan", "operator": "IN", "values": ["gold"]}
    other = {"name": "beta", "constraints": [plans]}
    unleash.call("PUT", f"/api/admin/segments/{beta['id']}", other)
    assert project.fails("plan") == 1
    assert "HR268" in project.err
    assert "it asks for plan in gold" in " ".join(project.err.split())
    project.flag(SEGMENT.format("gold").replace("gold, gold", "gold"))
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")


def test_a_segment_that_is_missing(project: UnleashProject) -> None:
    project.flag(SEGMENT.format("silver"))
    assert project.fails("plan") == 1
    assert "the segment 'beta' of acme/dev:FeatureFlag/express" in " ".join(project.err.split())
    assert "is not there" in project.err


def test_a_flag_with_a_segment_is_adopted(
    project: UnleashProject, unleash: Unleash, beta: dict[str, Any]
) -> None:
    by_hand(unleash, everybody(segments=[beta["id"]]))
    project.flag(SEGMENT.format("silver"))
    shown = project.hrctl("plan", "--adopt")
    assert "targeting" not in shown
    project.hrctl("apply", "--yes", "--adopt")
    assert "No changes." in project.hrctl("plan")


def tags(unleash: Unleash) -> set[str]:
    found = unleash.call("GET", "/api/admin/features/express/tags")["tags"]
    return {f"{one['type']}:{one['value']}" for one in found}


def test_labels_as_tags(project: UnleashProject, unleash: Unleash) -> None:
    project.configure(unleash.url, more="      tags: [team, tier]\n")
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    assert tags(unleash) == {"hrctl:acme", "team:shop"}
    unleash.call("POST", "/api/admin/features/express/tags", {"type": "simple", "value": "theirs"})
    assert "No changes." in project.hrctl("plan")

    unleash.call("DELETE", "/api/admin/features/express/tags/team/shop")
    assert "labels.team" in project.hrctl("plan")
    unleash.call("POST", "/api/admin/features/express/tags", {"type": "team", "value": "other"})
    assert 'live "other", wanted "shop"' in project.hrctl("plan")
    project.hrctl("apply", "--yes")
    assert "No changes." in project.hrctl("plan")
    assert tags(unleash) == {"hrctl:acme", "team:shop", "simple:theirs"}

    text = project.read("dev/express.yaml").replace("team: shop", "tier: top")
    project.write("prod/express.yaml", text)
    project.commit()
    project.hrctl("apply", "--yes")
    assert tags(unleash) == {"hrctl:acme", "team:shop", "tier:top", "simple:theirs"}
    assert "No changes." in project.hrctl("plan")
    project.git("rm", "-q", "dev/express.yaml")
    project.commit()
    project.hrctl("apply", "--yes")
    assert tags(unleash) == {"hrctl:acme", "tier:top", "simple:theirs"}

    project.write("prod/express.yaml", text.replace("tier: top", "tier: x"))
    project.commit()
    assert project.fails("plan") == 1
    assert "HR252" in project.err
    assert "label tier 'x' as a tag" in " ".join(project.err.split())


def _rules(count: int, *, values: int = 1) -> str:
    asked = ", ".join(f"v{n}" for n in range(values))
    rules = [
        f'{{attribute: plan, operator: in, values: [g{n}, {asked}], variant: "on"}}'
        for n in range(count)
    ]
    return f"{{type: BOOLEAN, status: ENABLED, hash: unleash, targeting: [{', '.join(rules)}]}}"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (_rules(31), "uses 31 strategies, where this Unleash allows 30"),
        (_rules(1, values=250), "uses 251 values in a condition, where this Unleash allows 250"),
    ],
)
def test_more_than_unleash_allows_is_told_before_anything_is_written(
    project: UnleashProject, unleash: Unleash, spec: str, said: str
) -> None:
    project.flag(spec)
    for verb in (["plan"], ["apply", "--yes"]):
        assert project.fails(*verb) == 1
        assert said in " ".join(project.err.split())
    assert unleash.call("GET", "/api/admin/projects/default/features")["features"] == []
    for values in (249, 3):
        project.flag(_rules(30, values=values))
        project.hrctl("apply", "--yes")
        assert project.json("plan")["changes"] == []


def test_what_a_patch_asks_for_is_told_at_the_patch(project: UnleashProject) -> None:
    project.write(
        "flags.yaml",
        """\
        apiVersion: hrctl.dev/v1
        kind: FeatureFlag
        metadata: {name: express, instances: ENVIRONMENT}
        spec: {type: BOOLEAN, hash: unleash, status: ENABLED}
        """,
    )
    project.write(
        "prod/patches.yaml",
        """\
        apiVersion: hrctl.dev/v1
        kind: FeatureFlag
        metadata: {name: express, patch: true}
        spec:
          status: TESTING
          targeting:
          - {attribute: plan, values: [gold], variant: "on"}
          - {attribute: age, operator: eq, values: [18], variant: "on"}
        """,
    )
    project.commit()
    assert project.fails("plan") == 1
    assert "prod/patches.yaml:8:5: HR252" in project.err
    patch = project.read("prod/patches.yaml")
    project.write("prod/patches.yaml", patch.replace("status: TESTING", "hash: fractional-v3"))
    assert project.fails("validate") == 1
    assert "prod/patches.yaml:5:9: HR252" in project.out


def test_marks_of_earlier_versions_hold(project: UnleashProject, unleash: Unleash) -> None:
    """Without a tag, and with titles that told the order; the next change brings the tag."""
    project.flag(GRADUAL.format(10))
    project.hrctl("apply", "--yes")
    unleash.call("DELETE", "/api/admin/features/express/tags/hrctl/acme")
    (one,) = unleash.call("GET", f"{DEVELOPMENT}/strategies")
    unleash.call("PUT", f"{DEVELOPMENT}/strategies/{one['id']}", {**one, "title": "hrctl 01"})
    assert "No changes." in project.hrctl("plan")
    assert tags(unleash) == set()
    project.flag(GRADUAL.format(20))
    project.hrctl("apply", "--yes")
    assert tags(unleash) == {"hrctl:acme"}
    assert "No changes." in project.hrctl("plan")
