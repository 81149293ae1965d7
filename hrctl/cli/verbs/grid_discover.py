"""`hrctl grid discover`: what sources name against the Nodes that are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.draft import (
    Draft,
    append,
    beside,
    change_fields,
    is_instance,
    manifest,
    own_document,
    remove_resource,
)
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.naming import In
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, ancestors
from hrctl.model.tree import Tree
from hrctl.model.values import Json, pointer
from hrctl.source.edit import Edit

FILE = "discovered.yaml"
_TYPE = "WORKER"  # where neither the source nor the registry's defaults say more


class Row(NamedTuple):
    """A node that a source names, or that an earlier discovery wrote.

    `change` is new, changed, gone, same, or declared: by hand, which is left alone. `fields` are
    those that differ, by JSON Pointer into the manifest.
    """

    address: Address
    change: str
    fields: dict[str, Json]


@editing
def discover(
    ctx: typer.Context,
    *,
    registry: In = None,
    write: Annotated[
        bool, typer.Option("--write", help="Bring the manifests in discovered.yaml up to date.")
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Leave with 2 where something differs.")
    ] = False,
    then: Then,
) -> int:
    """Compare the nodes that a registry's `discovery` finds with those that are declared.

    Plans never ask a source: with --write what it says becomes manifests, and git their history.

    Examples:
      hrctl grid discover --in prod
      hrctl grid discover --in prod --write --commit --apply --yes
    """
    if not write and (then.commit or then.apply):
        raise HrctlError.of("HR145", "--commit and --apply go with --write", hint="add --write")
    console = console_of(ctx)
    with edits.edit_session(ctx) if write else Session(console) as session:
        tree = session.tree()
        rows = [row for path in _sources(tree, registry) for row in _rows(session, tree, path)]
        todo = [row for row in rows if row.change in {"new", "changed", "gone"}]
        shown: list[Json] = [
            {"address": str(row.address), "change": row.change, "fields": row.fields}
            for row in rows
        ]
        if write and todo:
            draft = Draft(session.project.root)
            _write(draft, tree, todo)
            subject = f"Write {len(todo)} discovered node{'s' * (len(todo) > 1)}"
            targets = [str(row.address) for row in todo]
            return edits.finish(
                session, draft, edits.Wish(subject, targets, then, also={"nodes": shown})
            )
    if console.json_output:
        console.json(shown)
    elif rows:
        heads = ("NODE", "CHANGE", "FIELDS")
        table = [(naming.short(row.address), row.change, _words(row.fields)) for row in rows]
        console.table(heads, table)
    else:
        console.note("No source names a node.")
    return Exit.CHANGES if detailed_exitcode and todo else Exit.DONE


def _words(fields: Mapping[str, Json]) -> str:
    shown = " ".join(
        f"{path.removeprefix('/spec/').replace('/', '.')}={value}" for path, value in fields.items()
    )
    return "".join(sign if sign.isprintable() else "?" for sign in shown)


def _spec_of(tree: Tree, registry: str) -> Mapping[str, Any]:
    itself = Address.of(registry, "Registry", registry.rpartition("/")[2])
    spec: Mapping[str, Any] = tree.resource(itself).body["spec"]
    return spec


def _sources(tree: Tree, registry: str | None) -> list[str]:
    """The registries that have a source.

    Raises:
        HrctlError: HR142, where none has.
    """
    chosen = naming.of_kind(tree, "Registry", registry)
    found = sorted(one.registry for one in chosen if _spec_of(tree, one.registry).get("discovery"))
    if not found:
        raise HrctlError.of(
            "HR142",
            "no registry here has `discovery`",
            hint="give one `discovery: {dns: {name: ...}}` or `{file: {path: ...}}`",
        )
    return found


def _rows(session: Session, tree: Tree, registry: str) -> Iterator[Row]:
    from hrctl.source.discovered import nodes

    ours = beside(tree, registry, FILE)
    found = nodes(_spec_of(tree, registry)["discovery"], session.project.root)
    here = {
        one: tree.resource(one).body["spec"]
        for one in tree.within(registry)
        if one.kind == "Node" and one.registry == registry
    }
    written = {one for one in here if _is_in(tree, one, ours)}
    by_place = {spec["address"]: one for one, spec in here.items() if one not in written}
    typed = any(
        _spec_of(tree, path).get("defaults", {}).get("Node", {}).get("type")
        for path in ancestors(registry)
    )
    kept = set()
    for name, spec in found.items():
        address = Address.of(registry, "Node", name)
        kept.add(address)
        fields = dict(_flat(spec, "spec"))
        if address not in here and spec["address"] in by_place:
            yield Row(by_place[str(spec["address"])], "declared", {})
        elif address not in here:
            kind = {} if typed or "type" in spec else {"/spec/type": _TYPE}
            yield Row(address, "new", {**kind, **fields})
        else:
            now, said = dict(_flat(here[address], "spec")), _as_written(tree, address)
            differ = {
                path: value
                for path, value in fields.items()
                if now.get(path) != value and said.get(path) != value
            }
            known = "changed" if differ else "same"
            yield Row(address, known if address in written else "declared", differ)
    for address in sorted(written - kept):
        yield Row(address, "gone", {})


def _as_written(tree: Tree, address: Address) -> dict[str, Json]:
    """The fields before units are made alike: a source may write 1024Mi, too."""
    document = own_document(tree, address)
    return dict(_flat(document.value.get("spec") or {}, "spec")) if document else {}


def _is_in(tree: Tree, address: Address, file: str) -> bool:
    document = None if is_instance(tree, address) else own_document(tree, address)
    return document is not None and document.path == file


def _flat(value: Any, *parts: str) -> Iterator[tuple[str, Json]]:
    """The leaves of maps, so that what people add beside them stays."""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, *parts, str(key))
        else:
            yield pointer([*parts, str(key)]), item


def _write(draft: Draft, tree: Tree, rows: list[Row]) -> None:
    """Change first, then remove from the end, then append: so document numbers stay true."""
    for row in rows:
        if row.change == "changed":
            change_fields(draft, tree, row.address, row.fields)
    gone = [row.address for row in rows if row.change == "gone"]
    for address in sorted(gone, key=lambda one: _number(tree, one), reverse=True):
        remove_resource(draft, tree, address)
    for row in rows:
        if row.change == "new":
            path = beside(tree, row.address.registry, FILE)
            fields = [Edit(field, value) for field, value in row.fields.items()]
            append(draft, path, manifest("Node", row.address.name), fields)


def _number(tree: Tree, address: Address) -> int:
    document = own_document(tree, address)
    return document.number if document is not None else 0
