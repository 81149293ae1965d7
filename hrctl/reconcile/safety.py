"""Refusals: too much at once, protected resources, registries that are not empty.

A plan that is refused is still shown: the findings stand in `Plan.diagnostics`, and `refuse`
raises them before anything is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from hrctl.diagnostics import Diagnostic, HrctlError, SafetyError, Severity
from hrctl.model.address import Address, is_within
from hrctl.model.danger import is_destroyed
from hrctl.model.plan import Action, Change, Plan
from hrctl.model.radius import Grade
from hrctl.model.values import lookup
from hrctl.reconcile.options import PlanOptions, named

SAFETY_CODES: Final = frozenset(f"HR{number}" for number in (*range(120, 140), 285))


def check(
    changes: Sequence[Change],
    *,
    entries: Collection[Address],
    options: PlanOptions,
) -> list[Diagnostic]:
    """Every refusal at once.

    Args:
        changes: of the plan.
        entries: the addresses in the ledger, the base of the percentages.
        options: with limits, what is forced and whether a cascade is allowed.
    """
    return [
        *_limits(changes, len(entries), options),
        *_protected(changes, options.force),
        *_registries(changes, entries, options),
    ]


def refuse(plan: Plan, beside: Iterable[Diagnostic] = ()) -> None:
    """Raise where the plan must not be applied, for what it holds or for what stands beside it.

    Raises:
        SafetyError: where every error is a refusal of a kind that an option can lift.
        HrctlError: where one of them is something else.
    """
    errors = [one for one in (*plan.diagnostics, *beside) if one.severity is Severity.ERROR]
    if errors and all(one.code in SAFETY_CODES for one in errors):
        raise SafetyError(*errors)
    if errors:
        raise HrctlError(*errors)


def too_far(plan: Plan, limit: Grade | None) -> list[Diagnostic]:
    """That the blast radius reaches a grade that was named as too much; nothing where none was."""
    radius = plan.radius
    if limit is None or radius.grade.rank < limit.rank:
        return []
    why = ", ".join(one.text for one in radius.reasons)
    return [
        Diagnostic(
            "HR285",
            f"the blast radius is {radius.grade.value}, and --fail-on is {limit.value}: {why}",
            hint="split the change, or have someone say that it is meant",
        )
    ]


def _limits(changes: Sequence[Change], total: int, options: PlanOptions) -> Iterable[Diagnostic]:
    if options.destroy:  # to delete everything is what was asked for
        return
    limits = options.limits
    deletes = sum(map(is_destroyed, changes))
    # what only brings back a live system is never too much: in an incident it is the remedy
    updates = sum(change.action is Action.UPDATE and not change.drifted for change in changes)
    percent_counts = total >= limits.minimum
    if deletes > (options.allow_deletes or 0):
        if deletes > limits.max_deletes:
            yield _too_many(
                "deleted or replaced",
                "--allow-deletes",
                deletes,
                total,
                "maxDeletes",
                str(limits.max_deletes),
            )
        elif percent_counts and deletes * 100 > limits.max_delete_percent * total:
            yield _too_many(
                "deleted or replaced",
                "--allow-deletes",
                deletes,
                total,
                "maxDeletePercent",
                f"{limits.max_delete_percent} %",
            )
    if (
        updates > max(options.allow_updates or 0, limits.max_updates)
        and percent_counts
        and updates * 100 > limits.max_update_percent * total
    ):
        yield _too_many(
            "updated",
            "--allow-updates",
            updates,
            total,
            "maxUpdatePercent",
            f"{limits.max_update_percent} %",
        )


def _too_many(  # noqa: PLR0913, PLR0917 - the parts of one sentence
    done: str, option: str, count: int, total: int, limit: str, most: str
) -> Diagnostic:
    return Diagnostic(
        "HR120",
        f"{count} of {named(total)} would be {done}, more than safety.{limit} allows ({most})",
        hint=f"if that is meant, say {option} {count}",
    )


def _protected(changes: Sequence[Change], force: Collection[Address]) -> Iterable[Diagnostic]:
    for change in changes:
        if (
            is_destroyed(change)
            and (change.lifecycle.protect or change.protected)
            and change.address not in force
        ):
            verb = "replaced" if change.action is Action.REPLACE else "deleted"
            yield Diagnostic(
                "HR121",
                f"{change.address} is protected and would be {verb}",
                span=change.span,
                address=change.address,
                hint=f"take lifecycle.protect away first, or say --force {change.address}",
            )


def _registries(
    changes: Sequence[Change], entries: Collection[Address], options: PlanOptions
) -> Iterable[Diagnostic]:
    if options.cascade or options.destroy:
        return
    for change in changes:
        if (
            change.address.kind != "Registry"
            or change.action is not Action.DELETE
            or not is_destroyed(change)
            or lookup(change.applied, "/spec/deletion/cascade") is True
        ):
            continue
        path = change.address.registry
        inside = [a for a in entries if a != change.address and is_within(a.registry, path)]
        if inside:
            yield Diagnostic(
                "HR128",
                f"registry {path} would be deleted with {named(len(inside))} in it: {min(inside)}"
                + (" and more" if len(inside) > 1 else ""),
                address=change.address,
                hint="say --cascade, or set spec.deletion.cascade before it is removed",
            )
