"""The verbs that write and remove manifests: create, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from hrctl.cli.app import Function
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.draft import Draft, add_resource, remove_registry, remove_resource
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.naming import Into, Name
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, is_name
from hrctl.model.kinds import Kind
from hrctl.model.values import Json, pointer

New = Annotated[str, typer.Argument(metavar="NAME", help="The name of the new one.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A field of the spec. Repeatable."),
]
Cascade = Annotated[
    bool, typer.Option("--cascade", help="Remove all that is in the registry with it.")
]


def documented(function: Function, one: Kind, text: str, *examples: str) -> Function:
    """Give a verb the help that names its kind."""
    lines = "\n".join(f"  hrctl {one.group} {example}" for example in examples)
    function.__doc__ = f"{text}\n\nExamples:\n{lines}\n"
    return function


def parse_value(text: str, setting: str) -> Json:
    """A value as YAML reads it.

    Raises:
        HrctlError: HR162, naming the setting, where it is none.
    """
    from hrctl.source.parse import parse_file

    parsed, problems = parse_file(f"value: {text}".encode(), "--set")
    if problems or len(parsed) != 1 or parsed[0][1].keys() != {"value"}:
        raise HrctlError.of(
            "HR162",
            f"the value of '{setting}' is not YAML",
            hint="quote what is behind the =, as 'a=\"b: c\"'",
        )
    return parsed[0][1]["value"]


def parse_settings(settings: Sequence[str]) -> dict[str, Json]:
    """``["type=API", "ports.0.port=8080"]`` as JSON Pointers and values as YAML reads them.

    Raises:
        HrctlError: HR162, where one is not of the form.
    """
    found: dict[str, Json] = {}
    for setting in settings:
        field, equals, text = setting.partition("=")
        if not equals or not all(field.split(".")):
            raise HrctlError.of(
                "HR162", f"'{setting}' is not FIELD=VALUE", hint="as --set replicas=3"
            )
        found[pointer(["spec", *field.split(".")])] = parse_value(text, setting)
    return found


def write_new(
    session: Session,
    one: Kind,
    place: tuple[str, str | None],
    fields: Mapping[str, Json],
    then: Then,
) -> int:
    """Write the manifest of a new resource.

    Args:
        session: of the project.
        one: its kind.
        place: its name, and the registry as it was given; None is the root.
        fields: JSON Pointers into the manifest, and values.
        then: what is to happen then.

    Returns:
        The exit code.

    Raises:
        HrctlError: HR026 or HR143, where the name is none or is taken.
    """
    name, into = place
    if not is_name(name):
        raise HrctlError.of(
            "HR026", f"'{name}' is not a name", hint="lower case letters, digits and -"
        )
    tree = session.tree()
    above = naming.registry_path(tree, into) if into else tree.records[0].path
    address = Address.of(f"{above}/{name}" if one.name == "Registry" else above, one.name, name)
    if address in tree.rows:
        raise HrctlError.of("HR143", f"{address} is declared already", hint="choose another name")
    draft = Draft(session.project.root)
    add_resource(draft, tree, address, one.group, fields)
    return edits.finish(session, draft, edits.Wish(f"Create {address}", [address], then))


def creator(one: Kind, verb: str = "create") -> Function:
    """The verb `create` of a kind, under whatever name."""

    @editing
    def create(
        ctx: typer.Context,
        name: New,
        *,
        registry: Into = None,
        settings: Settings = None,
        then: Then,
    ) -> int:
        with edits.edit_session(ctx) as session:
            fields = parse_settings(settings or [])
            return write_new(session, one, (name, registry), fields, then)

    text = f"Write the manifest of a new {one.name}; it is checked with the whole tree."
    field = (one.type_path or "").rpartition("/")[2]
    example = f"{verb} NAME --in prod" + (f" --set {field}=..." if field else "")
    return documented(create, one, text, example, f"{example} --commit --apply")


def remover(one: Kind, verb: str = "remove") -> Function:
    """The verb `remove` of a kind, under whatever name."""
    if one.name == "Registry":
        return _registry_remover(one, verb)

    @editing
    def remove(
        ctx: typer.Context,
        name: Name,
        *,
        then: Then,
    ) -> int:
        with edits.edit_session(ctx) as session:
            tree = session.tree()
            address = naming.find(tree, one.name, name)
            draft = Draft(session.project.root)
            remove_resource(draft, tree, address)
            wish = edits.Wish(f"Remove {address}", [address], then)
            return edits.finish(session, draft, wish)

    text = f"Take the manifest of a {one.name} away; an apply then deletes what is live."
    return documented(remove, one, text, f"{verb} NAME", f"{verb} NAME --commit --apply")


def _registry_remover(one: Kind, verb: str) -> Function:
    @editing
    def remove(
        ctx: typer.Context,
        name: Name,
        *,
        cascade: Cascade = False,
        then: Then,
    ) -> int:
        with edits.edit_session(ctx) as session:
            tree = session.tree()
            path = naming.find(tree, one.name, name).registry
            draft = Draft(session.project.root)
            remove_registry(draft, tree, path, cascade=cascade)
            wish = edits.Wish(f"Remove registry {path}", [path], then, cascade)
            return edits.finish(session, draft, wish)

    text = (
        "Take a registry away: its registry.yaml, and with --cascade every manifest in its folder"
        " and below. Other files stay. An apply then deletes what is live."
    )
    examples = (f"{verb} shop/dev", f"{verb} shop/dev --cascade --commit --apply")
    return documented(remove, one, text, *examples)
