"""What drivers only record: kinds and fields that nothing outside of hrctl comes of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from hrctl.diagnostics import Diagnostic, Severity
from hrctl.drivers.api import Driver
from hrctl.model.kinds import OUTSIDE
from hrctl.model.plan import Action, Change
from hrctl.model.values import lookup

_ACTING: Final = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT})


def keepers(
    change: Change, drivers: Mapping[str, Driver], versions: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the instances of a change that only record a resource of its kind.

    Args:
        change: one of a plan.
        drivers: the connected instances.
        versions: instance -> type and version; one that is not connected is known by its type.
    """
    names = dict.fromkeys(filter(None, (change.driver, change.previous_driver)))
    return tuple(name for name in names if change.address.kind in _kinds(name, drivers, versions))


def _kinds(
    instance: str, drivers: Mapping[str, Driver], versions: Mapping[str, str]
) -> frozenset[str]:
    driver = drivers.get(instance)
    if driver is not None:
        return driver.capabilities.records_only
    return OUTSIDE if versions.get(instance, "").partition(" ")[0] == "local" else frozenset()


def warnings(changes: Iterable[Change], drivers: Mapping[str, Driver]) -> Iterator[Diagnostic]:
    """Yield HR345 for each field of a changed resource that its driver does not act on."""
    for change in changes:
        driver = drivers.get(change.driver)
        if driver is None or change.action not in _ACTING or change.after is None:
            continue
        for path in sorted(driver.capabilities.records_fields):
            if lookup(change.after, path) is not None:
                field = path.removeprefix("/spec/").replace("/", ".")
                yield Diagnostic(
                    "HR345",
                    f"{field} of {change.address} is only recorded: driver instance"
                    f" {change.driver} does not enforce it",
                    change.span,
                    Severity.WARNING,
                    address=change.address,
                    hint="enforce it outside of hrctl, or take it out",
                )
