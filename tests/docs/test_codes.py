"""docs/diagnostics.md lists every code, and every code that hrctl raises is described.

Run as a program, this module writes the list anew: ``python tests/docs/test_codes.py``.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODES = ROOT / "hrctl" / "diagnostics" / "codes"
PAGE = ROOT / "docs" / "diagnostics.md"
HEAD = "| code | |\n|---|---|\n"  # the list is the last thing of the page


def _table() -> str:
    rows = []
    for path in sorted(CODES.glob("HR*.toml")):
        title = tomllib.loads(path.read_text("utf-8"))["title"]
        rows.append(f"| {path.stem} | {title} |\n")
    return HEAD + "".join(rows)


def _raised() -> set[str]:
    sources = (ROOT / "hrctl").rglob("*.py")
    texts = [path.read_text("utf-8") for path in sources]
    return {code for text in texts for code in re.findall(r'"(HR\d{3})"', text)}


def test_the_page_lists_every_code() -> None:
    _, head, rows = PAGE.read_text("utf-8").rpartition(HEAD)
    assert head + rows == _table(), "run `python tests/docs/test_codes.py`"


def test_every_code_that_is_raised_is_described() -> None:
    assert _raised() - {path.stem for path in CODES.glob("HR*.toml")} == set()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text("utf-8").rpartition(HEAD)[0] + _table(), encoding="utf-8")
