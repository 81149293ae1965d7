"""The digest that an approval is bound to."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.diagnostics import Span
from hrctl.model.address import Address
from hrctl.model.approval import change_digest, digest, states
from hrctl.model.plan import ABSENT, Action, Change, FieldChange, Lifecycle, Reason

BODY = {"metadata": {"labels": {}}, "spec": {"replicas": 2, "env": {"A": "ä"}}}
REPLICAS = FieldChange("/spec/replicas", 3, 2, 2, Reason.EDITED)
SECRET = {"valueFrom": {"age": "-----BEGIN AGE ENCRYPTED FILE-----"}}


def change(**more: Any) -> Change:
    made = Change(
        Address("acme/shop:Service/api"),
        Action.UPDATE,
        Reason.EDITED,
        "local",
        before=BODY,
        after=BODY,
        applied=BODY,
        fields=(REPLICAS,),
    )
    return replace(made, **more)


CREATE = change(action=Action.CREATE, before=None, applied=None, fields=())
DELETE = change(action=Action.DELETE, after=None, fields=())


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"digest": "other"},
        {"expect_version": "17"},
        {"note": "removed in 4f1c2ab, 2 days ago"},
        {"span": Span("moved.yaml", 90)},
        {"waits_for": (Address("acme:Config/x"),)},
        {"before": {**BODY, "status": {"started": "12:00"}}},
        {"fields": (replace(REPLICAS, origin=Span("a.yaml"), reason=Reason.CONFLICT),)},
        {"reason": Reason.DRIFTED},
    ],
)
def test_it_says_nothing_of_machine_time_commit_or_order(elsewhere: dict[str, Any]) -> None:
    assert change_digest(change(**elsewhere)) == change_digest(change())


@pytest.mark.parametrize(
    "other",
    [
        {"address": Address("acme/shop:Service/web")},
        {"action": Action.REPLACE},
        {"driver": "procs"},
        {"previous_driver": "procs"},
        {"depends_on": (Address("acme:Config/x"),)},
        {"lifecycle": Lifecycle(protect=True)},
        {"lifecycle": Lifecycle(ignore=("/spec/env",))},
        {"lifecycle": Lifecycle(deletion="retain")},
        {"protected": True},
        {"settings": "of another block"},
        {"files": "of another script"},
        {"previous_address": Address("acme/shop:Service/old")},
        {"fields": (replace(REPLICAS, live=1),)},
        {"fields": (replace(REPLICAS, desired=4),)},
        {"fields": (replace(REPLICAS, desired=ABSENT),)},
        {"fields": (REPLICAS, replace(REPLICAS, path="/spec/version"))},
    ],
)
def test_it_covers_from_and_to(other: dict[str, Any]) -> None:
    assert change_digest(change(**other)) != change_digest(change())


def test_a_create_has_its_body_and_a_delete_what_was_applied() -> None:
    assert states(CREATE)["to"] == BODY
    assert states(CREATE)["from"] is None
    live = {"metadata": {"labels": {}}, "spec": {"replicas": 2, "env": {"A": "ä"}, "pid": 17}}
    assert change_digest(replace(DELETE, before=live)) == change_digest(DELETE)
    drifted = {"metadata": {"labels": {}}, "spec": {"replicas": 9, "env": {"A": "ä"}}}
    assert change_digest(replace(DELETE, before=drifted)) != change_digest(DELETE)


def test_a_replace_says_which_comes_first() -> None:
    one = change(action=Action.REPLACE)
    assert change_digest(one) != change_digest(replace(one, lifecycle=Lifecycle(create_first=True)))


def test_secrets_enter_as_they_stand_in_the_plan() -> None:
    secret = replace(REPLICAS, path="/spec/env/TOKEN", desired=SECRET, live=ABSENT)
    assert states(change(fields=(secret,)))["to"] == {"/spec/env/TOKEN": SECRET}


@given(st.permutations([change(), CREATE, DELETE, change(address=Address("acme:Service/b"))]))
def test_the_order_of_changes_does_not_count(order: list[Change]) -> None:
    assert digest(order) == digest(
        [change(), CREATE, DELETE, change(address=Address("acme:Service/b"))]
    )


def test_changes_of_the_ledger_alone_do_not_count() -> None:
    assert digest([change(), change(action=Action.NOOP)]) == digest([change()])
    assert digest([]) != digest([change()])


def test_it_is_the_same_in_another_process_with_other_hashes() -> None:
    program = (
        "import json,sys;from hrctl.model.values import canonical;"
        "from hashlib import sha256;"
        "print(sha256(canonical(json.load(sys.stdin)).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(states(change())),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONUTF8": "1"},
    )
    assert change_digest(change()) == f"sha256:{done.stdout.strip()}"
