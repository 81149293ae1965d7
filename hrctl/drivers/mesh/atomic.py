"""Files that are replaced as a whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write(files: Mapping[Path, bytes]) -> None:
    """Replace files by renaming, in their order; none where one of them cannot be written.

    They are on the disk before the first is renamed. Else a machine that loses power may come up
    with the new names of empty files, and a proxy that is started there with the machine, before
    anybody asks hrctl, would have no routes.

    Raises:
        OSError: where that cannot be.
    """
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in files}
    try:  # a full disk is met before anything is replaced
        for path, data in files.items():
            with drafts[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as error:
        for path, draft in drafts.items():
            if error.filename == str(draft):  # people know the file by its own name
                error.filename = str(path)
            with suppress(OSError):  # the first error is the one to tell
                draft.unlink(missing_ok=True)
        raise
