"""Who is asked about: contexts from options and from files of users."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hrctl.cli.verbs.write import parse_value
from hrctl.diagnostics import HrctlError
from hrctl.logic.flags.conditions import KEY, attribute_path
from hrctl.model.values import Json

Context = dict[str, Json]


def context_of(user: str | None, pairs: Sequence[str]) -> Context:
    """``--user 42 --context app.version=2.1.0`` as a context; dots make maps, values are YAML.

    Raises:
        HrctlError: HR162, where a pair is none, or two say different things of one attribute.
    """
    found: Context = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not all(name.split(".")):
            raise HrctlError.of(
                "HR162", f"'{pair}' is not NAME=VALUE", hint="as --context plan=gold"
            )
        inside = found
        *outer, last = attribute_path(name).split(".")
        for part in outer:
            held = inside.setdefault(part, {})
            if not isinstance(held, dict):
                raise HrctlError.of("HR162", f"'{pair}' lies in a value that is no map")
            inside = held
        if last in inside:
            raise HrctlError.of("HR162", f"'{pair}' replaces what was said of {name} before")
        # a key is text in every SDK, whatever it looks like
        inside[last] = text if attribute_path(name) == KEY else parse_value(text, pair)
    if user is not None:
        found[KEY] = user
    return found


def users_of(path: Path, shared: Context) -> list[Context]:
    """A context for each line of a file: a key, or an object of JSON with `targetingKey`.

    `shared` holds what all have. Empty lines are passed over.

    Raises:
        HrctlError: HR253, where the file cannot be read, is empty, or a line is neither.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise HrctlError.of("HR253", f"cannot read {path}: {why}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        one: Context = {KEY: line.strip()}
        if line.lstrip().startswith("{"):
            try:
                one = json.loads(line)
            except ValueError as error:
                raise HrctlError.of(
                    "HR253",
                    f"{path}:{number} is no context: {error}",
                    hint='one user a line: a key, or an object such as {"targetingKey": "42"}',
                ) from error
            if "userId" in one:
                one.setdefault(KEY, one.pop("userId"))
            _make_text(one, f"{path}:{number}")
        found.append({**shared, **one})
    if not found:
        raise HrctlError.of(
            "HR253", f"{path} names nobody", hint="one user a line: a key, or an object of JSON"
        )
    return found


def _make_text(context: Context, where: str) -> None:
    """A key is text in every SDK; a number is what it looks like.

    Raises:
        HrctlError: HR253, for any other key.
    """
    key = context.get(KEY)
    if key is None:
        context.pop(KEY, None)
    elif isinstance(key, int) and not isinstance(key, bool):
        context[KEY] = str(key)
    elif not isinstance(key, str):
        hint = 'as {"targetingKey": "42"}'
        raise HrctlError.of("HR253", f"{where} has a {KEY} that is no text", hint=hint)


def synthetic(count: int, stickiness: str = KEY) -> list[Context]:
    """Users who are made up, user-0, user-1, ..., with a key and what the flag hashes."""
    name = attribute_path(stickiness)
    if name == KEY:
        return [{KEY: f"user-{number}"} for number in range(count)]
    return [context_of(f"user-{at}", [f"{name}=user-{at}"]) for at in range(count)]
