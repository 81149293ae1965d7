"""What two revisions declare differently, as every renderer of `hrctl diff` takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hrctl.cli.render.values import Secrets
from hrctl.cli.render.versions import dotted, is_secret, visible
from hrctl.model.fields import FieldDiff, compare
from hrctl.model.moved import Spot, moves
from hrctl.source.revisions import Pair, Role


@dataclass(slots=True)
class Item:
    """A document that differs, with its fields; `secret` are the paths that no one may see."""

    pair: Pair
    fields: list[FieldDiff] = field(default_factory=list)
    secret: frozenset[str] = frozenset()

    @property
    def action(self) -> str:
        """added, removed, moved or changed."""
        if self.pair.old is None:
            return "added"
        if self.pair.new is None:
            return "removed"
        return "moved" if self.pair.is_moved else "changed"

    @property
    def place(self) -> str:
        """File and line, of the new one where there is one."""
        there = (self.pair.new or self.pair.old).document  # type: ignore[union-attr]  # one is
        return f"{there.path}:{there.line}"

    @property
    def what(self) -> str:
        """``instances at ENVIRONMENT`` or ``patch``, else nothing."""
        if self.pair.role.patch:
            return "patch"
        there = self.pair.new or self.pair.old
        level = there.instances if there is not None else None
        return f"instances at {level}" if level else ""


@dataclass
class Difference:
    """Everything that differs, in the order of addresses; revisions as they were given."""

    old: str
    new: str | None
    items: list[Item]
    unreadable: Sequence[str] = ()

    @cached_property
    def went(self) -> dict[Spot, Spot]:
        """Which value moved where."""
        both = [one for one in self.items if one.action in {"changed", "moved"}]
        return moves((one.pair.role, each) for one in both for each in one.fields)

    @cached_property
    def came(self) -> dict[Spot, list[Spot]]:
        """Where a value that moved came from."""
        found: dict[Spot, list[Spot]] = {}
        for source, target in self.went.items():
            found.setdefault(target, []).append(source)
        return found

    def count(self, action: str) -> int:
        """How many documents were added, removed, moved or changed."""
        return sum(one.action == action for one in self.items)

    def summary(self) -> str:
        """The last line."""
        if not self.items:
            return "No differences."
        numbers = [
            f"{number} {action}"
            for action in ("added", "changed", "removed", "moved")
            if (number := self.count(action))
        ]
        return f"Diff: {', '.join(numbers)}."


def items(pairs: Sequence[Pair]) -> list[Item]:
    """Pairs with the fields in which they differ."""
    found = []
    for pair in pairs:
        old = pair.old.value if pair.old else {}
        new = pair.new.value if pair.new else {}
        fields = compare(old, new)
        kind = pair.role.address.kind
        secret = {one.path for one in fields if is_secret(kind, one, dict(old), dict(new))}
        if fields or pair.old is None or pair.new is None or pair.is_moved:
            found.append(Item(pair, fields, frozenset(secret)))
    return sorted(found, key=lambda one: (one.pair.role.address.registry.split("/"), *_rank(one)))


def _rank(one: Item) -> tuple[bool, str, bool]:
    address = one.pair.role.address
    return address.kind != "Registry", address.local, one.pair.role.patch


def spot_name(spot: Spot) -> str:
    """``acme:Registry/acme defaults.Service.replicas``."""
    assert isinstance(spot.owner, Role)  # noqa: S101 - `Difference` made it
    return f"{spot.owner.address} {dotted(spot.key)}"


def as_json(found: Difference) -> dict[str, Any]:
    """For a program."""
    secrets = Secrets()
    return {
        "old": found.old,
        "new": found.new,
        "changes": [_item_json(found, one, secrets) for one in found.items],
        "unreadable": list(found.unreadable),
        "summary": {
            action: found.count(action) for action in ("added", "changed", "removed", "moved")
        },
    }


def _item_json(found: Difference, item: Item, secrets: Secrets) -> dict[str, Any]:
    pair = item.pair
    there = pair.new or pair.old
    old = pair.old.role.address if pair.old is not None and item.action == "moved" else None
    return {
        "action": item.action,
        "address": pair.role.address,
        "patch": pair.role.patch,
        "instances": there.instances if there else None,
        "movedFrom": old,
        "declaredMove": pair.is_declared_move,
        "file": item.place,
        "fields": list(_fields_json(found, item, secrets)),
    }


def _fields_json(found: Difference, item: Item, secrets: Secrets) -> Iterator[dict[str, Any]]:
    for one in item.fields:
        spot = Spot(item.pair.role, one.key)
        secret = one.path in item.secret
        target = found.went.get(spot)
        yield {
            "path": one.path,
            "field": dotted(one.key),
            "old": visible(one.old, secrets, secret=secret),
            "new": visible(one.new, secrets, secret=secret),
            "sensitive": secret,
            "order": one.is_order,
            "movedTo": spot_name(target) if target else None,
            "movedFrom": [spot_name(each) for each in found.came.get(spot, ())],
        }
