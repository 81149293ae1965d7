"""The folder of hrctl's state: never a part of the tree, whoever committed it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hrctl import repository
from hrctl.diagnostics import HrctlError
from hrctl.writable import STATE

VARIABLE: Final = "HRCTL_STATE_DIR"


def locate(root: Path) -> Path:
    """Return the folder of a project's state, which need not exist.

    It is checked before anything in it is opened: a ledger or a cache that a commit brought along
    would say what is live and what was approved.

    Raises:
        HrctlError: HR320, where it is a link or holds one, or where git tracks something in it;
            HR323, where HRCTL_STATE_DIR is no absolute path.
    """
    named = os.environ.get(VARIABLE) or None
    if named is not None and not Path(named).is_absolute():
        raise HrctlError.of(
            "HR323",
            f"{VARIABLE}={named} is no absolute path",
            hint="name a folder outside of the repository, for this project alone",
        )
    state = root / STATE if named is None else Path(named)
    if reason := _distrust(state):
        raise HrctlError.of(
            "HR320",
            f"the state folder {state} is refused: {reason}",
            hint=f"remove it from the repository, or set {VARIABLE} to a folder outside of it",
        )
    return state


def _distrust(state: Path) -> str | None:
    """Return why the folder may be of a commit's making, if it may."""
    if state.is_symlink():
        return "it is a symbolic link"
    if not state.exists():
        return None
    links: list[str] = []
    if state.is_dir():
        with os.scandir(state) as entries:
            links = sorted(entry.name for entry in entries if entry.is_symlink())
    if links:
        return f"{links[0]} in it is a symbolic link"
    return "git tracks files in it" if repository.tracks(state) else None


def claim(state: Path, project: str) -> None:
    """Note whose state a folder holds that HRCTL_STATE_DIR names, or see that it is this project's.

    Two projects in one folder would each take what the other applied for its own, and delete it.

    Raises:
        HrctlError: HR325, where it is another project's.
    """
    if not os.environ.get(VARIABLE):
        return
    note = state / "project"
    if not note.exists():
        state.mkdir(parents=True, exist_ok=True)
        note.write_text(project, "utf-8")
        return
    owner = note.read_text("utf-8")
    if owner != project:
        raise HrctlError.of(
            "HR325",
            f"the state folder {state} is that of project {owner}, not of {project}",
            hint=f"set {VARIABLE} to a folder for this project alone; for one that was renamed,"
            f" correct {note}",
        )
