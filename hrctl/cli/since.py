"""`plan --since REV`: two states of the declarations compared, as a pull request shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hrctl.cli.session import Session
from hrctl.ledger.api import AppliedStamp, Entry, Intent
from hrctl.model.address import Address
from hrctl.model.plan import Plan
from hrctl.reconcile.options import PlanOptions

if TYPE_CHECKING:
    from hrctl.model.tree import Tree


class Declared:
    """What was declared at a commit, in the part of a ledger that a plan looks at."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def serial(self) -> int:
        """Always 0: it never changes."""
        return 0

    def stamps(self) -> list[AppliedStamp]:
        """One row for each resource."""
        return [
            AppliedStamp(address, row.driver, row.digest, row.digest)
            for address, row in self._tree.rows.items()
        ]

    def entries(self, addresses: Sequence[Address] | None = None) -> Iterable[Entry]:
        """Resources as entries, in the order of their addresses."""
        wanted = self._tree.rows if addresses is None else addresses
        for address in sorted(wanted):
            if address in self._tree.rows:
                one = self._tree.resource(address)
                yield Entry(
                    address,
                    one.driver,
                    one.digest,
                    one.body,
                    one.digest,
                    one.depends_on,
                    one.lifecycle,
                )

    def intents(self) -> list[Intent]:
        """Nothing is ever pending."""
        return []


def plan_since(session: Session, revision: str, options: PlanOptions) -> Plan:
    """What changed from the declarations at `revision` to those here.

    No ledger and no live system is looked at, so it is never complete.
    """
    from hrctl.cli.planning import plan_source
    from hrctl.reconcile import planner

    before, tree = Declared(session.tree(revision)), session.tree()
    found = planner.plan(
        tree,
        before,  # type: ignore[arg-type]  # planning reads only what is there
        {},
        replace(options, offline=True),
        plan_source(session),
    )
    return replace(found, options={**found.options, "since": revision})
