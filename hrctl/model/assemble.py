"""One resource in full: its layers merged, its references resolved, each value with its origin.

Only what has to be completed anew imports pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hrctl.diagnostics import Diagnostic, HrctlError, Span
from hrctl.model.address import Address
from hrctl.model.document import Place
from hrctl.model.expansion import Referred
from hrctl.model.kinds import desugar, kind
from hrctl.model.kinds.outputs import places
from hrctl.model.places import place_in, placed
from hrctl.model.plan import Lifecycle
from hrctl.model.registry import Record
from hrctl.model.resource import Deferred, Resource
from hrctl.model.values import (
    Json,
    is_reference,
    lookup,
    merge,
    pointer,
    references,
)

if TYPE_CHECKING:
    from hrctl.model.edges import Link
    from hrctl.model.tree import Tree

_ABSENT = object()


class Layer(NamedTuple):
    """What one document contributes, strongest last; `prefix` is where it stands in there."""

    place: Place
    name: str  # "defaults", "document" or "patch"
    value: Mapping[str, Any]  # in the shape of a manifest
    prefix: str  # what "/spec" of `value` is called in the document


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """A final value, and where it was written (None: the kind's built-in default)."""

    pointer: str
    value: Json
    span: Span | None
    layer: str


def layers(tree: Tree, record: Record, index: int) -> list[Layer]:
    """Everything that makes up a resource, weakest first."""
    found = []
    base, *patches = record.places(index)
    document = tree.document(base)
    scope = tree.scopes[record.path]
    for registry in scope.documents:
        partial = (registry.spec.get("defaults") or {}).get(document.kind)
        if partial:
            prefix = pointer(["spec", "defaults", document.kind])
            found.append(
                Layer(registry.place, "defaults", {"spec": desugar(document.kind, partial)}, prefix)
            )
    for name, place in (("document", base), *(("patch", one) for one in patches)):
        value = dict(tree.document(place).value)
        value["spec"] = desugar(document.kind, dict(value.get("spec") or {}))
        found.append(Layer(place, name, value, "/spec"))
    return found


def merged(tree: Tree, record: Record, index: int) -> dict[str, Json]:
    """The whole manifest after inheritance, references as they are written."""
    found = layers(tree, record, index)
    if len(found) == 1 and tree.document(found[0].place).complete:
        return dict(found[0].value)  # nothing to inherit, and no null to remove
    whole: dict[str, Json] = {}
    for layer in found:
        whole = merge(whole, dict(layer.value))
    return whole


def merged_spec(tree: Tree, address: Address) -> dict[str, Json]:
    """The spec after inheritance, without built-in defaults."""
    record, index = tree.where(address)
    spec: dict[str, Json] = merged(tree, record, index).get("spec") or {}
    return spec


def last_word(tree: Tree, record: Record, index: int, path: str) -> tuple[Place, str, str]:
    """Who wrote the final value at a field path: document, field in it, name of the layer."""
    found = layers(tree, record, index)
    while True:
        for layer in reversed(found):
            if lookup(dict(layer.value), path, _ABSENT) is not _ABSENT:
                inner = path.removeprefix("/spec")
                within = layer.prefix + inner if path != inner else path
                return layer.place, _as_written(tree, layer.place, within), layer.name
        if not path:
            return record.places(index)[0], "", "document"
        path = path.rpartition("/")[0]


def _as_written(tree: Tree, place: Place, path: str) -> str:
    """Undo `desugar`: ``value: {valueFrom: X}`` may stand in the document as ``valueFrom: X``."""
    written = dict(tree.document(place).value)
    if lookup(written, path, _ABSENT) is not _ABSENT:
        return path
    short = path.replace("/value/valueFrom", "/valueFrom", 1)
    if short == path and path.endswith("/value"):
        short = f"{path}From"
    return path if lookup(written, short, _ABSENT) is _ABSENT else short


def origin(tree: Tree, address: Address, path: str) -> Span | None:
    """Where the final value at a field path of the body is written (None: built in)."""
    record, index = tree.where(address)
    if lookup(merged(tree, record, index), path, _ABSENT) is _ABSENT:
        return None
    place, within, _ = last_word(tree, record, index, path)
    return tree.locate(place, within)


def assemble(tree: Tree, address: Address) -> Resource:
    """The resource in full; KeyError where it is not declared."""
    record, index = tree.where(address)
    whole = merged(tree, record, index)
    metadata = whole.get("metadata") or {}
    complete = tree.complete(address.kind, whole.get("spec") or {}, record.digests[index])
    spec, deferred = _resolve(tree, address, complete)
    if address.kind == "Route":
        spec = _with_endpoints(tree, address, spec)
    labels = {key: str(value) for key, value in (metadata.get("labels") or {}).items()}
    body = {
        "metadata": {"labels": labels, "annotations": metadata.get("annotations") or {}},
        "spec": spec,
    }
    row = tree.rows[address]
    return Resource(
        address=address,
        driver=row.driver,
        digest=row.digest,
        body=body,
        span=Span(record.places(index)[0].path, record.lines[index]),
        labels=labels,
        depends_on=_edges(tree, address, record),
        lifecycle=_lifecycle(whole.get("lifecycle") or {}),
        moved_from=tree.moved_from(record, index) if index in record.moves else None,
        deferred=tuple(deferred),
    )


def _edges(tree: Tree, address: Address, record: Record) -> tuple[Address, ...]:
    """What comes first: the registry that it lies in, and whatever it names."""
    if address.kind == "Registry":
        above = tree.registries.get(record.parent)
        own = [Address.of(above.path, "Registry", above.name)] if above else []
    else:
        own = [Address.of(record.path, "Registry", record.registry.name)]
    return tuple(dict.fromkeys([*own, *(link.target for link in tree.links.get(address, ()))]))


def _lifecycle(written: Mapping[str, Any]) -> Lifecycle:
    return Lifecycle(
        protect=bool(written.get("protect")),
        ignore=tuple(written.get("ignore") or ()),
        create_first=bool(written.get("createFirst")),
        deletion=str(written.get("deletion", "delete")),
    )


def _resolve(
    tree: Tree, address: Address, spec: dict[str, Json]
) -> tuple[dict[str, Json], list[Deferred]]:
    """Replace the references whose value is known; list the others."""
    if next(references(spec), None) is None:
        return spec, []
    links = {link.pointer: link for link in tree.links.get(address, ()) if link.output}
    deferred: list[Deferred] = []
    referred = Referred()

    def walk(value: Json, path: str) -> Json:
        if is_reference(value):
            link = links.get(path)
            if link is None:  # age and env name no resource
                deferred.append(Deferred(path, sensitive=True))
                return _with_place(tree, address, path, value)
            behind = _value(tree, address, link, value, deferred)
            if not referred.take(behind):
                raise _too_large(tree, address, path, referred)
            return behind
        if isinstance(value, dict):
            return {key: walk(item, path + pointer([key])) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, f"{path}/{number}") for number, item in enumerate(value)]
        return value

    resolved: dict[str, Json] = walk(spec, "/spec")
    return resolved, deferred


def _too_large(tree: Tree, address: Address, path: str, referred: Referred) -> HrctlError:
    return HrctlError(
        Diagnostic(
            "HR344",
            referred.summary(),
            span=origin(tree, address, path),
            address=address,
            hint="refer to less, or give the values to the application in a file",
        )
    )


def _with_endpoints(tree: Tree, address: Address, spec: dict[str, Json]) -> dict[str, Json]:
    """A Route whose destinations say where their Services listen.

    So a route is planned anew where a Service moves, and its driver needs to know no Service.
    """
    found = list(spec["destinations"])
    for link in tree.links.get(address, ()):
        if link.target.kind != "Service" or not link.pointer.startswith("/spec/destinations/"):
            continue
        index = int(link.pointer.split("/")[3])
        service = tree.resource(link.target).body["spec"]
        found[index] = {
            **found[index],
            "service": str(link.target),
            "endpoints": places(service, found[index].get("port")),
        }
    return {**spec, "destinations": found}


def _with_place(tree: Tree, address: Address, path: str, reference: Json) -> Json:
    """An encrypted value with the place that it stands at, which its ciphertext must be for."""
    source = reference["valueFrom"]
    if "age" not in source:
        return reference
    record, index = tree.where(address)
    document, within, _ = last_word(tree, record, index, path)
    manifest = tree.document(document)
    home = Address.of(tree.declared_in(record, document), manifest.kind, manifest.name)
    return {"valueFrom": placed(source, place_in(home, manifest.value, within))}


def _value(
    tree: Tree, address: Address, link: Link, reference: Json, deferred: list[Deferred]
) -> Json:
    target = tree.resource(link.target)
    output = kind(link.target.kind).outputs(link.target, target.body).get(str(link.output))
    if output is not None and not output.sensitive:
        return output.value if address.kind == "Config" else as_text(output.value)
    named = reference["valueFrom"]
    field = next(key for key in ("component", "config", "service") if key in named)
    deferred.append(
        Deferred(link.pointer, output is not None, address=link.target, output=link.output)
    )
    return {"valueFrom": {**named, field: str(link.target)}}


def as_text(value: Json) -> str:
    """A value where a string is wanted: numbers and booleans as JSON writes them."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def explain(tree: Tree, address: Address) -> list[ExplainedValue]:
    """Every final value of a resource with its origin, in document order.

    The body comes first, then what is said of it (`dependsOn`, `lifecycle`) and its driver.
    """
    record, index = tree.where(address)
    whole = merged(tree, record, index)
    beside = {key: whole[key] for key in ("dependsOn", "lifecycle") if whole.get(key)}
    found = []
    for path, value in _leaves({**tree.resource(address).body, **beside}, ""):
        if value in ({}, []):
            continue
        span = origin(tree, address, path)
        layer = last_word(tree, record, index, path)[2] if span else "built in"
        found.append(ExplainedValue(path, value, span, layer))
    return [*found, _driver(tree, address, record)]


def _driver(tree: Tree, address: Address, record: Record) -> ExplainedValue:
    """The driver instance, and the registry that binds the kind to it."""
    bound = tree.rows[address].driver
    for registry in reversed(tree.scopes[record.path].documents):
        if address.kind in (registry.spec.get("drivers") or {}):
            path = pointer(["spec", "drivers", address.kind])
            return ExplainedValue("/driver", bound, tree.locate(registry.place, path), "registry")
    return ExplainedValue("/driver", bound, None, "built in")


def _leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value and not is_reference(value):
        for key, item in value.items():
            yield from _leaves(item, path + pointer([key]))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}/{number}")
    else:
        yield path, value
