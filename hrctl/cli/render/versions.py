"""What changed between two versions, for people: a line for each field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hrctl.cli.render.style import Paint
from hrctl.cli.render.values import Secrets, columns, elide, elide_left, elide_pair, pad, show
from hrctl.model.fields import ORDER, FieldDiff, Key
from hrctl.model.kinds import kind
from hrctl.model.plan import Absent
from hrctl.model.values import Body, Json, is_sensitive_reference

_NAMES: Final = 29  # the column where values start, as in a plan
_ORIGINS: Final = 52


def dotted(key: Key) -> str:
    """A field as people write it: ``ports[http].port``; `spec` and `metadata` go without saying."""
    parts = list(key[:-1]) if key[-1] == ORDER else list(key)
    if len(parts) > 1 and parts[0] in {"spec", "metadata"}:
        parts = parts[1:]
    text = ""
    for part in parts:
        bracketed = part.startswith("[") or part.isdigit()
        text += (part if part.startswith("[") else f"[{part}]") if bracketed else f".{part}"
    return text.removeprefix(".")


def is_within(key: Key, field: str) -> bool:
    """Whether a field is meant by what a person typed: itself, or one that holds it."""
    parts = [part.strip("[]") for part in key if part != ORDER]
    wanted = field.strip("/").replace("[", ".").replace("]", "")
    if "/" in wanted:
        wanted = wanted.replace("/", ".")
    return any(f"{'.'.join(some)}.".startswith(f"{wanted}.") for some in (parts, parts[1:]))


def is_secret(kind_name: str, one: FieldDiff, *bodies: Body | None) -> bool:
    """Whether a field's values are not to be seen; it is enough that one version says so."""
    if is_sensitive_reference(one.old) or is_sensitive_reference(one.new):
        return True
    found = kind(kind_name)
    return any(found.is_sensitive(one.path, body) for body in bodies if body is not None)


def visible(value: Json | Absent, secrets: Secrets, *, secret: bool) -> Json:
    """A value as JSON for a program, secrets as their numbers; nothing is null."""
    if isinstance(value, Absent):
        return None
    if secret or is_sensitive_reference(value):
        return secrets.show(value)
    if isinstance(value, dict):
        return {key: visible(item, secrets, secret=False) for key, item in value.items()}
    if isinstance(value, list):
        return [visible(item, secrets, secret=False) for item in value]
    return value


class FieldLines:
    """Lays out changed fields; secrets are numbered across all of them."""

    def __init__(self, width: int, paint: Paint) -> None:
        self.width = width
        self.paint = paint
        self.secrets = Secrets()

    def lines(self, one: FieldDiff, *, secret: bool) -> Iterator[str]:
        """``replicas   2 -> 3``, on more lines where it must be."""
        old = show(one.old, self.secrets, sensitive=secret)
        new = show(one.new, self.secrets, sensitive=secret)
        yield from self.pair(dotted(one.key), old, new, order=one.is_order)

    def pair(
        self, name: str, old: str, new: str, *, origin: str = "", order: bool = False
    ) -> Iterator[str]:
        """A name, and the texts of the two values."""
        if order:
            name = f"{name} (order)"
        name = elide(name, self.width // 2)
        fits = columns(name) <= _NAMES - 8
        start = f"      {pad(name, _NAMES - 6)}" if fits else f"      {name}   "
        line = f"{start}{old} -> {new}"
        if columns(line) > self.width:
            room = self.width - columns(start) - 3
            left, right = elide_pair(old, new, max(room, 8))
            yield f"{start}   {left}"
            line = f"{' ' * columns(start)}-> {right}"
        if not origin:
            yield line
            return
        column = max(min(_ORIGINS, self.width - columns(origin)), columns(line) + 2)
        if column + columns(origin) <= self.width:
            yield pad(line, column) + self.paint(origin, "dim")
        else:
            yield line
            yield self.paint(" " * _NAMES + elide_left(origin, self.width - _NAMES), "dim")
