"""Which of the differing addresses a plan takes up: `--target` and `--exclude`.

A target pulls in what it needs: for what is declared, all that it depends on; for a delete, the
changes of all that depended on it as applied last. An exclusion drops what could not be done
without it: what depends on a change of it, and deletes of what it uses as applied last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from hrctl.diagnostics import Diagnostic
from hrctl.ledger.api import Entry, Ledger
from hrctl.model.address import Address, Selector
from hrctl.model.resource import Desired
from hrctl.model.values import lookup
from hrctl.reconcile.diff import same
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
    if leaving and declared:  # who used one of them as applied last is planned, too
        entries = {one.address: one for one in ledger.entries()}
        selection = Selection(desired, entries, replace(options, excludes=()))
        leaving = selection.of(applied.keys()) & gone
    found = {applied[address] for address in leaving}
    for address, row in declared.items():
        bound = {row.driver, applied.get(address, row.driver)}
        if not bound <= found and selection.of((address,)):
            found |= bound
    for old, new in desired.moves.items():  # both halves of a move are planned, or none
        if old in applied and new in declared and selection.of((new,)):
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
        self._releasing: set[Address] = set()  # declared, and used what a target deletes

    def of(self, candidates: Iterable[Address]) -> set[Address]:
        """Those of the candidates that the plan is about."""
        found = set(candidates)
        options = self._options
        if options.targets:
            gone = {one for one in found if one not in self._declared}
            deleted = self._gone(gone, found)
            found = {one for one in found - gone if self._is_needed(one)} | deleted
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
            meant = self._needed.get(one) or one in self._releasing
            if meant or self._matches(one, self._options.targets):
                self._needed[address] = True
                return True
            seen.add(one)
            waiting.extend(self._desired.dependents(one))
        self._needed.update(dict.fromkeys(seen, False))
        return False

    def _gone(self, gone: set[Address], candidates: set[Address]) -> set[Address]:
        """The deletes that are meant, and those that must come before them.

        A declared resource that used one of them as applied last lets go of it first.
        """
        meant = {one for one in gone if self._matches(one, self._options.targets)}
        users: dict[Address, list[Address]] = {}
        for one in candidates if meant else ():
            if one in self._entries:
                for target in self._entries[one].depends_on:
                    users.setdefault(target, []).append(one)
        waiting = list(meant)
        while waiting:
            for user in users.get(waiting.pop(), ()):
                if user in gone and user not in meant:
                    meant.add(user)
                    waiting.append(user)
                elif user not in gone and user not in self._releasing:
                    self._releasing.add(user)
                    self._needed.clear()
        return meant

    def _without_excluded(self, found: set[Address]) -> set[Address]:
        excluded = {one for one in found if self._matches(one, self._options.excludes)}
        waiting = list(excluded)
        while waiting:
            one = waiting.pop()
            entry = self._entries.get(one)
            used = entry.depends_on if entry is not None else ()
            blocked = [other for other in used if other not in self._declared]
            if one in self._declared and not self._is_as_applied(one):
                blocked += self._desired.dependents(one)
            for other in blocked:
                if other in found and other not in excluded:
                    excluded.add(other)
                    waiting.append(other)
        return found - excluded

    def _is_as_applied(self, address: Address) -> bool:
        """Return whether it is declared as it was applied, so that others have its values already.

        It may be looked at although it is: it drifted, or its file says the same in other words.
        """
        entry = self._entries.get(address)
        resource = self._desired.resource(address)
        return (
            entry is not None
            and entry.driver == resource.driver
            and same(entry.body, resource.body)
        )
