"""References to outputs: replaced where the value is known, and followed where it changes."""

from __future__ import annotations

from collections.abc import Mapping

from hrctl.ledger.api import Entry
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.model.resource import Deferred, Resource
from hrctl.model.values import Body, Json, references
from hrctl.reconcile.bodies import substitute
from hrctl.reconcile.diff import same
from hrctl.reconcile.outputs import static_outputs

_MAKES_ANEW = frozenset({Action.CREATE, Action.REPLACE})
_ABSENT = object()


class References:
    """What the references of one plan lead to."""

    def __init__(self, entries: Mapping[Address, Entry]) -> None:
        self._entries = entries
        self._changing: dict[Address, Change] = {}

    def needed(self, resource: Resource) -> set[Address]:
        """The addresses whose entries have to be known to resolve its references."""
        return {one.address for one in resource.deferred if one.address is not None}

    def resolve(self, resource: Resource) -> tuple[Body, tuple[str, ...], tuple[str, ...]]:
        """The desired body with what is known, the sensitive paths, the unknown paths."""
        if not resource.deferred:
            return resource.body, (), ()
        known: dict[str, Json] = {}
        sensitive, unknown = [], []
        for one in resource.deferred:
            if one.sensitive:
                sensitive.append(one.path)
                if self.changes(one):
                    unknown.append(one.path)
            elif (value := self._value(one)) is not _ABSENT:
                known[one.path] = value
            else:
                unknown.append(one.path)
        body = resource.body
        if known:
            body = substitute(body, known.get)
        return body, tuple(sensitive), tuple(unknown)

    def follow(self, change: Change) -> bool:
        """Note that a resource changes; whether its outputs may change by that."""
        if change.action not in _MAKES_ANEW and change.action is not Action.UPDATE:
            return False
        self._changing[change.address] = change
        return True

    def changes(self, deferred: Deferred) -> bool:
        """Whether the output that is referred to may be another one after the plan."""
        change = self._changing.get(deferred.address) if deferred.address else None
        if change is None or change.after is None or deferred.output is None:
            return False
        after = static_outputs(change.address, change.after).get(deferred.output)
        if after is None or change.applied is None:  # only the live system knows it, or soon will
            return True
        if change.unknown and any(references(after.value)):
            return True  # it is made of what changes itself
        before = static_outputs(change.address, change.applied).get(deferred.output)
        return before is None or not same(after.value, before.value)

    def _value(self, deferred: Deferred) -> Json:
        """What the ledger knows of it, where that stays true."""
        entry = self._entries.get(deferred.address) if deferred.address else None
        if entry is None or deferred.output is None or self.changes(deferred):
            return _ABSENT
        if deferred.output in entry.outputs:
            return entry.outputs[deferred.output]
        static = static_outputs(entry.address, entry.body).get(deferred.output)
        return _ABSENT if static is None or static.sensitive else static.value
