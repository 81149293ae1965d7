"""Entries of Configs: how a key is looked up through scopes and registries, and its text.

At each registry, nearest first, the Configs of scope USER come before SERVICE, ENVIRONMENT and
GLOBAL. The first value wins; where there is none at all, the first default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, ancestors
from hrctl.model.tree import Tree
from hrctl.model.values import Json, is_reference, is_sensitive_reference, pointer

SCOPES: Final = ("USER", "SERVICE", "ENVIRONMENT", "GLOBAL")
TYPES: Final = ("STRING", "INTEGER", "FLOAT", "BOOLEAN", "JSON", "SECRET")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of one Config; `held` is as its body has it."""

    address: Address
    scope: str
    key: str
    held: dict[str, Any]

    @property
    def type(self) -> str:
        """STRING and so on."""
        return str(self.held.get("type") or "STRING")

    @property
    def is_set(self) -> bool:
        """Whether it has a value, and not only a default."""
        return self.held.get("value") is not None

    @property
    def value(self) -> Json:
        """Its value, else its default, else None."""
        value = self.held.get("value")
        return self.held.get("default") if value is None else value

    @property
    def is_secret(self) -> bool:
        """Whether no one may see the value."""
        return self.type == "SECRET" or is_sensitive_reference(self.value)

    @property
    def path(self) -> str:
        """The field path of the entry."""
        return pointer(["spec", "entries", self.key])


def entries_of(tree: Tree, address: Address) -> Iterator[Entry]:
    """The entries of a Config, in their order."""
    spec = tree.resource(address).body["spec"]
    for key, held in (spec.get("entries") or {}).items():
        yield Entry(address, str(spec.get("scope")), key, held)


def visible_from(tree: Tree, registry: str) -> Iterator[Entry]:
    """Every entry that a lookup at a registry comes across, in the order of the lookup."""
    for path in ancestors(registry):
        found = [
            address
            for record in tree.records
            if record.path == path
            for address in map(Address, record.addresses)
            if address.kind == "Config"
        ]
        found.sort(key=lambda one: (SCOPES.index(_scope(tree, one)), one.name))
        for address in found:
            yield from entries_of(tree, address)


def _scope(tree: Tree, address: Address) -> str:
    return str(tree.resource(address).body["spec"].get("scope") or SCOPES[-1])


def winner(found: Sequence[Entry]) -> Entry | None:
    """Of the entries of one key, in the order of the lookup, the one that holds."""
    valued = next((one for one in found if one.is_set), None)
    return valued or next((one for one in found if one.value is not None), None)


def effective(tree: Tree, registry: str) -> dict[str, Entry]:
    """Key -> the entry that holds at a registry; keys without any value are left out."""
    by_key: dict[str, list[Entry]] = {}
    for one in visible_from(tree, registry):
        by_key.setdefault(one.key, []).append(one)
    chosen = {key: winner(found) for key, found in by_key.items()}
    return {key: one for key, one in sorted(chosen.items()) if one is not None}


def entry_at(tree: Tree, address: Address, key: str) -> Entry | None:
    """The entry of a key in one Config."""
    return next((one for one in entries_of(tree, address) if one.key == key), None)


def known_type(tree: Tree, address: Address, key: str) -> str | None:
    """The type of a key in a Config, or where a lookup from there finds it."""
    own = entry_at(tree, address, key)
    found = visible_from(tree, address.registry) if own is None else iter((own,))
    return next((one.type for one in found if one.key == key), None)


def parse(text: str, kind: str, key: str) -> Json:
    """The value that a text stands for, by the type of its entry.

    Raises:
        HrctlError: HR197.
    """
    try:
        if kind == "STRING":
            return text
        if kind == "BOOLEAN":
            return {"true": True, "false": False}[text.strip().lower()]
        value = int(text) if kind == "INTEGER" else json.loads(text)
    except (ValueError, KeyError):
        value = None
    if kind == "FLOAT" and (isinstance(value, bool) or not isinstance(value, int | float)):
        value = None
    if value is None:
        wanted = {
            "INTEGER": "a whole number, as 8080",
            "FLOAT": "a number, as 0.5",
            "BOOLEAN": "true or false",
            "JSON": "JSON, as '[1, 2]', and not null",
        }[kind]
        raise HrctlError.of("HR197", f"'{text}' is no {kind} for {key}", hint=f"give {wanted}")
    return value


def type_of(value: Json) -> str:
    """The type of an entry that is to hold a value."""
    if isinstance(value, bool):
        return "BOOLEAN"
    for kind, types in (("INTEGER", int), ("FLOAT", float), ("STRING", str)):
        if isinstance(value, types):
            return kind
    return "JSON"


def as_text(value: Json) -> str:
    """A value as a line of a file, or an environment variable, has it."""
    if isinstance(value, str):
        return value
    if is_reference(value):
        raise TypeError("a reference has no text")
    return json.dumps(value, ensure_ascii=False)
