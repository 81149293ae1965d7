"""Live things that no project owns, written as manifests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Driver, Importer, Live
from hrctl.model.address import Address, Selector
from hrctl.model.places import without_places
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.model.tree import Tree

API_VERSION = "hrctl.dev/v1"
MODELINE = "# yaml-language-server: $schema={}schemas/hrctl.schema.json\n"


@dataclass(frozen=True, slots=True)
class Import:
    """One manifest to write: into which file (relative to the project), under which address.

    `bound` is the driver instance that the address belongs to by what the registries say.
    """

    address: Address
    document: dict[str, Json]
    path: Path
    bound: str


def find(
    session: Session,
    instance: str,
    selectors: Sequence[Selector] = (),
) -> tuple[list[Import], list[Address]]:
    """What the instance has that nothing owns, as manifests; what is declared is left out.

    A manifest keeps the address of the live thing, else it could not be adopted; so what lives in
    a registry that is not declared is only named, in the second list.

    Args:
        session: of the project.
        instance: whose live things.
        selectors: only these; none means all.

    Raises:
        HrctlError: HR153 for an instance that is not there, HR158 where its driver cannot tell
            what is live.
    """
    if instance not in session.project.drivers:
        have = ", ".join(session.project.drivers)
        raise HrctlError(
            Diagnostic("HR153", f"no instance '{instance}' is configured", note=f"there are {have}")
        )
    tree = session.tree()
    (driver,) = session.drivers([instance]).values()
    found, homeless = [], []
    for live in _discover(driver, instance):
        address = live.address
        labels = (live.body.get("metadata") or {}).get("labels") or {}
        wanted = not selectors or any(one.matches(address, labels) for one in selectors)
        if not wanted or address in tree.rows:
            continue
        if address.registry not in tree.registries:
            homeless.append(address)
        else:
            path = _folder(tree, address) / f"{instance}.yaml"
            bound = tree.scopes[address.registry].driver(address.kind)
            found.append(Import(address, _document(live, address), path, bound))
    return sorted(found, key=lambda one: one.address), sorted(homeless)


def _discover(driver: Driver, instance: str) -> Iterable[Live]:
    if not isinstance(driver, Importer):
        raise HrctlError.of("HR158", f"the driver of '{instance}' cannot tell what is live")
    return driver.discover()


def _folder(tree: Tree, address: Address) -> Path:
    return Path(tree.registries[address.registry].span.path).parent


def _document(live: Live, address: Address) -> dict[str, Json]:
    """The manifest: what the kind has built in is left out, as a person would leave it."""
    metadata = live.body.get("metadata") or {}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return {
        "apiVersion": API_VERSION,
        "kind": address.kind,
        "metadata": {"name": address.name, **kept},
        "spec": _written(address.kind, without_places(live.body.get("spec") or {})),
    }


def _written(kind: str, spec: dict[str, Json]) -> dict[str, Json]:
    """The fields of a spec that are not as built in."""
    from pydantic import ValidationError

    from hrctl.model.validate import complete

    try:
        whole = complete(kind, spec)
    except ValidationError:
        return spec  # validate tells what is wrong, and the person mends it
    kept = dict(spec)
    for key in spec:
        less = {name: value for name, value in kept.items() if name != key}
        try:
            if complete(kind, less) == whole:
                kept = less
        except ValidationError:
            continue  # it is a field that must be there
    return kept


def write(root: Path, found: Sequence[Import]) -> list[Path]:
    """Append the manifests to their files; returns those, relative to the project."""
    from hrctl.cli.files import write_text
    from hrctl.source.edit import append_document

    texts: dict[Path, str] = {}
    for one in found:
        file = root / one.path
        if one.path not in texts:
            way = "../" * (len(one.path.parts) - 1)
            new = MODELINE.format(way)
            texts[one.path] = file.read_text("utf-8") if file.exists() else new
        texts[one.path] = append_document(texts[one.path], one.document)
    for path, text in texts.items():
        write_text(root / path, text)
    return list(texts)


def as_json(one: Import) -> dict[str, Any]:
    """For -o json."""
    return {"address": one.address, "path": str(one.path), "manifest": one.document}
