"""Traces from the command line while Envoy, its receiver, and other receivers come and go."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hrctl.drivers.api import Context
from hrctl.drivers.envoy import EnvoyDriver
from hrctl.drivers.envoy.receiver import decoded
from hrctl.drivers.supervisor.client import Client
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address
from tests.drivers.envoy.conftest import PATIENCE, Answer, eventually

Env = dict[str, str]


def hrctl(env: Env, root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["hrctl", *args],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def traces(env: Env, root: Path) -> list[dict[str, Any]]:
    done = hrctl(env, root, "mesh", "traces", "web", "--tail", "100", "-o", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def kept(root: Path) -> list[Any]:
    """What the receiver has, asked without a command, which takes longer."""
    with EnvoyDriver({}, context_of(root)) as driver:
        web = Address("acme/shop:Route/web")
        return list(driver.traces(web, tail=100, follow=False))


def context_of(root: Path) -> Context:
    return Context("edge", "acme", root, root / ".hrctl")


def apply(env: Env, root: Path) -> None:
    done = hrctl(env, root, "apply", "--yes")
    assert done.returncode == 0, done.stderr


def ask(env: Env, path: str) -> int:
    return Answer.of(int(env["PORT0"]), path).status


def receiver(root: Path) -> Client:
    return Client(Folders.of({"mode": "embedded"}, context_of(root)).socket())


def pid_of(root: Path) -> int:
    return int(receiver(root).call("getProcessInfo", "traces:traces")["pid"])


@contextmanager
def following(env: Env, root: Path, *args: str) -> Iterator[tuple[Any, list[str]]]:
    """A `mesh traces --follow` that runs, and the lines that it has written."""
    process = subprocess.Popen(
        ["hrctl", "mesh", "traces", "web", "--follow", *args],
        cwd=root,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        lines.extend(iter(process.stdout.readline, ""))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()  # type: ignore[union-attr]
        process.stderr.close()  # type: ignore[union-attr]


def test_following_tells_requests_as_they_come_until_ctrl_c(env: Env, tmp_path: Path) -> None:
    root = tmp_path / "acme"
    apply(env, root)
    assert ask(env, "/before") == 200
    eventually(lambda: kept(root), "the first one is there")
    with following(env, root) as (process, lines), following(env, root, "-o", "json") as (_, rows):
        eventually(lambda: len(lines) >= 3 and rows, "what was before is told first")
        assert ask(env, "/status/503") == 503
        eventually(lambda: len(rows) == 2, "a trace is a line of JSON")
        assert all(json.loads(one)["spans"] for one in rows)
        eventually(lambda: len(lines) == 6, "and a tree")
        # the receiver is killed: it comes back, and following goes on
        killed = pid_of(root)
        os.kill(killed, signal.SIGKILL)
        assert ask(env, "/meanwhile") == 200
        eventually(lambda: pid_of(root) not in {0, killed}, "it is started again")

        def once_more() -> bool:
            assert ask(env, "/after") == 200
            return len(lines) > 6

        eventually(once_more, "it goes on")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert "Traceback" not in process.stderr.read()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [0-9:.]{12} UTC  [0-9a-f]{32}\n", lines[0])
    assert re.fullmatch(r" +\d+\.\d ms  acme/shop:Route/web  by envoy  GET  200\n", lines[1])
    assert re.fullmatch(r" +\d+\.\d ms    to v1  200  127.0.0.1:\d+\n", lines[2])
    assert re.fullmatch(r" +\d+\.\d ms    to v1  503  127.0.0.1:\d+  ERROR\n", lines[5])


def test_a_receiver_that_is_stopped_comes_back_by_the_next_verb_or_apply(
    env: Env, tmp_path: Path
) -> None:
    root = tmp_path / "acme"
    apply(env, root)
    receiver(root).call("stopProcessGroup", "traces")
    assert ask(env, "/") == 200  # traffic goes on
    assert traces(env, root) == []  # it is there again, and what it held is gone
    assert ask(env, "/") == 200
    eventually(lambda: kept(root), "spans are received again")
    receiver(root).call("stopProcessGroup", "traces")
    done = hrctl(env, root, "mesh", "traffic-split", "web", "v1=50", "v2=50", "--apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert pid_of(root)
    root.joinpath("shop/routes.yaml").unlink()
    done = hrctl(env, root, "apply", "--yes", "--allow-deletes", "9")
    assert done.returncode == 0, done.stderr
    assert not root.joinpath(".hrctl/run/edge/conf.d/traces.conf").exists()


class Sink(BaseHTTPRequestHandler):
    """Another receiver, which is away at first."""

    got: list[bytes]

    def do_POST(self) -> None:
        length = self.headers["content-length"]
        self.got.append(self.rfile.read(int(length)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_spans_are_handed_on_to_another_receiver(env: Env, tmp_path: Path) -> None:
    root = tmp_path / "acme"
    apply(env, root)
    Sink.got = []
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=sink.serve_forever)
    thread.start()
    try:
        place = f"127.0.0.1:{sink.server_address[1]}"
        project = root / "hrctl.yaml"
        text = project.read_text("utf-8")
        project.write_text(text.replace("type: envoy", f'type: envoy, traces: "{place}"'), "utf-8")
        assert traces(env, root) == []  # which has the receiver started with it
        assert ask(env, "/") == 200
        eventually(lambda: Sink.got, "the span is handed on")
        assert len(traces(env, root)) == 1  # and kept
        names = {span["name"] for data in Sink.got for span in decoded(data)}
        assert "acme/shop:Route/web" in names
    finally:
        sink.shutdown()
        sink.server_close()
        thread.join()
    # the other one is away: nothing else suffers
    assert ask(env, "/") == 200
    log = root / ".hrctl" / "run" / "edge" / "logs" / "traces.log"
    eventually(lambda: "spans are lost" in log.read_text("utf-8"), "the log tells")
    assert len(traces(env, root)) == 2
