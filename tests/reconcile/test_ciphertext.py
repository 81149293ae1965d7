"""Encrypted values in plans and applies: what is a change with a key, and what without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.model.plan import Action, Plan, Reason
from hrctl.model.planfile import to_json
from hrctl.reconcile.options import PlanOptions

if TYPE_CHECKING:
    from tests.reconcile.conftest import World

ADDRESS = "acme:Config/app"
PLAIN = {"one": "swordfish", "one-again": "swordfish", "two": "halibut"}


def key(source: Mapping[str, Any]) -> str:
    """Stands for age: the ciphertext names its value."""
    try:
        return PLAIN[source["age"]]
    except KeyError:
        code = {"damaged": "HR172", "pasted": "HR173", "locked": "HR176"}.get(
            source["age"], "HR170"
        )
        raise HrctlError.of(code, f"{source['age']} does not open") from None


def secret(text: str, level: str = "info") -> dict[str, Any]:
    entries = {
        "P": {"type": "SECRET", "value": {"valueFrom": {"age": text, "for": f"{ADDRESS}#/P"}}},
        "LEVEL": {"type": "STRING", "value": level},
    }
    return {ADDRESS: {"spec": {"scope": "GLOBAL", "entries": entries}}}


def changed(plan: Plan) -> list[str]:
    return [one.path for change in plan.pending for one in change.fields]


@pytest.fixture
def applied(world: World) -> World:
    world.declare(secret("one"))
    world.apply(decrypt=key)
    assert world.local.received[-1][2]["spec"]["entries"]["P"]["value"] == "swordfish"  # type: ignore[index]
    return world


def test_an_encryption_of_the_same_value_is_no_change_with_a_key(applied: World) -> None:
    applied.declare(secret("one-again"))
    plan = applied.plan(decrypt=key)
    assert plan.pending == ()
    assert [one.action for one in plan.changes] == [Action.NOOP]
    count = len(applied.local.received)
    applied.apply(plan, decrypt=key)
    assert len(applied.local.received) == count
    assert applied.plan().changes == ()  # the ledger knows the new ciphertext


@pytest.mark.parametrize("decrypt", [None, lambda _: key({"age": "?"})])
def test_without_a_key_another_ciphertext_is_a_change(applied: World, decrypt: Any) -> None:
    applied.declare(secret("one-again"))
    plan = applied.plan(decrypt=decrypt)
    assert changed(plan) == ["/spec/entries/P/value"]
    assert plan.changes[0].reason is Reason.EDITED
    assert not plan.diagnostics


def test_another_value_is_a_change_with_a_key_and_the_plan_does_not_hold_it(applied: World) -> None:
    applied.declare(secret("two"))
    plan = applied.plan(decrypt=key)
    assert changed(plan) == ["/spec/entries/P/value"]
    assert not [value for value in PLAIN.values() if value in to_json(plan)]


def test_beside_another_edit_an_older_ciphertext_is_neither_edit_nor_drift(applied: World) -> None:
    applied.declare(secret("one-again"))
    applied.apply(applied.plan(decrypt=key), decrypt=key)
    applied.declare(secret("one-again", "debug"))
    for decrypt in (key, None):
        assert changed(applied.plan(decrypt=decrypt)) == ["/spec/entries/LEVEL/value"]


def test_nothing_changes_where_no_key_opens_it(world: World) -> None:
    world.declare(secret("unknown"))
    with pytest.raises(
        HrctlError, match="needed by acme:Config/app /spec/entries/P/value"
    ) as error:
        world.apply(world.plan(decrypt=key), decrypt=key)
    assert error.value.diagnostics[0].code == "HR170"
    assert world.local.received == []
    assert world.entries() == {}


@pytest.mark.parametrize(("text", "code"), [("damaged", "HR172"), ("pasted", "HR173")])
def test_a_bad_secret_is_told_by_the_plan(world: World, text: str, code: str) -> None:
    world.declare(secret(text))
    assert [one.code for one in world.plan(decrypt=key).diagnostics] == [code]
    assert world.plan().diagnostics == ()


def test_an_identity_that_cannot_be_used_is_an_error(world: World) -> None:
    world.declare(secret("locked"))
    with pytest.raises(HrctlError, match="locked"):
        world.plan(decrypt=key)


def test_offline_compares_with_a_key_too(applied: World) -> None:
    applied.declare(secret("one-again"))
    assert applied.plan(PlanOptions(offline=True), decrypt=key).pending == ()
