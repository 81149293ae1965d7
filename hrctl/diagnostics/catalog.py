"""What is written about a code, in ``codes/`` beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from hrctl.diagnostics import HrctlError


def codes() -> list[str]:
    """Every code, in its order."""
    folder = files(__package__) / "codes"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir())


@cache
def read(code: str) -> dict[str, Any]:
    """What is written about a code: title, text, wrong, right.

    Raises:
        HrctlError: HR148, where there is no such code.
    """
    path = files(__package__) / "codes" / f"{code}.toml"
    if not path.is_file():
        raise HrctlError.of("HR148", f"there is no code {code}")
    return tomllib.loads(path.read_text(encoding="utf-8"))
