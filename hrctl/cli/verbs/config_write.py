"""The verbs of configuration that write: set, unset, reset, rollback, import."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hrctl.cli.options import Wait
from hrctl.cli.secrets.cmd_values import Audience
from hrctl.cli.verbs import config_find as find
from hrctl.cli.verbs.config_change import SECRET, ConfigChange
from hrctl.cli.verbs.config_find import Config, Key, Where
from hrctl.cli.verbs.edits import Apply, Message, Then, Yes, edit_session, editing
from hrctl.cli.verbs.naming import Into
from hrctl.diagnostics import HrctlError
from hrctl.model.entries import TYPES, Entry, as_text, entry_at, known_type, parse, type_of
from hrctl.model.tree import Tree
from hrctl.model.values import Json


@editing
def set_(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(metavar="[VALUE]", help="Default: typed, or from standard input."),
    ] = None,
    *,
    where: Where = None,
    config: Config = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Take the value from a file.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Of a new key: STRING, INTEGER, FLOAT, BOOLEAN, JSON or SECRET.",
            autocompletion=lambda: list(TYPES),
        ),
    ] = None,
    audience: Audience = None,
    then: Then,
) -> int:
    """Set the value of a key; it is checked against the type and the rules of its entry.

    A SECRET is never taken from an argument: it is typed without echo, or comes from standard input
    or a file, and is written encrypted; with --audience for one server, to which drivers send it.

    Examples:
      hrctl config set LOG_LEVEL debug --in prod --commit -m 'Look into it'
      hrctl config set LIMITS '{"rate": 5}' --config prod:app --type JSON
      pass show db | hrctl config set DB_PASSWORD --in shop/prod
    """
    if kind is not None and kind not in TYPES:
        raise HrctlError.of("HR162", f"'{kind}' is no type", hint=f"one of {', '.join(TYPES)}")
    with edit_session(ctx) as session:
        from hrctl.cli.secrets.target import lenient_tree

        tree = lenient_tree(session)
        address = find.home_of(tree, key, where, config)
        known = known_type(tree, address, key)
        if known is not None and kind not in {None, known}:
            raise HrctlError.of(
                "HR197", f"{key} is a {known} already", hint="change the type in the file"
            )
        changed = ConfigChange(session, tree, address)
        if (known or kind) == SECRET:
            _refuse_argument(value)
            secret = _read(f"{key} of {address}", None, file)
            place = changed.encrypt(key, secret, audience)
            told = f"Encrypted {place} in {', '.join(changed.draft.paths)}."
            return changed.finish(f"Set {key} of {address}", then, told)
        if audience is not None:
            raise HrctlError.of(
                "HR145", f"--audience is for secrets, and {key} is none", hint="--type SECRET"
            )
        text = value if value is not None and file is None else _read(key, value, file)
        wanted = parse(text, known or kind or "STRING", key)
        changed.put(key, wanted, known or kind or "STRING")
        subject = f"Set {key} of {address} to {json.dumps(wanted, ensure_ascii=False)}"
        return changed.finish(subject, then)


def _read(what: str, value: str | None, file: Path | None) -> str:
    from hrctl.cli.secrets.cmd_values import read_value

    if value is not None:
        raise HrctlError.of("HR145", f"{what} gets its value from the argument or --file, not both")
    return read_value(what, file)


def _refuse_argument(value: str | None) -> None:
    if value is not None:
        raise HrctlError.of(
            "HR179",
            "a secret is never taken from an argument, where other users could see it",
            hint="give it to standard input, or leave it out and type it",
        )


@editing
def unset(
    ctx: typer.Context,
    key: Key,
    *,
    where: Where = None,
    config: Config = None,
    then: Then,
) -> int:
    """Take an entry away, with its rules and its default.

    Examples:
      hrctl config unset OLD_FLAG --in shop/prod
      hrctl config unset OLD_FLAG --config prod:app --commit
    """
    with edit_session(ctx) as session:
        tree = session.tree()
        entry = _here(tree, key, where, config)
        changed = ConfigChange(session, tree, entry.address)
        changed.take_away(key)
        told = f"Took {key} away." if entry.is_secret else None
        return changed.finish(f"Unset {key} of {entry.address}", then, told)


def _here(tree: Tree, key: str, where: str | None, config: str | None) -> Entry:
    """The entry of a Config in the registry itself, not above it."""
    address = find.home_of(tree, key, where, config)
    found = entry_at(tree, address, key)
    if found is None:
        raise HrctlError.of(
            "HR147", f"{address} has no {key}", hint="hrctl config list shows what it has"
        )
    return found


@editing
def reset(
    ctx: typer.Context,
    key: Key,
    *,
    where: Where = None,
    config: Config = None,
    then: Then,
) -> int:
    """Take the value of a key away, so that its default holds.

    Examples:
      hrctl config reset LOG_LEVEL --in shop/prod
      hrctl config reset LOG_LEVEL --config prod:app --commit --apply
    """
    with edit_session(ctx) as session:
        tree = session.tree()
        entry = _here(tree, key, where, config)
        if entry.held.get("default") is None:
            raise HrctlError.of(
                "HR199",
                f"{key} of {entry.address} has no default",
                hint="hrctl config unset takes the whole entry away",
            )
        changed = ConfigChange(session, tree, entry.address)
        if entry.is_set:
            changed.take_away(key, "value", "valueFrom")
        return changed.finish(f"Reset {key} of {entry.address} to its default", then)


def rollback(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    key: Key,
    *,
    to: Annotated[str, typer.Option("--to", metavar="REV|RUN", help="A commit, or a run.")],
    where: Where = None,
    config: Config = None,
    message: Message = None,
    apply: Apply = False,
    yes: Yes = False,
    wait: Wait = None,
) -> int:
    """Write the value that a key had at a commit back, as a new commit.

    Examples:
      hrctl config rollback LOG_LEVEL --in shop/prod --to HEAD~3
      hrctl config rollback LOG_LEVEL --config prod:app --to v1.2 --apply
    """
    from hrctl.cli.cmd_rollback import goal_of, require_clean
    from hrctl.cli.tracing import open_past
    from hrctl.source.log import LogReader

    with edit_session(ctx) as session:
        tree = session.tree()
        address = find.home_of(tree, key, where, config)
        goal = goal_of(session, to)
        reader = LogReader(session.project.root, goal.commit, session.project.manifests)
        with open_past(session, reader) as past:
            version = past.trace(address).get(past.log.tip)
        if version is None:
            raise HrctlError.of("HR194", f"{address} was not declared at {goal.name}")
        old = ((version.value["spec"] or {}).get("entries") or {}).get(key)
        changed = ConfigChange(session, tree, address)
        changed.bring_back(key, old)
        require_clean(session.project.root, dict.fromkeys(changed.draft.paths))
        then = Then(commit=True, message=message, apply=apply, yes=yes, wait=wait)
        secret = known_type(tree, address, key) == SECRET
        told = f"Brought {key} back as it was encrypted then." if secret else None
        return changed.finish(f"Roll back {key} of {address} to {goal.name}", then, told)


@editing
def import_(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="dotenv, JSON or YAML; - for standard input.")
    ],
    *,
    registry: Into = None,
    config: Config = None,
    layout: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="dotenv, json or yaml; default: by name."),
    ] = None,
    then: Then,
) -> int:
    """Set many values from a file, or bring in the manifests that `export --manifests` wrote.

    Keys that are there keep their types and rules, which the values must obey; values of SECRET
    entries are encrypted. Keys that are new get the type of their value.

    Examples:
      hrctl config import .env --config prod:app
      hrctl config import values.json --in shop/prod --commit
      hrctl config import configs.yaml --in shop/dev
    """
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.cli.verbs.transfer import bring
    from hrctl.model.kinds import kind

    data = _bytes(file)
    found = _values(data, str(file), layout)
    with edit_session(ctx) as session:
        if found is None:
            return bring(session, kind("Config"), data, str(file), registry, then)
        tree = lenient_tree(session)
        address = find.home_of(tree, next(iter(found), ""), registry, config)
        changed = ConfigChange(session, tree, address)
        secrets = [key for key, value in found.items() if _take(changed, key, value)]
        told = f"Encrypted {', '.join(secrets)}; {', '.join(changed.draft.paths)} changed."
        subject = f"Import {len(found)} values into {address}"
        return changed.finish(subject, then, told if secrets else None)


def _take(changed: ConfigChange, key: str, value: Json) -> bool:
    """One of many values into a Config; whether it is a secret."""
    kind = known_type(changed.tree, changed.address, key)
    if kind == SECRET:
        changed.encrypt(key, as_text(value))
        return True
    if kind is None or not isinstance(value, str):
        changed.put(key, value, type_of(value))
    else:
        changed.put(key, parse(value, kind, key), kind)
    return False


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        why = (error.strerror or "").lower()
        raise HrctlError.of("HR067", f"{file} cannot be read: {why}") from error


def _values(data: bytes, name: str, layout: str | None) -> dict[str, Json] | None:
    """Key -> value; None where the file holds manifests."""
    from hrctl.cli.verbs.dotenv import load
    from hrctl.source.parse import parse_file

    if layout not in {None, "dotenv", "json", "yaml"}:
        raise HrctlError.of("HR162", f"'{layout}' is no format", hint="dotenv, json or yaml")
    if layout == "dotenv" or (layout is None and not name.endswith((".yaml", ".yml", ".json"))):
        try:
            return dict(load(data.decode(), name))
        except UnicodeDecodeError:
            raise HrctlError.of("HR198", f"{name} is not UTF-8") from None
    if data.lstrip().startswith(b"["):
        return None
    values = _json_values(data)
    if values is None:
        documents, problems = parse_file(data, name)
        if problems:
            raise HrctlError(*problems)
        values = [value for _, value in documents]
    if len(values) != 1 or {"apiVersion", "kind"} <= values[0].keys():
        return None
    return _entries(values[0])


def _json_values(data: bytes) -> list[dict[str, Json]] | None:
    """Return the object that a file of JSON holds; None where it is none, or holds a key twice.

    JSON is read as JSON: YAML knows no surrogate pairs, and has no place for some characters.
    """
    if not data.lstrip().startswith(b"{"):
        return None

    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None  # YAML of that form; what is wrong with it is said there
    return [value]


def _entries(value: Json) -> dict[str, Json]:
    found: dict[str, Json] = dict(value)
    empty = [key for key, item in found.items() if item is None]
    if empty:
        raise HrctlError.of("HR198", f"{empty[0]} has no value", hint="null is none")
    return found
