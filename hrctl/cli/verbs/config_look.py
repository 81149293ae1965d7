"""The verbs of configuration that look: get, list, history, diff, validate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.render.values import Secrets, place, show
from hrctl.cli.session import InvalidTree, Session
from hrctl.cli.verbs import config_find as find
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.config_export import Reveal, plain
from hrctl.cli.verbs.config_find import Config, Key, Where
from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.model.entries import Entry, as_text, entries_of
from hrctl.model.tree import Tree
from hrctl.model.values import is_reference
from hrctl.source.chunks import split

_CONFIG: Final = re.compile(r"^[\"']?kind[\"']?\s*:\s*[\"']?Config\b", re.MULTILINE)


def get(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    key: Key,
    *,
    where: Where = None,
    config: Config = None,
    reveal: Reveal = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every place that is looked at.")
    ] = False,
) -> int:
    """Print the value of a key, as it is found from a registry upwards.

    In each registry Configs of scope USER come before SERVICE, ENVIRONMENT and GLOBAL; the first
    value wins, and where there is none the first default.

    Examples:
      hrctl config get LOG_LEVEL --in shop/prod
      hrctl config get LOG_LEVEL --in shop/prod --explain
      hrctl config get DB_PASSWORD --in shop/prod --reveal | wl-copy
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        if explain:
            found = find.candidates(tree, key, where, config)
            _explain(console, tree, found)
            return Exit.DONE
        one = find.held(tree, key, where, config)
        if one.value is None:
            raise HrctlError.of(
                "HR199", f"{key} has neither a value nor a default in {one.address}"
            )
        value = plain(session, one, reveal=reveal)
    if console.json_output:
        console.json(
            {
                "key": key,
                "value": value,
                "type": one.type,
                "scope": one.scope,
                "address": one.address,
                "default": not one.is_set,
            }
        )
    else:
        console.data(as_text(value))
    return Exit.DONE


def _explain(console: Console, tree: Tree, found: Sequence[Entry]) -> None:
    from hrctl.model.entries import winner

    best, secrets = winner(found), Secrets()
    rows = [_row(tree, one, secrets) | {"holds": one is best} for one in found]
    if console.json_output:
        console.json(rows)
        return
    table = [
        ("*" if row["holds"] else "", row["shown"], row["scope"], row["config"], row["file"])
        for row in rows
    ]
    console.table(("", "VALUE", "SCOPE", "CONFIG", "WRITTEN IN"), table)


def _row(tree: Tree, one: Entry, secrets: Secrets) -> dict[str, Any]:
    """An entry of a listing."""
    field = "value" if one.is_set else "default"
    span = tree.origin(one.address, f"{one.path}/{field}")
    value = one.value
    shown = "-" if value is None else show(value, secrets, sensitive=one.is_secret)
    hidden = one.is_secret or is_reference(value)
    return {
        "key": one.key,
        "value": shown if hidden and value is not None else value,
        "shown": shown + (" (default)" if value is not None and not one.is_set else ""),
        "type": one.type,
        "scope": one.scope,
        "config": naming.short(one.address),
        "address": str(one.address),
        "default": not one.is_set,
        "file": place(span) if span else None,
    }


def list_(ctx: typer.Context, where: Where = None, config: Config = None) -> int:
    """List entries: of one Config, those that hold at a registry, or all there are.

    Examples:
      hrctl config list
      hrctl config list --in shop/prod
      hrctl config list --config prod:app -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        secrets = Secrets()
        rows = [_row(tree, one, secrets) for one in find.chosen(tree, where, config)]
        if where is None and config is None:
            full = {row["address"] for row in rows}
            rows += [
                {"key": None, "config": naming.short(one), "address": str(one), "shown": None}
                for one in naming.of_kind(tree, "Config", None)
                if one not in full
            ]
    if console.json_output:
        console.json([{key: one for key, one in row.items() if key != "shown"} for row in rows])
    elif not rows:
        console.note("No entries are declared here.")
    else:
        heads = {
            "key": "KEY",
            "shown": "VALUE",
            "type": "TYPE",
            "scope": "SCOPE",
            "config": "CONFIG",
        }
        console.table(list(heads.values()), [[row.get(key) for key in heads] for row in rows])
    return Exit.DONE


def history(
    ctx: typer.Context,
    key: Key,
    *,
    where: Where = None,
    config: Config = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Only the last N changes.")
    ] = None,
) -> int:
    """Show each change of a key: value, author, commit and time.

    Examples:
      hrctl config history LOG_LEVEL --in shop/prod
      hrctl config history LOG_LEVEL --config prod:app -n 3 -o json
    """
    from hrctl.cli.cmd_history import show_history

    with Session(console_of(ctx)) as session:
        address = find.held(session.tree(), key, where, config).address
        return show_history(session, address, f"entries.{key}", "HEAD", limit)


def diff(
    ctx: typer.Context,
    left: Annotated[str, typer.Argument(metavar="A", help="A registry, a Config or a commit.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one, of the same sort.")],
) -> int:
    """Compare the entries of two registries, two Configs, or two commits.

    Of registries it is what a lookup from there finds; of commits every entry of every Config.

    Examples:
      hrctl config diff shop/dev shop/prod
      hrctl config diff dev:app prod:app
      hrctl config diff v1.2 HEAD -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        pair = [_side(session, text) for text in (left, right)]
    secrets = Secrets()
    keys = list(dict.fromkeys([*pair[0], *pair[1]]))
    rows = []
    for key in sorted(keys):
        old, new = pair[0].get(key), pair[1].get(key)
        if old is None or new is None or not _alike(old, new):
            rows.append({"key": key, "a": _told(old, secrets), "b": _told(new, secrets)})
    if console.json_output:
        console.json({"a": left, "b": right, "differences": rows})
    elif not rows:
        console.data("No differences.")
    else:
        console.table(("KEY", left, right), [[row["key"], row["a"], row["b"]] for row in rows])
    return Exit.DONE


def _side(session: Session, text: str) -> dict[str, Entry]:
    """The entries that a word stands for, by key."""
    tree = session.tree()
    try:
        registry = naming.registry_path(tree, text)
    except HrctlError:
        pass
    else:
        return {one.key: one for one in find.chosen(tree, registry, None)}
    if ":" in text or any(one.name == text for one in naming.of_kind(tree, "Config", None)):
        return {one.key: one for one in entries_of(tree, find.find_config(tree, text, None))}
    from hrctl.source import git

    there = session.tree(git.resolve(session.project.root, text))
    return {f"{naming.short(one.address)} {one.key}": one for one in find.chosen(there, None, None)}


def _alike(one: Entry, other: Entry) -> bool:
    from hrctl.model.fields import same

    return one.type == other.type and same(one.value, other.value)


def _told(one: Entry | None, secrets: Secrets) -> str | None:
    return None if one is None else show(one.value, secrets, sensitive=one.is_secret)


def validate(ctx: typer.Context, config: Config = None) -> int:
    """Check every entry against its type and rules, referred values too.

    Examples:
      hrctl config validate
      hrctl config validate --config prod:app
    """
    console = console_of(ctx)
    with Session(console) as session:
        try:
            tree = session.tree()
        except InvalidTree as error:
            raise _of_configs(session, error) from error
        addresses = naming.of_kind(tree, "Config", None)
        if config is not None:
            addresses = [find.find_config(tree, config, None)]
        found = [one for address in addresses for one in _problems(tree, address)]
        if found:
            raise HrctlError(*found)
        number = sum(1 for address in addresses for _ in entries_of(tree, address))
    if console.json_output:
        console.json({"configs": len(addresses), "entries": number, "diagnostics": []})
    else:
        from hrctl.cli.render.text import count

        entries = f"{number} entr{'y' if number == 1 else 'ies'}"
        console.data(f"{entries} of {count(len(addresses), 'Config')} obey their rules.")
    return Exit.DONE


def _of_configs(session: Session, error: InvalidTree) -> InvalidTree:
    """Without what is wrong elsewhere, unless there is nothing but that."""
    own = [one for one in error.diagnostics if _is_of_config(session.project.root, one)]
    return InvalidTree(error.files, *(own or error.diagnostics))


def _is_of_config(root: Path, found: Diagnostic) -> bool:
    if ":Config/" in str(found.address or ""):
        return True
    if found.span is None or not (root / found.span.path).is_file():
        return False
    text = (root / found.span.path).read_text("utf-8", "replace")
    before = [chunk for chunk in split(text) if chunk.line <= found.span.line]
    return bool(before) and _CONFIG.search(before[-1].text) is not None


def _problems(tree: Tree, address: Any) -> Iterable[Diagnostic]:
    """What is wrong with values that are known only now: those that references lead to."""
    from hrctl.model.validate import check_spec

    for one in check_spec("Config", tree.resource(address).body["spec"]):
        if one.severity is Severity.ERROR:
            yield Diagnostic(
                one.code,
                one.summary,
                span=tree.origin(address, f"/spec{one.path.removeprefix('/spec')}"),
                address=str(address),
                hint=one.hint,
                note=one.note,
            )
