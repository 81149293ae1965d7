"""Whether, and by which run, a change of a commit reached the live systems."""

from __future__ import annotations

from hrctl.ledger.api import ChangeRecord, Ledger, RunRecord
from hrctl.model.address import Address
from hrctl.model.fields import FieldDiff
from hrctl.model.plan import ABSENT
from hrctl.source.lineage import Step
from hrctl.source.log import Log
from hrctl.source.past import Past


class Applied:
    """What the ledger's runs say of the steps of a history."""

    def __init__(self, ledger: Ledger, past: Past) -> None:
        self._ledger = ledger
        self._past = past
        self._runs: dict[Address, list[tuple[RunRecord, ChangeRecord]]] = {}
        self._reached: dict[str, frozenset[str]] = {}

    def of(self, step: Step, one: FieldDiff | None) -> RunRecord | None:
        """The first run that applied a field as this step left it; None means the whole step."""
        version = step.new or step.old
        if version is None:
            return None
        for run, change in self._of(version.address):
            if step.commit.id not in self.reached(run.commit or ""):
                continue
            if step.new is None:
                if change.action == "delete":
                    return run
                continue
            if self._holds(version.address, run.commit or "", one):
                return run
        return None

    def _holds(self, address: Address, commit: str, one: FieldDiff | None) -> bool:
        version = self._past.trace(address).get(commit)
        if version is None or one is None:
            return version is not None
        leaf = version.leaves.get(one.key)
        if one.new is ABSENT:
            return leaf is None
        return leaf is not None and leaf.value == one.new

    def _of(self, address: Address) -> list[tuple[RunRecord, ChangeRecord]]:
        if address not in self._runs:
            self._runs[address] = list(self._ledger.applied(address))
        return self._runs[address]

    def reached(self, commit: str) -> frozenset[str]:
        """A commit and all before it, as far as the log knows."""
        if commit not in self._reached:
            self._reached[commit] = _ancestors(self._past.log, commit)
        return self._reached[commit]


def _ancestors(log: Log, commit: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [commit]
    while waiting:
        one = waiting.pop()
        if one in log.commits and one not in found:
            found.add(one)
            waiting += log.commits[one].parents
    return frozenset(found)
