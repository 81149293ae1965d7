"""How often each flag was asked for, when last, and by whose count.

From the live system where its driver counts what applications ask; else from the record that
`hrctl flag evaluate` keeps on this machine, which knows nothing of applications.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Count, Counts
from hrctl.ledger.evaluations import Counted, Evaluations
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import Json

LOCAL: Final = "hrctl flag evaluate"  # the source of what was asked on this machine
_OFF: Final = frozenset({"DISABLED", "ERROR"})


@dataclass(frozen=True, slots=True)
class Usage:
    """How often one flag was asked for.

    `live`: applications asked, and `source` is the driver instance that counted; else `source` is
    `LOCAL`. A BOOLEAN flag is enabled where it gave true, any other where it gave another variant
    than its default. `since` is when the counts begin (None: unknown), `last` when it was last
    asked, be it before that (None: never since `known`). Moments are in UTC.
    """

    address: Address
    source: str
    live: bool
    enabled: int
    disabled: int
    variants: Mapping[str, int]
    since: datetime | None
    last: datetime | None
    known: datetime | None
    applications: tuple[str, ...] = ()

    @property
    def evaluated(self) -> int:
        """How often it was asked for."""
        return self.enabled + self.disabled


def usages(session: Session, tree: Tree, addresses: Sequence[Address]) -> dict[Address, Usage]:
    """The usage of each flag; of one that nobody counts, or has not asked here, there is none.

    What stands in the way of a live system is told on standard error, and the local record is
    taken: only a usage that is `live` says what applications do.
    """
    found = {one.address: one for one in _live(session, tree, addresses)}
    rest = [one for one in addresses if one not in found]
    with Evaluations(session.project.state_dir) as record:
        by_address: dict[Address, list[Counted]] = {}
        for one in record.all():
            by_address.setdefault(one.address, []).append(one)
    for address in rest:
        if address in by_address:
            spec = tree.resource(address).body["spec"]
            found[address] = _recorded(address, spec, by_address[address])
    return {address: found[address] for address in addresses if address in found}


def _live(session: Session, tree: Tree, addresses: Iterable[Address]) -> Iterator[Usage]:
    held: dict[str, list[Address]] = {}
    for address in addresses:
        held.setdefault(tree.rows[address].driver, []).append(address)
    for name, theirs in held.items():
        try:
            driver = _counting(session, name)
            if driver is not None:
                yield from [
                    _counted(name, tree.resource(one.address).body["spec"], one)
                    for one in driver.evaluations(theirs)
                ]
        except HrctlError as error:
            for problem in error.diagnostics:
                session.console.note(str(problem))


def _counting(session: Session, name: str) -> Counts | None:
    """The instance, connected; None where its driver counts nothing, which needs no connection."""
    if name not in session.project.drivers or not isinstance(session.instance(name), Counts):
        return None
    driver = session.drivers([name])[name]
    return driver if isinstance(driver, Counts) else None


def _counted(source: str, spec: Mapping[str, Json], one: Count) -> Usage:
    default = 0 if spec["type"] == "BOOLEAN" else one.variants.get(str(spec["default"]), 0)
    off = min(one.enabled, default)
    known = {name: n for name, n in one.variants.items() if name in spec["variants"]}
    return Usage(
        one.address,
        source,
        live=True,
        enabled=one.enabled - off,
        disabled=one.disabled + off,
        variants=known,
        since=one.since,
        last=one.last,
        known=one.known,
        applications=one.applications,
    )


def _recorded(address: Address, spec: Mapping[str, Any], rows: Sequence[Counted]) -> Usage:
    variants: dict[str, int] = {}
    on = 0
    for one in rows:
        if one.variant:
            variants[one.variant] = variants.get(one.variant, 0) + one.count
        if one.reason not in _OFF and _is_on(spec, one.variant):
            on += one.count
    total = sum(one.count for one in rows)
    since = min(one.first for one in rows)
    return Usage(
        address,
        LOCAL,
        live=False,
        enabled=on,
        disabled=total - on,
        variants=variants,
        since=_moment(since) if since else None,
        last=_moment(max(one.last for one in rows)),
        known=None,
    )


def _is_on(spec: Mapping[str, Any], variant: str) -> bool:
    if spec["type"] == "BOOLEAN":
        return bool(spec["variants"].get(variant))
    return variant not in {"", spec["default"]}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
