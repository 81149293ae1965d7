"""Writing manifests and reports: whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.files import atomic

_BATCH: Final = 100  # files, far below the number that a process may have open


def write_text(path: Path, text: str) -> None:
    """Replace one file; see `write_texts`."""
    write_texts({path: text})


def write_texts(texts: Mapping[Path, str]) -> None:
    """Replace each file at once, keeping its mode; a link stays a link, its target is replaced.

    What is there and no regular file, such as a pipe or `/dev/stdout`, is written to as it is.

    Raises:
        HrctlError: HR146, where the system refuses; files of an earlier batch are replaced then.
    """
    names = {path.resolve(): path for path in texts}
    regular: dict[Path, bytes] = {}
    for target, path in names.items():
        try:
            if target.exists() and not target.is_file():
                with target.open("w", encoding="utf-8") as stream:
                    stream.write(texts[path])
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                regular[target] = texts[path].encode("utf-8")
        except OSError as error:
            raise _refused(path, error) from error
    targets = list(regular)
    for start in range(0, len(targets), _BATCH):
        batch = {target: regular[target] for target in targets[start : start + _BATCH]}
        try:
            atomic.write_all(batch)
        except OSError as error:
            refused = Path(error.filename or targets[start])
            raise _refused(names.get(refused, refused), error) from error


def _refused(path: Path, error: OSError) -> HrctlError:
    why = (error.strerror or str(error)).lower()
    return HrctlError.of("HR146", f"{path} cannot be written: {why}")
