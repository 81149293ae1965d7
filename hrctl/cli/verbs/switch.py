"""Verbs that set one field of a resource to one value: `start`, `drain`, `enable` and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typer

from hrctl.cli.app import Function
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.draft import Draft, change_fields
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.naming import Name
from hrctl.model.kinds import Kind

# What is worth a word when the spec gets the value, for the name as it was given.
Remark = Callable[[Mapping[str, Any], str], str | None]


def switch(  # noqa: PLR0913 - what the verbs differ in
    one: Kind,
    verb: str,
    field: str,
    value: str,
    text: str,
    *,
    example: str,
    remark: Remark | None = None,
) -> Function:
    """A verb that edits a field of the spec.

    Args:
        one: the kind.
        verb: its name.
        field: of the spec.
        value: what it becomes.
        text: the first sentence of its help.
        example: the name of a resource, for the help.
        remark: says what a person may not expect.
    """

    @editing
    def change(
        ctx: typer.Context,
        name: Name,
        *,
        then: Then,
    ) -> int:
        with edits.edit_session(ctx) as session:
            tree = session.tree()
            address = naming.find(tree, one.name, name)
            spec = tree.resource(address).body["spec"]
            draft = Draft(session.project.root)
            if spec[field] != value:
                change_fields(draft, tree, address, {f"/spec/{field}": value})
            if remark is not None and (said := remark(spec, name)):
                session.console.note(said)
            subject = f"{verb.title()} {address}"
            wish = edits.Wish(subject, [address], then)
            return edits.finish(session, draft, wish)

    group = one.group
    change.__doc__ = (
        f"{text} Edits `{field}` to {value}, keeping comments, and shows the difference.\n\n"
        f"Examples:\n  hrctl {group} {verb} {example}\n"
        f"  hrctl {group} {verb} prod:{example} --commit --apply\n"
    )
    return change
