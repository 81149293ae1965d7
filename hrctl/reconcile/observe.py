"""Compare narrow rows: which addresses need a second look, without touching a single body.

Nothing here runs once for each resource in Python, beyond building dictionaries and sets: with
nothing to do, a hundred thousand resources cost as many tuples.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Driver, Ownership, Stamp
from hrctl.ledger.api import AppliedStamp, Ledger
from hrctl.model.address import Address
from hrctl.model.resource import Row

Bound = tuple[str, str]  # driver instance and digest, as in a Row
Scans = Mapping[str, list[Stamp]]


@dataclass(slots=True)
class Observation:
    """What was seen.

    Attributes:
        stamps: the rows of the ledger.
        scans: for each instance that answered, its stamps.
        differing: declared or applied addresses where the three sides are not plainly one.
        orphans: live things with our mark that are neither declared nor in the ledger.
        failed: instances that did not answer.
        diagnostics: why they did not.
    """

    stamps: list[AppliedStamp]
    scans: Scans
    differing: set[Address]
    orphans: set[Address]
    failed: frozenset[str]
    diagnostics: tuple[Diagnostic, ...] = ()
    _by_address: dict[str, dict[Address, Stamp]] = field(default_factory=dict)
    _applied: dict[Address, AppliedStamp] | None = None

    @property
    def applied(self) -> dict[Address, AppliedStamp]:
        """The rows of the ledger by address; made when first asked for."""
        if self._applied is None:
            self._applied = {stamp[0]: stamp for stamp in self.stamps}
        return self._applied

    def stamp(self, driver: str, address: Address) -> Stamp | None:
        """The stamp of a live thing; the index is built when the first one is asked for."""
        index = self._by_address.get(driver)
        if index is None:
            index = {stamp[0]: stamp for stamp in self.scans.get(driver, ())}
            self._by_address[driver] = index
        return index.get(address)


def observe(
    rows: Mapping[Address, Row],
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    *,
    project: str,
) -> Observation:
    """Read the ledger's stamps while the drivers scan, and compare.

    Args:
        rows: what is declared.
        ledger: entered.
        drivers: entered instances; none for a plan without live systems.
        project: the owner that our marks name.
    """
    with paused_collection():
        stamps, scans, diagnostics = _collect(ledger, drivers)
        differing = _unlike_declared(rows, stamps)
        orphans: set[Address] = set()
        several = len({stamp[1] for stamp in stamps} | drivers.keys()) > 1
        for name, live in scans.items():
            expected = [stamp for stamp in stamps if stamp[1] == name] if several else stamps
            moved, mine = _unlike_live(expected, live, drivers[name], project)
            differing |= moved
            orphans |= mine
        if orphans:
            orphans -= rows.keys()
            orphans.difference_update(stamp[0] for stamp in stamps)
    failed = frozenset(drivers.keys() - scans.keys())
    return Observation(stamps, scans, differing, orphans, failed, diagnostics)


def _collect(
    ledger: Ledger, drivers: Mapping[str, Driver]
) -> tuple[list[AppliedStamp], dict[str, list[Stamp]], tuple[Diagnostic, ...]]:
    """All the narrow rows; the instances side by side where there are several."""
    scans: dict[str, list[Stamp]] = {}
    diagnostics: list[Diagnostic] = []

    def scan(name: str) -> list[Stamp] | HrctlError:
        try:
            return list(drivers[name].scan())
        except HrctlError as error:
            return error

    if len(drivers) > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(drivers), thread_name_prefix="hrctl-scan") as pool:
            results: Iterable[list[Stamp] | HrctlError]
            futures = [pool.submit(scan, name) for name in drivers]
            stamps = list(ledger.stamps())
            results = [future.result() for future in futures]
    else:
        stamps = list(ledger.stamps())
        results = map(scan, drivers)
    for name, result in zip(drivers, results, strict=True):
        if isinstance(result, HrctlError):
            diagnostics.extend(result.diagnostics)
        else:
            scans[name] = result
    return stamps, scans, tuple(diagnostics)


def _unlike_declared(rows: Mapping[Address, Row], stamps: list[AppliedStamp]) -> set[Address]:
    bound: dict[Address, Bound] = {a: (driver, digest) for a, driver, digest, _ in stamps}
    if rows == bound:  # one pass in C, the usual case
        return set()
    return {address for address, _ in rows.items() ^ bound.items()}


def _unlike_live(
    expected: list[AppliedStamp], live: list[Stamp], driver: Driver, project: str
) -> tuple[set[Address], set[Address]]:
    """Applied addresses whose live version or owner moved; live ones that only we know."""
    wanted = {address: version for address, _, _, version in expected}
    present = {address: version for address, _, version in live}
    marks = driver.capabilities.ownership is not Ownership.LEDGER
    owners = {stamp[1] for stamp in live} if marks else {project}
    if owners <= {project}:
        if wanted == present:
            return set(), set()
        foreign: set[Address] = set()
    else:
        foreign = {stamp[0] for stamp in live if stamp[1] != project}
    differing = {address for address, _ in wanted.items() ^ present.items()} | foreign
    mine = (present.keys() - foreign) - wanted.keys() if marks else set()
    return differing & wanted.keys(), mine


@contextmanager
def paused_collection() -> Iterator[None]:
    """No garbage collection while many tuples are made: none of them is in a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
