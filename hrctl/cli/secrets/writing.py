"""Encrypted values into manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hrctl.cli.secrets.target import Target
from hrctl.cli.session import Session
from hrctl.cli.verbs.draft import PATCHES, Draft, append, beside, manifest
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.recipients import keys_for
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup
from hrctl.secrets import Binding, seal
from hrctl.source.edit import REMOVE, Edit, apply_edits


def recipients_of(session: Session, registry: str) -> list[str]:
    """The public keys that secrets of a registry are encrypted to.

    Raises:
        HrctlError: HR178, where no rule of hrctl.yaml names one.
    """
    keys = keys_for(session.project.secrets["recipients"], registry)
    if not keys:
        raise HrctlError.of(
            "HR178",
            f"hrctl.yaml names no recipient for secrets of {registry}",
            hint="add a rule to spec.secrets.recipients: {path: '**', keys: [age1...]}",
        )
    return keys


def sealed(session: Session, target: Target, value: str) -> dict[str, Json]:
    """What is to stand in `valueFrom` at a place.

    Raises:
        HrctlError: HR178 without a recipient, HR171 for one that cannot be used.
    """
    binding = Binding(session.project.name, target.place, target.audience)
    return seal(value, binding, recipients_of(session, target.address.registry))


def put(session: Session, draft: Draft, tree: Tree, target: Target, value: str) -> None:
    """Encrypt a value and write it where it belongs; an instance gets a patch.

    Raises:
        HrctlError: as `sealed`, and HR012 where the file cannot be edited.
    """
    edits = edits_for(tree, target, sealed(session, target, value))
    if target.document is not None:
        number = target.document.number
        draft.change(target.document.path, lambda text: apply_edits(text, number, edits))
        return
    address = target.address
    patch = manifest(address.kind, address.name, patch=True)
    append(draft, beside(tree, address.registry, PATCHES), patch, edits)


def edits_for(tree: Tree, target: Target, source: Mapping[str, Json]) -> Sequence[Edit]:
    """The changes to a manifest that put an encrypted value into it."""
    if not target.is_entry:
        return [Edit(target.pointer, {"valueFrom": dict(source)})]
    held = lookup(dict(target.document.value), target.pointer) if target.document else None
    if held is None and not _is_inherited(tree, target):
        return [Edit(target.pointer, {"type": "SECRET", "valueFrom": dict(source)})]
    edits = [Edit(f"{target.pointer}/valueFrom", dict(source))]
    if isinstance(held, dict) and "value" in held:
        edits.insert(0, Edit(f"{target.pointer}/value", REMOVE))
    return edits


def _is_inherited(tree: Tree, target: Target) -> bool:
    """Whether the entry is declared above, type and all."""
    address: Address = target.address
    if address not in tree.rows:
        document = target.document
        return document is not None and bool(document.metadata.get("patch"))
    return lookup(tree.resource(address).body, target.pointer) is not None
