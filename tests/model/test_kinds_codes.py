"""HR020 to HR032 are described by trees that show just that code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hrctl.diagnostics
from hrctl.model.manifest import check_envelope
from hrctl.model.validate import check_spec
from hrctl.source.parse import parse_file

CODES = Path(hrctl.diagnostics.__file__).parent / "codes"
RANGE = [f"HR{number:03}" for number in range(20, 33)]


def codes_of(tree: dict[str, str]) -> Iterator[str]:
    for name, text in tree.items():
        documents, problems = parse_file(text.encode(), name)
        assert problems == []
        for _, document in documents:
            assert isinstance(document, dict)
            envelope = check_envelope(document)
            yield from (one.code for one in envelope)
            if not envelope:
                yield from (one.code for one in check_spec(document["kind"], document["spec"]))


@pytest.mark.parametrize("code", RANGE)
def test_its_trees_show_it(code: str) -> None:
    described: dict[str, Any] = tomllib.loads((CODES / f"{code}.toml").read_text("utf-8"))
    assert described["title"]
    assert len(described["text"]) > 100
    assert list(codes_of(described["wrong"])) == [code]
    assert list(codes_of(described["right"])) == []
