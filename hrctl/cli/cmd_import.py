"""`hrctl import`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.model.address import Selector

if TYPE_CHECKING:
    from hrctl.cli.importing import Import


def import_(
    ctx: typer.Context,
    instance: Annotated[
        str, typer.Argument(metavar="INSTANCE", help="The driver instance, as in hrctl.yaml.")
    ],
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SELECTOR]...", help="Only these.", show_default=False),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Print the manifests, write nothing.")
    ] = False,
) -> int:
    """Write manifests of what a live system has and no project owns.

    They are appended to INSTANCE.yaml in the folder of the registry. Nothing live is touched:
    `hrctl apply --adopt` takes over what the manifests describe.

    Examples:
      hrctl import procs --dry-run
      hrctl import procs
      hrctl import local Config
    """
    from hrctl.cli import importing
    from hrctl.source.emit import dump

    console = console_of(ctx)
    with Session(console) as session:
        wanted = [Selector(text) for text in selectors or ()]
        found, homeless = importing.find(session, instance, wanted)
        written = [] if dry_run else importing.write(session.project.root, found)
    if console.json_output:
        imported = [importing.as_json(one) for one in found]
        console.json({"imported": imported, "left_out": homeless})
        return Exit.DONE
    for address in homeless:
        console.note(f"{address} is left out: registry {address.registry} is not declared")
    if not found:
        console.note(f"{instance} has nothing that is to be imported")
        return Exit.DONE
    if dry_run:
        console.data("---\n".join(dump(one.document) for one in found))
    else:
        for path in written:
            number = sum(one.path == path for one in found)
            console.data(f"{path}: {number} imported")
        console.note("`hrctl apply --adopt` takes them over.")
    _tell_bindings(console, instance, found)
    return Exit.DONE


def _tell_bindings(console: Console, instance: str, found: Sequence[Import]) -> None:
    """Name the kinds that would go to another driver than the one they come from."""
    places = {(one.address.registry, one.address.kind, one.bound) for one in found}
    for registry, kind, bound in sorted(places):
        if bound != instance:
            console.note(
                f"{kind} in {registry} goes to {bound}: to have it go to {instance}, write"
                f" spec.drivers.{kind}: {instance} in its registry.yaml"
            )
