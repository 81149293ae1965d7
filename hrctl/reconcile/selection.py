"""Which of the differing addresses a plan takes up: `--target` and `--exclude`.

A target pulls in what it needs: for what is declared, all that it depends on; for a delete, the
deletes of all that depended on it. An exclusion drops what could not be done without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from hrctl.diagnostics import Diagnostic
from hrctl.ledger.api import Entry, Ledger
from hrctl.model.address import Address, Selector
from hrctl.model.resource import Desired
from hrctl.model.values import lookup
from hrctl.reconcile.options import PlanOptions


def instances(
    named: Collection[str], desired: Desired, ledger: Ledger, options: PlanOptions
) -> set[str]:
    """Which of the named driver instances the targets have need of.

    With few instances, or targets by label, which would make every body, that is all of them.
    """
    few = 2
    by_label = any("=" in one.text for one in options.targets)
    if not options.targets or by_label or len(named) <= few:
        return set(named)
    applied = {address: driver for address, driver, _, _ in ledger.stamps()}
    declared = {} if options.destroy else desired.rows
    gone = applied.keys() - declared.keys()
    entries = {one.address: one for one in ledger.entries(sorted(gone))} if gone else {}
    selection = Selection(desired, entries, replace(options, excludes=()))
    leaving = selection.of(gone)
    found = {applied[address] for address in leaving}
    for address, row in declared.items():
        bound = {row.driver, applied.get(address, row.driver)}
        if not bound <= found and selection.of((address,)):
            found |= bound
    for old, new in desired.moves.items():  # both halves of a move are planned, or none
        if old in applied and new in declared and (old in leaving or selection.of((new,))):
            found |= {applied[old], declared[new].driver}
    return found & set(named)


def labels_of(
    address: Address, desired: Desired, entries: Mapping[Address, Entry]
) -> Mapping[str, str]:
    """The labels of a resource, as declared or else as applied."""
    if address in desired.rows:
        return desired.resource(address).labels
    entry = entries.get(address)
    labels: Mapping[str, str] = lookup(entry.body, "/metadata/labels", {}) if entry else {}
    return labels


class Selection:
    """Decides for one plan; answers are kept, so that each address is looked at once."""

    def __init__(
        self,
        desired: Desired,
        entries: Mapping[Address, Entry],
        options: PlanOptions,
    ) -> None:
        self._desired = desired
        self._entries = entries
        self._options = options
        self._declared = {} if options.destroy else desired.rows
        self._needed: dict[Address, bool] = {}

    def of(self, candidates: Iterable[Address]) -> set[Address]:
        """Those of the candidates that the plan is about."""
        found = set(candidates)
        options = self._options
        if options.targets:
            gone = {one for one in found if one not in self._declared}
            found = {one for one in found - gone if self._is_needed(one)} | self._gone(gone)
        if options.excludes:
            found = self._without_excluded(found)
        return found

    def unmatched(self, applied: Iterable[Address]) -> list[Diagnostic]:
        """One error for each selector that means nothing at all."""
        everything = [*self._desired.rows, *applied]
        return [
            Diagnostic("HR142", f"'{one.text}' selects nothing", hint="see `hrctl get`")
            for one in (*self._options.targets, *self._options.excludes)
            if not any(self._matches(address, (one,)) for address in everything)
        ]

    def _matches(self, address: Address, selectors: tuple[Selector, ...]) -> bool:
        labels: Mapping[str, str] = {}
        if any("=" in one.text for one in selectors):
            labels = labels_of(address, self._desired, self._entries)
        return any(one.matches(address, labels) for one in selectors)

    def _is_needed(self, address: Address) -> bool:
        """Whether a target is the resource, or something that depends on it at any distance."""
        seen: set[Address] = set()
        waiting = [address]
        while waiting:
            one = waiting.pop()
            if one in seen or self._needed.get(one) is False:
                continue
            if self._needed.get(one) or self._matches(one, self._options.targets):
                self._needed[address] = True
                return True
            seen.add(one)
            waiting.extend(self._desired.dependents(one))
        self._needed.update(dict.fromkeys(seen, False))
        return False

    def _gone(self, gone: set[Address]) -> set[Address]:
        """The deletes that are meant, and those that must come before them."""
        meant = {one for one in gone if self._matches(one, self._options.targets)}
        users: dict[Address, list[Address]] = {}
        for one in gone:
            if one in self._entries:
                for target in self._entries[one].depends_on:
                    users.setdefault(target, []).append(one)
        waiting = list(meant)
        while waiting:
            for user in users.get(waiting.pop(), ()):
                if user not in meant:
                    meant.add(user)
                    waiting.append(user)
        return meant

    def _without_excluded(self, found: set[Address]) -> set[Address]:
        excluded = {one for one in found if self._matches(one, self._options.excludes)}
        waiting = list(excluded)
        while waiting:
            one = waiting.pop()
            if one not in self._declared and one in self._entries:
                blocked: Iterable[Address] = self._entries[one].depends_on
                blocked = (other for other in blocked if other not in self._declared)
            elif one in self._declared:  # a value of it may be what has changed for them
                blocked = self._desired.dependents(one)
            else:
                continue  # it is there and stays there: nothing else has to wait
            for other in blocked:
                if other in found and other not in excluded:
                    excluded.add(other)
                    waiting.append(other)
        return found - excluded
