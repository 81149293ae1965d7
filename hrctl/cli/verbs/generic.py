"""The verbs that every kind has: list, show, stats, create, remove, import, export."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hrctl.cli.app import Function, Group, console_of
from hrctl.cli.complete import complete_address
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, is_name
from hrctl.model.kinds import Kind, kind
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup

In = Annotated[
    str | None,
    typer.Option(
        "--in", metavar="REGISTRY", help="A registry and all below it; the end of a path will do."
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="NAME, REGISTRY:NAME or an address.", autocompletion=complete_address
    ),
]
Commit = Annotated[bool, typer.Option("--commit", help="Commit the change.")]
Message = Annotated[
    str | None, typer.Option("-m", "--message", metavar="TEXT", help="The commit's message.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Apply just this, after asking.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --apply: do not ask.")]


def group(name: str, more: Mapping[str, Function] | None = None) -> Group:
    """The command group of a kind, with verbs of its own beside those that all have."""
    one = kind(name)
    verbs: dict[str, Function] = {
        "list": _list(one),
        "show": _show(one),
        "create": _create(one),
        "remove": _remove(one),
        "stats": _stats(one),
        "import": _import(one),
        "export": _export(one),
        **(more or {}),
    }
    text = (
        f"The {one.plural} of this project: what is declared, and what is live.\n\n"
        "Examples:\n"
        f"  hrctl {one.group} list\n"
        f"  hrctl {one.group} show NAME\n"
        f"  hrctl {one.group} stats -o json\n"
    )
    return Group(text, verbs)


def _doc(function: Function, one: Kind, text: str, *examples: str) -> Function:
    """Give a verb the help that names its kind."""
    lines = "\n".join(f"  hrctl {one.group} {example}" for example in examples)
    function.__doc__ = f"{text}\n\nExamples:\n{lines}\n"
    return function


def summary(tree: Tree, address: Address, one: Kind) -> dict[str, Json]:
    """A row of a listing: what is declared of a resource."""
    resource = tree.resource(address)
    return {
        "address": str(address),
        "type": lookup(resource.body, one.type_path) if one.type_path else None,
        "status": lookup(resource.body, one.status_path) if one.status_path else None,
        "driver": resource.driver,
        "labels": dict(resource.labels),
        "file": f"{resource.span.path}:{resource.span.line}",
    }


def _list(one: Kind) -> Function:
    def list_(ctx: typer.Context, registry: In = None) -> int:
        console = console_of(ctx)
        with Session(console) as session:
            tree = session.tree()
            rows = [summary(tree, each, one) for each in naming.of_kind(tree, one.name, registry)]
        if console.json_output:
            console.json(rows)
        elif not rows:
            console.note(f"No {one.plural} are declared here.")
        else:
            heads = ["ADDRESS", "TYPE", "STATUS", "DRIVER"]
            cells = [(row["address"], row["type"], row["status"], row["driver"]) for row in rows]
            shown = [n for n in range(4) if any(cell[n] is not None for cell in cells)]
            console.table(
                [heads[n] for n in shown], [[_cell(cell[n]) for n in shown] for cell in cells]
            )
        return Exit.DONE

    return _doc(list_, one, f"List the {one.plural} that are declared.", "list", "list --in prod")


def _cell(value: Json) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _show(one: Kind) -> Function:
    def show(ctx: typer.Context, name: Name) -> int:
        console = console_of(ctx)
        with Session(console) as session:
            tree = session.tree()
            address = naming.find(tree, one.name, name)
            resource = tree.resource(address)
            shown = {
                **summary(tree, address, one),
                **resource.body,
                "dependsOn": list(resource.depends_on),
                "dependents": list(tree.dependents(address)),
            }
        if console.json_output:
            console.json(shown)
        else:
            console.document(
                {key: item for key, item in shown.items() if item not in (None, {}, [])}
            )
        return Exit.DONE

    text = f"Show a {one.name} with everything that it inherits; `hrctl explain` tells from where."
    return _doc(show, one, text, "show NAME", "show prod:NAME -o json")


def _stats(one: Kind) -> Function:
    def stats(ctx: typer.Context, registry: In = None) -> int:
        console = console_of(ctx)
        with Session(console) as session:
            tree = session.tree()
            rows = [summary(tree, each, one) for each in naming.of_kind(tree, one.name, registry)]
        counts = {
            field: dict(sorted(Counter(_cell(row[field]) or "-" for row in rows).items()))
            for field in ("type", "status", "driver")
            if any(row[field] is not None for row in rows)
        }
        if console.json_output:
            console.json({"total": len(rows), **counts})
        else:
            table = [(field, value, n) for field, by in counts.items() for value, n in by.items()]
            console.table(("BY", "VALUE", "COUNT"), [*table, ("total", "", len(rows))])
        return Exit.DONE

    return _doc(stats, one, f"Count {one.plural} by type, status and driver.", "stats")


def parse_settings(settings: Sequence[str]) -> dict[str, Json]:
    """``["type=API", "ports.0.port=8080"]`` as paths of a spec and values as YAML reads them.

    Raises:
        HrctlError: HR162, where one is not of the form.
    """
    from hrctl.source.parse import parse_file

    found: dict[str, Json] = {}
    for setting in settings:
        field, equals, text = setting.partition("=")
        parsed, problems = parse_file(f"value: {text}".encode(), "--set")
        if not field or not equals or problems or len(parsed) != 1:
            raise HrctlError.of(
                "HR162", f"'{setting}' is not FIELD=VALUE", hint="as --set replicas=3"
            )
        found["/spec/" + field.replace(".", "/")] = parsed[0][1]["value"]
    return found


def _create(one: Kind) -> Function:
    def create(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new one.")],
        *,
        registry: Annotated[
            str | None, typer.Option("--in", metavar="REGISTRY", help="Where; default the root.")
        ] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="FIELD=VALUE", help="A field of the spec. Repeatable."),
        ] = None,
        commit: Commit = False,
        message: Message = None,
        apply: Apply = False,
        yes: Yes = False,
    ) -> int:
        if not is_name(name):
            raise HrctlError.of(
                "HR026", f"'{name}' is not a name", hint="lower case letters, digits and -"
            )
        wish = edits.Wish(commit, message, apply, yes)
        with Session(console_of(ctx)) as session:
            tree = session.tree()
            above = naming.registry_path(tree, registry) if registry else tree.records[0].path
            return _write_new(session, tree, one, (above, name), settings or [], wish)

    text = f"Write the manifest of a new {one.name}; it is checked with the whole tree."
    example = "create NAME --in prod" + (" --set type=..." if one.type_path else "")
    return _doc(create, one, text, example, f"{example} --commit --apply")


def _write_new(  # noqa: PLR0913, PLR0917 - what, where, and what then
    session: Session,
    tree: Tree,
    one: Kind,
    place: tuple[str, str],
    settings: Sequence[str],
    wish: edits.Wish,
) -> int:
    from hrctl.source.edit import Edit, append_document, apply_edits

    above, name = place
    path = f"{above}/{name}" if one.name == "Registry" else above
    address = Address.of(path, one.name, name)
    if address in tree.rows:
        raise HrctlError.of("HR143", f"{address} is declared already", hint="choose another name")
    record = next(record for record in tree.records if record.path == above)
    folder = f"{record.folder}/" if record.folder else ""
    manifests = session.project.manifests
    if not folder and manifests != ".":
        folder = f"{manifests}/"
    file = f"{folder}{name}/registry.yaml" if one.name == "Registry" else f"{folder}{name}.yaml"
    manifest: dict[str, Json] = {
        "apiVersion": "hrctl.dev/v1",
        "kind": one.name,
        "metadata": {"name": name},
        "spec": {},
    }
    draft = edits.Draft(session.project.root)
    draft.change(file, lambda text: append_document(text, manifest))
    number = edits.count(draft.text(file)) - 1
    fields = [Edit(field, value) for field, value in parse_settings(settings).items()]
    draft.change(file, lambda text: apply_edits(text, number, fields))
    return edits.finish(session, draft, wish, f"Create {address}", address)


def _remove(one: Kind) -> Function:
    def remove(  # noqa: PLR0913 - each option is a parameter
        ctx: typer.Context,
        name: Name,
        *,
        commit: Commit = False,
        message: Message = None,
        apply: Apply = False,
        yes: Yes = False,
    ) -> int:
        with Session(console_of(ctx)) as session:
            tree = session.tree()
            address = naming.find(tree, one.name, name)
            draft = edits.Draft(session.project.root)
            edits.remove_resource(draft, tree, address)
            wish = edits.Wish(commit, message, apply, yes)
            return edits.finish(session, draft, wish, f"Remove {address}", address)

    text = f"Take the manifest of a {one.name} away; an apply then deletes what is live."
    return _doc(remove, one, text, "remove NAME", "remove NAME --commit --apply")


def _export(one: Kind) -> Function:
    def export(
        ctx: typer.Context,
        registry: In = None,
        layout: Annotated[
            str, typer.Option("--format", metavar="FORMAT", help="yaml or json.")
        ] = "yaml",
    ) -> int:
        console = console_of(ctx)
        if layout not in {"yaml", "json"}:
            raise HrctlError.of("HR162", f"'{layout}' is no format", hint="yaml or json")
        with Session(console) as session:
            tree = session.tree()
            found = [_manifest(tree, each) for each in naming.of_kind(tree, one.name, registry)]
        if layout == "json" or console.json_output:
            console.json(found)
        else:
            from hrctl.source.edit import dump

            for manifest in found:
                console.data("---\n" + dump(manifest).removeprefix("---\n").rstrip("\n"))
        return Exit.DONE

    text = (
        f"Write the {one.plural} out as manifests, complete with what they inherit. References"
        " to secrets stay references."
    )
    return _doc(export, one, text, "export > all.yaml", "export --in prod --format json")


def _manifest(tree: Tree, address: Address) -> dict[str, Json]:
    resource = tree.resource(address)
    metadata: dict[str, Any] = {"name": address.name}
    metadata |= {key: item for key, item in resource.body["metadata"].items() if item}
    return {
        "apiVersion": "hrctl.dev/v1",
        "kind": address.kind,
        "metadata": metadata,
        "spec": resource.body["spec"],
    }


def _import(one: Kind) -> Function:
    def import_(  # noqa: PLR0913 - each option is a parameter
        ctx: typer.Context,
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help="Manifests as YAML or JSON; - for stdin.")
        ],
        *,
        registry: Annotated[
            str | None, typer.Option("--in", metavar="REGISTRY", help="Where; default the root.")
        ] = None,
        commit: Commit = False,
        message: Message = None,
        apply: Apply = False,
        yes: Yes = False,
    ) -> int:
        manifests = _read_manifests(file, one)
        with Session(console_of(ctx)) as session:
            tree = session.tree()
            above = naming.registry_path(tree, registry) if registry else tree.records[0].path
            record = next(record for record in tree.records if record.path == above)
            path = f"{record.folder}/{one.plural}.yaml" if record.folder else f"{one.plural}.yaml"
            draft = edits.Draft(session.project.root)
            _append_all(draft, path, manifests)
            wish = edits.Wish(commit, message, apply, yes)
            done = f"Import {len(manifests)} {one.plural} into {above}"
            first = Address.of(above, one.name, manifests[0]["metadata"]["name"])
            return edits.finish(session, draft, wish, done, first)

    text = f"Bring manifests of {one.plural} into a registry; `hrctl import` adopts what is live."
    return _doc(import_, one, text, "import all.yaml --in dev", "import - < all.json")


def _append_all(draft: edits.Draft, path: str, manifests: Sequence[dict[str, Json]]) -> None:
    from hrctl.source.edit import append_document

    for manifest in manifests:
        add: Callable[[str], str] = lambda text, one=manifest: append_document(text, one)  # type: ignore[misc]  # noqa: E731 - bound per round
        draft.change(path, add)


def _read_manifests(file: Path, one: Kind) -> list[dict[str, Json]]:
    """The documents of a file, each of the kind; JSON may be one list."""
    from hrctl.source.parse import parse_file

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise HrctlError.of("HR067", f"{file} cannot be read: {error.strerror}") from error
    if data.lstrip().startswith(b"["):
        import json

        try:
            found = json.loads(data)
        except ValueError as error:
            raise HrctlError.of("HR002", f"{file} is not JSON: {error}") from error
    else:
        parsed, problems = parse_file(data, str(file))
        if problems:
            raise HrctlError(*problems)
        found = [value for _, value in parsed]
    for number, manifest in enumerate(found):
        name = lookup(manifest, "/metadata/name")
        if not isinstance(name, str) or manifest.get("kind") != one.name:
            raise HrctlError.of(
                "HR163",
                f"document {number + 1} of {file} is no {one.name} with a name",
                hint=f"every document needs `kind: {one.name}` and metadata.name",
            )
    if not found:
        raise HrctlError.of("HR163", f"{file} holds no manifest")
    return list(found)
