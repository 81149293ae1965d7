"""Where a branch left its base, and what both are when they are merged; nothing is checked out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.source import git

# CI systems fetch the latest commit alone; this is how they are told to fetch all.
DEPTH: Final = (
    "fetch all of the history: `fetch-depth: 0` at actions/checkout, `GIT_DEPTH: 0` in GitLab CI,"
    " else `git fetch --unshallow`"
)
_CONFLICTS: Final = 1  # the exit code of a merge that needs a person
_WHO: Final = ("-c", "user.name=hrctl", "-c", "user.email=hrctl@localhost")


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch beside its base, as commits.

    `merged` is a commit of both, which no branch names; None where the branch has all of the
    base in it already, so that what lies there is what a merge would give.
    """

    head: str
    base: str
    fork: str
    merged: str | None


def compare(root: Path, base: str) -> Branch:
    """HEAD beside the revision `base`.

    Raises:
        HrctlError: HR062 outside git; HR063, HR064, HR065 where one of them is not there; HR281
            where they have no common ancestor, HR064 in a shallow clone; HR282 where they
            conflict; HR066 where git is too old to merge without a working tree.
    """
    latest, head = tip(root, base), git.resolve(root, "HEAD")
    code, output = _ask(root, "merge-base", head, latest)
    if code:
        raise _unrelated(root, base)
    fork = output.strip()
    merged = None if fork == latest else _merged(root, base, head, latest)
    return Branch(head, latest, fork, merged)


def tip(root: Path, base: str) -> str:
    """Return the commit of the revision `base`.

    Raises:
        HrctlError: HR062 outside git; HR063, HR064, HR065 where it is not there.
    """
    if git.toplevel(root) is None:
        raise HrctlError.of("HR062", f"{root} is in no git repository, so there is no base")
    return git.resolve(root, base)


def _unrelated(root: Path, base: str) -> HrctlError:
    if git.is_shallow(root):
        return HrctlError.of(
            "HR064",
            f"HEAD and '{base}' have no common ancestor in this shallow clone",
            hint=DEPTH,
        )
    return HrctlError.of(
        "HR281",
        f"HEAD and '{base}' have no common ancestor",
        hint="git log --oneline --graph --all shows how they came to be",
    )


def _merged(root: Path, base: str, head: str, tip: str) -> str:
    """A commit of both: only its tree is of interest, and only until this command ends."""
    arguments = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", head, tip)
    code, output = _ask(root, *arguments)
    if code not in {0, _CONFLICTS}:
        raise HrctlError.of(
            "HR066",
            f"this git cannot merge '{base}' without a working tree",
            hint="take git 2.38 or newer, or merge the base into the branch before planning",
        )
    tree, *paths = output.rstrip("\0").split("\0")
    manifests = [path for path in paths if _is_manifest(root, path)]
    if manifests:
        more = f" and {len(manifests) - 1} more" if len(manifests) > 1 else ""
        raise HrctlError.of(
            "HR282",
            f"HEAD conflicts with '{base}' in {manifests[0]}{more}",
            hint=f"git merge {base}, and resolve the conflict",
        )
    message = ("-m", "what hrctl plans", "-p", head, "-p", tip)
    return git.run(root, *_WHO, "commit-tree", tree, *message).decode().strip()


def _is_manifest(root: Path, path: str) -> bool:
    """Whether a path, from the top of the repository, is one of the project's YAML files."""
    top = git.toplevel(root) or root
    return path.endswith((".yaml", ".yml")) and (top / path).is_relative_to(root)


def _ask(root: Path, *arguments: str) -> tuple[int, str]:
    process = git.start(root, *arguments)
    output, _ = process.communicate()
    return process.returncode, output.decode("utf-8", "surrogateescape")
