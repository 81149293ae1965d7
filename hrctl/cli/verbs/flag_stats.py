"""`hrctl flag stats`: how many flags there are of each sort, and how often they were asked."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.generic import Live, counted, listed
from hrctl.cli.verbs.naming import In
from hrctl.ledger.evaluations import Counted, Evaluations
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.values import Json

_OFF = frozenset({"DISABLED", "ERROR"})


def stats(ctx: typer.Context, registry: In = None, live: Live = False) -> int:  # noqa: FBT002 - as typer takes it
    """Count flags by type, status and driver, and how often each was evaluated.

    The evaluations are those of `hrctl flag evaluate` on this machine: applications ask their own
    SDK, and hrctl does not hear of it. Enabled is an answer other than the flag's default.

    Examples:
      hrctl flag stats
      hrctl flag stats --in prod -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        rows = listed(session, kind("FeatureFlag"), registry, live=live)
        defaults = {
            Address(row["address"]): tree.resource(Address(row["address"])).body["spec"]["default"]
            for row in rows
        }
        with Evaluations(session.project.state_dir) as record:
            asked = evaluations(record.all(), defaults)
    counts = counted(rows)
    if console.json_output:
        source = "hrctl flag evaluate on this machine"
        console.json({**counts, "evaluations": {"source": source, "flags": asked}})
        return Exit.DONE
    by = {field: some for field, some in counts.items() if isinstance(some, dict)}
    table = [(field, value, n) for field, some in by.items() for value, n in some.items()]
    console.table(("BY", "VALUE", "COUNT"), [*table, ("total", "", len(rows))])
    if asked:
        console.data("\nEvaluated by `hrctl flag evaluate` on this machine:")
        heads = ("FLAG", "TIMES", "ENABLED", "DISABLED", "LAST")
        shown = [
            (
                naming.short(Address(one["address"])),
                one["enabled"] + one["disabled"],
                one["enabled"],
                one["disabled"],
                one["last"],
            )
            for one in asked
        ]
        console.table(heads, shown)
    else:
        console.note("None was evaluated by `hrctl flag evaluate` on this machine.")
    return Exit.DONE


def evaluations(record: Iterable[Counted], defaults: dict[Address, Json]) -> list[dict[str, Json]]:
    """A row for each flag that was asked: how often it was enabled, and how often not."""
    found: dict[Address, dict[str, Json]] = {}
    for one in record:
        if one.address not in defaults:
            continue
        row = found.setdefault(
            one.address, {"address": str(one.address), "enabled": 0, "disabled": 0, "last": ""}
        )
        off = one.reason in _OFF or one.variant in {"", defaults[one.address]}
        row["disabled" if off else "enabled"] += one.count
        row["last"] = max(row["last"], one.last)
    return list(found.values())
