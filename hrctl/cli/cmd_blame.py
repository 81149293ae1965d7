"""`hrctl blame`: each value of a resource beside the commit that set it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from hrctl.cli.app import console_of
from hrctl.cli.cmd_explain import address_of
from hrctl.cli.cmd_history import Field, Resource, short_time
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.model.assemble import ExplainedValue
    from hrctl.model.fields import Key
    from hrctl.model.tree import Tree
    from hrctl.source.log import Commit
    from hrctl.source.past import Past

BUILT_IN = "built in"
UNCOMMITTED = "not committed"
_NARROWEST = 12  # columns that a value has at least


class Line(NamedTuple):
    """A value with the commit that set it (None: `word` says why there is none)."""

    key: Key
    value: ExplainedValue
    commit: Commit | None
    word: str
    secret: bool


def blame(ctx: typer.Context, address: Resource, field: Field = None) -> int:
    """Print each value of a resource beside the commit that set it.

    The values are the effective ones as they stand in the working tree; where one is inherited, the
    commit is that which set it in the registry above. Moves and renames are followed.

    Examples:
      hrctl blame acme/shop/prod:Service/api
      hrctl blame acme/shop/prod:Service/api env
      hrctl blame acme/shop/prod:Service/api -o json
    """
    from hrctl.source.log import LogReader

    console = console_of(ctx)
    with Session(console) as session:
        wanted = address_of(session, address)
        reader = LogReader(session.project.root, "HEAD", session.project.manifests)
        from hrctl.cli.tracing import open_past

        with open_past(session, reader) as past:
            return _blame(session, past, wanted, field)


def _blame(session: Session, past: Past, wanted: Address, field: str | None) -> int:
    from hrctl.cli.cmd_explain import require_declared

    console = session.console
    tree = session.tree()
    require_declared(tree, wanted)
    lines = _lines(session, past, tree, wanted)
    if field is not None:
        from hrctl.cli.render.versions import is_within

        lines = [one for one in lines if is_within(one.key, field)]
        if not lines:
            raise HrctlError.of("HR147", f"{wanted} has no field '{field}'")
    if console.json_output:
        console.json(_as_json(past, wanted, lines))
    else:
        console.lines(_text(console, wanted, lines))
        _tell_limits(console, past, lines)
    return Exit.DONE


def _lines(session: Session, past: Past, tree: Tree, address: Address) -> list[Line]:
    from hrctl.cli.render.versions import is_secret
    from hrctl.model.fields import FieldDiff

    body = tree.resource(address).body
    keys = _keys({**body, **_beside(tree, address)})
    setters = _Setters(session, past, tree, address)
    found = []
    for one in tree.explain(address):
        key = keys.get(one.pointer) or tuple(one.pointer.strip("/").split("/"))
        if one.span is None and one.layer == BUILT_IN:
            commit, word = None, BUILT_IN
        else:
            commit = setters.of(key)
            word = "" if commit else UNCOMMITTED
        secret = is_secret(address.kind, FieldDiff(key, one.pointer, one.value, one.value), body)
        found.append(Line(key, one, commit, word, secret))
    return found


def _beside(tree: Tree, address: Address) -> dict[str, Json]:
    from hrctl.model.assemble import merged

    whole = merged(tree, *tree.where(address))
    return {key: whole[key] for key in ("dependsOn", "lifecycle") if whole.get(key)}


def _keys(value: Json) -> dict[str, Key]:
    """Field path -> the name of the field that does not depend on the order of lists."""
    from hrctl.model.fields import ORDER, leaves

    return {leaf.path: key for key, leaf in leaves(value).items() if key[-1] != ORDER}


class _Setters:
    """Which commit set which field, as it is now."""

    def __init__(self, session: Session, past: Past, tree: Tree, address: Address) -> None:
        from hrctl.model.fields import compare_leaves
        from hrctl.source.lineage import steps
        from hrctl.source.past import Version

        head = past.trace(address).get(past.log.tip)
        here = Version(tree, address, "")
        self._open = {one.key for one in compare_leaves(head.leaves if head else {}, here.leaves)}
        self._commits: dict[Key, Commit] = {}
        for step in steps(session.project.root, past, address):
            for one in step.fields():
                self._commits.setdefault(one.key, step.commit)
            if step.old is None:
                break  # an earlier life of the address set nothing of this one

    def of(self, key: Key) -> Commit | None:
        """The commit that set a field; None where it is not committed."""
        if any(_overlap(key, one) for one in self._open):
            return None
        found = self._commits.get(key)
        if found is None:
            near = (one for other, one in self._commits.items() if _overlap(key, other))
            found = next(near, None)
        return found


def _overlap(one: Key, other: Key) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def _text(console: Console, address: Address, lines: Sequence[Line]) -> Iterator[str]:
    from hrctl.cli.render.style import paint
    from hrctl.cli.render.values import Secrets, columns, elide, pad, show
    from hrctl.cli.render.versions import dotted

    brush = paint(color=console.color(sys.stdout))
    secrets = Secrets()
    yield brush(address, "bold")
    names = [elide(dotted(one.key), console.width // 2) for one in lines]
    width = max(map(columns, names))
    setters = [_setter(one) for one in lines]
    column = max(console.width - max(map(columns, setters)), width + _NARROWEST)
    for name, one, setter in zip(names, lines, setters, strict=True):
        start = f"  {pad(name, width)}  "
        text = start + elide(
            show(one.value.value, secrets, sensitive=one.secret), console.width - columns(start)
        )
        if columns(text) + 2 > column:
            yield text
            text = ""
        yield pad(text, column) + brush(elide(setter, console.width - column), "dim")


def _setter(one: Line) -> str:
    from hrctl.cli.render.values import printable

    if one.commit is None:
        return one.word
    return (
        f"{one.commit.id[:7]}  {short_time(one.commit.time)[:10]}  {printable(one.commit.author)}"
    )


def _tell_limits(console: Console, past: Past, lines: Sequence[Line]) -> None:
    ends = {one.commit.id for one in lines if one.commit} & past.log.shallow
    if ends:
        console.note(
            f"This is a shallow clone: what {min(ends)[:7]} is named for may be older."
            " git fetch --unshallow brings what is missing."
        )


def _as_json(past: Past, address: Address, lines: Sequence[Line]) -> dict[str, Any]:
    from hrctl.cli.render.values import Secrets
    from hrctl.cli.render.versions import dotted, visible
    from hrctl.cli.tracing import commit_json

    secrets = Secrets()
    values = []
    for one in lines:
        span = one.value.span
        origin = {"path": span.path, "line": span.line} if span else None
        values.append(
            {
                "path": one.value.pointer,
                "field": dotted(one.key),
                "value": visible(one.value.value, secrets, secret=one.secret),
                "origin": origin,
                "layer": one.value.layer,
                "commit": None if one.commit is None else commit_json(one.commit),
                "committed": one.word != UNCOMMITTED,
            }
        )
    return {"address": address, "shallow": sorted(past.log.shallow), "values": values}
