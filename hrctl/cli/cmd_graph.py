"""`hrctl graph`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_selector
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, Selector, selected


class Format(StrEnum):
    """How to draw."""

    TREE = "tree"
    DOT = "dot"
    MERMAID = "mermaid"


def graph(
    ctx: typer.Context,
    selectors: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SELECTOR]...",
            help="Only these: an address, a registry with all below, a kind, a glob, a label.",
            autocompletion=complete_selector,
            show_default=False,
        ),
    ] = None,
    *,
    form: Annotated[
        Format, typer.Option("--format", "-f", help="tree, dot or mermaid.", metavar="FORMAT")
    ] = Format.TREE,
    rev: Annotated[
        str | None, typer.Option("--rev", metavar="REV", help="A commit instead of the files here.")
    ] = None,
) -> int:
    """Draw the registries with what they hold, and what depends on what.

    With -o json: the nodes, and the edges as pairs of addresses, from what depends to what it
    depends on.

    Examples:
      hrctl graph acme/payments
      hrctl graph --format dot | dot -Tsvg > graph.svg
      hrctl graph --format mermaid Service
    """
    console = console_of(ctx)
    wanted = [Selector(text) for text in selectors or ()]
    with Session(console) as session:
        tree = session.tree(rev)
        edges: dict[Address, tuple[Address, ...]] = {}
        for address in tree.rows:
            resource = tree.resource(address)
            if selected(address, resource.labels, wanted, ()):
                edges[address] = tuple(sorted(resource.depends_on))
        if wanted and not edges:
            raise HrctlError.of("HR142", f"'{' '.join(selectors or ())}' selects nothing")
        levels = {path: node.level for path, node in tree.registries.items()}
    if wanted:
        paths = {address.registry for address in edges}
        levels = {path: level for path, level in levels.items() if path in paths}
    if console.json_output:
        nodes = [{"address": a, "needs": list(needs)} for a, needs in sorted(edges.items())]
        console.json({"nodes": nodes})
    else:
        console.lines(_drawn(form, edges, levels, console.width))
    return Exit.DONE


def _drawn(
    form: Format, edges: Mapping[Address, tuple[Address, ...]], levels: dict[str, str], width: int
) -> Iterator[str]:
    from hrctl.cli.render import graph as drawing

    if form is Format.DOT:
        return drawing.dot_lines(edges)
    if form is Format.MERMAID:
        return drawing.mermaid_lines(edges)
    boxes = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return drawing.tree_lines(edges, levels, width=width, boxes=boxes)
