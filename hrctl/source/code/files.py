"""The files of a folder that are somebody's code: as git lists them, or by walking."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.flagd.marks import PROJECT
from hrctl.source import git

# What other people wrote, even where it is committed.
VENDORED: Final = frozenset(
    {
        "node_modules",
        "bower_components",
        "vendor",
        "third_party",
        "site-packages",
        "venv",
        ".venv",
        "__pycache__",
    }
)
# Text about code: a flag that only a page mentions is asked for by nobody.
PROSE: Final = (".md", ".markdown", ".rst", ".adoc")
_MANIFEST: Final = re.compile(rb"^[\"']?apiVersion[\"']?:\s*[\"']?hrctl\.dev/", re.MULTILINE)
_WRITTEN: Final = f'"{PROJECT}"'.encode()  # stands in what hrctl writes for applications


def is_ours(path: Path, data: bytes) -> bool:
    """Whether a file declares for hrctl, or was written by it: no code asks for a flag there."""
    if path.suffix in {".yaml", ".yml"}:
        return _MANIFEST.search(data) is not None
    return path.suffix == ".json" and _WRITTEN in data


def list_code(folder: Path, skip: Sequence[str] = ()) -> list[Path]:
    """The files below a folder, absolute and sorted: tracked and new, but none that git ignores.

    Outside of git, and where the repository around ignores the folder, all but hidden ones. Nowhere
    are vendored folders, prose, and what one of the globs `skip` matches, from the folder on; `*`
    goes over slashes, too. A file is taken as it is.

    Raises:
        HrctlError: HR261, where there is no such folder or it cannot be read.
    """
    whole = folder.resolve()
    if whole.is_file():
        return [whole]
    if not whole.is_dir():
        raise HrctlError.of(
            "HR261",
            f"there is no folder '{folder}' to search",
            hint="--code names a folder of code, as seen from where the command runs",
        )
    names = _listed(whole) or set(_walk(whole))
    return [
        whole / name
        for name in sorted(names)
        if not name.endswith(PROSE)
        and VENDORED.isdisjoint(name.split("/"))
        and not any(fnmatchcase(name, one) for one in skip)
    ]


def _listed(folder: Path) -> set[str]:
    """What git knows of below the folder; nothing outside of git or in an ignored folder."""
    if git.toplevel(folder) is None:
        return set()
    _require(folder)
    said = git.run(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return set(filter(None, said.decode("utf-8", "surrogateescape").split("\0")))


def _require(folder: Path) -> None:
    """Git passes over in silence what it cannot read."""
    if not os.access(folder, os.R_OK | os.X_OK):
        raise unreadable(folder, PermissionError(13, "Permission denied"))


def _walk(folder: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise unreadable(Path(str(error.filename)), error)

    for inside, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [one for one in folders if one[0] != "." and one not in VENDORED]
        start = "" if inside == str(folder) else f"{Path(inside).relative_to(folder).as_posix()}/"
        for name in names:
            if name[0] != ".":
                yield start + name


def unreadable(path: Path, error: OSError) -> HrctlError:
    """HR261: what cannot be read may ask for any flag, so nothing can be said."""
    why = (error.strerror or str(error)).lower()
    hint = "leave it out with --skip, or let hrctl read it"
    return HrctlError.of("HR261", f"{path} cannot be searched: {why}", hint=hint)
