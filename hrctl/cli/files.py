"""Writing manifests and reports: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from hrctl.diagnostics import HrctlError
from hrctl.files import atomic


def write_text(path: Path, text: str) -> None:
    """Replace the file at once, keeping its mode; a link stays a link, its target is replaced.

    What is there and no regular file, such as a pipe or `/dev/stdout`, is written to as it is.

    Raises:
        HrctlError: HR146, where the system refuses.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8") as stream:
                stream.write(text)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(target, text.encode("utf-8"))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HrctlError.of("HR146", f"{path} cannot be written: {why}") from error
