"""What `hrctl validate` tells: of the whole project, or of some files and all that they reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.source.project import FILE

if TYPE_CHECKING:
    from hrctl.source.load import Loaded
    from hrctl.source.project import Project

_SUFFIXES = (".yaml", ".yml")
_SECRETS = range(170, 190)  # the codes of what is wrong with encrypted values


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell: the findings, and of how much.

    `paths` are the files, relative to the project; `elsewhere` counts the errors that lie in files
    which nobody asked about. `narrowed` tells whether anybody did ask about some files only.
    """

    diagnostics: tuple[Diagnostic, ...]
    paths: Sequence[str]
    resources: int
    documents: int
    elsewhere: int = 0
    narrowed: bool = False


def jobs(files: Sequence[Path], *, changed: bool) -> dict[Path, frozenset[str]]:
    """Which files of which project are meant: its root -> paths relative to that.

    Args:
        files: as given, from the current folder on; a folder is all that lies below it. What lies
            in no project is left out, as is what is no manifest.
        changed: also whatever differs from the commit of the repository around, deleted or not.

    Raises:
        HrctlError: HR067, where a file is not there.
    """
    from hrctl.source import git
    from hrctl.source.changes import since_commit

    for path in files:
        if not path.exists():
            raise HrctlError.of("HR067", f"{path} cannot be read: no such file")
    wanted = [one for path in files for one in _below(path.parent.resolve() / path.name)]
    top = git.toplevel(Path.cwd()) if changed else None
    if top is not None:
        wanted += [top / path for path in since_commit(top)]
    found: dict[Path, set[str]] = {}
    for path in wanted:
        root = next((one for one in path.parents if (one / FILE).is_file()), None)
        if root is not None and path.suffix in _SUFFIXES:
            found.setdefault(root, set()).add(path.relative_to(root).as_posix())
    return {root: frozenset(paths) for root, paths in sorted(found.items())}


def _below(path: Path) -> list[Path]:
    """A file, or every file in a folder and below it."""
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def of_all(loaded: Loaded) -> Told:
    """Everything that was found."""
    count = len(loaded.tree.rows)
    return Told(loaded.diagnostics, loaded.paths, count, loaded.documents)


def of_files(project: Project, loaded: Loaded, paths: frozenset[str]) -> Told:
    """What was found in these files, and in all that depends on what they declare.

    Where the project file is among them, or a resource that the last commit has is declared no
    more, that is everything: who referred to it may be anywhere.
    """
    from hrctl.model.reach import reached
    from hrctl.source.changes import loses_names, since_commit

    before = since_commit(project.root, project.manifests)
    files = sorted(paths & {*loaded.paths})
    if FILE in paths or loses_names(project.root, paths, before):
        return of_all(loaded)
    addresses = reached(loaded.tree, paths)
    told = tuple(one for one in loaded.diagnostics if _concerns(one, paths, addresses))
    errors = sum(one.severity is Severity.ERROR for one in loaded.diagnostics)
    elsewhere = errors - sum(one.severity is Severity.ERROR for one in told)
    return Told(told, files, len(addresses), len(addresses), elsewhere, narrowed=True)


def _concerns(one: Diagnostic, paths: AbstractSet[str], addresses: AbstractSet[str]) -> bool:
    if one.span is None and not one.related:
        return one.severity is Severity.ERROR
    spans = [one.span, *(related.span for related in one.related)]
    return one.address in addresses or any(span and span.path in paths for span in spans)


def of_secrets(project: Project, told: Told) -> Told:
    """Only what is wrong with secrets, and what looks like one in plain text."""
    from dataclasses import replace

    from hrctl.source.report import arranged

    # all of what looks like a secret is an error here, in files that are not valid too
    found = [one for one in told.diagnostics if _is_of_secrets(one.code)]
    for path in told.paths:
        found += _suspects(project.root, path)
    return replace(told, diagnostics=arranged(found))


def _is_of_secrets(code: str) -> bool:
    return code == "HR030" or int(code.removeprefix("HR")) in _SECRETS


def _suspects(root: Path, path: str) -> Iterator[Diagnostic]:
    from hrctl.model.suspects import ALLOW, ENCRYPT, SUSPECT, called
    from hrctl.source import git
    from hrctl.source.locate import locate
    from hrctl.source.parse import decode, parse_chunk, split
    from hrctl.source.suspected import suspected

    (data,) = git.read_worktree(root, [path])
    text, _ = decode(data, path)
    for chunk in split(text or ""):
        document, problems = parse_chunk(chunk, path)
        for one in suspected(chunk, path, document) if document and not problems else ():
            yield Diagnostic(
                SUSPECT,
                f"{called(one.pointer)} {one.why}",
                span=locate(chunk, path, one.pointer, key=True),
                hint=ENCRYPT,
                note=ALLOW,
            )
