"""From the address and the field that a person types to the place of a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hrctl.cli.session import InvalidTree, Session
from hrctl.diagnostics import Diagnostic, HrctlError, Related, Severity
from hrctl.model.address import Address
from hrctl.model.document import Document
from hrctl.model.places import SecretPlace, place_in
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup, pointer, pointer_parts

# What commands about secrets mend, so it cannot keep them from working: recipients that are not
# those of the rules, and a reference to a key that is about to be set.
TOLERATED: Final = frozenset({"HR174", "HR047"})
_TOP: Final = frozenset({"spec", "metadata", "lifecycle", "dependsOn"})
_STEP: Final = re.compile(r"\[([^\]]*)\]|([^.\[]+)")
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Target:
    """A field that holds a secret, or may.

    `document` is None where the address has no document of its own in its registry: it is an
    instance of one above, and gets a patch. `pointer` leads to the value in the manifest; for an
    entry of a Config, to the entry. `audience` is the server that the value is to be sealed for.
    """

    address: Address
    pointer: str
    document: Document | None
    place: SecretPlace
    audience: str | None = None

    @property
    def is_entry(self) -> bool:
        """Whether it is an entry of a Config, or of defaults for one."""
        return is_entry(self.address.kind, pointer_parts(self.pointer))

    @property
    def source(self) -> Mapping[str, Json] | None:
        """What stands in `valueFrom` there now, where that is an encrypted value."""
        if self.document is None:
            return None
        value = dict(self.document.value)
        for path in (f"{self.pointer}/valueFrom", f"{self.pointer}/value/valueFrom"):
            found = lookup(value, path)
            if isinstance(found, dict) and "age" in found:
                return found
        return None


def lenient_tree(session: Session) -> Tree:
    """The tree, whatever its secrets are encrypted to.

    Raises:
        InvalidTree: where anything else is wrong.
    """
    loaded = session.load()
    found = [one for one in loaded.diagnostics if one.code not in TOLERATED]
    if any(one.severity is Severity.ERROR for one in found):
        raise InvalidTree(loaded.files, *found)
    return loaded.tree


def declared(tree: Tree) -> Iterator[Address]:
    """Every address at which something is written or made: resources, templates, patches."""
    yield from tree.rows
    for record in tree.records:
        for one in record.handed:
            address = Address.of(record.path, one.kind, one.name)
            if address not in tree.rows:
                yield address


def find_address(tree: Tree, text: str) -> Address:
    """The one address that `text` is, or ends: `acme/shop:Config/app`, `shop:Config/app`.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    registry, _, local = text.rpartition(":")
    known = list(dict.fromkeys(declared(tree)))
    if text in known:
        return Address(text)
    found = [
        one
        for one in known
        if one.local == local and (not registry or f"/{one.registry}".endswith(f"/{registry}"))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        more = len(found) - _SHOWN
        raise HrctlError(
            Diagnostic(
                "HR160",
                f"'{text}' may be any of {len(found)} addresses",
                related=tuple(Related(one) for one in found[:_SHOWN]),
                note=f"and {more} more" if more > 0 else None,
                hint="say more of the registry",
            )
        )
    from difflib import get_close_matches

    near = get_close_matches(text, [*known, *(one.local for one in known)], n=1)
    hint = f"did you mean {near[0]}?" if near else "the form is <registry path>:<Kind>/<name>"
    raise HrctlError.of("HR141", f"{text} is not declared", hint=hint)


def find(tree: Tree, address: str, field: str) -> Target:
    """The place that an address and a field name.

    A field is written as plans show it (`env.TOKEN`, `redis.users[app].password`), as a JSON
    Pointer, or as the bare key of a Config.

    Raises:
        HrctlError: HR141 or HR160 for the address, HR147 for a field of a list that is not there.
    """
    at = find_address(tree, address)
    document = document_at(tree, at)
    manifest: Mapping[str, Any] = document.value if document is not None else {}
    where = _pointer(at, field, dict(manifest))
    return Target(at, where, document, place_in(at, manifest, where))


def document_at(tree: Tree, address: Address) -> Document | None:
    """The document that is written at an address, and not above it."""
    record = next(one for one in tree.records if one.path == address.registry)
    if address.kind == "Registry" and record.registry.name == address.name:
        return record.registry
    for one in record.handed:
        if (one.kind, one.name) == (address.kind, address.name):
            return one
    if address not in tree.rows:
        return None
    record, index = tree.where(address)
    document = tree.document(record.places(index)[0])
    return None if document.metadata.get("instances") else document


def is_entry(kind: str, parts: list[str]) -> bool:
    """Whether a pointer leads to an entry of a Config."""
    if kind == "Registry":
        return parts[:4] == ["spec", "defaults", "Config", "entries"] and len(parts) == 5  # noqa: PLR2004 - and the key
    return kind == "Config" and parts[:2] == ["spec", "entries"] and len(parts) == 3  # noqa: PLR2004 - and the key


def called(field: str, kind: str) -> str:
    """A field of a place as a person would write it."""
    parts = field.removeprefix("/spec/").split("/")
    if any("~" in part or "." in part for part in parts):
        return field
    return parts[1] if kind == "Config" and len(parts) == 2 else ".".join(parts)  # noqa: PLR2004 - entries and key


def _pointer(address: Address, field: str, manifest: dict[str, Any]) -> str:
    if field.startswith("/"):
        parts = pointer_parts(field)
    elif address.kind == "Config" and not field.startswith(("entries.", "spec.")):
        parts = ["spec", "entries", field]
    elif address.kind == "Config":
        parts = ["spec", "entries", field.removeprefix("spec.").removeprefix("entries.")]
    else:
        parts = [inner or word for inner, word in _STEP.findall(field)]
        parts = parts if parts[:1] and parts[0] in _TOP else ["spec", *parts]
    while parts[-1:] == ["valueFrom"] or (
        parts[-1:] == ["value"] and is_entry(address.kind, parts[:-1])
    ):
        parts.pop()
    if not parts or parts == ["spec"]:
        raise HrctlError.of("HR147", f"'{field}' is no field", hint="such as env.TOKEN")
    return pointer(_indexed(parts, manifest, address))


def _indexed(parts: list[str], manifest: dict[str, Any], address: Address) -> list[str]:
    """Names of items of lists as their indices."""
    found: list[str] = []
    here: Json = manifest
    for part in parts:
        step = part
        if isinstance(here, list):
            names = [item.get("name") if isinstance(item, dict) else None for item in here]
            if part in names:
                step = str(names.index(part))
            elif not part.isdigit() or int(part) >= len(here):
                raise HrctlError.of(
                    "HR147",
                    f"{address} has no '{part}' in {'.'.join(found)}",
                    hint="there are " + ", ".join(map(str, filter(None, names))),
                )
            here = here[int(step)]
        else:
            here = here.get(part) if isinstance(here, dict) else None
        found.append(step)
    return found
