"""What git knows of the project's files: names and blob ids, of the working tree or of a commit.

Only git itself, one or two processes a command, whatever the size of the tree.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from typing import Final

from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.repository import command, environment, finish, run, start, toplevel

__all__ = [
    "PATTERNS",
    "PROJECT",
    "Listing",
    "blob_id",
    "command",
    "environment",
    "finish",
    "holds",
    "is_shallow",
    "list_revision",
    "list_worktree",
    "no_commit",
    "read_worktree",
    "require_commit",
    "resolve",
    "run",
    "start",
    "toplevel",
]

PATTERNS: Final = ("*.yaml", "*.yml")
_SHA1: Final = 40  # digits; repositories of object format sha256 have 64
PROJECT: Final = "hrctl.yaml"


@dataclass(frozen=True, slots=True)
class Listing:
    """The YAML files of a project: path relative to its root -> git blob id (hexadecimal).

    `commit` is None outside git, and in a repository without a commit. `dirty` tells whether a
    file differs from the commit. `diagnostics` are warnings about the repository itself.
    """

    files: Mapping[str, str]
    commit: str | None
    dirty: bool
    in_git: bool
    diagnostics: tuple[Diagnostic, ...] = ()


def blob_id(data: bytes) -> str:
    """The id that git gives to a blob with this content."""
    return sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def holds(data: bytes, blob: str) -> bool:
    """Whether a blob of this id has this content, or git makes it so from CRLF line ends."""
    if len(blob) != _SHA1:
        head = b"blob %d\0"
        unix = data.replace(b"\r\n", b"\n")
        return blob in {sha256(head % len(one) + one).hexdigest() for one in (data, unix)}
    return blob_id(data) == blob or blob_id(data.replace(b"\r\n", b"\n")) == blob


def list_worktree(root: Path, within: str = ".") -> Listing:
    """The files below `root` as they are now: tracked, changed and untracked alike.

    Outside git each file is read to know its id.
    """
    _require_folder(root, within)
    top = toplevel(root)
    if top is None:
        return _list_folder(root, within)
    prefix = "" if within == "." else f"{_literal(within.rstrip('/'))}/"
    patterns = [f"{prefix}{pattern}" for pattern in PATTERNS]
    if prefix:
        patterns.append(PROJECT)  # an edited project file makes the tree dirty, too
    files, commit, changed = _ask(root, patterns, root.relative_to(top).as_posix())
    for path in changed:
        data = _read(root, path)
        if data is None:
            files.pop(path, None)
        else:
            files[path] = blob_id(data)
    if not files and _is_ignored(root):
        return _list_folder(root, within)
    files, unreadable = _decodable(files)
    return Listing(_visible(files), commit, bool(changed), in_git=True, diagnostics=unreadable)


def _require_folder(root: Path, within: str) -> None:
    if within != "." and not (root / within).is_dir():
        raise HrctlError.of(
            "HR067",
            f"there is no folder '{within}' in {root}",
            hint=f"spec.root in {PROJECT} names it",
        )


def _literal(path: str) -> str:
    """A path as a pathspec that matches nothing else."""
    return "".join(f"\\{mark}" if mark in "*?[\\" else mark for mark in path)


def _ask(
    root: Path, patterns: Sequence[str], prefix: str
) -> tuple[dict[str, str], str | None, list[str]]:
    """Names with blob ids, the commit, and the paths that differ from it or from the index.

    git lists names and looks for changes at the same time, on two cores.
    """
    listing = ("ls-files", "-s", "-z", "--", *patterns)
    changes = (
        "status",
        "--porcelain=v2",
        "--branch",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=all",  # else git starts another git in each, by its own configuration
        "--",
        *patterns,
    )
    with start(root, *listing) as names, start(root, *changes) as status:
        files = _tracked(finish(names, "ls-files"))
        return files, *_status(finish(status, "status"), prefix)


def tracks_link(top: Path, path: str) -> bool:
    """Return whether git tracks this path as a symbolic link."""
    return run(top, "ls-files", "-s", "-z", "--", f":(literal){path}").startswith(b"120000 ")


def _is_ignored(root: Path) -> bool:
    """Whether the repository around takes no notice of the project: it lies in an ignored folder.

    Then it is in no repository of its own, whatever lies around it.
    """
    process = start(root, "check-ignore", "--quiet", PROJECT)
    process.communicate()
    return process.returncode == 0


def _decodable(files: dict[str, str]) -> tuple[dict[str, str], tuple[Diagnostic, ...]]:
    """The files whose names are UTF-8, and a word on each other one."""
    try:
        "\0".join(files).encode()
    except UnicodeEncodeError:
        bad = [path for path in files if not _is_utf8(path)]
    else:
        return files, ()
    found = tuple(
        Diagnostic(
            "HR067",
            f"the name of the file {path!a} is not UTF-8",
            hint="rename it, or keep it out of the project",
        )
        for path in bad
    )
    return {path: blob for path, blob in files.items() if path not in bad}, found


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tracked(output: bytes) -> dict[str, str]:
    """Parse ``ls-files -s -z``: mode, blob, stage, TAB, path; links and submodules are left out."""
    return {
        line[line.index("\t") + 1 :]: line[7 : line.index(" ", 7)]
        for line in output.decode("utf-8", "surrogateescape").split("\0")
        if line.startswith("100")
    }


def _status(output: bytes, prefix: str) -> tuple[str | None, list[str]]:
    """Parse ``status --porcelain=v2 --branch -z``: the commit, and the paths that differ."""
    commit = None
    changed = []
    skip = 0 if prefix == "." else len(prefix) + 1
    fields = {"1": 8, "u": 10, "?": 1}  # how many fields stand before the path
    for line in output.decode("utf-8", "surrogateescape").split("\0"):
        if line.startswith("# branch.oid "):
            commit = line[13:] if line[13:] != "(initial)" else None
        elif line[:1] in fields:
            changed.append(line.split(" ", fields[line[0]])[-1][skip:])
    return commit, changed


def _read(root: Path, path: str) -> bytes | None:
    """The content of a regular file; None where it is something else, or gone."""
    file = root / path
    try:
        return file.read_bytes() if stat.S_ISREG(file.lstat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> HrctlError:
    return HrctlError.of("HR067", f"{path} cannot be read: {error.strerror or error}")


def _visible(files: Mapping[str, str]) -> dict[str, str]:
    """Without those in hidden folders, in the order of their paths."""
    return {
        path: files[path] for path in sorted(files) if not (path.startswith(".") or "/." in path)
    }


def _list_folder(root: Path, within: str) -> Listing:
    def refuse(error: OSError) -> None:
        # a folder that is passed over would look like a wish to delete what it declares
        raise _unreadable(os.path.relpath(str(error.filename), root), error)

    files: dict[str, str] = {}
    for folder, folders, names in os.walk(root / within, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.endswith((".yaml", ".yml")):
                path = (Path(folder) / name).relative_to(root).as_posix()
                data = _read(root, path)
                if data is not None:
                    files[path] = blob_id(data)
    files, unreadable = _decodable(files)
    found = (_no_repository(root), *unreadable)
    return Listing(_visible(files), None, dirty=True, in_git=False, diagnostics=found)


def _no_repository(root: Path) -> Diagnostic:
    return Diagnostic(
        "HR062",
        f"{root} is in no git repository, so no value has a history",
        severity=Severity.WARNING,
        hint="git init && git add -A && git commit -m 'Describe the platform'",
    )


def list_revision(root: Path, revision: str, within: str = ".") -> Listing:
    """The files below `root` as a commit has them.

    Raises:
        HrctlError: HR062 outside git; HR064 and HR065, where the revision is not there.
    """
    if toplevel(root) is None:
        raise HrctlError(_as_error(_no_repository(root)))
    commit = resolve(root, revision)
    output = run(root, "ls-tree", "-r", "-z", commit, "--", within)
    files: dict[str, str] = {}
    for line in output.decode("utf-8", "surrogateescape").split("\0"):
        meta, _, path = line.partition("\t")
        if meta.startswith("100") and path.endswith((".yaml", ".yml")):
            files[path] = meta.split(" ")[2]
    files, unreadable = _decodable(files)
    return Listing(_visible(files), commit, dirty=False, in_git=True, diagnostics=unreadable)


def _as_error(diagnostic: Diagnostic) -> Diagnostic:
    return Diagnostic(diagnostic.code, diagnostic.summary, hint=diagnostic.hint)


def resolve(root: Path, revision: str) -> str:
    """The commit that a revision names.

    Raises:
        HrctlError: HR063 without any commit, HR064 in a shallow clone, else HR065.
    """
    if found := _commit(root, revision):
        return found
    if not _commit(root, "HEAD"):
        raise HrctlError(no_commit())
    if is_shallow(root):
        hint = "git fetch --unshallow, or in CI a fetch depth of 0, which is all"
        raise HrctlError.of("HR064", f"no revision '{revision}' in this shallow clone", hint=hint)
    remote = _commit(root, f"refs/remotes/origin/{revision}")
    hint = f"did you mean origin/{revision}?" if remote else "git log --oneline lists them"
    raise HrctlError.of("HR065", f"no revision '{revision}'", hint=hint)


def has_blob(root: Path, revision: str, name: str, data: bytes) -> bool:
    """Return whether a file in `root` held this content at a commit that the clone has."""
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}:./{name}")
    blob = start(root, *asked).communicate()[0].decode().strip()
    return bool(blob) and holds(data, blob)


def has_commit(root: Path, revision: str) -> bool:
    """Return whether the clone holds the commit that this names."""
    return bool(_commit(root, revision))


def _commit(root: Path, revision: str) -> str:
    """The commit, or nothing where there is none."""
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return start(root, *asked).communicate()[0].decode().strip()


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks older commits."""
    return run(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def no_commit() -> Diagnostic:
    """What a command that needs a commit says of a repository without one."""
    hint = "git add -A && git commit -m 'Describe the platform'"
    return Diagnostic("HR063", "the git repository has no commit yet", hint=hint)


def require_commit(root: Path, listing: Listing) -> str:
    """The commit that an apply records.

    Raises:
        HrctlError: HR062 outside git, HR063 without a commit.
    """
    if not listing.in_git:
        raise HrctlError(_as_error(_no_repository(root)))
    if listing.commit is None:
        raise HrctlError(no_commit())
    return listing.commit


def read_worktree(root: Path, paths: Iterable[str]) -> Iterator[bytes]:
    """The contents of files of the working tree, in their order.

    Raises:
        HrctlError: HR067, where one cannot be read.
    """
    for path in paths:
        try:
            yield (root / path).read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from error
