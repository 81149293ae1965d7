"""Where hrctl may write and keep state: at no place that a commit decides about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hrctl import repository
from hrctl.diagnostics import HrctlError

STATE: Final = ".hrctl"


def require(path: Path, what: str, root: Path | None = None) -> None:
    """Refuse a place in a working tree that a commit can lead elsewhere, or that git tracks.

    What lies outside of the working tree belongs to whoever named it, links and all.

    Args:
        path: of a file or folder that need not exist.
        what: how messages call it, such as "the report".
        root: a folder of the tree; by default, the current one.

    Raises:
        HrctlError: HR321 for a link on the way, HR322 for what is tracked.
    """
    root = (root or Path.cwd()).resolve()
    top = repository.toplevel(root) or root
    real, written = Path(os.path.realpath(path)), Path(os.path.abspath(path))  # noqa: PTH100
    if written.is_relative_to(top):
        link = _link(written, top)
        if link is not None or real != written:
            raise HrctlError.of(
                "HR321",
                f"{what} {path} leads through the symbolic link {link or path}",
                hint="remove the link, or name a file outside of the repository",
            )
    elif not real.is_relative_to(top):
        return
    if repository.tracks(real):
        raise HrctlError.of(
            "HR322",
            f"{what} {path} is part of the repository: git tracks it",
            hint=f"name another file, or take it out: git rm -r --cached {real.relative_to(top)}",
        )


def place(written: str, what: str, root: Path, state_dir: Path) -> Path:
    """Return where a file or folder lies that `hrctl.yaml` names.

    A relative path starts at the project's folder and stays in it; `.hrctl/` stands for the folder
    of the state, wherever that is. Paths outside are absolute.

    Raises:
        HrctlError: HR324, where a relative path leaves the project; what `require` says.
    """
    path = Path(written).expanduser()
    if path.is_absolute():
        require(path, what, root)
        return path
    if ".." in path.parts:
        raise HrctlError.of(
            "HR324",
            f"{what} '{written}' in hrctl.yaml leaves the project",
            hint="name a file in the project, or give an absolute path",
        )
    if path.parts[:1] == (STATE,):
        return state_dir.joinpath(*path.parts[1:])
    require(root / path, what, root)
    return root / path


def _link(path: Path, top: Path) -> Path | None:
    """Return the first link between the top of the tree and the path, itself included."""
    steps = [step for step in (path, *path.parents) if step != top and step.is_relative_to(top)]
    return next((step.relative_to(top) for step in reversed(steps) if step.is_symlink()), None)
