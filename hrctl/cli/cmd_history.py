"""`hrctl history`: every change of a resource from git, and which run applied it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.cmd_explain import address_of
from hrctl.cli.complete import complete_address
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, Severity
from hrctl.model.address import Address
from hrctl.model.values import digest

Resource = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="Of the resource.", autocompletion=complete_address),
]
Field = Annotated[
    str | None, typer.Argument(metavar="[FIELD]", help="Only this field and those below it.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the last N changes.")
]
Revision = Annotated[
    str, typer.Option("--rev", metavar="REV", help="As far as this commit; default HEAD.")
]


def history(
    ctx: typer.Context,
    address: Resource,
    field: Field = None,
    *,
    limit: Limit = None,
    revision: Revision = "HEAD",
) -> int:
    """Show each change of a resource: commit, author, time, old and new values.

    The values are the effective ones: a default that changed in a registry above is a change of
    every resource that inherits it. Moves (`movedFrom`) and renamed files are followed. Below each
    change stands the run that applied it first. Only commits count, and of references only what
    they name.

    Examples:
      hrctl history acme/shop/prod:Service/api
      hrctl history acme/shop/prod:Service/api replicas
      hrctl history acme/shop/prod:Config/app entries.LOG_LEVEL -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        return show_history(session, address_of(session, address), field, revision, limit)


def show_history(
    session: Session, address: Address, field: str | None, revision: str, limit: int | None
) -> int:
    """Print the history of a resource, or of one of its fields.

    Raises:
        HrctlError: HR141 or HR190 where no commit has the resource, HR147 for no such field.
    """
    console = session.console
    found = _answer(session, address, field, revision)
    changes = found["changes"][:limit]
    if console.json_output:
        shown = [{k: v for k, v in one.items() if k not in {"lines", "applied"}} for one in changes]
        console.json(
            {"address": address, "field": field, "shallow": found["shallow"], "changes": shown}
        )
    else:
        console.lines(_lines(console, address, changes))
        if found["shallow"] and len(changes) == len(found["changes"]):
            console.note(
                "This is a shallow clone: what happened before"
                f" {found['shallow'][0][:7]} is not in it. git fetch --unshallow brings it."
            )
    _tell_broken(console, found["broken"])
    return Exit.DONE


def _answer(session: Session, address: Address, field: str | None, revision: str) -> dict[str, Any]:
    """From the cache, where commits and runs are those of an earlier question; else from git."""
    from hrctl.source.cache import Cache
    from hrctl.source.log import LogReader, question

    project = session.project
    asked = question(project.root, project.manifests, revision)
    runs = [run.id for run, _ in session.ledger.applied(address)]
    key = digest([address, field, asked, runs])
    with Cache(project.state_dir / "cache.db") as cache:
        found: dict[str, Any] | None = cache.answer(key)
        if found is None:
            reader = LogReader(project.root, asked[0], project.manifests)
            from hrctl.cli.tracing import open_past, trace

            with open_past(session, reader) as past:
                found = trace(session, past, address, field)
            cache.store_answer(key, found)
    return found


def _lines(console: Console, address: Address, changes: Sequence[Any]) -> Iterator[str]:
    from hrctl.cli.render.versions import FieldLines

    brush = console.brush(sys.stdout)
    fields = FieldLines(console.width, brush)
    yield brush(address, "bold")
    for one in changes:
        yield _head(console, one)
        if one["action"] != "changed":
            yield f"      {_word(one)}"
        for name, old, new, origin, order in one["lines"]:
            yield from fields.pair(name, old, new, origin=origin, order=order)
        yield f"      {brush(_applied_text(one), 'dim')}"


def _head(console: Console, one: Any) -> str:
    from hrctl.cli.render.values import columns, elide, printable

    start = f"{short_time(one['time'])}  {printable(one['author'])}  "
    room = console.width - columns(start) - 9
    subject = elide(printable(one["subject"]), max(room, 12))
    return f"{console.brush(sys.stdout)(one['commit'][:7], 'yellow')}  {start}{subject}"


def _word(one: Any) -> str:
    from hrctl.cli.render.values import printable

    if one["action"] == "moved":
        return f"moved from {one['movedFrom']}"
    if one["action"] == "removed":
        return "removed"
    return f"created in {printable(one['file'] or '')}"


def short_time(time: str) -> str:
    """``2026-03-02 14:05`` of an RFC 3339 time, in its own zone."""
    return time[:16].replace("T", " ")


def _applied_text(one: Any) -> str:
    whole = one["action"] in {"created", "removed"}
    all_ = [one["applied"]] if whole else [each["applied"] for each in one["fields"]]
    runs = [run for run in all_ if run is not None]
    if not runs:
        return "not applied"
    first = min(runs, key=lambda run: str(run["time"]))
    text = f"applied {short_time(first['time'])}, run {first['run']}"
    missing = len(all_) - len(runs)
    return f"{text}; {missing} of {len(all_)} fields not" if missing else text


def _tell_broken(console: Console, paths: Sequence[str]) -> None:
    if paths and not console.quiet:
        from hrctl.cli.telling import report

        report(
            console,
            [
                Diagnostic(
                    "HR191",
                    f"{path} could not be read at every commit; what it said there is left out",
                    severity=Severity.WARNING,
                )
                for path in paths
            ],
        )
