from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.ledger.api import Entry
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.reconcile.reveal import RunSecrets, targets

DB, APP = Address("acme:Component/db"), Address("acme:Config/app")
PASSWORD = {"valueFrom": {"env": "DB_PASSWORD"}}
URL = {"valueFrom": {"component": DB, "output": "url"}}
HOST = {"valueFrom": {"component": DB, "output": "host"}}
SOCKET = {"valueFrom": {"component": DB, "output": "socket"}}
BODY: dict[str, Any] = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {
        "type": "DATABASE",
        "provider": "postgresql",
        "enabled": True,
        "connection": {
            "endpoint": "db.acme.example:5432",
            "username": "shop",
            "password": PASSWORD,
            "database": "orders",
        },
    },
}


def secrets(environ: dict[str, str] | None = None, **more: Any) -> RunSecrets:
    entry = Entry(DB, "local", "d", BODY, "1", outputs={"socket": "/run/db"})
    return RunSecrets(
        {"DB_PASSWORD": "p@ss word"} if environ is None else environ, {DB: entry}, **more
    )


def change(after: Any, *sensitive: str) -> Change:
    return Change(
        APP, Action.CREATE, Reason.NEW, "local", after=after, sensitive=sensitive, unknown=("/x",)
    )


def test_reveal() -> None:
    given = secrets(decrypt=lambda source: f"plain {source['age']}")
    value = {"p": [PASSWORD], "a": {"valueFrom": {"age": "x"}}, "h": HOST, "s": SOCKET, "n": 1}
    assert given.reveal(value) == {
        "p": ["p@ss word"],
        "a": "plain x",
        "h": "db.acme.example",
        "s": "/run/db",
        "n": 1,
    }
    url = given.reveal(URL)
    assert "p%40ss%20word" in url
    assert (
        given.redact(f"no route to {url} for p@ss word")
        == "no route to (sensitive) for (sensitive)"
    )


def test_resolve_leaves_what_no_one_may_see() -> None:
    given = secrets({})
    value = {"p": PASSWORD, "a": {"valueFrom": {"age": "x"}}, "u": URL, "h": HOST, "s": SOCKET}
    assert given.resolve(value) == {**value, "h": "db.acme.example", "s": "/run/db"}
    given.guard([change({"spec": SOCKET}, "/spec")])
    assert given.resolve(SOCKET) == SOCKET
    assert given.reveal(SOCKET) == "/run/db"


def test_what_this_run_made_comes_first() -> None:
    given = secrets()
    body = {**BODY, "spec": {**BODY["spec"], "connection": {"endpoint": "new.acme.example:5432"}}}
    given.learn(DB, body, {"token": "t0ken"}, ["token"])
    assert given.reveal(HOST) == "new.acme.example"
    token = {"valueFrom": {"component": DB, "output": "token"}}
    assert given.resolve(token) == token
    assert given.reveal(token) == "t0ken"
    with pytest.raises(HrctlError, match="has no output 'socket' yet"):
        given.resolve(SOCKET)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (PASSWORD, "the environment variable DB_PASSWORD is not set"),
        (URL, "the environment variable DB_PASSWORD is not set"),
        ({"valueFrom": {"age": "x"}}, "no key to open it with"),
        ({"valueFrom": {"config": APP, "key": "K"}}, f"{APP} has no output 'K' yet"),
        ({"valueFrom": {"masked": True}}, "'masked' is no source of values"),
    ],
)
def test_missing(value: Any, text: str) -> None:
    with pytest.raises(HrctlError) as raised:
        secrets({}).reveal(value)
    assert raised.value.diagnostics[0].code == "HR086"
    assert text in str(raised.value)


def test_each_missing_thing_is_told_once_with_who_needs_it() -> None:
    one = change({"a": PASSWORD, "b": PASSWORD, "c": {"valueFrom": {"env": "OTHER"}}})
    found = secrets({}).missing([one])
    assert [one.summary for one in found] == [
        f"the environment variable DB_PASSWORD is not set, needed by {APP} /a",
        f"the environment variable OTHER is not set, needed by {APP} /c",
    ]
    made = Change(DB, Action.CREATE, Reason.NEW, "local", after=BODY)
    assert RunSecrets({}, {}).missing([change({"s": SOCKET}), made]) == []
    assert targets([change({"s": SOCKET, "p": PASSWORD})]) == {DB}


def _config(name: str, value: Any) -> Entry:
    body = {"spec": {"scope": "GLOBAL", "entries": {"K": {"type": "JSON", "value": value}}}}
    return Entry(Address(f"acme:Config/{name}"), "local", "d", body, "1", outputs={"K": value})


def _reference(name: str) -> dict[str, Any]:
    return {"valueFrom": {"config": f"acme:Config/{name}", "key": "K"}}


def test_values_that_double_are_not_built() -> None:
    """Each Config of 25 refers twice to the next: the first would stand for 2**24 values."""
    given = RunSecrets({}, {})
    value: Any = "x"
    codes: list[str] = []
    started = time.process_time()
    for number in range(25):
        entry = _config(f"c{number}", value)
        given.learn(entry.address, entry.body, entry.outputs)
        try:
            value = given.resolve([_reference(f"c{number}")] * 2)
        except HrctlError as error:
            codes = [one.code for one in error.diagnostics]
            break
    assert codes == ["HR344"]
    assert time.process_time() - started < 20


def test_references_that_double_are_looked_into_once() -> None:
    entries = {
        number: {
            "spec": {
                "entries": {"K": {"type": "JSON", "value": [_reference(f"c{number + 1}")] * 2}}
            }
        }
        for number in range(30)
    }
    changes = [
        Change(
            Address(f"acme:Config/c{number}"),
            Action.CREATE,
            Reason.NEW,
            "local",
            after=body,
            unknown=("/x",),
        )
        for number, body in entries.items()
    ]
    started = time.process_time()
    (missing,) = RunSecrets({}, {}).missing(changes)
    assert missing.summary.startswith("acme:Config/c30 has no output 'K' yet, needed by ")
    assert time.process_time() - started < 5


def test_a_reference_leads_through_a_few_others_at_most() -> None:
    bodies = [_config(f"c{number}", _reference(f"c{number + 1}")) for number in range(40)]
    entries = {one.address: replace(one, outputs={}) for one in bodies}
    with pytest.raises(HrctlError, match="leads through more than 32 others"):
        RunSecrets({}, entries).reveal(_reference("c0"))


def test_a_short_secret_does_not_blot_out_a_text() -> None:
    given = secrets({"DB_PASSWORD": "a"})
    given.reveal(PASSWORD)
    assert given.redact("a bad day") == "a bad day"
