"""The verbs that ask what is live: health and metrics, of any kind whose driver can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.live import GOOD, by_driver, cannot
from hrctl.cli.verbs.naming import In, Names
from hrctl.drivers.api import Health, HealthReport, Metrics
from hrctl.model.address import Address
from hrctl.model.kinds import Kind
from hrctl.model.tree import Tree
from hrctl.model.values import Json

# Fields of metrics: what a table calls them, and how it writes them.
_UNITS: dict[str, tuple[str, Callable[[Json], str]]] = {
    "address": ("NAME", lambda address: naming.short(Address(address))),
    "cpu_percent": ("CPU", lambda percent: f"{percent:.1f} %"),
    "rss_bytes": ("MEMORY", lambda size: f"{size / 2**20:.1f} MiB"),
    "uptime_seconds": ("UPTIME", lambda seconds: f"{seconds:.0f} s"),
    "health_latency_ms": ("LATENCY", lambda milliseconds: f"{milliseconds:.1f} ms"),
    "mean_ms": ("MEAN", lambda milliseconds: f"{milliseconds:.1f} ms"),
    "p99_ms": ("P99", lambda milliseconds: f"{milliseconds:.1f} ms"),
}


def health_of(one: Kind, text: str) -> Function:
    """The verb `health`."""

    def health(ctx: typer.Context, names: Names = None, registry: In = None) -> int:
        console = console_of(ctx)
        reports: list[HealthReport] = []
        with Session(console) as session:
            tree = session.tree()
            chosen = naming.chosen(tree, one.name, names, registry)
            for name, driver, held in by_driver(session, tree, chosen):
                if not isinstance(driver, Health):
                    raise cannot(name, one.name, "tell of health")
                reports += driver.health(held)
            if one.name == "Route":
                from hrctl.cli.verbs.mesh_services import with_services

                reports = with_services(session, tree, reports)
        if console.json_output:
            console.json([_report(each) for each in reports])
        else:
            told = [each.address for each in reports]
            table(console, [_shown(each) for each in reports], tree, told)
        return Exit.DONE if all(each.status in GOOD for each in reports) else Exit.ERROR

    group = one.group
    health.__doc__ = (
        f"{text}\n\nExamples:\n  hrctl {group} health\n"
        f"  hrctl {group} health NAME --in prod -o json\n"
    )
    return health


def _report(one: HealthReport) -> dict[str, Json]:
    found: dict[str, Json] = {
        "address": str(one.address),
        "replica": one.replica,
        "status": one.status,
        "latency_ms": one.latency_ms,
        "detail": one.detail,
    }
    if one.destination is not None:
        found |= {"destination": one.destination, "circuit": one.circuit}
    return found


def _shown(one: HealthReport) -> dict[str, Json]:
    return {
        "NAME": naming.short(one.address),
        "REPLICA": one.replica,
        "DESTINATION": one.destination,
        "STATUS": one.status,
        "CIRCUIT": one.circuit,
        "LATENCY": None if one.latency_ms is None else f"{one.latency_ms:.1f} ms",
        "DETAIL": one.detail or None,
    }


def metrics_of(one: Kind, text: str) -> Function:
    """The verb `metrics`."""

    def metrics(ctx: typer.Context, names: Names = None, registry: In = None) -> int:
        console = console_of(ctx)
        rows: list[dict[str, Json]] = []
        with Session(console) as session:
            tree = session.tree()
            chosen = naming.chosen(tree, one.name, names, registry)
            for name, driver, held in by_driver(session, tree, chosen):
                if isinstance(driver, Metrics):
                    rows += [{"address": str(at), **row} for at, row in driver.metrics(held)]
                elif names:
                    raise cannot(name, one.name, "measure")
        if console.json_output:
            console.json(rows)
        elif rows:
            told = [Address(row["address"]) for row in rows]
            table(console, [_readable(row) for row in rows], tree, told)
        else:
            console.note(f"No {one.name} here is live under a driver that measures.")
        return Exit.DONE

    group = one.group
    metrics.__doc__ = (
        f"{text}\n\nExamples:\n  hrctl {group} metrics\n  hrctl {group} metrics NAME -o json\n"
    )
    return metrics


def _readable(row: dict[str, Json]) -> dict[str, Json]:
    """A row of metrics for people: the units that drivers use in their names are written out."""
    shown: dict[str, Json] = {}
    for key, value in row.items():
        head, show = _UNITS.get(key, (key.upper(), str))
        shown[head] = None if value is None else show(value)
    return shown


def table(
    console: Console, rows: Sequence[dict[str, Json]], tree: Tree, addresses: Sequence[Address]
) -> None:
    """A table of rows by heading, about these addresses; columns without any value are left out."""
    from hrctl.cli.render.table import Narrow

    heads = dict.fromkeys(head for row in rows for head in row if row[head] is not None)
    narrow = Narrow(names=lambda: naming.shortest(tree, addresses))
    if rows:
        console.table(list(heads), [[row.get(head) for head in heads] for row in rows], narrow)
