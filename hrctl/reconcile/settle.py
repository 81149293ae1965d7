"""What runs that were cut off left pending: read live again and settled, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hrctl.drivers.api import Driver, Live, Unmarked
from hrctl.ledger.api import ChangeRecord, Entry, Intent, Lease, Ledger, Settled
from hrctl.model.address import Address, is_within
from hrctl.model.plan import ABSENT, Absent, Action
from hrctl.model.values import Json
from hrctl.reconcile.bodies import mask
from hrctl.reconcile.diff import diff
from hrctl.reconcile.outputs import closed_fields


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an intent: the entry that holds now, and whether the change was made."""

    entry: Entry | None
    done: bool


def judge(intent: Intent, entry: Entry | None, live: Live | None) -> Verdict:
    """Compare what a run meant to do with what is there.

    1. A delete is done where nothing is there; else the entry stays as it was. It stays too where
       it is bound to another driver by now: only the old thing had to go.
    2. Anything else is not done where nothing is there, or where live still has the version
       that the entry knows.
    3. It is done where live is as the run wanted it: its entry holds, with the live version.
    4. What is between the two is left to the planner: a new thing gets an entry with no digest,
       so that the next plan compares it field by field. The entry of an old one takes the values
       of the fields that live has as the run wanted them, since nobody else put them there: with
       a further edit they would be a conflict.
    """
    if intent.action is Action.DELETE or intent.entry is None:
        elsewhere = entry is not None and entry.driver != intent.driver
        return Verdict(None if live is None and not elsewhere else entry, done=live is None)
    if live is None or (entry is not None and entry.version == live.version):
        return Verdict(entry, done=False)
    meant = intent.entry
    shown = mask(live.body, [meant.body])
    closed = closed_fields(intent.address.kind)
    if not diff(meant.body, meant.body, shown, ignore=meant.lifecycle.ignore, closed=closed):
        outputs = meant.outputs or (entry.outputs if entry else {})
        settled = replace(meant, version=live.version, outputs=outputs, pending=None)
        return Verdict(settled, done=True)
    if entry is None or entry.driver != intent.driver:
        return Verdict(replace(meant, digest="", version=live.version, pending=None), done=False)
    reached = _reached(entry.body, meant.body, shown)
    if reached == entry.body or not isinstance(reached, dict):
        return Verdict(entry, done=False)
    return Verdict(replace(entry, body=reached, digest=""), done=False)


def _reached(before: Json | Absent, meant: Json | Absent, live: Json | Absent) -> Json | Absent:
    """Return the value before, with all that live has as it was meant to become."""
    if live == meant:
        return meant
    if not (isinstance(before, dict) and isinstance(meant, dict) and isinstance(live, dict)):
        return before
    reached: dict[str, Json] = {}
    for key in {**before, **meant}:
        sides = (side.get(key, ABSENT) for side in (before, meant, live))
        value = _reached(*sides)
        if not isinstance(value, Absent):
            reached[key] = value
    return reached


def read_live(
    drivers: Mapping[str, Driver], wanted: Iterable[tuple[str, Address]]
) -> dict[tuple[str, Address], Live]:
    """The live things at these (instance, address) pairs, one `read` for each instance."""
    by_driver: dict[str, list[Address]] = {}
    for name, address in wanted:
        by_driver.setdefault(name, []).append(address)
    found: dict[tuple[str, Address], Live] = {}
    for name, addresses in by_driver.items():
        for live in drivers[name].read(addresses):
            found[name, live.address] = live
    return found


def read_unmarked(
    drivers: Mapping[str, Driver], wanted: Iterable[tuple[str, Address]]
) -> Iterator[tuple[str, Live]]:
    """What stands in the places of these (instance, address) pairs, though no scan named it."""
    by_driver: dict[str, list[Address]] = {}
    for name, address in wanted:
        by_driver.setdefault(name, []).append(address)
    for name, addresses in by_driver.items():
        driver: object = drivers.get(name)
        if isinstance(driver, Unmarked):
            for live in driver.unmarked(addresses):
                yield name, live


def settle_pending(
    ledger: Ledger, drivers: Mapping[str, Driver], lease: Lease
) -> Sequence[Address]:
    """Settle every intent below the lease whose driver is there; their addresses.

    Raises:
        HrctlError: where a driver cannot read, or the ledger cannot be written.
    """
    intents = [
        intent
        for intent in ledger.intents()
        if intent.driver in drivers and _is_below(intent.address, lease)
    ]
    if not intents:
        return []
    addresses = [intent.address for intent in intents]
    entries = {entry.address: entry for entry in ledger.entries(addresses)}
    live = read_live(drivers, ((intent.driver, intent.address) for intent in intents))
    outcomes = []
    for intent in intents:
        at = intent.address
        verdict = judge(intent, entries.get(at), live.get((intent.driver, at)))
        result = "done" if verdict.done else "failed"
        error = None if verdict.done else "the run was cut off before it was done"
        record = ChangeRecord(intent.run, at, intent.action.value, result, error)
        outcomes.append(
            Settled(at, verdict.entry, record, keep_entry=verdict.entry is entries.get(at))
        )
    ledger.settle(lease, outcomes)
    return addresses


def _is_below(address: Address, lease: Lease) -> bool:
    """Whether a lease covers an address; the subtree "" is everything."""
    return not lease.subtree or is_within(address.registry, lease.subtree)
