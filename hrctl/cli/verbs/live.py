"""What the drivers say of live things: which driver has which, and how they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Driver, Health
from hrctl.model.address import Address
from hrctl.model.tree import Tree

# What a driver may say of something that is as it should be.
GOOD = frozenset(
    {
        *("RUNNING", "HEALTHY", "STOPPED", "INSTALLED", "CREATED", "STORED", "IDLE"),
        *("DRAINING", "INACTIVE"),  # which somebody wanted
    }
)


def by_driver(
    session: Session, tree: Tree, addresses: Iterable[Address]
) -> Iterator[tuple[str, Driver, list[Address]]]:
    """The driver instances that hold these, each connected, with what it holds of them."""
    groups: dict[str, list[Address]] = {}
    for address in addresses:
        groups.setdefault(tree.rows[address].driver, []).append(address)
    drivers = session.drivers(groups)
    for name, held in groups.items():
        yield name, drivers[name], held


def cannot(driver: str, kind: str, what: str) -> HrctlError:
    """HR164: the driver of this instance has not been made for that."""
    return HrctlError.of(
        "HR164",
        f"the driver instance '{driver}' cannot {what}",
        hint=f"bind {kind} to another driver in a registry's `drivers`",
    )


def statuses(session: Session, tree: Tree, addresses: Sequence[Address]) -> dict[Address, str]:
    """One word of each live thing; None of those whose driver cannot tell, or does not answer.

    Replicas that do not agree make `DEGRADED 1/2`: so many are well. Who does not answer is told
    on standard error.
    """
    found: dict[Address, list[str]] = {}
    for name in dict.fromkeys(tree.rows[address].driver for address in addresses):
        held = [address for address in addresses if tree.rows[address].driver == name]
        try:
            driver = session.drivers([name])[name]
            if isinstance(driver, Health):
                for report in driver.health(held):
                    found.setdefault(report.address, []).append(report.status)
        except HrctlError as error:
            for one in error.diagnostics:
                session.console.note(str(one))
    return {address: summarised(each) for address, each in found.items()}


def summarised(replicas: list[str]) -> str:
    """The word that all replicas agree on, else how many are well."""
    counts = Counter(replicas)
    if len(counts) == 1:
        return replicas[0]
    return f"DEGRADED {sum(counts[status] for status in GOOD)}/{len(replicas)}"
