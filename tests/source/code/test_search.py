"""One scan for all keys, held against a search for each key at each place."""

from __future__ import annotations

import os
import random
import string
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrctl.diagnostics import HrctlError
from hrctl.source.code import search as scanning
from hrctl.source.code.files import list_code
from hrctl.source.code.search import KEPT, Found, search

NAME = set(string.ascii_letters + string.digits + "_-")
KEYS = ["a", "b", "a-b", "aa", "new-checkout", "new", "checkout", "b-", "0"]
PIECES = [*KEYS, *"-_. \t'\"`$é\u2019\r", "\n", "\r\n", "A", "ab", "//", "a.b", "# hrctl: ignore;"]


def naive(text: str, keys: list[str]) -> set[tuple[str, int, int]]:
    """Key, line and column of every place, by looking at the characters around it."""
    found = set()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        for key in () if "hrctl: ignore;" in line else keys:
            for at in range(len(line)):
                around = {line[at - 1 : at] if at else "", line[at + len(key) : at + len(key) + 1]}
                if line.startswith(key, at) and not around & NAME:
                    found.add((key, number, at + 1))
    return found


def places(found: Found) -> set[tuple[str, int, int]]:
    return {
        (key, span.line, span.column) for key, one in found.references.items() for span in one.first
    }


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=18), st.sampled_from([0, 32]))
def test_the_scan_finds_what_a_naive_search_finds(pieces: list[str], few: int) -> None:
    text = "".join(pieces)
    path = Path(os.environ["PYTEST_FOLDER"]) / "text"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_FEW", few)
        assert places(search([path], KEYS, path.parent)) == naive(text, KEYS)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_FOLDER", str(tmp_path))


def test_many_keys_in_many_files(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - nothing secret
    keys = [f"flag-{number}" for number in range(300)]
    wanted: dict[str, set[tuple[str, int]]] = {}
    for number in range(40):
        lines = []
        for line in range(1, 60):
            key = dice.choice(keys)
            text = dice.choice([f"use('{key}')", f"x{key}", f"{key}-x", "nothing", f"// {key}."])
            lines.append(text)
            if text[:1] != "x" and not text.endswith("-x") and text != "nothing":
                wanted.setdefault(key, set()).add((f"{number}.js", line))
        (tmp_path / f"{number}.js").write_text("\n".join(lines), encoding="utf-8")
    found = search(list_code(tmp_path), keys, tmp_path)
    assert {key: one.count for key, one in found.references.items()} == {
        key: len(at) for key, at in wanted.items()
    }
    for key, one in found.references.items():
        assert {(span.path, span.line) for span in one.first} <= wanted[key]
    assert found.files == 40


def test_the_time_does_not_grow_with_the_keys(tmp_path: Path) -> None:
    line = "    value = client.get_boolean_value(name, False)  # words and words\n"
    for number in range(60):
        (tmp_path / f"{number}.py").write_text(line * 500, encoding="utf-8")
    paths = list_code(tmp_path)

    def took(count: int) -> float:
        keys = [f"flag-{number}" for number in range(count)]
        begin = time.process_time()
        search(paths, keys, tmp_path)
        return time.process_time() - begin

    took(1)
    assert min(took(20_000) for _ in range(4)) < 3 * max(took(10) for _ in range(4))


def test_what_is_between_quotes_comes_first(tmp_path: Path) -> None:
    lines = ["express = 1"] * KEPT + ["ask('express')"]
    (tmp_path / "a.py").write_text("\n".join(lines), encoding="utf-8")
    found = search([tmp_path / "a.py"], ["express"], tmp_path).references["express"]
    assert (found.count, len(found.first)) == (KEPT + 1, KEPT)
    assert str(found.first[0]) == f"a.py:{KEPT + 1}:6"


def test_what_is_no_text_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "LARGEST", 1000)
    (tmp_path / "binary").write_bytes(b"key\0")
    (tmp_path / "large.js").write_bytes(b"key " * 300)
    (tmp_path / "real.js").write_bytes(b"'key' \xff\xfe")
    (tmp_path / "link.js").symlink_to("real.js")
    (tmp_path / "ours.json").write_text('{"key": {"hrctl.project": "acme"}}', encoding="utf-8")
    (tmp_path / "ours.yaml").write_text("apiVersion: hrctl.dev/v1\n# key\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "gone.js"]
    found = search(paths, ["key"], tmp_path)
    assert [str(one) for one in found.references["key"].first] == ["real.js:1:2"]
    assert found.large == [("large.js", 1200)]


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.py")
    path.write_text("'key'", encoding="utf-8")
    (span,) = search([path], ["key"], tmp_path).references["key"].first
    assert span.path == r"caf\xe9.py"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(HrctlError) as caught:
        search([tmp_path / ("long" * 200)], ["key"], tmp_path)
    assert caught.value.diagnostics[0].code == "HR261"
