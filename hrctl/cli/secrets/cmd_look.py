"""`hrctl secrets list` and `check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.secrets.renewing import Where
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError

if TYPE_CHECKING:
    from hrctl.cli.console import Console
    from hrctl.cli.secrets.age import Changed
    from hrctl.model.sealed import SecretRow
    from hrctl.model.tree import Tree
    from hrctl.secrets import Unsealed


def list_(ctx: typer.Context, where: Where = None) -> int:
    """List the encrypted values: where, for whom, and when each was last changed. No key is needed.

    The commit is the last one that changed the ciphertext.

    Examples:
      hrctl secrets list
      hrctl secrets list acme/shop -o json
    """
    from hrctl.cli.secrets.age import changes
    from hrctl.cli.secrets.finding import chosen, source_of
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.model.recipients import all_keys, name_of

    console = console_of(ctx)
    with Session(console) as session:
        tree = lenient_tree(session)
        rows = chosen(tree, where)
        known = all_keys(session.project.secrets["recipients"])
        ages = changes(session, [(row.path, str(source_of(tree, row)["age"])) for row in rows])
    found: list[dict[str, Any]] = []
    for row, change in zip(rows, ages, strict=True):
        found.append(
            {
                "address": row.address,
                "field": row.field,
                "file": row.path,
                "line": change.line,
                "recipients": [
                    {"fingerprint": mark, "name": name_of(mark, known)}
                    for mark in row.recipients or ()
                ],
                "commit": change.commit,
                "changed": change.time,
            }
        )
    if console.json_output:
        console.json({"secrets": found})
    elif not found:
        console.note("There are no encrypted values here.")
    else:
        console.lines(_lines(console, found, ages))
    return Exit.DONE


def _lines(console: Console, found: list[dict[str, Any]], ages: Sequence[Changed]) -> Iterator[str]:
    """A line for each, below that of its document; columns are as wide as what is in them."""
    from hrctl.cli.secrets.target import called

    brush = console.brush(sys.stdout)
    rows = [
        (
            called(one["field"], one["address"].partition(":")[2].partition("/")[0]),
            ", ".join(each["name"] for each in one["recipients"]) or "(nobody named)",
            (one["commit"] or "-")[:7],
        )
        for one in found
    ]
    widths = [min(max(len(row[column]) for row in rows), 40) for column in range(3)]
    before = None
    for one, row, change in zip(found, rows, ages, strict=True):
        if one["address"] != before:
            yield brush(one["address"], "bold")
            before = one["address"]
        cells = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {cells}  {change.ago}"


def check(ctx: typer.Context, where: Where = None) -> int:
    """Decrypt every secret, and tell which is damaged, misplaced or not for whom it says.

    What no key here opens is told too, as it cannot be checked.

    Examples:
      hrctl secrets check
      hrctl --identity shop.key secrets check acme/shop
    """
    from hrctl.cli.render.text import count
    from hrctl.cli.secrets.finding import chosen, opened
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.model.recipients import all_keys

    console = console_of(ctx)
    with Session(console) as session:
        tree = lenient_tree(session)
        rows = chosen(tree, where)
        if rows and not session.opener.has_keys:
            raise _no_key(len(rows), session.opener.identities.notes)
        known = all_keys(session.project.secrets["recipients"])
        problems: list[Diagnostic] = []
        for row, found in opened(session, tree, rows):
            if isinstance(found, HrctlError):
                problems += found.diagnostics
            elif lie := _lie(tree, row, found, known):
                problems.append(lie)
        if problems:
            raise HrctlError(*problems)
        if console.json_output:
            console.json({"secrets": len(rows), "valid": True})
        else:
            console.data(f"{count(len(rows), 'secret')}, all open and where they belong.")
    return Exit.DONE


def _no_key(number: int, notes: Sequence[str]) -> HrctlError:
    from hrctl.cli.render.text import count
    from hrctl.secrets.identities import SOURCES

    return HrctlError(
        Diagnostic(
            "HR170",
            f"{count(number, 'secret')} cannot be checked: there is no identity here",
            hint=f"give one by {SOURCES}",
            note="; ".join(notes) or None,
        )
    )


def _lie(tree: Tree, row: SecretRow, found: Unsealed, known: Sequence[str]) -> Diagnostic | None:
    """Return where the clear list of recipients is neither the one inside nor that of the header.

    The list inside is written by whoever encrypts, who may leave somebody out; the header is what
    opens.
    """
    from hrctl.cli.secrets.finding import hidden_recipients

    what = f"the secret at {row.place} is not encrypted to whom it says in the clear"
    if set(row.recipients or ()) == set(found.recipients):
        more = hidden_recipients(tree, row, known)
        if more is None:
            return None
        what = f"{what}: its header holds {more}"
    return Diagnostic(
        "HR175",
        what,
        span=tree.locate(row.document, f"{row.pointer}/valueFrom/recipients"),
        address=row.address,
        hint="hrctl secrets rotate --all writes both anew",
    )
