"""Back to what was applied before a run: the ledger's earlier entries as what is desired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

from hrctl.diagnostics import Span
from hrctl.drivers.api import Driver
from hrctl.ledger.api import Entry, Ledger
from hrctl.model.address import Address, Selector
from hrctl.model.kinds import kind
from hrctl.model.plan import Action, Plan
from hrctl.model.resource import Deferred, Resource, Row
from hrctl.model.values import lookup, references
from hrctl.reconcile import planner
from hrctl.reconcile.applier import LEASE_SECONDS, common_registry
from hrctl.reconcile.events import Report
from hrctl.reconcile.options import PlanOptions, PlanSource
from hrctl.reconcile.settle import settle_pending

_NOWHERE: Final = Span("ledger")
_ONLY_NOTED: Final = frozenset({Action.NOOP, Action.ADOPT, Action.FORGET})  # in the ledger


class Before:
    """What the ledger held when a run began. Implements `hrctl.model.resource.Desired`.

    What the run did not touch is desired as it is; so a plan of this leads back and nowhere else.
    """

    def __init__(self, entries: Iterable[Entry], moves: Mapping[Address, Address]) -> None:
        self._entries = {one.address: one for one in entries}
        self._moves = moves
        self.rows: Mapping[Address, Row] = {
            address: Row(one.driver, one.digest) for address, one in self._entries.items()
        }
        self.digest = ""

    @property
    def moves(self) -> Mapping[Address, Address]:
        """Where the run moved a resource to -> where it was."""
        return self._moves

    def level(self, registry: str) -> str | None:
        """The level of a registry, as it was applied."""
        entry = self._entries.get(Address.of(registry, "Registry", registry.rpartition("/")[2]))
        return None if entry is None else lookup(entry.body, "/spec/level")

    def resource(self, address: Address) -> Resource:
        """What was applied, as if it were declared so."""
        entry = self._entries[address]
        return Resource(
            address,
            entry.driver,
            entry.digest,
            entry.body,
            _NOWHERE,
            labels=lookup(entry.body, "/metadata/labels") or {},
            depends_on=entry.depends_on,
            lifecycle=entry.lifecycle,
            moved_from=next((new for new, old in self._moves.items() if old == address), None),
            deferred=tuple(self._deferred(entry)),
        )

    def _deferred(self, entry: Entry) -> Iterable[Deferred]:
        """The references in a body; what is still one was a secret, or only known to the apply."""
        for path, source in references(entry.body):
            named = next((key for key in ("component", "config", "service") if key in source), None)
            if named is None:
                yield Deferred(path, sensitive=True)
                continue
            target, output = Address(source[named]), str(source.get("output", source.get("key")))
            other = self._entries.get(target)
            known = kind(target.kind).outputs(target, other.body) if other else {}
            yield Deferred(path, output in known, address=target, output=output)

    @cached_property
    def _users(self) -> Mapping[Address, Sequence[Address]]:
        found: dict[Address, list[Address]] = {}
        for one in self._entries.values():
            for target in one.depends_on:
                found.setdefault(target, []).append(one.address)
        return found

    def dependents(self, address: Address) -> tuple[Address, ...]:
        """Who depended on it."""
        return tuple(self._users.get(address, ()))

    def origin(self, address: Address, path: str) -> Span | None:
        """Nowhere: it is no file that says so."""
        del address, path
        return None

    def commit_of(self, addresses: Iterable[Address]) -> str | None:
        """The commit that these were applied from, where it is one."""
        found = {self._entries[one].commit for one in addresses if one in self._entries}
        return found.pop() if len(found) == 1 else None


def before(plan: Plan, ledger: Ledger) -> Before:
    """What the ledger holds now, before a plan is carried out."""
    moves = {
        one.address: one.previous_address
        for one in plan.changes
        if one.previous_address is not None
    }
    return Before(ledger.entries(), moves)


def touched(plan: Plan, report: Report) -> list[Address]:
    """What a run has changed, or may have: everything that it has tried."""
    tried = {one.address for one in report.results if one.result != "not-tried"}
    changes = [
        one for one in plan.changes if one.address in tried and one.action not in _ONLY_NOTED
    ]
    moved = [one.previous_address for one in changes if one.previous_address is not None]
    return sorted({*(one.address for one in changes), *moved})


def taken_over(plan: Plan, back: Before) -> list[Address]:
    """What the run changed that had never been applied: how it was before is not known."""
    return [
        one.address
        for one in plan.changes
        if one.action is Action.UPDATE
        and one.address not in back.rows
        and one.previous_address is None
    ]


def plan_back(  # noqa: PLR0913 - what to go back to, and what from
    back: Before,
    plan: Plan,
    report: Report,
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    *,
    run: str,
    source: PlanSource,
) -> Plan | None:
    """The plan that leads back to what was applied before a run; None where it changed nothing.

    1. Settle what the run left open: what failed may have been done all the same.
    2. Plan what it touched, and what needs that, against the earlier entries. What it created goes,
       though it be protected; what it took over stays, as nobody knows what it was before; what
       someone else changed in between is written over.
    """
    stays = set(taken_over(plan, back))
    addresses = [one for one in touched(plan, report) if one not in stays]
    if not addresses:
        return None
    if ledger.intents():
        lease = ledger.acquire(common_registry(plan.changes), run=run, seconds=LEASE_SECONDS)
        try:
            settle_pending(ledger, drivers, lease)
        finally:
            ledger.release(lease)
    applied = {one.address for one in ledger.stamps()}
    known = [one for one in addresses if one in back.rows or one in applied]
    if not known:
        return None
    number = len(known) + len(applied)
    options = PlanOptions(
        targets=tuple(Selector(one) for one in known),
        adopt=True,
        overwrite=True,
        cascade=True,
        force=frozenset(known),
        allow_deletes=number,
        allow_updates=number,
    )
    found = planner.plan(back, ledger, drivers, options, source)
    return found if found.changes else None
