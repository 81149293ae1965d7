"""Who is asked about: contexts from options and from files of users."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hrctl.cli.render.values import printable
from hrctl.cli.verbs.write import parse_value
from hrctl.diagnostics import HrctlError
from hrctl.logic.flags.conditions import KEY, attribute_path
from hrctl.model.values import Json

Context = dict[str, Json]


def context_of(user: str | None, pairs: Sequence[str]) -> Context:
    """``--user 42 --context app.version=2.1.0`` as a context; dots make maps, values are YAML.

    Raises:
        HrctlError: HR162, where one is not UTF-8, is no pair, or says again what another says.
    """
    found: Context = {}
    said: dict[str, str] = {}
    for one in (*pairs, user or ""):
        if any("\ud800" <= sign <= "\udfff" for sign in one):  # how Python shows other bytes
            raise HrctlError.of("HR162", f"'{printable(one)}' is not UTF-8")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not all(name.split(".")):
            raise HrctlError.of(
                "HR162", f"'{pair}' is not NAME=VALUE", hint="as --context plan=gold"
            )
        path = attribute_path(name)
        _once(path, pair, said)
        inside = found
        *outer, last = path.split(".")
        for part in outer:
            inside = inside.setdefault(part, {})  # no value: `_once`
        # a key is text in every SDK, whatever it looks like
        inside[last] = text if path == KEY else parse_value(text, pair)
    if user is not None:
        if KEY in said:
            hint = "leave one of them out"
            raise HrctlError.of("HR162", f"--user and '{said[KEY]}' both say who asks", hint=hint)
        found[KEY] = user
    return found


def _once(path: str, pair: str, said: dict[str, str]) -> None:
    """Note what a pair gives a value to; no other may give one to the same, around or in it.

    Raises:
        HrctlError: HR162, where one did.
    """
    for other, before in said.items():
        if f"{path}.".startswith(f"{other}.") or other.startswith(f"{path}."):
            hint = "give each attribute once: a map whole, or each value in it by its dotted path"
            raise HrctlError.of("HR162", f"'{pair}' does not go with '{before}'", hint=hint)
    said[path] = pair


def users_of(path: Path, shared: Context) -> list[Context]:
    """A context for each line of a file: a key, or an object of JSON with `targetingKey`.

    `shared` holds what all have. Empty lines are passed over.

    Raises:
        HrctlError: HR253, where the file cannot be read, is empty, or a line is neither.
    """
    try:
        # a mark of the byte order is no part of a name; a line ends as editors end it, as JSON
        # may hold what Python takes for an end, too
        lines = path.read_text("utf-8-sig").split("\n")
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
                one = json.loads(line, parse_constant=_refuse_constant)
                json.dumps(one, ensure_ascii=False).encode()  # half of a surrogate pair is no text
            except (ValueError, RecursionError) as error:
                deep = isinstance(error, RecursionError)
                raise HrctlError.of(
                    "HR253",
                    f"{path}:{number} is no context: {'nested too deep' if deep else error}",
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


def _refuse_constant(name: str) -> float:
    """NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")


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
