"""Commands that need a running Envoy, told in files as `tests/cli/test_transcripts.py` has them.

``ask`` is `ask.py`. Ports are written as PORT0 (Envoy), PORT1 (v1) and PORT2 (v2). KEY is one that
goes to the node `south` as long as both take requests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import test_transcripts as transcripts

HERE = Path(__file__).parent

VARIABLE = {
    r" +\d+\.\d ms": "  N.N ms",
    r"MEAN +P99": "MEAN  P99",
    r"\b[0-9a-f]{32}\b": "TRACE",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC": "TIME UTC",
    r"(?<=Committed )[0-9a-f]{7,}": "COMMIT",
    r"\bkiosk-\d+": "KEY",
    r"(?<=router )web-\S+": "CLUSTER",
}


@pytest.mark.parametrize("name", sorted(file.stem for file in HERE.glob("*.txt")))
def test_live(name: str, env: dict[str, str], tmp_path: Path) -> None:
    file = HERE / f"{name}.txt"
    hidden = {env[port]: port for port in ("PORT0", "PORT1", "PORT2")} | VARIABLE
    text = transcripts.replayed(file, tmp_path / "acme", env, hidden)
    assert text == file.read_text("utf-8")
