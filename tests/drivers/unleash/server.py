"""A real unleash-server on a real PostgreSQL, both in a temporary folder and on loopback."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.drivers.supervisor.conftest import free_ports

NODE = Path(__file__).parents[2] / "node"
# each process has its own: no server but the one that it started takes it
ADMIN = f"*:*.hrctl-tests-admin-{token_hex(8)}"
CLIENT = "*:development.hrctl-tests-client-0123456789abcdef"
PATIENCE = 60.0


@dataclass
class Unleash:
    """A server that runs, and its Admin API."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: Any = None, token: str = ADMIN, **more: str
    ) -> Any:
        """What the Admin API answers; a status of 400 or more fails. `more` are headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": token, "Content-Type": "application/json", **more}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            held = answer.read()
        finally:
            connection.close()
        assert answer.status < 400, (method, path, answer.status, held)
        try:
            return json.loads(held)
        except ValueError:
            return held.decode()

    def until_served(self, *names: str) -> None:
        """Wait until applications get these features as they are: it looks once a second.

        Asked as they do, as it keeps answers by the question. Descriptions tell: hrctl's mark in
        them has a number that none had before.
        """
        deadline = time.monotonic() + PATIENCE
        listed = self.call("GET", "/api/admin/projects/default/features")["features"]
        wanted = {one["name"]: one["description"] for one in listed if one["name"] in names}
        while True:
            path, like_an_sdk = "/api/client/features", {"Unleash-Client-Spec": "5.2.0"}
            found = self.call("GET", path, token=CLIENT, **like_an_sdk)["features"]
            served = {one["name"]: (one["description"], one["enabled"]) for one in found}
            if all(served.get(name) == (text, True) for name, text in wanted.items()):
                return
            assert time.monotonic() < deadline, (wanted, served)
            time.sleep(0.05)

    def clear(self) -> None:
        """Archive and delete every feature."""
        found = self.call("GET", "/api/admin/projects/default/features")["features"]
        names = {"features": [one["name"] for one in found]}
        if names["features"]:
            self.call("POST", "/api/admin/projects/default/archive", names)
        path = "/api/admin/search/features?project=IS:default&archived=IS:true&limit=100"
        while archived := self.call("GET", path)["features"]:  # at most a hundred at a time
            names = {"features": [one["name"] for one in archived]}
            self.call("POST", "/api/admin/projects/default/delete", names)


def programs() -> tuple[str, Path]:
    """node, and the folder of PostgreSQL's programs; skips where one is missing."""
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "unleash-server").is_dir():
        pytest.skip("unleash-server is not installed (make dev)")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("postgresql is not installed")
    return node, found[-1].parent


class Running:
    """Both processes; `stop` ends them."""

    def __init__(self) -> None:
        node, folder = programs()
        self.root = Path(tempfile.mkdtemp(prefix="hrctl-unleash-", dir="/tmp"))
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start(node, folder)
        except BaseException:
            self.stop()
            raise

    def _start(self, node: str, folder: Path) -> None:
        self.root.chmod(0o755)
        who: dict[str, Any] = {}
        data = self.root / "data"
        data.mkdir()
        if os.getuid() == 0:  # which PostgreSQL refuses
            user = pwd.getpwnam("postgres")
            os.chown(data, user.pw_uid, user.pw_gid)
            who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        initdb: list[str | Path] = [
            folder / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/", **who)
        database, port = free_ports(), free_ports()
        options = [f"port={database}", "listen_addresses=127.0.0.1", "fsync=off"]
        options += [f"unix_socket_directories={data}", "synchronous_commit=off"]
        flags = [word for one in options for word in ("-c", one)]
        log = (self.root / "log").open("ab")
        start: list[str | Path] = [folder / "postgres", "-D", data, *flags]
        self.processes.append(subprocess.Popen(start, stdout=log, stderr=log, cwd="/", **who))
        ready: list[str | Path] = [
            folder / "pg_isready",
            "-h",
            "127.0.0.1",
            "-p",
            str(database),
            "-q",
        ]
        self._until(lambda: subprocess.run(ready, check=False).returncode == 0)
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": f"postgres://postgres@127.0.0.1:{database}/postgres",
            "DATABASE_SSL": "false",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "INIT_ADMIN_API_TOKENS": ADMIN,
            "INIT_CLIENT_API_TOKENS": CLIENT,
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "error",
            "SEARCH_FEATURES_RATE_LIMIT_PER_MINUTE": "6000",  # `clear` asks before each test
        }
        script = NODE / "node_modules/unleash-server/dist/server.js"
        self.processes.append(
            subprocess.Popen([node, script], env=environment, stdout=log, stderr=log, cwd=NODE)
        )
        log.close()
        self.unleash = Unleash(port)
        self._until(self._healthy)
        # it notes stages of features some time after they are gone, and ends where that fails
        loosen = "ALTER TABLE feature_lifecycles DROP CONSTRAINT feature_lifecycles_feature_fkey"
        psql: list[str | Path] = [folder / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d"]
        subprocess.run([*psql, environment["DATABASE_URL"], "-c", loosen], check=True, cwd="/")

    def _healthy(self) -> bool:
        try:
            return bool(self.unleash.call("GET", "/api/admin/projects"))
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    def _until(self, ready: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            ended = [one for one in self.processes if one.poll() is not None]
            said = (self.root / "log").read_text(errors="replace")[-2000:]
            assert not ended and time.monotonic() < deadline, said  # noqa: PT018
            time.sleep(0.05)

    def stop(self) -> None:
        """End what was started, the last first, and remove its folder."""
        for one in reversed(self.processes):
            one.terminate()
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        shutil.rmtree(self.root, ignore_errors=True)
