"""Each code is described, and its examples are what they say."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hrctl
from hrctl.diagnostics import HrctlError

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

PACKAGE = Path(hrctl.__file__).parent
CODES = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted((PACKAGE / "diagnostics/codes").iterdir())
}
SHOWN = [code for code, entry in CODES.items() if isinstance(entry.get("wrong"), dict)]


def raised() -> set[str]:
    """Every code that stands as text of its own in the sources."""
    return {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"HR\d{3}", node.value)
    }


def test_every_code_is_described_and_every_description_is_of_a_code() -> None:
    assert raised() - CODES.keys() == set(), "raised, but not described"
    assert CODES.keys() - raised() == set(), "described, but never raised"


@pytest.mark.parametrize("code", CODES)
def test_a_description_is_whole(code: str) -> None:
    entry = CODES[code]
    assert entry.keys() == {"title", "text", "wrong", "right"}
    assert entry["title"] == entry["title"].strip().rstrip(".")
    assert len(entry["title"]) <= 50
    assert entry["text"].strip().endswith((".", "`", ")"))
    assert type(entry["wrong"]) is type(entry["right"])
    assert entry["wrong"]
    assert entry["right"]


def told(folder: ProjectFolder, files: dict[str, Any]) -> set[str]:
    folder.write(files)
    try:
        diagnostics = folder.load().diagnostics
    except HrctlError as error:
        diagnostics = error.diagnostics
    return {one.code for one in diagnostics} - {"HR062"}


@pytest.mark.parametrize("code", SHOWN)
def test_the_wrong_example_yields_the_code_and_the_right_one_nothing(
    folder: ProjectFolder, tmp_path: Path, code: str
) -> None:
    assert told(folder, CODES[code]["wrong"]) == {code}
    other = type(folder)(tmp_path / "right")
    try:
        assert told(other, CODES[code]["right"]) == set()
    finally:
        other.close()
