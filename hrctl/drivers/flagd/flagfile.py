"""A file of flag definitions: read, and replaced by rename under a lock.

Nothing that is not hrctl's is lost: other flags, `$evaluators`, metadata, and whatever else stands
at the top. Who reads the file meets the old or the new one, never a part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.files import atomic
from hrctl.files.lock import exclusive

SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"

Document = dict[str, Any]


def read(path: Path) -> Document:
    """What a file holds; a new document where there is none.

    Raises:
        HrctlError: HR080, where it cannot be read or is no flag file.
    """
    try:
        held = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {"$schema": SCHEMA, "flags": {}}
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise _unusable(path, f"cannot be read: {said}") from error
    flags = held.setdefault("flags", {}) if isinstance(held, dict) else None
    if not isinstance(flags, dict) or not all(isinstance(one, dict) for one in flags.values()):
        raise _unusable(path, "is no file of flag definitions")
    return held  # type: ignore[no-any-return]  # a dict, as was just seen


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock out other processes that change the file.

    Raises:
        LockedError: HR360, where another process holds the lock for too long.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.parent / f".{path.name}.lock", mode=0o666):  # less the process's umask
        yield


def write(path: Path, document: Document) -> None:
    """Replace the file as a whole, with the permissions that it has, behind any symbolic link.

    Raises:
        OSError: where that cannot be done; the file then is as it was.
    """
    atomic.write(path.resolve(), _text(document).encode("utf-8"))


def _text(document: Document) -> str:
    """One line for each flag: it is fast, and a change of one is a change of one line."""
    lines = []
    for key, held in document.items():
        if key == "flags" and held:
            flags = ",\n".join(f"  {_json(name)}: {_json(one)}" for name, one in held.items())
            lines.append(f' "flags": {{\n{flags}\n }}')
        else:
            lines.append(f" {_json(key)}: {_json(held)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def _unusable(path: Path, what: str) -> HrctlError:
    return HrctlError.of("HR080", f"{path} {what}", hint="mend it, or move it away")
