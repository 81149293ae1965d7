"""`hrctl secrets rotate` and `rebind`: ciphertexts made anew, nothing else touched."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_selector
from hrctl.cli.confirm import confirm
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs.edits import Commit, Message
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.sealed import SecretRow
from hrctl.model.tree import Tree
from hrctl.model.values import Json

Where = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WHERE]...",
        help="Addresses, and registries with all below them; default all.",
        autocompletion=complete_selector,
    ),
]
if TYPE_CHECKING:
    from hrctl.cli.verbs.draft import Draft
    from hrctl.secrets import Binding

New = list[tuple[SecretRow, dict[str, Json]]]


def rotate(
    ctx: typer.Context,
    where: Where = None,
    *,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also those that are encrypted to the right keys already."),
    ] = False,
    commit: Commit = False,
    message: Message = None,
) -> int:
    """Encrypt secrets to whom the rules of hrctl.yaml name now.

    Only those whose recipients differ are written, in the clear list or in the header of the age
    file, and of their files only the ciphertext changes.
    It takes a key that opens them all; where one does not open, nothing is changed. A key that is
    taken away has read what it could: change such values, too.

    Examples:
      hrctl secrets rotate
      hrctl secrets rotate acme/shop --commit
    """
    from hrctl.cli.secrets.finding import chosen, hidden_recipients, opened
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.cli.verbs.edits import edit_session
    from hrctl.model.recipients import all_keys, fingerprint, keys_for
    from hrctl.secrets import seal

    with edit_session(ctx) as session:
        tree = lenient_tree(session)
        rules = session.project.secrets["recipients"]
        known = all_keys(rules)
        wanted: dict[str, list[str]] = {}
        rows = []
        for row in chosen(tree, where):
            registry = row.address.partition(":")[0]
            keys = wanted.setdefault(registry, keys_for(rules, registry))
            marks = {fingerprint(key) for key in keys}
            is_right = marks == set(row.recipients or ())
            if keys and (everything or not is_right or hidden_recipients(tree, row, known)):
                rows.append(row)
        new: New = []
        problems: list[Diagnostic] = []
        for row, found in opened(session, tree, rows):
            if isinstance(found, HrctlError):
                problems += found.diagnostics
            else:
                keys = wanted[row.address.partition(":")[0]]
                new.append((row, seal(found.value, found.binding, keys)))
        if problems:
            raise HrctlError(*problems)
        return _written(session, tree, new, "Encrypt", "anew", commit=commit, message=message)


def rebind(
    ctx: typer.Context,
    where: Where = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    commit: Commit = False,
    message: Message = None,
) -> int:
    """Bind secrets to the project and place where they stand now, after a rename or a move.

    It shows where each was made for, and asks: a ciphertext that someone pasted would open from
    then on. What still stands at its old place too was copied, not moved, and is refused. The
    server that a secret is sealed for stays as it is.

    Examples:
      hrctl secrets rebind
      hrctl secrets rebind acme/shop:Config/web --yes --commit
    """
    from hrctl.cli.secrets.finding import chosen, opened
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.cli.secrets.writing import recipients_of
    from hrctl.cli.verbs.edits import edit_session
    from hrctl.secrets import Binding, seal

    console = console_of(ctx)
    with edit_session(ctx) as session:
        tree = lenient_tree(session)
        taken = {row.place for row in tree.secrets()}
        project = session.project.name
        new: New = []
        problems: list[Diagnostic] = []
        for row, found in opened(session, tree, chosen(tree, where), in_place=False):
            if isinstance(found, HrctlError):
                problems += found.diagnostics
                continue
            old, here = found.binding, Binding(project, row.place, found.binding.audience)
            if old == here:
                continue
            if old.place != row.place and old.project in {project, None} and old.place in taken:
                span = tree.locate(row.document, f"{row.pointer}/valueFrom/age")
                problems.append(_copied(row, str(old.place), span=span))
                continue
            console.error(_moved(old, here))
            keys = recipients_of(session, row.address.partition(":")[0])
            new.append((row, seal(found.value, here, keys)))
        if problems:
            raise HrctlError(*problems)
        if new:
            confirm(console, "Bind them to where they stand now?", yes=yes)
        how = "to its place" if len(new) == 1 else "to their places"
        return _written(session, tree, new, "Bind", how, commit=commit, message=message)


def _moved(old: Binding, here: Binding) -> str:
    """Return what a secret was made for and where it stands, for a person who is to agree."""
    if old.project == here.project:
        return f"made for {old.place}\n  now at {here.place}"
    project = f"project {old.project}" if old.project is not None else "any project"
    return f"made for {project}, {old.place}\n  now in project {here.project}, {here.place}"


def _copied(row: SecretRow, place: str, **more: object) -> Diagnostic:
    return Diagnostic(
        "HR173",
        f"secret made for {place} is used at {row.place}, and there is still one at its own place",
        hint="it was copied, not moved: set the value here anew",
        **more,  # type: ignore[arg-type]  # a span
    )


def _written(  # noqa: PLR0913 - what, and how it is told
    session: Session,
    tree: Tree,
    new: New,
    verb: str,
    how: str,
    *,
    commit: bool,
    message: str | None,
) -> int:
    from hrctl.cli.render.text import count
    from hrctl.cli.secrets.target import TOLERATED
    from hrctl.cli.verbs import edits
    from hrctl.cli.verbs.draft import Draft
    from hrctl.cli.verbs.edits import Then, Wish

    console = session.console
    if not new:
        if console.json_output:
            console.json({"targets": [], "files": [], "diff": None, "commit": None})
        else:
            console.note("Every secret is so already.")
        return Exit.DONE
    draft = Draft(session.project.root)
    _splice(tree, draft, new)
    many = f"{count(len(new), 'secret')} in {count(len(draft.paths), 'file')}"
    wish = Wish(
        f"{verb} {count(len(new), 'secret')} {how}",
        list(dict.fromkeys(row.address for row, _ in new)),
        Then(commit, message),
        told=(
            f"{verb}{'ed' if verb == 'Encrypt' else ''} {many} {how}.".replace("Bind ", "Bound "),
        ),
        tolerated=TOLERATED,
    )
    return edits.finish(session, draft, wish)


def _splice(tree: Tree, draft: Draft, new: New) -> None:
    """Put new ciphertexts in the place of the old ones."""
    from hrctl.cli.secrets.finding import source_of
    from hrctl.source.armour import Cut, cuts, replaced
    from hrctl.source.edit import Edit, apply_edits

    files: dict[str, list[tuple[SecretRow, dict[str, Json]]]] = defaultdict(list)
    for row, source in new:
        files[row.path].append((row, source))
    for path, rows in files.items():
        text = draft.text(path)
        quick: list[Cut] = []
        slow: list[tuple[SecretRow, dict[str, Json]]] = []
        for row, source in rows:
            found = cuts(text, source_of(tree, row), source)
            if found is None:
                slow.append((row, source))
            else:
                quick += found
        text = replaced(text, quick)
        for row, source in slow:
            edits = [Edit(f"{row.pointer}/valueFrom", source)]
            text = apply_edits(text, row.number, edits)
        draft.texts[path] = text
