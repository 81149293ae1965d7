"""Encrypted values in the tree, opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hrctl.cli.secrets.target import Target, find_address
from hrctl.cli.session import Session
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, is_within
from hrctl.model.sealed import SecretRow
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup
from hrctl.secrets import Unsealed

_STEPS = 16  # a value may be a reference to one that is a reference, and so on


def source_of(tree: Tree, row: SecretRow) -> Mapping[str, Json]:
    """What stands in `valueFrom` at a row."""
    value = dict(tree.document(row.document).value)
    found: Mapping[str, Json] = lookup(value, f"{row.pointer}/valueFrom")
    return found


def hidden_recipients(tree: Tree, row: SecretRow, known: Sequence[str]) -> str | None:
    """Return in what the header of a secret differs from its clear list; that takes no key.

    None where it does not, or where the header cannot be read, which opening it tells.
    """
    from hrctl.secrets.agefile import AgeFileError
    from hrctl.secrets.seal import header
    from hrctl.secrets.stanzas import difference

    try:
        stanzas = header(source_of(tree, row)).stanzas
    except AgeFileError:
        return None
    return difference(stanzas, row.recipients or (), known)


def chosen(tree: Tree, where: Sequence[str] | None) -> list[SecretRow]:
    """The rows at these addresses, and in and below these registries; all where none is named.

    Raises:
        HrctlError: HR141 or HR160.
    """
    rows = list(tree.secrets())
    if not where:
        return rows
    from hrctl.cli.verbs.naming import registry_path

    addresses = {find_address(tree, text) for text in where if ":" in text}
    paths = [registry_path(tree, text) for text in where if ":" not in text]
    return [
        row
        for row in rows
        if row.address in addresses
        or any(is_within(Address(row.address).registry, path) for path in paths)
    ]


def opened(
    session: Session, tree: Tree, rows: Sequence[SecretRow], *, in_place: bool = True
) -> Iterator[tuple[SecretRow, Unsealed | HrctlError]]:
    """Each row with what is in it, or why that cannot be told, with the place in the file."""
    for row in rows:
        try:
            open_at = session.opener.at if in_place else session.opener.open
            yield row, open_at(source_of(tree, row), row.place)
        except HrctlError as error:
            if error.diagnostics[0].code == "HR176":
                raise  # it is about the key, and the same for each
            span = tree.locate(row.document, f"{row.pointer}/valueFrom/age")
            first = replace(error.diagnostics[0], span=span, address=row.address)
            yield row, type(error)(first)


def value_at(session: Session, tree: Tree, target: Target) -> str:
    """The plaintext of a field of a resource or of a document.

    Raises:
        HrctlError: HR147 where no encrypted value is there, or what opening raises.
    """
    found = target.source
    if found is not None:
        return session.opener.at(found, target.place).value
    address, path = target.address, target.pointer + ("/value" if target.is_entry else "")
    for _ in range(_STEPS):
        if address not in tree.rows:
            break
        source = (lookup(tree.resource(address).body, path) or {}) if path else {}
        source = source.get("valueFrom") if isinstance(source, dict) else None
        if not isinstance(source, dict):
            break
        if "age" in source:
            return session.opener(source)
        if "config" not in source:
            break
        address = Address(str(source["config"]))
        path = f"/spec/entries/{source['key']}/value"
    raise HrctlError.of(
        "HR147",
        f"no encrypted value is at {target.place}",
        hint="`hrctl secrets list` shows where there are some",
    )
