"""`hrctl state`: the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hrctl.cli.app import Group, console_of
from hrctl.cli.confirm import confirm
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.ledger.api import ChangeRecord, Entry, Lease, RunRecord
from hrctl.model.address import Address, Selector, selected
from hrctl.model.values import lookup

_LEASE_SECONDS = 60.0

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def list_(
    ctx: typer.Context,
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SELECTOR]...", help="Only these.", show_default=False),
    ] = None,
) -> int:
    """List what was applied: one row for each entry of the ledger.

    Examples:
      hrctl state list
      hrctl state list acme/shop/prod
      hrctl state list -o json 'acme/*:Service/*'
    """
    console = console_of(ctx)
    wanted = [Selector(text) for text in selectors or ()]
    with Session(console) as session:
        entries = [one for one in session.ledger.entries() if _is_wanted(one, wanted)]
    if console.json_output:
        console.json({"entries": [_entry_json(one, body=False) for one in entries]})
    elif not entries:
        console.note("the ledger holds nothing" if not wanted else "nothing is selected")
    else:
        rows = [
            (one.address, one.driver, one.pending or "-", _short(one.commit), one.run)
            for one in entries
        ]
        console.table(("ADDRESS", "DRIVER", "PENDING", "COMMIT", "RUN"), rows)
    return Exit.DONE


def _is_wanted(entry: Entry, wanted: Sequence[Selector]) -> bool:
    labels = lookup(entry.body, "/metadata/labels", {})
    return selected(entry.address, labels, wanted, ())


def show(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of the entry.")],
) -> int:
    """Show one entry of the ledger in full, secrets as their references.

    Examples:
      hrctl state show acme/shop/prod:Service/api
    """
    console = console_of(ctx)
    with Session(console) as session:
        found = list(session.ledger.entries([Address.parse(address)]))
    if not found:
        raise HrctlError.of(
            "HR149", f"the ledger has no entry of {address}", hint="`hrctl state list` shows all"
        )
    entry = _entry_json(found[0], body=True)
    if console.json_output:
        console.json(entry)
    else:
        console.document(entry)
    return Exit.DONE


def forget(
    ctx: typer.Context,
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Of the entries.")],
    *,
    yes: Yes = False,
) -> int:
    """Drop entries from the ledger; nothing live is touched.

    What is still declared and bears our mark, the next apply takes into the ledger again.

    Examples:
      hrctl state forget acme/shop/prod:Service/api
    """
    console = console_of(ctx)
    parsed = [Address.parse(text) for text in addresses]
    with Session(console) as session:
        known = {one.address for one in session.ledger.entries(parsed)}
        known |= {one.address for one in session.ledger.intents()} & set(parsed)
        for address in parsed:
            if address not in known:
                raise HrctlError.of("HR149", f"the ledger has no entry of {address}")
        confirm(console, f"Forget {len(known)} of the ledger's entries?", yes=yes)
        from hrctl.cli.runs import new_run

        root = parsed[0].registry.partition("/")[0]
        lease = session.ledger.acquire(root, run=new_run(), seconds=_LEASE_SECONDS)
        try:
            number = session.ledger.forget(lease, parsed)
        finally:
            session.ledger.release(lease)
    if console.json_output:
        console.json({"forgotten": sorted(known)})
    else:
        console.data(f"{number} forgotten.")
    return Exit.DONE


def runs(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Show each change of this run.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many.", min=1)] = 20,
) -> int:
    """List the latest runs, or the changes of one.

    Examples:
      hrctl state runs
      hrctl state runs -n 5
      hrctl state runs 20260311-101502-3f9a
    """
    console = console_of(ctx)
    with Session(console) as session:
        if run is None:
            _list_runs(console, session.ledger.runs(limit))
        else:
            _list_changes(console, run, session.ledger.run_changes(run))
    return Exit.DONE


def _list_runs(console: Console, found: Sequence[RunRecord]) -> None:
    if console.json_output:
        console.json({"runs": [_run_json(one) for one in found]})
    elif not found:
        console.note("nothing was applied yet")
    else:
        rows = [
            (
                one.id,
                one.status,
                one.who,
                _short(one.commit),
                _counts(one),
            )
            for one in found
        ]
        console.table(("RUN", "STATUS", "WHO", "COMMIT", "CHANGES"), rows)


def _list_changes(console: Console, run: str, found: Sequence[ChangeRecord]) -> None:
    if not found:
        raise HrctlError.of(
            "HR149", f"the ledger has no changes of run {run}", hint="`hrctl state runs` lists runs"
        )
    if console.json_output:
        console.json({"run": run, "changes": [_change_json(one) for one in found]})
    else:
        rows = [
            (one.address, one.action, one.result, f"{one.seconds:.1f} s", one.error)
            for one in found
        ]
        console.table(("ADDRESS", "ACTION", "RESULT", "TIME", "ERROR"), rows)


def unlock(
    ctx: typer.Context,
    subtree: Annotated[
        str | None,
        typer.Argument(
            metavar="[REGISTRY]", help="Whose lease; / is the whole project. Default: all."
        ),
    ] = None,
    *,
    yes: Yes = False,
) -> int:
    """Take the lease of another run away.

    It is rarely needed: the lease of a run that died gives way by itself. A run that is alive and
    loses its lease stops before its next change.

    Examples:
      hrctl state unlock
      hrctl state unlock acme/shop
      hrctl state unlock /
    """
    console = console_of(ctx)
    with Session(console) as session:
        wanted = None if subtree is None else subtree.strip("/")
        held = [one for one in session.ledger.leases() if wanted in {None, one.subtree}]
        for lease in held:
            console.note(f"{lease.subtree or '/'} is held by {lease.holder}, run {lease.run}")
        if held:
            confirm(console, "Take it away?" if len(held) == 1 else "Take them away?", yes=yes)
            for lease in held:
                session.ledger.break_lease(lease.subtree)
    if console.json_output:
        console.json({"unlocked": [_lease_json(one) for one in held]})
    else:
        names = ", ".join(one.subtree or "/" for one in held)
        console.data(f"Unlocked: {names}." if held else "Nothing is locked.")
    return Exit.DONE


def _short(commit: str | None) -> str | None:
    return commit[:7] if commit else None


def _counts(run: RunRecord) -> str:
    """Of what a plan shows; what was only noted is in the list of one run."""
    shown = sorted((word, number) for word, number in run.counts.items() if word != "noted")
    return ", ".join(f"{number} {word}" for word, number in shown) or "-"


def _entry_json(entry: Entry, *, body: bool) -> dict[str, Any]:
    narrow: dict[str, Any] = {
        "address": entry.address,
        "driver": entry.driver,
        "digest": entry.digest,
        "version": entry.version,
        "pending": entry.pending.value if entry.pending else None,
        "commit": entry.commit,
        "run": entry.run,
        "depends_on": list(entry.depends_on),
    }
    return narrow | {"body": entry.body} if body else narrow


def _run_json(run: RunRecord) -> dict[str, Any]:
    return {
        "run": run.id,
        "status": run.status,
        "who": run.who,
        "started": run.started,
        "finished": run.finished,
        "commit": run.commit,
        "plan": run.plan,
        "command": run.command,
        "counts": dict(run.counts),
    }


def _change_json(change: ChangeRecord) -> dict[str, Any]:
    return {
        "address": change.address,
        "action": change.action,
        "result": change.result,
        "error": change.error,
        "seconds": change.seconds,
    }


def _lease_json(lease: Lease) -> dict[str, Any]:
    return {
        "subtree": lease.subtree,
        "holder": lease.holder,
        "run": lease.run,
        "expires": lease.expires,
    }


STATE = Group(
    """Look at the ledger, and let go of what it holds.

    Examples:
      hrctl state list
      hrctl state runs
      hrctl state unlock
    """,
    {"list": list_, "show": show, "forget": forget, "runs": runs, "unlock": unlock},
)
