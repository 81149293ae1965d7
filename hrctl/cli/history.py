"""When something left the declarations: a note beside a delete, so that it can be looked up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.source import git

_PLAIN: Final = ("--no-ext-diff", "--no-textconv")  # git alone compares, no other program


def removal(root: Path, address: Address) -> str | None:
    """``removed in 4f1c2ab, 2 days ago``: the last commit that took out a line with its name.

    None where no commit can be named for sure: the name still stands somewhere, or git knows
    no such line.
    """
    name = re.escape(address.name)
    pattern = rf"name:[[:space:]]*[\"']?{name}([^-a-z0-9]|$)"
    try:
        output = git.run(
            root,
            "log",
            "-1",
            *_PLAIN,
            "--format=%h%x00%ar",
            "--unified=0",
            f"-G{pattern}",
            "--",
            *(f":(glob)**/{one}" for one in git.PATTERNS),
        )
        if not output:
            return None
        head = output.decode("utf-8", "replace").splitlines()[0]
        commit, _, ago = head.partition("\0")
        diff = git.run(root, "show", *_PLAIN, "--format=", "--unified=0", f"-G{pattern}", commit)
    except HrctlError:
        return None  # the note is a help, the plan stands without it
    line = re.compile(rf"^([-+]).*name:\s*[\"']?{name}(?![-a-z0-9])", re.MULTILINE)
    signs = {found.group(1) for found in line.finditer(diff.decode("utf-8", "replace"))}
    return f"removed in {commit}, {ago}" if signs == {"-"} else None
