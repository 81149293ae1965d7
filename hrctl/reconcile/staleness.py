"""Whether what a plan was made from is still so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hrctl.diagnostics import Diagnostic, SafetyError
from hrctl.drivers.api import Driver
from hrctl.ledger.api import Entry, Ledger
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Plan
from hrctl.reconcile.diff import same

_HINT = "make a new plan"


def check(  # noqa: PLR0913 - the plan, and everything that could have moved
    plan: Plan,
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    *,
    commit: str | None,
    tree_digest: str,
    driver_versions: Mapping[str, str] | None = None,
) -> None:
    """Compare a saved plan with what is now: commit, declarations, ledger, live versions.

    Args:
        plan: as read from its file.
        ledger: entered.
        drivers: entered instances.
        commit: HEAD now.
        tree_digest: of what is declared now.
        driver_versions: instance -> type and version now (None: not compared).

    Raises:
        SafetyError: HR122, one diagnostic for each thing that moved, by name.
    """
    moved = [
        *_repository(plan, commit, tree_digest),
        *_instances(plan, drivers, driver_versions),
        *_ledger(plan, ledger),
        *live(plan.changes, drivers),
    ]
    if moved:
        raise SafetyError(*moved)


def entries(changes: Sequence[Change], known: Mapping[Address, Entry]) -> list[Diagnostic]:
    """The changes whose entry in the ledger is not the one that the plan saw."""
    found = []
    for change in changes:
        entry, applied = known.get(_applied_at(change)), change.applied
        if (entry is None) != (applied is None) or (entry and not same(entry.body, applied)):
            found.append(_moved(f"the ledger's entry of {change.address}", change.address))
    return found


def live(changes: Iterable[Change], drivers: Mapping[str, Driver]) -> list[Diagnostic]:
    """The changes whose live version is not the one that the plan saw."""
    expected: dict[str, dict[Address, str | None]] = {}
    for change in changes:
        if change.action is Action.FORGET:
            continue
        name = change.previous_driver or change.driver
        at = _applied_at(change) if change.action is Action.UPDATE else change.address
        expected.setdefault(name, {})[at] = change.expect_version
    found = []
    for name, versions in expected.items():
        if name not in drivers:
            continue
        present = {stamp[0]: stamp[2] for stamp in drivers[name].scan()}
        for address, version in versions.items():
            now = present.get(address)
            if now != version:
                what = f"the live version of {address}"
                found.append(_moved(what, address, version or "nothing", now or "nothing"))
    return found


def _applied_at(change: Change) -> Address:
    """Where the plan found what it compared with: at the old address, where one is carried over."""
    if change.previous_address is not None and change.applied is not None:
        return change.previous_address
    return change.address


def _repository(plan: Plan, commit: str | None, tree_digest: str) -> Iterable[Diagnostic]:
    if plan.commit != commit:
        yield _moved("the commit", None, _short(plan.commit), _short(commit))
    elif plan.tree_digest != tree_digest:
        yield _moved("what is declared in the working tree", None)


def _instances(
    plan: Plan, drivers: Mapping[str, Driver], versions: Mapping[str, str] | None
) -> Iterable[Diagnostic]:
    for name, version in plan.drivers.items():
        if name not in drivers:
            yield _moved(f"driver {name}", None, version, "nothing")
        elif versions is not None and versions.get(name, version) != version:
            yield _moved(f"driver {name}", None, version, versions[name])


def _ledger(plan: Plan, ledger: Ledger) -> Iterable[Diagnostic]:
    now = ledger.serial()
    if plan.serial == now:
        return
    addresses = {change.address for change in plan.changes}
    addresses |= {one.previous_address for one in plan.changes if one.previous_address is not None}
    known = {entry.address: entry for entry in ledger.entries(sorted(addresses))}
    named = entries(plan.changes, known)
    yield from named or [_moved("the ledger's serial", None, str(plan.serial), str(now))]


def _moved(
    what: str, address: Address | None, before: str | None = None, now: str | None = None
) -> Diagnostic:
    change = f" from {before} to {now}" if before is not None else ""
    return Diagnostic(
        "HR122",
        f"{what} has moved on{change} since the plan was made",
        address=address,
        hint=_HINT,
    )


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "none"
