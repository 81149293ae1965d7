"""What is dangerous about a change, apart from how many there are: for marks and for grades."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hrctl.model.plan import Absent, Action, Change, Reason
from hrctl.model.values import Body, Json, lookup, pointer_parts


class Danger(StrEnum):
    """The sorts of danger, the worst first."""

    DATA_LOSS = "data-loss"
    PUBLIC = "public"
    PROTECTED = "protected"


@dataclass(frozen=True, slots=True)
class Warned:
    """One danger of a change: ``data-loss``, ``database orders goes``."""

    danger: Danger
    text: str


# The types of each kind that keep what cannot be made again from a declaration.
STATEFUL: Final[dict[str, frozenset[str]]] = {
    "Component": frozenset({"DATABASE", "QUEUE", "STORAGE"}),
    "Service": frozenset({"DATABASE", "QUEUE"}),
    "Engine": frozenset({"STORAGE"}),
    "Node": frozenset({"STORAGE"}),
}
# Lists inside of a component whose elements hold data of their own.
_HOLDERS: Final = {
    "databases": "database",
    "collections": "collection",
    "topics": "topic",
    "buckets": "bucket",
}
_REACHABLE: Final = frozenset({"Component", "Route"})  # kinds that say who can reach them
_ANYWHERE: Final = frozenset({"", "*", "0.0.0.0", "[::]", "::"})  # noqa: S104  # looked for, not bound
_PORT: Final = re.compile(r"\d+")


def is_destroyed(change: Change) -> bool:
    """Whether a live thing is taken away by it; a move takes nothing away."""
    return change.action is Action.REPLACE or (
        change.action is Action.DELETE and change.reason is not Reason.MOVED
    )


def is_stateful(change: Change) -> bool:
    """Whether the resource keeps data; what is only recorded keeps none."""
    if (change.previous_driver or change.driver) in change.record_keepers:
        return False
    types = STATEFUL.get(change.address.kind, frozenset())
    bodies = (change.before, change.applied, change.after)
    return any(body is not None and lookup(body, "/spec/type") in types for body in bodies)


def dangers(change: Change) -> tuple[Warned, ...]:
    """Everything that is dangerous about it, the worst first."""
    if unprotects(change):
        return (Warned(Danger.PROTECTED, "lifecycle.protect is taken away"), *_acting(change))
    return _acting(change)


def unprotects(change: Change) -> bool:
    """Return whether what the ledger has as protected stays, and is protected no longer."""
    return change.protected and not change.lifecycle.protect and change.after is not None


def _acting(change: Change) -> tuple[Warned, ...]:
    """What is dangerous about that which is done to the live thing."""
    if change.action in {Action.NOOP, Action.ADOPT, Action.FORGET}:
        return ()
    found = [Warned(Danger.DATA_LOSS, text) for text in _lost(change)]
    if change.address.kind in _REACHABLE:
        opened = _ways_in(change.after) - _ways_in(change.before)
        found += [Warned(Danger.PUBLIC, text) for text in sorted(opened)]
    if (change.protected or change.lifecycle.protect) and change.action is not Action.CREATE:
        found.append(Warned(Danger.PROTECTED, "lifecycle.protect is set"))
    return tuple(found)


# -- data ------------------------------------------------------------------------------------------


def _lost(change: Change) -> Iterator[str]:
    if is_destroyed(change):
        if is_stateful(change):
            what = "replaced" if change.action is Action.REPLACE else "deleted"
            yield f"what it keeps is gone when it is {what}"
        return
    if change.recorded_only:
        return
    for one in change.fields if change.address.kind == "Component" else ():
        if isinstance(one.desired, Absent):
            yield from _holders(pointer_parts(one.path), one.live)


def _holders(parts: list[str], live: Json | Absent) -> Iterator[str]:
    """What goes with a field that goes: one database, or the list of them."""
    if len(parts) > 1 and parts[-2] in _HOLDERS and isinstance(live, dict):
        yield f"{_HOLDERS[parts[-2]]} {live.get('name', parts[-1])} goes"
    elif parts and parts[-1] in _HOLDERS and isinstance(live, list):
        for item in live:
            if isinstance(item, dict):
                yield f"{_HOLDERS[parts[-1]]} {item.get('name', '')} goes"


# -- who can reach it ------------------------------------------------------------------------------


def _ways_in(body: Body | None) -> frozenset[str]:
    """How anyone at all can come in, as far as a declaration shows it."""
    if body is None:
        return frozenset()
    return frozenset(_walk(body.get("spec"), ""))


def _walk(value: Json, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for rule in _RULES:
            yield from rule(value)
        for name, item in value.items():
            yield from _walk(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, key)
    elif isinstance(value, str) and key in {"listen", "bind"} and _is_anywhere(value):
        yield f"listens on every address: {value}"


def _is_anywhere(text: str) -> bool:
    """Whether ``0.0.0.0:80``, ``*:80``, ``80`` or ``443 ssl`` is open on every address."""
    where = text.split(" ", maxsplit=1)[0]
    host, colon, _ = where.rpartition(":")
    return host in _ANYWHERE if colon else _PORT.fullmatch(where) is not None


def _listener(value: dict[str, Json]) -> Iterator[str]:
    """A listener of Envoy: its address is called that, like those of what it sends to."""
    for one in value.get("listeners") or ():
        text = one.get("address") if isinstance(one, dict) else None
        if isinstance(text, str) and _is_anywhere(text):
            yield f"listens on every address: {text}"


def _statement(value: dict[str, Json]) -> Iterator[str]:
    """A statement of a bucket's policy."""
    principal = value.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    if value.get("Effect") == "Allow" and named in ("*", ["*"]):
        yield f"everyone may {_some(value.get('Action'))}"


def _acl(value: dict[str, Json]) -> Iterator[str]:
    """An access rule of Kafka."""
    if value.get("principal") == "User:*" and value.get("permission", "ALLOW") == "ALLOW":
        yield f"every user may {value.get('operation', 'do anything')}"


def _grant(value: dict[str, Json]) -> Iterator[str]:
    """A grant of PostgreSQL."""
    role = value.get("role")
    if isinstance(role, str) and role.lower() == "public" and "privileges" in value:
        yield f"every role has {_some(value['privileges'])}"


def _user(value: dict[str, Json]) -> Iterator[str]:
    """A user of Redis; without a password any is accepted."""
    if "commands" in value and value.get("password") is None and value.get("enabled", True):
        yield f"user {value.get('name', '')} needs no password"


def _some(value: Json) -> str:
    items = value if isinstance(value, list) else [value]
    return ", ".join(str(item) for item in items)


_RULES: Final[tuple[Callable[[dict[str, Json]], Iterator[str]], ...]] = (
    _listener,
    _statement,
    _acl,
    _grant,
    _user,
)
