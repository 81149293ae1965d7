"""The verbs that every kind has, and those that only look: list, show, stats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from hrctl.cli.app import Function, Group, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.render.style import RECORDED_ONLY
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming, transfer, write
from hrctl.cli.verbs.naming import In, Name
from hrctl.model.address import Address
from hrctl.model.kinds import Kind, kind
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup

Live = Annotated[bool, typer.Option("--live", help="Ask the drivers how each is.")]

# Headings by the field of a row, in their order; columns without any value are left out.
_COLUMNS = {
    "name": "NAME",
    "type": "TYPE",
    "provider": "PROVIDER",
    "status": "WANTED",
    "live": "LIVE",
    "driver": "DRIVER",
}
_COUNTED = ("type", "provider", "status", "live", "driver")


def group(
    name: str, more: Mapping[str, Function] | None = None, examples: Sequence[str] = ()
) -> Group:
    """The command group of a kind, with verbs of its own beside (or instead of) those of all.

    Its help shows these examples, each without the name of the group.
    """
    one = kind(name)
    verbs: dict[str, Function] = {
        "list": _list(one),
        "show": _show(one),
        "create": write.creator(one),
        "remove": write.remover(one),
        "stats": _stats(one),
        "import": transfer.importer(one),
        "export": transfer.exporter(one),
        **(more or {}),
    }
    shown = ("list --live", *(examples or ("show NAME", "stats -o json")))
    text = f"The {one.plural} of this project: what is declared, and what is live.\n\nExamples:\n"
    text += "".join(f"  hrctl {one.group} {each}\n" for each in shown)
    return Group(text, verbs)


def summary(tree: Tree, address: Address, one: Kind) -> dict[str, Json]:
    """A row of a listing: what is declared of a resource."""
    resource = tree.resource(address)
    status = lookup(resource.body, one.status_path) if one.status_path else None
    if isinstance(status, bool):  # `enabled` of a Component or a Plugin
        status = "ENABLED" if status else "DISABLED"
    return {
        "address": str(address),
        "name": naming.short(address),
        "type": lookup(resource.body, one.type_path) if one.type_path else None,
        "provider": lookup(resource.body, "/spec/provider"),
        "status": status,
        "driver": resource.driver,
        "labels": dict(resource.labels),
        "file": f"{resource.span.path}:{resource.span.line}",
    }


def listed(
    session: Session, one: Kind, registry: str | None, *, live: bool
) -> list[dict[str, Json]]:
    """A row of a listing for each resource of a kind, with `live` as its driver says it is."""
    tree = session.tree()
    addresses = naming.of_kind(tree, one.name, registry)
    addresses.sort(key=lambda each: (each.registry.split("/"), each.name))
    rows = [summary(tree, each, one) for each in addresses]
    for row in rows:
        row["recordedOnly"] = session.project.records_only(row["driver"], one.name)
    if live:
        from hrctl.cli.verbs.live import statuses

        said = statuses(session, tree, addresses)
        for row in rows:
            row["live"] = said.get(Address(row["address"]))
    return rows


def _list(one: Kind) -> Function:
    def list_(ctx: typer.Context, registry: In = None, live: Live = False) -> int:  # noqa: FBT002 - as typer takes it
        console = console_of(ctx)
        with Session(console) as session:
            rows = listed(session, one, registry, live=live)
        if console.json_output:
            console.json(rows)
        elif not rows:
            console.note(f"No {one.plural} are declared here.")
        else:
            shown = [key for key in _COLUMNS if any(row.get(key) is not None for row in rows)]
            console.table([_COLUMNS[key] for key in shown], [_cells(row, shown) for row in rows])
        return Exit.DONE

    text = f"List the {one.plural} that are declared; with --live, and how they are."
    return write.documented(list_, one, text, "list --live", "list --in prod")


def _cells(row: Mapping[str, Json], shown: Sequence[str]) -> list[Json]:
    """Return what a listing shows of a row; a driver that does no more than record says so."""
    suffix = f" ({RECORDED_ONLY})" if row["recordedOnly"] else ""
    return [f"{row[key]}{suffix}" if key == "driver" else row.get(key) for key in shown]


def _show(one: Kind) -> Function:
    def show(ctx: typer.Context, name: Name) -> int:
        console = console_of(ctx)
        with Session(console) as session:
            tree = session.tree()
            address = naming.find(tree, one.name, name)
            resource = tree.resource(address)
            shown = {
                **summary(tree, address, one),
                **resource.body,
                "dependsOn": list(resource.depends_on),
                "dependents": list(tree.dependents(address)),
            }
            if one.name == "Registry":
                shown |= _contents(tree, address.registry)
        if console.json_output:
            console.json(shown)
        else:
            shown["metadata"] = {key: item for key, item in shown["metadata"].items() if item}
            console.document(
                {key: item for key, item in shown.items() if item not in (None, {}, [])}
            )
        return Exit.DONE

    text = f"Show a {one.name} with everything that it inherits; `hrctl explain` tells from where."
    return write.documented(show, one, text, "show NAME", "show prod:NAME -o json")


def _contents(tree: Tree, path: str) -> dict[str, Json]:
    """What is in a registry: those right below it, and how many of each kind here and in all."""
    here = Counter(one.kind for one in tree.within(path) if one.registry == path)
    below = Counter(one.kind for one in tree.within(path) if one.registry != path)
    del here["Registry"]
    return {
        "children": [node.path for node in tree.registries.values() if node.parent == path],
        "resources": dict(here),
        "below": dict(below),
    }


def counted(rows: Sequence[Mapping[str, Json]]) -> dict[str, Any]:
    """How many rows there are in all, and of each value of the fields that are counted."""
    found: dict[str, Any] = {"total": len(rows)}
    for field in _COUNTED:
        if any(row.get(field) is not None for row in rows):
            found[field] = dict(sorted(Counter(row.get(field) or "-" for row in rows).items()))
    return found


def _stats(one: Kind) -> Function:
    def stats(ctx: typer.Context, registry: In = None, live: Live = False) -> int:  # noqa: FBT002 - as typer takes it
        console = console_of(ctx)
        with Session(console) as session:
            rows = listed(session, one, registry, live=live)
        counts = counted(rows)
        if console.json_output:
            console.json(counts)
        else:
            del counts["total"]
            table = [(field, value, n) for field, by in counts.items() for value, n in by.items()]
            console.table(("BY", "VALUE", "COUNT"), [*table, ("total", "", len(rows))])
        return Exit.DONE

    what = "type, provider, status" if one.name == "Component" else "type, status"
    return write.documented(
        stats, one, f"Count {one.plural} by {what} and driver.", "stats", "stats --in prod -o json"
    )
