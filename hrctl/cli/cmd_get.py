"""`hrctl get`."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_selector
from hrctl.cli.exits import Exit
from hrctl.cli.render.style import RECORDED_ONLY
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Driver, Live, Stamp
from hrctl.model.address import Address, Selector
from hrctl.model.values import Body


class Found(NamedTuple):
    """A live thing and the instance that it lives in."""

    driver: str
    stamp: Stamp
    recorded_only: bool = False


def get(
    ctx: typer.Context,
    selector: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS|REGISTRY|KIND]",
            help="An address shows its value; all else lists. Also a glob. Default: everything.",
            autocompletion=complete_selector,
            show_default=False,
        ),
    ] = None,
) -> int:
    """Show what is live, as the drivers of this project see it.

    What `local` holds is the embedded registry. Secrets show as their references.

    Examples:
      hrctl get
      hrctl get acme/shop/prod:Config/app
      hrctl get Service -o json
      hrctl get acme/shop
    """
    console = console_of(ctx)
    with Session(console) as session:
        drivers = session.drivers(session.project.drivers)
        found = _find(session, drivers, selector)
        if selector is not None and ":" in selector and not any(m in selector for m in "*?["):
            address = Address.parse(selector)
            if not found:
                raise HrctlError.of(
                    "HR154", f"{address} is not live", hint="`hrctl get` lists what is"
                )
            shown = [_shown(session, drivers, one) for one in found]
            if console.json_output:
                console.json(shown[0])
            else:
                for one in shown:
                    console.document(one)
            return Exit.DONE
    if console.json_output:
        console.json({"live": [_row(one) for one in found]})
    elif found:
        rows = [
            (one.stamp.address, _driver(one), one.stamp.owner, one.stamp.version[:12])
            for one in found
        ]
        console.table(("ADDRESS", "DRIVER", "OWNER", "VERSION"), rows)
    else:
        console.note("nothing is live" + (f" that '{selector}' selects" if selector else ""))
    return Exit.DONE


def _find(session: Session, drivers: dict[str, Driver], text: str | None) -> list[Found]:
    """What is live, by address; a label selects nothing, as a scan does not know labels."""
    selector = Selector(text) if text else None
    found = [
        Found(name, stamp, session.project.records_only(name, stamp.address.kind))
        for name, driver in drivers.items()
        for stamp in driver.scan()
        if selector is None or selector.matches(stamp.address, {})
    ]
    return sorted(found, key=lambda one: (one.stamp.address, one.driver))


def _driver(found: Found) -> str:
    return f"{found.driver} ({RECORDED_ONLY})" if found.recorded_only else found.driver


def _row(found: Found) -> dict[str, Any]:
    stamp = found.stamp
    return {
        "address": stamp.address,
        "driver": found.driver,
        "owner": stamp.owner,
        "version": stamp.version,
        "recordedOnly": found.recorded_only,
    }


def _shown(session: Session, drivers: dict[str, Driver], found: Found) -> dict[str, Any]:
    (live,) = drivers[found.driver].read([found.stamp.address])
    return _row(found) | {"body": _masked(session, live)}


def _masked(session: Session, live: Live) -> Body:
    """The body without plaintext, as far as the ledger or the tree says what is secret in it."""
    from hrctl.reconcile.bodies import mask

    entries = list(session.ledger.entries([live.address]))
    shapes: list[Body | None] = [entry.body for entry in entries]
    sensitive: list[str] = []
    tree = session.load().tree
    if live.address in tree.rows:
        resource = tree.resource(live.address)
        shapes.append(resource.body)
        sensitive = [one.path for one in resource.deferred if one.sensitive]
    return mask(live.body, shapes, sensitive)
