"""`hrctl service`: what is wanted of Services, and what their processes do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.generic import Apply, Commit, In, Message, Name, Yes, group
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Actions, Driver, Health, HealthReport, Logs, Metrics
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import Json

KIND = "Service"
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="NAME, REGISTRY:NAME or an address; default all."),
]
_GOOD = frozenset({"RUNNING", "HEALTHY", "STOPPED", "INSTALLED", "CREATED"})


def _wants(verb: str, state: str, text: str) -> Function:
    """A verb that edits `state`."""

    def change(  # noqa: PLR0913 - each option is a parameter
        ctx: typer.Context,
        name: Name,
        *,
        commit: Commit = False,
        message: Message = None,
        apply: Apply = False,
        yes: Yes = False,
    ) -> int:
        with Session(console_of(ctx)) as session:
            tree = session.tree()
            address = naming.find(tree, KIND, name)
            draft = edits.Draft(session.project.root)
            if tree.resource(address).body["spec"]["state"] != state:
                edits.change_fields(draft, tree, address, {"/spec/state": state})
            wish = edits.Wish(commit, message, apply, yes)
            return edits.finish(session, draft, wish, f"{verb.title()} {address}", address)

    change.__doc__ = (
        f"{text} Edits `state` to {state}, keeping comments, and shows the difference.\n\n"
        f"Examples:\n  hrctl service {verb} api\n  hrctl service {verb} prod:api --commit --apply\n"
    )
    return change


def _chosen(tree: Tree, names: Sequence[str] | None, registry: str | None) -> list[Address]:
    if names:
        return [naming.find(tree, KIND, name) for name in names]
    return naming.of_kind(tree, KIND, registry)


def _by_driver(
    session: Session, tree: Tree, addresses: Iterable[Address]
) -> Iterator[tuple[str, Driver, list[Address]]]:
    groups: dict[str, list[Address]] = {}
    for address in addresses:
        groups.setdefault(tree.rows[address].driver, []).append(address)
    drivers = session.drivers(groups)
    for name, chosen in groups.items():
        yield name, drivers[name], chosen


def restart(ctx: typer.Context, name: Name) -> int:
    """Restart the processes of a Service now; what is wanted does not change.

    Examples:
      hrctl service restart api
      hrctl service restart prod:api
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        driver = session.drivers([tree.rows[address].driver])[tree.rows[address].driver]
        if not isinstance(driver, Actions) or "restart" not in driver.actions:
            raise _cannot(tree.rows[address].driver, "restart a Service")
        driver.act("restart", address)
        if console.json_output:
            console.json({"address": str(address), "action": "restart", "result": "done"})
        else:
            console.data(f"{address} restarted")
    return Exit.DONE


def _cannot(driver: str, what: str) -> HrctlError:
    return HrctlError.of(
        "HR164",
        f"the driver instance '{driver}' cannot {what}",
        hint="bind Service to another driver in a registry's `drivers`",
    )


def health(ctx: typer.Context, names: Names = None, registry: In = None) -> int:
    """Tell how the replicas are; the exit code is 1 where one is not well.

    Examples:
      hrctl service health
      hrctl service health api --in prod -o json
    """
    console = console_of(ctx)
    reports: list[HealthReport] = []
    with Session(console) as session:
        tree = session.tree()
        for name, driver, chosen in _by_driver(session, tree, _chosen(tree, names, registry)):
            if not isinstance(driver, Health):
                raise _cannot(name, "tell of health")
            reports += driver.health(chosen)
    if console.json_output:
        console.json(
            [
                {
                    "address": str(one.address),
                    "replica": one.replica,
                    "status": one.status,
                    "latency_ms": one.latency_ms,
                    "detail": one.detail,
                }
                for one in reports
            ]
        )
    else:
        rows = [
            (
                one.address,
                "" if one.replica is None else one.replica,
                one.status,
                "" if one.latency_ms is None else f"{one.latency_ms:.1f} ms",
                one.detail,
            )
            for one in reports
        ]
        console.table(("ADDRESS", "REPLICA", "STATUS", "LATENCY", "DETAIL"), rows)
    return Exit.DONE if all(one.status in _GOOD for one in reports) else Exit.ERROR


def metrics(ctx: typer.Context, names: Names = None, registry: In = None) -> int:
    """Measure each replica: processor, memory, uptime, restarts, latency of its health check.

    Examples:
      hrctl service metrics
      hrctl service metrics api -o json
    """
    console = console_of(ctx)
    rows: list[dict[str, Json]] = []
    with Session(console) as session:
        tree = session.tree()
        for name, driver, chosen in _by_driver(session, tree, _chosen(tree, names, registry)):
            if isinstance(driver, Metrics):
                rows += [{"address": str(at), **row} for at, row in driver.metrics(chosen)]
            elif names:
                raise _cannot(name, "measure")
    if console.json_output:
        console.json(rows)
    elif rows:
        heads = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[_number(row.get(head)) for head in heads] for row in rows]
        console.table([head.upper().replace("_", " ") for head in heads], cells)
    else:
        console.note("No Service here runs under a driver that measures.")
    return Exit.DONE


def _number(value: Json) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def logs(
    ctx: typer.Context,
    name: Name,
    *,
    tail: Annotated[int, typer.Option("--tail", metavar="N", help="The last N lines.")] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they come.")] = False,
) -> int:
    """Show what a Service writes, all replicas together.

    Examples:
      hrctl service logs api --tail 20
      hrctl service logs prod:api -f
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        driver = session.drivers([tree.rows[address].driver])[tree.rows[address].driver]
        if not isinstance(driver, Logs):
            raise _cannot(tree.rows[address].driver, "show logs")
        show: Callable[[str], None] = console.data
        if console.json_output:
            show = lambda line: console.event({"address": str(address), "line": line})  # noqa: E731 - one expression
        for line in driver.logs(address, tail=tail, follow=follow):
            show(line)
    return Exit.DONE


def dependencies(ctx: typer.Context, name: Name) -> int:
    """Show what a Service needs, all the way down, and what needs it.

    Examples:
      hrctl service dependencies api
      hrctl service dependencies api -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        needs = _closure(address, lambda one: tree.resource(one).depends_on)
        users = _closure(address, tree.dependents)
    if console.json_output:
        console.json(
            {
                "address": str(address),
                "needs": [{"address": str(one), "distance": far} for one, far in needs],
                "needed_by": [{"address": str(one), "distance": far} for one, far in users],
            }
        )
        return Exit.DONE
    console.data(str(address))
    for title, found in (("needs", needs), ("is needed by", users)):
        console.data(f"  {title}" + ("" if found else " nothing"))
        console.lines(f"  {'  ' * far}{one}" for one, far in found)
    return Exit.DONE


def _closure(
    start: Address, following: Callable[[Address], Iterable[Address]]
) -> list[tuple[Address, int]]:
    """Everything that can be reached, depth first, each once, with its distance."""
    found: dict[Address, int] = {}

    def visit(address: Address, distance: int) -> None:
        for one in following(address):
            if one not in found and one.kind != "Registry":
                found[one] = distance
                visit(one, distance + 1)

    visit(start, 1)
    return list(found.items())


SERVICE = group(
    KIND,
    {
        "install": _wants("install", "INSTALLED", "Have a Service installed, and not running."),
        "start": _wants("start", "RUNNING", "Have a Service running."),
        "stop": _wants("stop", "STOPPED", "Have a Service stopped."),
        "uninstall": _wants("uninstall", "CREATED", "Have a Service known, and no more."),
        "restart": restart,
        "health": health,
        "metrics": metrics,
        "logs": logs,
        "dependencies": dependencies,
    },
)
