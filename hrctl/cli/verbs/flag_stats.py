"""`hrctl flag stats`: how many flags there are of each sort, and how often they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.render.table import Narrow
from hrctl.cli.secrets.age import ago
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.flag_usage import LOCAL, Usage, usages
from hrctl.cli.verbs.generic import Live, counted, listed
from hrctl.cli.verbs.naming import In
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.tree import Tree
from hrctl.model.values import Json


def stats(ctx: typer.Context, registry: In = None, live: Live = False) -> int:  # noqa: FBT002 - as typer takes it
    """Count flags by type, status and driver, and how often each was evaluated.

    Unleash counts what applications ask. Of other flags hrctl only knows what `hrctl flag
    evaluate` answered on this machine. Each count says whose it is, and since when. A BOOLEAN
    flag was enabled where it gave true, any other where it gave another variant than its default.

    Examples:
      hrctl flag stats
      hrctl flag stats --in prod -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        rows = listed(session, kind("FeatureFlag"), registry, live=live)
        addresses = [Address(row["address"]) for row in rows]
        tree = session.tree()
        found = usages(session, tree, addresses)
        types = {name: spec.type for name, spec in session.project.drivers.items()}
    counts = counted(rows)
    if console.json_output:
        console.json({**counts, "evaluations": [_row(one) for one in found.values()]})
        return Exit.DONE
    by = {field: some for field, some in counts.items() if isinstance(some, dict)}
    table = [(field, value, n) for field, some in by.items() for value, n in some.items()]
    console.table(("BY", "VALUE", "COUNT"), [*table, ("total", "", len(rows))])
    _show(console, tree, list(found.values()), types)
    return Exit.DONE


def _row(one: Usage) -> dict[str, Json]:
    return {
        "address": str(one.address),
        "source": one.source,
        "live": one.live,
        "evaluated": one.evaluated,
        "enabled": one.enabled,
        "disabled": one.disabled,
        "variants": dict(one.variants),
        "since": _iso(one.since),
        "last": _iso(one.last),
        "known": _iso(one.known),
        "applications": list(one.applications),
    }


def _show(console: Console, tree: Tree, found: Sequence[Usage], types: dict[str, str]) -> None:
    """A table for each source, the live ones first."""
    ordered = sorted(found, key=lambda one: (not one.live, one.source))
    for (source, live), group in groupby(ordered, key=lambda one: (one.source, one.live)):
        theirs = sorted(group, key=lambda one: (-one.evaluated, one.address))
        console.data("")
        console.lines(_heading(theirs, f"{source} ({types[source]})" if live else ""))
        narrow = Narrow(partial(naming.shortest, tree, [one.address for one in theirs]))
        heads = ("FLAG", "TIMES", "ENABLED", "DISABLED", "LAST")
        console.table(heads, [_cells(one) for one in theirs], narrow)
    if not found:
        console.note(f"None was evaluated by `{LOCAL}` on this machine.")


def _heading(theirs: Sequence[Usage], counter: str) -> Iterator[str]:
    begin = min((one.since for one in theirs if one.since), default=None)
    since = f" since {begin:%Y-%m-%d %H:%M} UTC" if begin else ""
    if counter:
        yield f"Asked by applications{since}, counted by {counter}:"
    else:
        yield f"Asked by `{LOCAL}` on this machine{since},"
        yield "which tells nothing of applications:"


def _cells(one: Usage) -> tuple[Json, ...]:
    last = ago((datetime.now(UTC) - one.last).total_seconds()) if one.last else "never"
    times = (f"{n:,}" for n in (one.evaluated, one.enabled, one.disabled))
    return naming.short(one.address), *times, last


def _iso(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
