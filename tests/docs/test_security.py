"""SECURITY.md names tests, and each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def rows() -> list[list[str]]:
    """The rows of the tables "attack, what stops it, test"."""
    lines = PAGE.partition("## Attack, what stops it, test")[2].splitlines()
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0].strip() != "attack"]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert name in functions


def test_each_row_names_what_stops_the_attack_and_a_test() -> None:
    assert len(rows()) > 30
    for row in rows():
        assert len(row) == 3, row
        attack, mend, tests = (cell.strip() for cell in row)
        assert attack
        assert mend
        assert re.fullmatch(r"(`tests/[\w/]+\.py::test_\w+` ?)+", tests), row
