"""Encrypted values as they are written in documents, found without opening them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from hrctl.model.address import Address
from hrctl.model.document import Document, Place
from hrctl.model.places import SecretPlace, may_seal, place_in, sealed_in

_ARMOUR: Final = "BEGIN AGE ENCRYPTED"


class SecretRow(NamedTuple):
    """An encrypted value as it is written: where, its place as `places` has it, and for whom.

    `pointer` leads to the map that says `valueFrom`; `recipients` is None where it names none.
    """

    path: str
    blob: str
    number: int
    pointer: str
    address: str
    field: str
    recipients: list[str] | None

    @property
    def document(self) -> Place:
        """The document that it stands in."""
        return Place(self.path, self.blob, self.number)

    @property
    def place(self) -> SecretPlace:
        """What its ciphertext is to be bound to."""
        return SecretPlace(self.address, self.field)


def secrets_in(registry: str, document: Document) -> Iterator[SecretRow]:
    """The encrypted values in a document that lies in this registry."""
    if _ARMOUR not in repr(document.value):  # several times faster than looking for them
        return
    if not may_seal(document.spec):
        return
    address = Address.of(registry, document.kind, document.name)
    for at, source in sealed_in(document.value):
        place = place_in(address, document.value, at)
        yield SecretRow(*document.place, at, address, place.field, source.get("recipients"))
