"""Each verb of flags against a real Unleash, told in `transcripts/*.txt`.

They are written as those of tests/cli/test_transcripts.py are.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli import test_transcripts as transcripts
from tests.drivers.unleash.server import ADMIN, Unleash

HERE = Path(__file__).parent
FILES = sorted((HERE / "transcripts").glob("*.txt"))
PROJECT = """\
apiVersion: hrctl.dev/v1
kind: Project
metadata: {name: acme}
spec:
  drivers:
    toggles: {type: unleash, url: "%s", token: {valueFrom: {env: UNLEASH_TOKEN}}}
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcript(file: Path, unleash: Unleash, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    shutil.copytree(transcripts.HERE / "project", folder)
    folder.joinpath(".gitignore").write_text(".hrctl/\n")
    folder.joinpath("hrctl.yaml").write_text(PROJECT % unleash.url)
    with folder.joinpath("registry.yaml").open("a") as registry:
        registry.write("  drivers: {FeatureFlag: toggles}\n")
    env = {
        **transcripts.environ(tmp_path),
        "UNLEASH_TOKEN": ADMIN,
        "HRCTL_ALLOWED_ENV": "UNLEASH_TOKEN",
    }
    hidden = {
        re.escape(unleash.url): "https://unleash.example",
        r"(Committed|removed in) [0-9a-f]{7}": r"\1 COMMIT",  # hrctl.yaml has the port
    }
    transcripts.begin(folder, env)
    assert transcripts.replayed(file, folder, env, hidden) == file.read_text("utf-8")
    assert ADMIN not in file.read_text("utf-8")
