"""Between the ledger's values and the texts of its rows."""

from __future__ import annotations

import json

from hrctl.database import json_text
from hrctl.ledger.api import ChangeRecord, Entry, Intent, RunRecord
from hrctl.model.address import Address
from hrctl.model.plan import DEFAULT_LIFECYCLE, Action, Lifecycle
from hrctl.model.values import Json


def lifecycle_json(lifecycle: Lifecycle) -> dict[str, Json]:
    """Only what is not the default, which is nearly always nothing."""
    found: dict[str, Json] = {
        "protect": lifecycle.protect,
        "ignore": list(lifecycle.ignore),
        "create_first": lifecycle.create_first,
        "deletion": lifecycle.deletion,
    }
    return {key: value for key, value in found.items() if value not in (False, [], "delete")}


def lifecycle_of(value: dict[str, Json]) -> Lifecycle:
    """The inverse of `lifecycle_json`."""
    if not value:
        return DEFAULT_LIFECYCLE
    return Lifecycle(
        protect=value.get("protect", False),
        ignore=tuple(value.get("ignore", ())),
        create_first=value.get("create_first", False),
        deletion=value.get("deletion", "delete"),
    )


def stamp_row(entry: Entry) -> tuple[str, str, str, str | None]:
    """A row of `entries`."""
    return entry.address, entry.driver, entry.digest, entry.version


def body_row(entry: Entry) -> tuple[str | None, ...]:
    """A row of `bodies`."""
    return (
        entry.address,
        json_text(entry.body),
        json_text(list(entry.depends_on)),
        json_text(lifecycle_json(entry.lifecycle)),
        json_text(dict(entry.outputs)),
        entry.commit,
        entry.run,
    )


def _loads(text: str) -> Json:
    return [] if text == "[]" else {} if text == "{}" else json.loads(text)  # most are empty


def entry_of(row: tuple[str, ...]) -> Entry:
    """An entry from the columns of `entries`, those of `bodies`, and the pending action."""
    address, driver, digest, version, body, depends_on, lifecycle, outputs, commit, run, act = row
    return Entry(
        address=Address(address),
        driver=driver,
        digest=digest,
        body=json.loads(body),
        version=version,
        depends_on=tuple(map(Address, _loads(depends_on))),
        lifecycle=lifecycle_of(_loads(lifecycle)),
        outputs=_loads(outputs),
        commit=commit,
        run=run,
        pending=Action(act) if act else None,
    )


def intent_row(intent: Intent) -> tuple[str | None, ...]:
    """A row of `intents`."""
    entry = intent.entry
    text = (
        json_text(
            {
                "driver": entry.driver,
                "digest": entry.digest,
                "version": entry.version,
                "body": entry.body,
                "depends_on": list(entry.depends_on),
                "lifecycle": lifecycle_json(entry.lifecycle),
                "outputs": dict(entry.outputs),
                "commit": entry.commit,
                "run": entry.run,
            }
        )
        if entry
        else None
    )
    return intent.address, intent.action.value, intent.driver, intent.run, text


def intent_of(row: tuple[str, ...]) -> Intent:
    """The inverse of `intent_row`."""
    address, action, driver, run, text = row
    entry: Entry | None = None
    if text is not None:
        found = json.loads(text)
        found["depends_on"] = tuple(map(Address, found["depends_on"]))
        found["lifecycle"] = lifecycle_of(found["lifecycle"])
        entry = Entry(address=Address(address), **found)
    return Intent(Address(address), Action(action), driver, run, entry)


def run_of(row: tuple[str, ...]) -> RunRecord:
    """A run from the columns of `runs`, without its number."""
    run, who, started, finished, commit, plan, command, status, counts = row
    return RunRecord(run, who, started, finished, commit, plan, command, status, json.loads(counts))


def record_row(record: ChangeRecord) -> tuple[str | float | None, ...]:
    """A row of `run_changes`."""
    return (
        record.run,
        record.address,
        record.action,
        record.result,
        record.error,
        record.seconds,
    )
