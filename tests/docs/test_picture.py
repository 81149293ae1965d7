"""The picture of a comment can be made anew, and shows what the page says it shows."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "comment.png"
LARGEST = 150_000  # bytes


def size(picture: Path) -> tuple[int, int]:
    """Width and height, from the header of a PNG."""
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_the_page_has_a_small_picture() -> None:
    assert "(images/comment.png)" in (ROOT / "docs" / "ci.md").read_text("utf-8")
    assert size(PICTURE)[0] == 1000
    assert PICTURE.stat().st_size < LARGEST


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_script_makes_it(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "comment-picture.sh"
    made = tmp_path / "comment.png"
    env = {**os.environ, "HRCTL_BIN": str(Path(sys.executable).parent), "HOME": str(tmp_path)}
    done = subprocess.run(
        [script, made], env=env, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert made.stat().st_size < LARGEST
    width, height = size(made)
    now_width, now_height = size(PICTURE)
    assert width == now_width
    assert abs(height - now_height) < now_height / 4, "make the picture anew: it has changed"
