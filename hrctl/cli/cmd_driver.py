"""`hrctl driver`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hrctl.cli import options as given
from hrctl.cli.app import Group, console_of
from hrctl.cli.complete import KINDS
from hrctl.cli.confirm import confirm
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.render.text import count
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Embedded


def list_(ctx: typer.Context) -> int:
    """List the driver types that are installed and the instances of this project.

    Examples:
      hrctl driver list
      hrctl driver list -o json
    """
    from hrctl.drivers import discovery

    console = console_of(ctx)
    types: list[dict[str, Any]] = []
    for info in discovery.installed():
        kinds: list[str] = []
        problem: str | None = None
        try:
            kinds = sorted(discovery.load_driver(info.type).kinds)
        except HrctlError as error:
            problem = str(error.diagnostics[0])
        types.append(
            {
                "type": info.type,
                "distribution": info.distribution,
                "version": info.version,
                "kinds": kinds,
                "problem": problem,
            }
        )
    instances = _instances(console)
    if console.json_output:
        console.json({"types": types, "instances": instances})
        return Exit.DONE
    rows = [
        (
            one["type"],
            f"{one['distribution']} {one['version']}",
            _kinds(one["kinds"], one["problem"]),
        )
        for one in types
    ]
    console.table(("TYPE", "FROM", "KINDS"), rows)
    if instances:
        console.data("")
        pairs = [(name, type_) for name, type_ in instances.items()]
        console.table(("INSTANCE", "TYPE"), pairs)
    return Exit.DONE


def _kinds(kinds: list[str], problem: str | None) -> str:
    return problem or ("all" if set(kinds) >= set(KINDS) else ", ".join(kinds))


def _instances(console: Console) -> dict[str, str]:
    """Instance -> type; none outside a project."""
    try:
        with Session(console) as session:
            return {name: spec.type for name, spec in session.project.drivers.items()}
    except HrctlError as error:
        if error.diagnostics[0].code != "HR060":
            raise
        return {}


def check(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INSTANCE]...", help="Default: all.", show_default=False),
    ] = None,
) -> int:
    """Connect to the instances of this project and count what is there.

    Examples:
      hrctl driver check
      hrctl driver check procs
    """
    console = console_of(ctx)
    rows: list[dict[str, Any]] = []
    problems: list[Diagnostic] = []
    with Session(console) as session:
        known = {name: one.type for name, one in session.project.drivers.items()}
        for name in _named(session, names):
            try:
                seen = _look(session, name, known[name])
            except HrctlError as error:
                problems += error.diagnostics
                seen = {"ok": False}
            rows.append({"instance": name, "type": known[name], **seen})
    if console.json_output:
        console.json({"instances": rows})
    else:
        console.table(
            ("INSTANCE", "TYPE", "ANSWERS", "LIVE", "OURS"),
            [
                (r["instance"], r["type"], "yes" if r["ok"] else "no", r.get("live"), r.get("ours"))
                for r in rows
            ],
        )
    if problems:
        raise HrctlError(*problems)
    return Exit.DONE


def _named(session: Session, names: list[str] | None) -> list[str]:
    """These instances, or all.

    Raises:
        HrctlError: HR153 for one that is not configured.
    """
    known = list(session.project.drivers)
    for name in names or ():
        if name not in known:
            have = ", ".join(known)
            raise HrctlError(
                Diagnostic("HR153", f"no instance '{name}' is configured", note=f"there are {have}")
            )
    return names or known


def _look(session: Session, name: str, type_: str) -> dict[str, Any]:
    """Connect to an instance and count.

    Raises:
        HrctlError: HR087 where the driver is not as one must be, or why it does not answer.
    """
    from hrctl.drivers import discovery

    broken = discovery.check_driver(discovery.load_driver(type_))
    if broken:
        raise HrctlError(*broken)
    (driver,) = session.drivers([name]).values()
    stamps = list(driver.scan())
    ours = sum(one.owner == session.project.name for one in stamps)
    return {"ok": True, "live": len(stamps), "ours": ours}


def stop(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INSTANCE]...", help="Default: all.", show_default=False),
    ] = None,
    *,
    yes: given.Yes = False,
) -> int:
    """Stop the servers that hrctl runs itself, with all that they serve.

    What was applied is kept: the next plan shows it as lost, and an apply brings it back. Servers
    that are not hrctl's own are left alone. `hrctl destroy` stops its servers by itself.

    Examples:
      hrctl driver stop edge
      hrctl driver stop --yes
    """
    console = console_of(ctx)
    with Session(console) as session:
        drivers = session.drivers(_named(session, names))
        own = {name: one for name, one in drivers.items() if isinstance(one, Embedded)}
        live = {name: sum(1 for _ in one.scan()) for name, one in drivers.items() if name in own}
        running = [
            f"{name} ({count(number, 'resource')})" for name, number in live.items() if number
        ]
        if running:
            confirm(console, f"Stop {' and '.join(running)}?", yes=yes)
        stopped = [name for name, one in own.items() if one.down()]
    if console.json_output:
        console.json({"stopped": stopped})
    else:
        console.data(f"Stopped {' and '.join(stopped)}." if stopped else "Nothing of hrctl's runs.")
    return Exit.DONE


DRIVER = Group(
    """Look at the drivers, and whether the live systems behind them answer.

    Examples:
      hrctl driver list
      hrctl driver check
      hrctl driver stop
    """,
    {"list": list_, "check": check, "stop": stop},
)
