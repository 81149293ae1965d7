"""What is dangerous about a change."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.model.address import Address
from hrctl.model.danger import Danger, dangers, is_destroyed, is_stateful
from hrctl.model.plan import ABSENT, Action, Change, FieldChange, Lifecycle, Reason

DB = {"type": "DATABASE", "provider": "postgresql"}


def change(
    action: Action,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    kind: str = "Component",
    **more: Any,
) -> Change:
    bodies = [{"spec": one} if one is not None else None for one in (before, after)]
    given = {"reason": Reason.EDITED, "driver": "local", **more}
    return Change(Address(f"acme:{kind}/x"), action, before=bodies[0], after=bodies[1], **given)


def told(one: Change) -> list[str]:
    return [f"{found.danger.value}: {found.text}" for found in dangers(one)]


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_what_keeps_data_loses_it(action: Action) -> None:
    done = "replaced" if action is Action.REPLACE else "deleted"
    assert told(change(action, DB, DB)) == [f"data-loss: what it keeps is gone when it is {done}"]
    assert told(change(action, {"type": "CACHE"}, {"type": "CACHE"})) == []


def test_a_move_and_an_update_lose_nothing() -> None:
    assert told(change(Action.DELETE, DB, reason=Reason.MOVED)) == []
    assert told(change(Action.UPDATE, DB, DB)) == []
    assert told(change(Action.FORGET, DB)) == []


@pytest.mark.parametrize(
    ("path", "live", "text"),
    [
        ("/spec/postgresql/databases/1", {"name": "old"}, "database old goes"),
        ("/spec/mongodb/databases/0/collections/2", {"name": "c"}, "collection c goes"),
        ("/spec/kafka/topics", [{"name": "a"}], "topic a goes"),
        ("/spec/s3/buckets/0", {"name": "files"}, "bucket files goes"),
    ],
)
def test_a_part_that_keeps_data_goes(path: str, live: Any, text: str) -> None:
    gone = FieldChange(path, ABSENT, live, live, Reason.EDITED)
    kept = FieldChange(path, live, live, ABSENT, Reason.EDITED)
    assert told(change(Action.UPDATE, DB, DB, fields=(gone,))) == [f"data-loss: {text}"]
    assert told(change(Action.UPDATE, DB, DB, fields=(kept,))) == []


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"listen": "0.0.0.0:80"}, "listens on every address: 0.0.0.0:80"),
        ({"nginx": {"servers": [{"listen": ["443 ssl"]}]}}, "listens on every address: 443 ssl"),
        ({"haproxy": {"frontends": [{"bind": ["*:80"]}]}}, "listens on every address: *:80"),
        (
            {"envoy": {"listeners": [{"address": "[::]:10000"}]}},
            "listens on every address: [::]:10000",
        ),
        (
            {
                "s3": {
                    "buckets": [
                        {
                            "policy": {
                                "Statement": [
                                    {
                                        "Effect": "Allow",
                                        "Principal": {"AWS": "*"},
                                        "Action": ["s3:GetObject"],
                                    }
                                ]
                            }
                        }
                    ]
                }
            },
            "everyone may s3:GetObject",
        ),
        (
            {"kafka": {"acls": [{"principal": "User:*", "operation": "ALL"}]}},
            "every user may ALL",
        ),
        (
            {"postgresql": {"grants": [{"role": "PUBLIC", "privileges": ["SELECT"]}]}},
            "every role has SELECT",
        ),
        ({"redis": {"users": [{"name": "app", "commands": []}]}}, "user app needs no password"),
    ],
)
def test_what_is_opened_to_everyone(spec: dict[str, Any], text: str) -> None:
    assert told(change(Action.CREATE, None, spec)) == [f"public: {text}"]
    assert told(change(Action.UPDATE, {}, spec)) == [f"public: {text}"]
    assert told(change(Action.UPDATE, spec, spec)) == [], "it was open before"
    assert told(change(Action.UPDATE, spec, {})) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"listen": "127.0.0.1:80"},
        {"listen": {"valueFrom": {"config": "app", "key": "X"}}},
        {"nginx": {"servers": [{"listen": ["10.0.0.1:443 ssl", "unix:/run/x"]}]}},
        {"kafka": {"acls": [{"principal": "User:*", "permission": "DENY"}]}},
        {"redis": {"users": [{"name": "app", "commands": [], "password": {"valueFrom": {}}}]}},
        {"redis": {"users": [{"name": "app", "commands": [], "enabled": False}]}},
        {"envoy": {"clusters": [{"endpoints": [{"address": "0.0.0.0:1"}]}]}},
    ],
)
def test_what_is_not(spec: dict[str, Any]) -> None:
    assert told(change(Action.CREATE, None, spec)) == []


def test_protected_by_the_declaration_or_the_ledger() -> None:
    life = Lifecycle(protect=True)
    assert told(change(Action.UPDATE, lifecycle=life)) == ["protected: lifecycle.protect is set"]
    assert told(change(Action.CREATE, lifecycle=life)) == []
    recorded = change(Action.UPDATE, protected=True)
    assert [one.danger for one in dangers(recorded)] == [Danger.PROTECTED]


def test_stateful_and_destroyed() -> None:
    assert is_stateful(change(Action.UPDATE, {"type": "QUEUE"}, kind="Service"))
    assert not is_stateful(change(Action.UPDATE, {"type": "API"}, kind="Service"))
    assert not is_stateful(change(Action.UPDATE, {"type": "STORAGE"}, kind="Config"))
    assert is_destroyed(change(Action.REPLACE))
    assert not is_destroyed(change(Action.UPDATE))
