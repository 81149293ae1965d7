"""Commands that need a running Envoy, told in files as `tests/cli/test_transcripts.py` has them.

``ask`` is `ask.py`. Ports are written as PORT0 (Envoy), PORT1 (v1) and PORT2 (v2). KEY is one that
goes to the node `south` as long as both take requests.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli import test_transcripts as transcripts

HERE = Path(__file__).parent

VARIABLE = [
    (re.compile(r" +\d+\.\d ms"), "  N.N ms"),
    (re.compile(r"MEAN +P99"), "MEAN  P99"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "TRACE"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC"), "TIME UTC"),
    (re.compile(r"(?<=Committed )[0-9a-f]{7,}"), "COMMIT"),
    (re.compile(r"\bkiosk-\d+"), "KEY"),
    (re.compile(r"(?<=router )web-\S+"), "CLUSTER"),
]


@pytest.mark.parametrize("name", sorted(file.stem for file in HERE.glob("*.txt")))
def test_live(name: str, env: dict[str, str], tmp_path: Path) -> None:
    file = HERE / f"{name}.txt"
    head, *commands = re.split(r"(?m)^\$ ", file.read_text("utf-8"))
    got = [head]
    for block in commands:
        command = block.partition("\n")[0]
        output = transcripts.run(command, tmp_path / "acme", env)
        for port in ("PORT0", "PORT1", "PORT2"):
            output = output.replace(env[port], port)
        for pattern, instead in VARIABLE:
            output = pattern.sub(instead, output)
        got.append(f"{command}\n{output}" + ("\n" if block.endswith("\n\n") else ""))
    text = "$ ".join(got)
    if os.environ.get("HRCTL_UPDATE"):
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")
