"""The verbs of Services, with real processes under the embedded supervisord."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

SERVER = """\
import http.server, os, sys
print("up as", os.getpid(), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def with_processes(shell: Shell) -> None:
    """Bind dev to a supervisor, and declare a server with a health check there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shell.write("server.py", SERVER)
    spec = "\nspec: {drivers: {procs: {type: supervisor, mode: embedded}}}\n"
    shell.write("hrctl.yaml", shell.read("hrctl.yaml") + spec.lstrip("\n"))
    shell.write(
        "shop/dev/registry.yaml",
        shell.read("shop/dev/registry.yaml").replace(
            "level: ENVIRONMENT", "level: ENVIRONMENT, drivers: {Service: procs}"
        ),
    )
    shell.write("shop/services.yaml", "# nothing any more\n")
    shell.write(
        "shop/dev/jobs.yaml",
        f"""\
        apiVersion: hrctl.dev/v1
        kind: Service
        metadata: {{name: web}}
        spec:
          type: API
          command: {sys.executable} server.py {port}
          ports: [{{name: http, port: {port}}}]
          healthCheck: {{http: /, interval: 100ms}}
        """,
    )
    shell.git("add", ".")
    shell.git("commit", "-qm", "Run it")
    shell.hrctl("apply", "--yes")


def pid(shell: Shell) -> int:
    (row,) = shell.json("service", "metrics", "web")
    return int(row["pid"])


def test_a_service_lives(shell: Shell) -> None:
    with_processes(shell)
    address = "acme/shop/dev:Service/web"
    (report,) = shell.json("service", "health", "web")
    assert (report["address"], report["status"]) == (address, "RUNNING")
    assert report["latency_ms"] > 0
    table = shell.hrctl("service", "metrics").splitlines()
    assert table[0].split() == [
        *("NAME", "REPLICA", "STATE", "PID", "CPU", "MEMORY", "UPTIME", "RESTARTS", "LATENCY")
    ]
    assert table[1].startswith("dev:web  0        ")

    first = pid(shell)
    assert shell.json("service", "restart", "web")["result"] == "done"
    second = pid(shell)
    assert second != first
    assert shell.hrctl("service", "logs", "web", "--tail", "1").endswith(f"up as {second}\n")
    line = json.loads(shell.hrctl("service", "logs", "web", "--tail", "1", "-o", "json"))
    assert line["address"] == address
    assert f"up as {second}" in line["line"]

    stopped = ("--commit", "--apply", "--yes")
    shell.hrctl("service", "stop", "web", *stopped)
    assert shell.json("service", "health", "web")[0]["status"] == "STOPPED"
    shell.hrctl("service", "start", "web", *stopped)
    third = pid(shell)
    os.kill(third, signal.SIGSTOP)
    try:
        assert shell.fails("service", "health", "web") == 1
        assert "DEGRADED" in shell.out
    finally:
        os.kill(third, signal.SIGCONT)
    shell.hrctl("service", "uninstall", "web", *stopped)
    assert shell.json("service", "list", "--live")[0]["live"] == "CREATED"
    assert shell.git("log", "--format=%s").splitlines()[:3] == [
        f"Uninstall {address}",
        f"Start {address}",
        f"Stop {address}",
    ]
    shell.hrctl("service", "remove", "web", *stopped)
    assert address not in shell.hrctl("get")


def test_logs_are_followed(shell: Shell) -> None:
    with_processes(shell)
    with subprocess.Popen(
        [sys.executable, "-m", "hrctl", "service", "logs", "web", "-f"],
        cwd=shell.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        try:
            assert following.stdout is not None
            assert "up as" in following.stdout.readline()
            shell.hrctl("service", "restart", "web")
            assert f"up as {pid(shell)}" in following.stdout.readline()
            following.send_signal(signal.SIGINT)
            assert following.wait(timeout=20) == 130
        finally:
            following.kill()


def test_a_driver_that_runs_nothing_says_so(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    assert shell.fails("service", "logs", "worker") == 1
    assert "HR164 the driver instance 'local' cannot show logs" in shell.err
    assert shell.fails("service", "restart", "worker") == 1
    assert "HR164" in shell.err
    assert shell.fails("service", "metrics", "worker") == 1
    assert "HR164" in shell.err
    assert shell.hrctl("service", "metrics") == ""
    assert shell.fails("service", "health") == 0


def test_dependencies_go_all_the_way(shell: Shell) -> None:
    found = shell.json("service", "dependencies", "mailer")
    assert found["needs"] == [{"address": "acme/shop/dev:Service/worker", "distance": 1}]
    assert shell.hrctl("service", "dependencies", "worker").splitlines() == [
        "acme/shop/dev:Service/worker",
        "  needs nothing",
        "  is needed by",
        "    acme/shop/dev:Service/mailer",
    ]


def test_a_long_chain_of_dependencies(shell: Shell) -> None:
    shell.write(
        "chain.yaml",
        "---\n".join(
            "{apiVersion: hrctl.dev/v1, kind: Service, metadata: {name: s" + str(number) + "},"
            " spec: {type: API}"
            + (f", dependsOn: [Service/s{number - 1}]" if number else "")
            + "}\n"
            for number in range(1200)
        ),
    )
    needs = shell.json("service", "dependencies", "s1199")["needs"]
    assert (len(needs), needs[-1]["distance"]) == (1199, 1199)
