"""The graphs in docs/ are those that the command beside them makes of the storefront.

Run as a program, this module draws them anew: ``python tests/docs/test_graphs.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_GRAPH = re.compile(r"(<!-- Made by: hrctl ([^\n]*?) -->\n```mermaid\n)(.*?)(```\n)", re.DOTALL)
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if _GRAPH.search(page.read_text())]


def _drawn(arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hrctl", *arguments.split()],
        cwd=ROOT / "examples" / "storefront",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _redrawn(text: str) -> str:
    return _GRAPH.sub(lambda found: found[1] + _drawn(found[2]) + found[4], text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_graph_is_as_drawn(page: Path) -> None:
    text = page.read_text("utf-8")
    assert _redrawn(text) == text


if __name__ == "__main__":
    for one in PAGES:
        one.write_text(_redrawn(one.read_text("utf-8")), "utf-8")
