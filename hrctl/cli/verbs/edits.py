"""Verbs that change what is wanted: they edit YAML, show the difference, commit and apply.

A changed file is checked with the whole tree before anything else happens; where the tree would
have errors the files are put back as they were.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import InvalidTree, Session
from hrctl.diagnostics import HrctlError, Severity
from hrctl.model.address import Address, Selector
from hrctl.model.tree import Tree
from hrctl.model.values import Json
from hrctl.source.edit import REMOVE, Edit, append_document, apply_edits, remove_document

PATCHES = "patches.yaml"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to happen to an edit: written only, committed, applied."""

    commit: bool = False
    message: str | None = None
    apply: bool = False
    yes: bool = False


@dataclass(slots=True)
class Draft:
    """New texts of files, before they are written; None removes a file."""

    root: Path
    texts: dict[str, str | None] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text of a file as the draft has it; empty where there is none."""
        if path not in self.texts:
            file = self.root / path
            self.before[path] = file.read_text("utf-8") if file.exists() else None
            self.texts[path] = self.before[path]
        return self.texts[path] or ""

    def change(self, path: str, edit: Callable[[str], str]) -> None:
        """Replace the text of a file; one that becomes empty is removed."""
        new = edit(self.text(path))
        self.texts[path] = new if new.strip() else None

    def lines(self) -> list[str]:
        """A unified diff of everything."""
        found: list[str] = []
        for path, new in self.texts.items():
            old = self.before[path]
            if old != new:
                found += unified_diff(
                    (old or "").splitlines(),
                    (new or "").splitlines(),
                    f"a/{path}" if old is not None else "/dev/null",
                    f"b/{path}" if new is not None else "/dev/null",
                    lineterm="",
                )
        return found

    def write(self, texts: Mapping[str, str | None]) -> None:
        """Put texts on disk, by rename, so that no reader sees half a file."""
        for path, text in texts.items():
            file = self.root / path
            if text is None:
                file.unlink(missing_ok=True)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.part")
            part.write_text(text, "utf-8", newline="")
            if file.exists():
                part.chmod(file.stat().st_mode & 0o777)
            part.replace(file)


def change_fields(draft: Draft, tree: Tree, address: Address, fields: Mapping[str, Json]) -> None:
    """Set fields (by their paths in the manifest; None removes) of one resource.

    A resource that is an instance of a document above gets a patch in its own registry, so that no
    other instance changes.
    """
    record, index = tree.where(address)
    places = record.places(index)
    handed = {one.place for one in record.handed}
    inherited = bool(tree.document(places[0]).metadata.get("instances"))
    own = [place for place in places if place in handed] if inherited else places[:1]
    edits = [Edit(path, REMOVE if value is None else value) for path, value in fields.items()]
    if own:
        place = own[-1]
        draft.change(place.path, lambda text: apply_edits(text, place.number, edits))
        return
    path = f"{record.folder}/{PATCHES}" if record.folder else PATCHES
    patch: dict[str, Json] = {
        "apiVersion": "hrctl.dev/v1",
        "kind": address.kind,
        "metadata": {"name": address.name, "patch": True},
        "spec": {},
    }
    draft.change(path, lambda text: append_document(text, patch))
    last = count(draft.text(path)) - 1
    draft.change(path, lambda text: apply_edits(text, last, edits))


def count(text: str) -> int:
    """How many documents a text holds."""
    from hrctl.source.chunks import split

    return len(split(text))


def remove_resource(draft: Draft, tree: Tree, address: Address) -> None:
    """Take a resource's own document away.

    Raises:
        HrctlError: HR161, where it is an instance of a document above.
    """
    record, index = tree.where(address)
    place = record.places(index)[0]
    if tree.document(place).metadata.get("instances"):
        raise HrctlError.of(
            "HR161",
            f"{address} is an instance of the document in {place.path}",
            hint="remove that document, and every instance of it goes",
        )
    draft.change(place.path, lambda text: remove_document(text, place.number))


def finish(session: Session, draft: Draft, wish: Wish, done: str, target: Address) -> int:
    """Show the difference, write it, check the tree, then commit and apply as wished.

    Returns:
        The exit code.
    """
    console = session.console
    lines = draft.lines()
    if not lines:
        console.note(f"{target} is so already.")
    else:
        _show(console, lines)
        draft.write(draft.texts)
        try:
            with Session(console) as anew:
                loaded = anew.load()
                if any(one.severity is Severity.ERROR for one in loaded.diagnostics):
                    raise InvalidTree(loaded.files, *loaded.diagnostics)
        except HrctlError:
            draft.write(draft.before)
            console.note("Nothing was changed.")
            raise
        if wish.commit:
            _commit(session, sorted(draft.texts), wish.message or done)
    if wish.apply:
        return _apply(console, target, yes=wish.yes)
    return Exit.DONE


def _show(console: Console, lines: Sequence[str]) -> None:
    if console.json_output:
        console.json({"diff": "\n".join(lines)})
    else:
        console.lines(lines)


def _commit(session: Session, paths: Sequence[str], message: str) -> None:
    """Commit these files and no others; the user's index keeps what else it holds."""
    root = session.project.root
    git = ["git", "-c", "core.hooksPath=/dev/null"]
    for arguments in (["add", "--", *paths], ["commit", "-q", "-m", message, "--", *paths]):
        done = subprocess.run(  # noqa: S603 - fixed program, paths after --
            [*git, *arguments], cwd=root, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise HrctlError.of("HR066", f"git {arguments[0]} failed: {said[-1]}")
    session.console.note(f"Committed: {message}")


def _apply(console: Console, target: Address, *, yes: bool) -> int:
    from hrctl.cli import options as given
    from hrctl.cli.cmd_apply import carry_out
    from hrctl.cli.planning import make_plan
    from hrctl.reconcile.options import PlanOptions

    with Session(console) as session:
        wanted = PlanOptions(
            targets=(Selector(target),), limits=given.limits(session.project.safety)
        )
        plan = make_plan(session, wanted)
        return carry_out(session, plan, "Apply this?", yes, None, 0)
