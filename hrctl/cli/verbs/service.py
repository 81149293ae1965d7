"""`hrctl service`: what is wanted of Services, and what their processes do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import measure, naming
from hrctl.cli.verbs.edits import Then, edit_session, editing
from hrctl.cli.verbs.generic import group
from hrctl.cli.verbs.live import by_driver, cannot
from hrctl.cli.verbs.naming import Into, Name
from hrctl.cli.verbs.switch import switch
from hrctl.cli.verbs.write import New, Settings, parse_settings, parse_value, write_new
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Actions, Driver, Logs
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.values import Json

KIND = "Service"


@editing
def create(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    name: New,
    *,
    registry: Into = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="API, WORKER, ...")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", metavar="COMMAND", help="What runs.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=0, metavar="N", help="How many, side by side.")
    ] = None,
    ports: Annotated[
        list[str] | None,
        typer.Option("--port", metavar="NAME=PORT", help="Where it listens. Repeatable."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="Of its environment. Repeatable."),
    ] = None,
    settings: Settings = None,
    then: Then,
) -> int:
    """Write the manifest of a new Service; it is checked with the whole tree.

    Examples:
      hrctl service create api --in shop/dev --type API --command "python3 api.py"
      hrctl service create api --type API --port http=8080 --set healthCheck.http=/
    """
    given: dict[str, Json] = {
        "/spec/type": type_,
        "/spec/command": command,
        "/spec/replicas": replicas,
        "/spec/ports": [_port(one) for one in ports or ()] or None,
        "/spec/env": dict(_pair(one, "--env LOG_LEVEL=debug") for one in env or ()) or None,
    }
    fields = {path: value for path, value in given.items() if value is not None}
    with edit_session(ctx) as session:
        fields |= parse_settings(settings or [])
        return write_new(session, kind(KIND), (name, registry), fields, then)


def _pair(setting: str, example: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not name or not equals:
        raise HrctlError.of("HR162", f"'{setting}' is not NAME=VALUE", hint=f"as {example}")
    return name, value


def _port(setting: str) -> dict[str, Json]:
    name, number = _pair(setting, "--port http=8080")
    return {"name": name, "port": parse_value(number, setting)}


def _wants(verb: str, state: str, text: str) -> Function:
    return switch(kind(KIND), verb, "state", state, text, example="api")


def _at(session: Session, name: str) -> tuple[Address, str, Driver]:
    """The Service that is named, and the driver instance that has it."""
    tree = session.tree()
    address = naming.find(tree, KIND, name)
    ((instance, driver, _),) = by_driver(session, tree, [address])
    return address, instance, driver


def restart(ctx: typer.Context, name: Name) -> int:
    """Restart the processes of a Service now; what is wanted does not change.

    Examples:
      hrctl service restart api
      hrctl service restart prod:api
    """
    console = console_of(ctx)
    with Session(console) as session:
        address, instance, driver = _at(session, name)
        if not isinstance(driver, Actions) or "restart" not in driver.actions:
            raise cannot(instance, KIND, "restart a Service")
        driver.act("restart", address)
        if console.json_output:
            console.json({"address": str(address), "action": "restart", "result": "done"})
        else:
            console.data(f"{address} restarted")
    return Exit.DONE


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
        address, instance, driver = _at(session, name)
        if not isinstance(driver, Logs):
            raise cannot(instance, KIND, "show logs")
        show: Callable[[str], None] = console.data
        if follow:
            show = lambda line: console.log([line])  # noqa: E731 - one expression
        if console.json_output:
            show = lambda line: console.event({"address": str(address), "line": line})  # noqa: E731 - one expression
        for line in driver.logs(address, tail=tail, follow=follow):
            show(line)
            if console.reader_left:
                break
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
        for one, far in found:
            console.data(f"  {'  ' * far}{one}")
    return Exit.DONE


def _closure(
    start: Address, following: Callable[[Address], Iterable[Address]]
) -> list[tuple[Address, int]]:
    """Everything that can be reached, depth first, each once, with how deep it was found."""
    found = {start: 0}
    trail = [iter(following(start))]  # not by recursion: a chain may be long
    while trail:
        one = next(trail[-1], None)
        if one is None:
            trail.pop()
        elif one not in found and one.kind != "Registry":
            found[one] = len(trail)
            trail.append(iter(following(one)))
    return list(found.items())[1:]


SERVICE = group(
    KIND,
    {
        "create": create,
        "install": _wants("install", "INSTALLED", "Have a Service installed, and not running."),
        "start": _wants("start", "RUNNING", "Have a Service running."),
        "stop": _wants("stop", "STOPPED", "Have a Service stopped."),
        "uninstall": _wants("uninstall", "CREATED", "Have a Service known, and no more."),
        "restart": restart,
        "health": measure.health_of(
            kind(KIND), "Tell how the replicas are; the exit code is 1 where one is not well."
        ),
        "metrics": measure.metrics_of(
            kind(KIND),
            "Measure each replica: processor, memory, uptime, restarts, latency of its check.",
        ),
        "logs": logs,
        "dependencies": dependencies,
    },
)
