"""Where a secret stands: the declaring document and a field in it. Ciphertexts are bound to that.

A document that is inherited, patched or instanced keeps its one place: what it makes may live in
many registries, and the ciphertext in it serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from hrctl.model.values import Json, is_reference, pointer, pointer_parts

_CONTAINERS: Final = frozenset({dict, list})
_CONFIG_ENTRY: Final = 2  # how far behind `entries` the `value` of an entry stands


class SecretPlace(NamedTuple):
    """The address of the declaring document, and the field in it.

    As text: ``acme/shop:Config/app#/spec/entries/DB_PASSWORD``. The field is a JSON Pointer (RFC
    6901) to what the reference stands for, except that items of a list which all have a `name` are
    called by it, so that a place outlives a new neighbour.
    """

    address: str
    field: str

    def __str__(self) -> str:
        return f"{self.address}#{self.field}"

    @classmethod
    def parse(cls, text: str) -> SecretPlace:
        """The inverse of `str`; any text gives a place."""
        address, _, field = text.partition("#")
        return cls(address, field)


def place_in(address: str, manifest: Mapping[str, Any], path: str) -> SecretPlace:
    """The place of a secret in a manifest.

    Args:
        address: of the document, in the registry that it is written in.
        manifest: the document.
        path: the pointer to its reference, with or without the ``valueFrom`` at the end.
    """
    parts = pointer_parts(path)
    if parts[-1:] == ["valueFrom"]:
        parts.pop()
    if parts[-1:] == ["value"] and parts[-1 - _CONFIG_ENTRY : -_CONFIG_ENTRY] == ["entries"]:
        parts.pop()  # an entry may say `valueFrom` or `value: {valueFrom}`, which is the same
    named: list[str] = []
    here: Json = manifest
    for part in parts:
        if isinstance(here, list):
            names = _names(here)
            at = int(part) if part.isdigit() and int(part) < len(here) else None
            named.append(names[at] if names and at is not None else part)
            here = here[at] if at is not None else None
        else:
            named.append(part)
            here = here.get(part) if isinstance(here, dict) else None
    return SecretPlace(address, pointer(named))


def placed(source: Mapping[str, Json], place: SecretPlace) -> dict[str, Json]:
    """What stands in `valueFrom` of a body: with the place that the tree found it at, in `for`."""
    return {**source, "for": str(place)}


def without_places(value: Json) -> Json:
    """A body as a manifest has it; shares what it does not change."""
    if isinstance(value, dict):
        if is_reference(value):
            source = value["valueFrom"]
            if "age" not in source or "for" not in source:
                return value
            return {"valueFrom": {key: item for key, item in source.items() if key != "for"}}
        return {key: without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item) for item in value]
    return value


def may_seal(value: Json) -> bool:
    """Whether a `valueFrom` stands anywhere in a manifest: a quick look, for the many without."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is dict:
            if "valueFrom" in one:
                return True
            waiting += [item for item in one.values() if type(item) in _CONTAINERS]
        else:
            waiting += [item for item in one if type(item) in _CONTAINERS]
    return False


def sealed_in(value: Json, path: str = "") -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every encrypted value in a manifest, in document order.

    Yields:
        The pointer to the map that says `valueFrom`, and what is in that: `age`, `recipients`.
    """
    if isinstance(value, dict):
        source = value.get("valueFrom")
        if isinstance(source, dict):
            if isinstance(source.get("age"), str):
                yield path, source
            return
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from sealed_in(item, f"{path}{pointer([key])}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from sealed_in(item, f"{path}/{number}")


def _names(items: list[Json]) -> list[str] | None:
    """The names of all items, where each has one of its own."""
    found = [item.get("name") if isinstance(item, dict) else None for item in items]
    names = [name for name in found if isinstance(name, str) and name]
    return names if len(set(names)) == len(items) else None
