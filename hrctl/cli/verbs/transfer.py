"""The verbs that carry manifests from one project, or registry, to another: import, export."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.draft import API_VERSION, Draft, append, beside
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.naming import In, Into
from hrctl.cli.verbs.write import documented
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, is_within
from hrctl.model.kinds import Kind
from hrctl.model.places import without_places
from hrctl.model.plan import DEFAULT_LIFECYCLE, Lifecycle
from hrctl.model.tree import Tree
from hrctl.model.values import Json, lookup

# Where an exported manifest belongs, so that those of many registries can come back at once.
HOME = f"{API_VERSION.partition('/')[0]}/registry"

_LIFECYCLE = {
    "protect": "protect",
    "ignore": "ignore",
    "create_first": "createFirst",
    "deletion": "deletion",
}


def exporter(one: Kind) -> Function:
    """The verb `export` of a kind."""

    def export(
        ctx: typer.Context,
        registry: In = None,
        layout: Annotated[
            str,
            typer.Option(
                "--format",
                metavar="FORMAT",
                help="yaml or json.",
                autocompletion=lambda: ["yaml", "json"],
            ),
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
        elif found:
            from hrctl.source.edit import dump

            console.data("---\n".join(dump(manifest) for manifest in found))
        return Exit.DONE

    text = (
        f"Write the {one.plural} out as manifests, complete with what they inherit. References"
        " to secrets stay references. Each names its registry, for `import`."
    )
    return documented(export, one, text, "export > all.yaml", "export --in prod --format json")


def _manifest(tree: Tree, address: Address) -> dict[str, Json]:
    resource = tree.resource(address)
    metadata: dict[str, Any] = {"name": address.name}
    metadata |= {key: item for key, item in resource.body["metadata"].items() if item}
    home = address.registry
    if address.kind == "Registry":
        home = home.rpartition("/")[0]
    metadata["annotations"] = {**metadata.get("annotations", {}), HOME: home}
    manifest: dict[str, Json] = {
        "apiVersion": API_VERSION,
        "kind": address.kind,
        "metadata": metadata,
        "spec": without_places(resource.body["spec"]),
    }
    links = tree.links.get(address, ())
    needs = [link.target for link in links if link.pointer.startswith("/dependsOn")]
    if needs:
        manifest["dependsOn"] = [str(one) for one in needs]
    if lifecycle := _lifecycle(resource.lifecycle):
        manifest["lifecycle"] = lifecycle
    return manifest


def _lifecycle(lifecycle: Lifecycle) -> dict[str, Json]:
    """The fields that are not as built in, as a manifest has them."""
    built_in = asdict(DEFAULT_LIFECYCLE)
    return {
        _LIFECYCLE[key]: list(item) if isinstance(item, tuple) else item
        for key, item in asdict(lifecycle).items()
        if item != built_in[key]
    }


def importer(one: Kind) -> Function:
    """The verb `import` of a kind."""

    @editing
    def import_(
        ctx: typer.Context,
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help="Manifests as YAML or JSON; - for stdin.")
        ],
        *,
        registry: Into = None,
        then: Then,
    ) -> int:
        data = _read(file)
        with edits.edit_session(ctx) as session:
            return bring(session, one, data, str(file), registry, then)

    text = (
        f"Bring manifests of {one.plural} into a registry: the one that is named, else that which"
        " each came from, else the root. `hrctl import` adopts what is live."
    )
    return documented(import_, one, text, "import all.yaml --in dev", "import - < all.json")


def bring(  # noqa: PLR0913, PLR0917 - what, of which kind, from and to where
    session: Session, one: Kind, data: bytes, name: str, registry: str | None, then: Then
) -> int:
    """Write the manifests of a file into the project.

    Returns:
        The exit code.

    Raises:
        HrctlError: HR163, where the file holds something else.
    """
    manifests = _manifests(data, name, one)
    tree = session.tree()
    into = naming.registry_path(tree, registry) if registry else None
    draft = Draft(session.project.root)
    targets = [_add(draft, tree, one, manifest, into) for manifest in manifests]
    what = one.name if len(targets) == 1 else one.plural
    wish = edits.Wish(f"Import {len(targets)} {what}", targets, then)
    return edits.finish(session, draft, wish)


def _add(
    draft: Draft, tree: Tree, one: Kind, manifest: dict[str, Json], into: str | None
) -> Address:
    """Append one manifest to the file of its kind in a registry's folder."""
    metadata = dict(manifest["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    home = annotations.pop(HOME, None)
    if home is not None:
        metadata["annotations"] = annotations
        if not annotations:
            del metadata["annotations"]
    registry = into or _home(tree, home, one)
    name = metadata["name"]
    file = f"{one.plural}.yaml"
    if one.name == "Registry":
        registry, file = f"{registry}/{name}", "registry.yaml"
    append(draft, beside(tree, registry, file), {**manifest, "metadata": metadata})
    return Address.of(registry, one.name, name)


def _home(tree: Tree, home: Json, one: Kind) -> str:
    """The registry that an exported manifest came from, else the root."""
    root = tree.records[0].path
    if not isinstance(home, str) or not home:
        return root
    if one.name == "Registry" and is_within(home, root):
        return home  # it may come in the same file, before its children
    return naming.registry_path(tree, home)


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise HrctlError.of("HR067", f"{file} cannot be read: {error.strerror}") from error


def _manifests(data: bytes, file: str, one: Kind) -> list[dict[str, Json]]:
    """The documents of a file, each of the kind; JSON may be one list."""
    found = list(_documents(data, file))
    for number, manifest in enumerate(found, 1):
        name = lookup(manifest, "/metadata/name")
        if not isinstance(name, str) or manifest.get("kind") != one.name:
            raise HrctlError.of(
                "HR163",
                f"document {number} of {file} is no {one.name} with a name",
                hint=f"every document needs `kind: {one.name}` and metadata.name",
            )
    if not found:
        raise HrctlError.of(
            "HR163", f"{file} holds no manifest", hint=f"`hrctl {one.group} export` writes some"
        )
    return found


def _documents(data: bytes, file: str) -> Iterable[Json]:
    from hrctl.source.parse import parse_file

    if not data.lstrip().startswith(b"["):
        parsed, problems = parse_file(data, file)
        if problems:
            raise HrctlError(*problems)
        return [value for _, value in parsed]
    import json

    try:
        return list(json.loads(data))
    except ValueError as error:
        raise HrctlError.of("HR163", f"{file} is not JSON: {error}") from error
