"""`hrctl explain`: where each value of a resource comes from, or what a code means."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_address
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.diagnostics import Diagnostic, HrctlError, Related
from hrctl.model.address import Address

if TYPE_CHECKING:
    from hrctl.cli.session import Session
    from hrctl.model.assemble import ExplainedValue
    from hrctl.model.tree import Tree

_SHOWN = 12
_CODE = re.compile(r"HR\d{3}", re.IGNORECASE)


def explain(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|CODE",
            help="A resource, or the code of a diagnostic.",
            autocompletion=complete_address,
        ),
    ],
    field: Annotated[
        str | None,
        typer.Argument(metavar="[FIELD]", help="Only this field and those below it."),
    ] = None,
) -> int:
    """Print each final value of a resource with the place where it is written.

    With a code: why the diagnostic appears and what to do, with a wrong and a right example.

    Examples:
      hrctl explain acme/shop/prod:Service/api
      hrctl explain acme/shop/prod:Service/api env.LOG_LEVEL
      hrctl explain HR021
    """
    console = console_of(ctx)
    if _CODE.fullmatch(what):
        _explain_code(console, what.upper())
    else:
        _explain_address(console, what, field)
    return Exit.DONE


def _explain_address(console: Console, what: str, field: str | None) -> None:
    from hrctl.cli.session import Session

    with Session(console) as session:
        address = address_of(session, what)
        tree = session.tree()
        require_declared(tree, address)
        values = [
            one for one in tree.explain(address) if field is None or _within(one.pointer, field)
        ]
        if not values:
            raise HrctlError.of("HR147", f"{address} has no field '{field}'")
        if console.json_output:
            console.json({"address": address, "values": [_value_json(one) for one in values]})
        else:
            body = tree.resource(address).body
            console.data("\n".join(_value_lines(console, address, values, body)))


def address_of(session: Session, text: str) -> Address:
    """The address that was typed. The end of one is not enough here, but names those it may be.

    Raises:
        HrctlError: HR140.
    """
    try:
        return Address.parse(text)
    except HrctlError:
        path, _, local = text.rpartition(":")
        kind, _, name = local.rpartition("/")
        ending = f"/{path}" if path else ""
        near = [
            one
            for one in session.tree().rows
            if one.name == name and kind in {"", one.kind} and f"/{one.registry}".endswith(ending)
        ]
        if not near:
            raise
    hint = f"did you mean {near[0]}?" if len(near) == 1 else "say all of one of these"
    related = tuple(map(Related, near[:_SHOWN])) if len(near) > 1 else ()
    found = Diagnostic("HR140", f"'{text}' is not an address", related=related, hint=hint)
    raise HrctlError(found)


def require_declared(tree: Tree, address: Address) -> None:
    """Refuse an address that is not declared, with the nearest that is.

    Raises:
        HrctlError: HR141.
    """
    if address in tree.rows:
        return
    from difflib import get_close_matches

    near = get_close_matches(address, list(tree.rows), n=1)
    hint = f"did you mean {near[0]}?" if near else "`hrctl graph` shows what is"
    raise HrctlError.of("HR141", f"{address} is not declared", hint=hint)


def _within(path: str, field: str) -> bool:
    from hrctl.model.values import pointer_parts

    parts = pointer_parts(path)
    wanted = field.strip("/").replace("/", ".").split(".")
    return parts[: len(wanted)] == wanted or parts[1 : len(wanted) + 1] == wanted


def _value_lines(
    console: Console, address: Address, values: list[ExplainedValue], body: dict[str, Any]
) -> Iterator[str]:
    from hrctl.cli.render.style import paint
    from hrctl.cli.render.values import Secrets, columns, elide, field_name, pad, place, show

    brush = paint(color=console.color(sys.stdout))
    secrets = Secrets()
    names = [field_name(one.pointer, body) for one in values]
    width = min(max(map(columns, names)), console.width // 2)
    yield brush(address, "bold")
    for name, one in zip(names, values, strict=True):
        origin = place(one.span) if one.span else "built in"
        if one.span and one.layer != "document":
            origin += f"  ({one.layer})"
        start = f"  {pad(name, width)}  "
        room = console.width - columns(start)
        text = show(one.value, secrets)
        if columns(text) + 2 + columns(origin) <= room:
            text = pad(text, max(room // 3, columns(text)))
            if columns(text) + 2 + columns(origin) > room:
                text = text.rstrip()
            yield f"{start}{text}  {brush(origin, 'dim')}"
        else:
            yield f"{start}{elide(text, room)}"
            indent = max(2, min(columns(start), console.width - columns(origin)))
            yield f"{'':{indent}}{brush(origin, 'dim')}"


def _value_json(one: ExplainedValue) -> dict[str, Any]:
    span = one.span
    place = {"path": span.path, "line": span.line, "column": span.column} if span else None
    return {"path": one.pointer, "value": one.value, "origin": place, "layer": one.layer}


def _explain_code(console: Console, code: str) -> None:
    from textwrap import wrap

    from hrctl.diagnostics import catalog

    entry = catalog.read(code)
    if console.json_output:
        console.json({"code": code, **entry})
        return
    text = entry["text"].strip().split("\n\n")
    parts = [f"{code}: {entry['title']}"]
    for paragraph in text:
        parts += ["", *wrap(paragraph, console.width, break_long_words=False)]
    for title in ("wrong", "right"):
        parts += ["", f"{title.capitalize()}:", *_example_lines(entry.get(title, ""))]
    console.data("\n".join(parts))


def _example_lines(example: str | dict[str, str]) -> Iterator[str]:
    if isinstance(example, str):
        yield from (f"  {line}".rstrip() for line in example.strip().splitlines())
        return
    for name, text in example.items():
        yield f"  # {name}"
        yield from (f"  {line}".rstrip() for line in text.strip("\n").splitlines())
