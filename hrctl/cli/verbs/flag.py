"""`hrctl flag`: what is declared of flags, and the verbs that edit them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.render.table import Narrow
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.edits import Then, edit_session, editing
from hrctl.cli.verbs.flag_evaluate import evaluate
from hrctl.cli.verbs.flag_rollout import rollout
from hrctl.cli.verbs.flag_stale import stale
from hrctl.cli.verbs.flag_stats import stats
from hrctl.cli.verbs.generic import Live, group, listed
from hrctl.cli.verbs.naming import In, Into, shortest
from hrctl.cli.verbs.switch import switch
from hrctl.cli.verbs.write import New, Settings, parse_settings, parse_value, remover, write_new
from hrctl.diagnostics import HrctlError
from hrctl.drivers import hashes
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.values import Json

KIND = "FeatureFlag"
_HEADS = {
    "name": "NAME",
    "type": "TYPE",
    "status": "WANTED",
    "default": "DEFAULT",
    "rollout": "ROLLOUT",
    "rules": "RULES",
    "expires": "EXPIRES",
    "live": "LIVE",
    "driver": "DRIVER",
}


def list_(ctx: typer.Context, registry: In = None, live: Live = False) -> int:  # noqa: FBT002 - as typer takes it
    """List the flags that are declared, and to whom they go; with --live, and how they are.

    Examples:
      hrctl flag list
      hrctl flag list --in prod --live
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        rows = listed(session, kind(KIND), registry, live=live)
        for row in rows:
            spec = tree.resource(row["address"]).body["spec"]
            row["default"] = spec["default"]
            row["rollout"] = reach(spec)
            row["rules"] = len(spec["targeting"]) or None
            row["expires"] = spec.get("expires")
    if console.json_output:
        console.json(rows)
    elif not rows:
        console.note("No flags are declared here.")
    else:
        shown = [key for key in _HEADS if any(row.get(key) is not None for row in rows)]
        heads = [_HEADS[key] for key in shown]
        names = partial(shortest, tree, [Address(row["address"]) for row in rows])
        narrow = Narrow(names, ("DRIVER", "TYPE", "RULES", "DEFAULT"))
        console.table(heads, [[row.get(key) for key in shown] for row in rows], narrow)
    return Exit.DONE


def reach(spec: dict[str, Json]) -> str | None:
    """How far a flag reaches, in a few words."""
    rollout = spec.get("rollout")
    if not rollout or spec["status"] in {"DISABLED", "TESTING"}:
        return None
    strategy: str = rollout["strategy"]
    if strategy == "AB_TEST":
        return f"{strategy} " + "/".join(f"{one:g}" for one in rollout["weights"].values())
    if strategy == "BLUE_GREEN":
        return f"{strategy} {rollout['live']}"
    if rollout.get("steps"):
        return (
            f"{strategy} " + ", ".join(f"{one['percentage']:g}" for one in rollout["steps"]) + " %"
        )
    share = rollout.get("percentage")
    return strategy if share is None else f"{strategy} {share:g} %"


@editing
def create(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    name: New,
    *,
    registry: Into = None,
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="BOOLEAN, STRING, NUMBER or OBJECT.")
    ] = "BOOLEAN",
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="NAME=VALUE", help="A value, by name. Repeatable."),
    ] = None,
    default: Annotated[
        str | None,
        typer.Option("--default", metavar="VARIANT", help="What whoever gets no other gets."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="WHO", help="Who removes it one day.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DATE", help="After this day it is stale.")
    ] = None,
    settings: Settings = None,
    then: Then,
) -> int:
    """Write the manifest of a new flag, off at first; it is checked with the whole tree.

    Examples:
      hrctl flag create new-checkout --in shop --owner shop --expires 2027-06-30
      hrctl flag create size --type NUMBER --variant s=1 --variant l=9 --default s
    """
    values: dict[str, Json] = {}
    for one in variants or ():
        key, equals, text = one.partition("=")
        if not key or not equals:
            hint = "as --variant dark=dark"
            raise HrctlError.of("HR162", f"'{one}' is not NAME=VALUE", hint=hint)
        if key in values:
            raise HrctlError.of("HR162", f"the variant '{key}' is given twice")
        values[key] = parse_value(text, one)
    given: dict[str, Json] = {
        "/spec/type": type_,
        "/spec/variants": values or None,
        "/spec/default": default,
        "/spec/owner": owner,
        "/spec/expires": expires,
    }
    fields = {path: value for path, value in given.items() if value is not None}
    with edit_session(ctx) as session:
        fields |= _needed_hash(session, registry) | parse_settings(settings or [])
        return write_new(session, kind(KIND), (name, registry), fields, then)


def _needed_hash(session: Session, registry: str | None) -> dict[str, Json]:
    """The hash that the driver of flags there wants, where no default says it."""
    tree = session.tree()
    path = naming.registry_path(tree, registry) if registry else tree.records[0].path
    scope = tree.scopes[path]
    instance = session.project.drivers.get(scope.driver(KIND))
    wanted = hashes.HASHES.get(instance.type) if instance else None
    inherited = hashes.canonical(scope.defaults(KIND)[0].get("hash"))
    return {hashes.FIELD: wanted[0]} if wanted and inherited not in wanted else {}


def _switch(verb: str, status: str, text: str) -> Function:
    remark = _for_everybody if status == "ENABLED" else None
    return switch(kind(KIND), verb, "status", status, text, example="express", remark=remark)


def _for_everybody(spec: Mapping[str, Any], name: str) -> str | None:
    """What a flag that is on gives where nothing chooses."""
    if spec.get("rollout") or spec["targeting"]:
        return None
    return (
        f"It has neither rules nor a rollout: everybody gets '{spec['default']}',"
        f" its default. `hrctl flag rollout {name} 100` gives the other."
    )


FLAG = group(
    KIND,
    {
        "list": list_,
        "create": create,
        "enable": _switch("enable", "ENABLED", "Switch a flag on, as its rules and rollout say."),
        "disable": _switch("disable", "DISABLED", "Switch a flag off, for everybody."),
        "rollout": rollout,
        "evaluate": evaluate,
        "stats": stats,
        "stale": stale,
        "delete": remover(kind(KIND), "delete"),
    },
    (
        "create express --in shop --owner shop --expires 2027-06-30",
        "rollout prod:express 25 --users users.txt --commit --apply",
        "evaluate prod:express --user user-42 --explain",
        "stale --code src",
    ),
)
