"""`hrctl secrets edit`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.secrets.cmd_values import Address
from hrctl.cli.session import Session
from hrctl.cli.verbs.edits import Commit, Message
from hrctl.diagnostics import HrctlError

if TYPE_CHECKING:
    from hrctl.cli.secrets.target import Target
    from hrctl.model.tree import Tree

_HEAD: Final = """\
# The secrets of {}.
# Each value that you change is encrypted anew; the rest stays as it is, byte for byte.
# A value is text: put quotes around what looks like a number.
"""


def edit(
    ctx: typer.Context,
    address: Address,
    field: Annotated[
        str | None, typer.Argument(metavar="[FIELD]", help="Only this one; it may be new.")
    ] = None,
    *,
    commit: Commit = False,
    message: Message = None,
) -> int:
    """Edit the secrets of a document in an editor: $VISUAL, $EDITOR or vi.

    They are decrypted into a file that only you can read, in memory where the system has such a
    place, and that is removed whatever happens. Where the editor fails, or what it leaves is not
    valid, you can go on editing.

    Examples:
      hrctl secrets edit shop/prod:Config/app
      hrctl secrets edit prod:Service/api env.TOKEN --commit
    """
    from hrctl.cli.secrets import private
    from hrctl.cli.secrets.target import lenient_tree
    from hrctl.source.edit import dump

    console = console_of(ctx)
    with Session(console) as session, private.private_folder() as folder:
        tree = lenient_tree(session)
        targets = _targets(tree, address, field)
        before = _values(session, targets)
        file = folder / "secrets.yaml"
        first = next(iter(targets.values()))
        private.write(file, _HEAD.format(first.address) + dump(dict(before)))
        while True:
            problem = private.run_editor(file)
            after: dict[str, str] = {}
            if problem is None:
                problem, after = _read(file.read_bytes(), before)
            if problem is None:
                changed = {name: value for name, value in after.items() if value != before[name]}
                with session.successor() as later:
                    later.lock_edits()
                    tree, present = _unchanged(later, address, field, targets, changed)
                    code = _write(later, tree, present, changed, commit=commit, message=message)
                if code == Exit.DONE or not _go_on():
                    return code
                continue
            if not _go_on(problem):
                raise HrctlError.of("HR180", problem, hint="nothing was changed")


def _targets(tree: Tree, address: str, field: str | None) -> dict[str, Target]:
    """What is edited, by what it is called in the file."""
    from hrctl.cli.secrets.target import called, find, find_address

    if field is not None:
        return {field: find(tree, address, field)}
    at = find_address(tree, address)
    rows = [row for row in tree.secrets() if row.address == at]
    if not rows:
        raise HrctlError.of("HR147", f"{at} holds no secret", hint="name a field, and it gets one")
    return {called(row.field, at.kind): find(tree, at, row.field) for row in rows}


def _values(session: Session, targets: dict[str, Target]) -> dict[str, str]:
    """Return the plaintexts, and note for whom each is sealed in its target."""
    found = {}
    for name, target in list(targets.items()):
        if target.source is None:
            found[name] = ""
            continue
        opened = session.opener.at(target.source, target.place)
        targets[name] = replace(target, audience=opened.binding.audience)
        found[name] = opened.value
    return found


def _read(data: bytes, before: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """The values, or what is wrong with the file; no message holds any of it."""
    from hrctl.model.revealed import remember
    from hrctl.source.parse import parse_file

    for line in data.decode("utf-8", "replace").splitlines():
        remember(line.partition(":")[2].strip() or line)
    parsed, problems = parse_file(data, "secrets")
    if problems:
        at = problems[0].span.line if problems[0].span else 1
        return f"line {at} is not valid YAML ({problems[0].code})", {}
    if len(parsed) != 1 or not isinstance(parsed[0][1], dict):
        return "the file is to be one map of fields and values", {}
    value = parsed[0][1]
    less = [name for name in before if name not in value]
    if less:
        return f"{less[0]} is missing; take a secret away in its manifest", {}
    more = [name for name in value if name not in before]
    if more:
        return f"line for '{more[0]}' is new; name it as FIELD to set a new secret", {}
    for name, item in value.items():
        if not isinstance(item, str):
            return f"{name} is not text; put quotes around it", {}
        remember(item)
    return None, value


def _unchanged(
    session: Session,
    address: str,
    field: str | None,
    targets: Mapping[str, Target],
    changed: Collection[str],
) -> tuple[Tree, dict[str, Target]]:
    """Read the tree after the editor, which may have been open for long.

    Raises:
        HrctlError: HR108, where a secret that was edited is another one by now.
    """
    from hrctl.cli.secrets.target import lenient_tree

    tree = lenient_tree(session)
    present = _targets(tree, address, field)
    for name in changed:
        if name not in present or present[name].source != targets[name].source:
            raise HrctlError.of(
                "HR108",
                f"{name} of {address} was changed by another program while it was edited",
                hint="nothing was changed; edit it again",
            )
        present[name] = replace(present[name], audience=targets[name].audience)
    return tree, present


def _write(  # noqa: PLR0913 - what, and how it is told
    session: Session,
    tree: Tree,
    targets: Mapping[str, Target],
    changed: Mapping[str, str],
    *,
    commit: bool,
    message: str | None,
) -> int:
    from hrctl.cli.secrets.target import TOLERATED
    from hrctl.cli.secrets.writing import put
    from hrctl.cli.verbs import edits
    from hrctl.cli.verbs.draft import Draft
    from hrctl.cli.verbs.edits import Then, Wish

    if not changed and not session.console.json_output:
        session.console.note("Nothing was changed.")
        return Exit.DONE
    draft = Draft(session.project.root)
    for name, value in changed.items():
        put(session, draft, tree, targets[name], value)
    address = next(iter(targets.values())).address
    names = ", ".join(changed)
    wish = Wish(
        f"Set {names} of {address}",
        [address],
        Then(commit, message),
        told=(f"Encrypted {names} of {address} in {', '.join(draft.paths)}.",),
        tolerated=TOLERATED,
    )
    return edits.finish(session, draft, wish)


def _go_on(problem: str | None = None) -> bool:
    """Ask whether to go on editing; no where there is nobody to ask."""
    if not sys.stdin.isatty():
        return False
    if problem:
        sys.stderr.write(f"{problem}\n")
    sys.stderr.write("Go on editing? [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return answer.strip().lower() in {"", "y", "yes"} and answer != ""
