"""Whether, and by which run, a change of a commit reached the live systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from hrctl.ledger.api import ChangeRecord, Ledger, RunRecord
from hrctl.model.address import Address
from hrctl.model.fields import FieldDiff, Key
from hrctl.source.lineage import Step
from hrctl.source.log import Log
from hrctl.source.past import Past

_EXISTS: Key = ()  # the key under which it counts that a resource came or went


class Applied:
    """What the ledger's runs say of the steps of a history, newest first.

    A run applied a change if, of all that led to the run's commit, it is the last one of its field.
    """

    def __init__(self, ledger: Ledger, past: Past, steps: Sequence[Step]) -> None:
        self._ledger = ledger
        self._log = past.log
        self._steps = steps
        self._runs: dict[Address, list[tuple[RunRecord, ChangeRecord]]] = {}
        self._last: dict[str, Mapping[Key, str]] = {}

    def of(self, step: Step, one: FieldDiff | None) -> RunRecord | None:
        """The first run that applied a field as this step left it; None means the whole step."""
        version = step.new or step.old
        if version is None:
            return None
        for run, change in self._of(version.address):
            last = self._setters(run.commit or "")
            key = _EXISTS if one is None else one.key
            if last.get(key) == step.commit.id and (step.new is None) == (
                change.action == "delete"
            ):
                return run
        return None

    def _of(self, address: Address) -> list[tuple[RunRecord, ChangeRecord]]:
        if address not in self._runs:
            self._runs[address] = list(self._ledger.applied(address))
        return self._runs[address]

    @cached_property
    def _changed(self) -> list[tuple[str, list[Key]]]:
        return [(step.commit.id, keys_of(step)) for step in self._steps]

    def _setters(self, commit: str) -> Mapping[Key, str]:
        """Which commit set each field last, at a commit."""
        if commit not in self._last:
            reached = _ancestors(self._log, commit)
            found: dict[Key, str] = {}
            for one, keys in self._changed:
                if one in reached:
                    for key in keys:
                        found.setdefault(key, one)
            self._last[commit] = found
        return self._last[commit]


def keys_of(step: Step) -> list[Key]:
    """The fields that a step changed, and whether it made or ended the resource."""
    ends = [_EXISTS] if step.old is None or step.new is None else []
    return [*ends, *(one.key for one in step.fields())]


def _ancestors(log: Log, commit: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [commit]
    while waiting:
        one = waiting.pop()
        if one in log.commits and one not in found:
            found.add(one)
            waiting += log.commits[one].parents
    return frozenset(found)
