"""The envelope."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hrctl.model.kinds import KINDS
from hrctl.model.manifest import LEVELS, check_envelope

RIGHT: dict[str, Any] = {
    "apiVersion": "hrctl.dev/v1",
    "kind": "Service",
    "metadata": {"name": "api"},
    "spec": {},
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata": {"name": "a" * 63, "labels": {"team": "payments", "a.b/c": ""}}},
        {"metadata": {"name": "a", "annotations": {"note": "any Text, at all"}}},
        {"metadata": {"name": "a", "movedFrom": "payments/old:Service/api"}},
        {"metadata": {"name": "a", "movedFrom": "Service/api"}},
        {"metadata": {"name": "a", "instances": "ENVIRONMENT", "patch": False}},
        {"dependsOn": ["Component/orders-db", "acme/shop:Service/api"]},
        {"lifecycle": {"protect": True, "ignore": ["/spec/replicas"], "createFirst": False}},
        {"lifecycle": {"deletion": "retain", "ignore": ["/spec/env/a~1b"]}},
    ],
)
def test_right(changes: dict[str, Any]) -> None:
    assert check_envelope({**RIGHT, **changes}) == []


def test_a_patch_needs_no_spec() -> None:
    patch = {**RIGHT, "metadata": {"name": "api", "patch": True}}
    del patch["spec"]
    assert check_envelope(patch) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"apiVersion": "hrctl.dev/v2"}, ["/apiVersion HR027 unknown apiVersion 'hrctl.dev/v2'"]),
        ({"kind": "Servce"}, ["/kind HR025 unknown kind 'Servce'"]),
        ({"kind": 5}, ["/kind HR022 wrong type for kind: wanted a string, got an integer"]),
        ({"sepc": {}}, ["/sepc HR020 unknown field 'sepc'"]),
        ({"spec": None}, ["/spec HR022 wrong type for spec: wanted a mapping, got nothing"]),
        (
            {"metadata": []},
            ["/metadata HR022 wrong type for metadata: wanted a mapping, got a list"],
        ),
        ({"metadata": {}}, ["/metadata HR023 missing field 'name' in metadata"]),
        ({"metadata": {"name": "Big Name"}}, ["/metadata/name HR026 bad name 'Big Name'"]),
        ({"metadata": {"name": "a" * 64}}, [f"/metadata/name HR026 bad name '{'a' * 64}'"]),
        (
            {"metadata": {"name": 5, "nam": 1}},
            [
                "/metadata/nam HR020 unknown field 'nam' in metadata",
                (
                    "/metadata/name HR022 wrong type for metadata.name: "
                    "wanted a string, got an integer"
                ),
            ],
        ),
        (
            {"metadata": {"name": "a", "labels": {"x": 1, "-": "a"}}},
            [
                (
                    "/metadata/labels/x HR022 wrong type for metadata.labels.x: "
                    "wanted a string, got an integer"
                ),
                "/metadata/labels/- HR026 bad name '-' in metadata.labels",
            ],
        ),
        (
            {"metadata": {"name": "a", "movedFrom": "nowhere"}},
            ["/metadata/movedFrom HR024 'nowhere' in metadata.movedFrom is not an address"],
        ),
        (
            {"metadata": {"name": "a", "instances": "ENVIROMENT", "patch": "yes"}},
            [
                "/metadata/instances HR021 unknown value 'ENVIROMENT' for metadata.instances",
                (
                    "/metadata/patch HR022 wrong type for metadata.patch: "
                    "wanted a boolean, got a string"
                ),
            ],
        ),
        (
            {"dependsOn": ["orders-db", "Componet/db", 5]},
            [
                "/dependsOn/0 HR024 'orders-db' in dependsOn names no resource",
                "/dependsOn/1 HR025 unknown kind 'Componet' in dependsOn",
                "/dependsOn/2 HR022 wrong type for dependsOn[2]: wanted a string, got an integer",
            ],
        ),
        (
            {"dependsOn": {}},
            ["/dependsOn HR022 wrong type for dependsOn: wanted a list, got a mapping"],
        ),
        (
            {"lifecycle": {"protekt": True, "deletion": "keep", "ignore": ["spec.replicas", 1]}},
            [
                "/lifecycle/protekt HR020 unknown field 'protekt' in lifecycle",
                "/lifecycle/deletion HR021 unknown value 'keep' for lifecycle.deletion",
                "/lifecycle/ignore/0 HR024 'spec.replicas' in lifecycle.ignore is not a field path",
                (
                    "/lifecycle/ignore/1 HR022 wrong type for lifecycle.ignore[1]: "
                    "wanted a string, got an integer"
                ),
            ],
        ),
    ],
)
def test_wrong(changes: dict[str, Any], told: list[str]) -> None:
    problems = check_envelope({**RIGHT, **changes})
    assert [f"{one.path} {one.code} {one.summary}" for one in problems] == told


def test_everything_that_is_missing_is_told() -> None:
    assert [one.summary for one in check_envelope({})] == [
        "missing field 'apiVersion'",
        "missing field 'kind'",
        "missing field 'metadata'",
        "missing field 'spec'",
    ]


def test_hints() -> None:
    def hint(changes: dict[str, Any]) -> str | None:
        (problem,) = check_envelope({**RIGHT, **changes})
        return problem.hint

    assert hint({"kind": "service"}) == "did you mean Service?"
    assert hint({"metadata": {"name": "Big_Name"}}) == "did you mean big-name?"
    assert hint({"metadata": {"name": "???"}}) is None
    assert hint({"metadata": {"name": "a", "instances": "tenants"}}) == "did you mean TENANT?"


def test_words_that_stand_twice_agree() -> None:
    from hrctl.model.kinds import base
    from hrctl.model.kinds.registry import Level

    assert get_args(get_args(base.KindName)[0]) == tuple(base.KINDS) == KINDS
    assert get_args(get_args(Level)[0]) == LEVELS
