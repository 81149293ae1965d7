"""A forge on this machine: what `hrctl ci` uses of the APIs of GitHub and GitLab, in memory."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TOKEN = "a-token-that-must-not-show"  # noqa: S105 - of a forge that lives for one test
BOT = "github-actions[bot]"
GITLAB_BOT = "project_7_bot"


class Forge:
    """A repository `acme/platform` with comments by request, issues, and who merged what.

    `failures` are statuses that the next requests are answered with instead.
    """

    def __init__(self) -> None:
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.merged: dict[str, int] = {}  # commit -> request
        self.merge_commits: dict[str, str] = {}  # commit -> that which its request was merged as
        self.target = "main"  # the branch that requests are merged into
        self.failures: list[int] = []
        self.seen: list[str] = []
        self._number = 100
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                forge.seen.append(f"{self.command} {self.path}")
                status, value = forge.answer(self.command, self.path, dict(self.headers), body)
                data = json.dumps(value).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{forge.url}/x")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815 - its names

            def log_message(self, *_args: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, request: int, author: str, body: str) -> None:
        """A comment that somebody wrote."""
        self._number += 1
        comment = {"id": self._number, "body": body, "by": author}
        self.comments.setdefault(request, []).append(comment)

    def bodies(self, request: int, author: str = BOT) -> list[str]:
        """What an account has said."""
        return [one["body"] for one in self.comments.get(request, []) if one["by"] == author]

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        """Status and value."""
        if self.failures:
            status = self.failures.pop(0)
            return status, {"message": "Resource not accessible by integration"}
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/gitlab/"):
            if headers.get("Private-Token") != TOKEN:
                return 401, {"message": "401 Unauthorized"}
            return self._gitlab(method, parts.path.removeprefix("/gitlab"), query, body)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        return self._github(method, parts.path, query, body)

    def _github(  # noqa: PLR0911 - one for each path
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        rest = path.removeprefix("/repos/acme/platform")
        if found := re.fullmatch(r"/commits/(\w+)/pulls", rest):
            number = self.merged.get(found[1])
            pull = {
                "number": number,
                "merged_at": "2026-01-02",
                "merge_commit_sha": self.merge_commits.get(found[1], found[1]),
                "base": {"ref": self.target},
            }
            return 200, [pull] if number else []
        if found := re.fullmatch(r"/issues/(\d+)/comments", rest):
            number = int(found[1])
            if method == "POST":
                self.add(number, BOT, body["body"])
                return 201, self._comment(self.comments[number][-1])
            listed = [self._comment(one) for one in self.comments.get(number, [])]
            return 200, _page(listed, query)
        if found := re.fullmatch(r"/issues/comments/(\d+)", rest):
            return 200, self._comment(self._change(int(found[1]), body))
        if rest == "/issues":
            if method == "POST":
                return 201, self._open(body["title"], body["body"], body["labels"])
            wanted = [one for one in self.issues if one["state"] == "open"]
            mine = [one for one in wanted if query["labels"] in one["labels"]]
            pulls = [{"number": 1, "body": "", "user": None, "pull_request": {}}]
            return 200, _page(pulls + [self._issue(one) for one in mine], query)
        if found := re.fullmatch(r"/issues/(\d+)", rest):
            one = next(one for one in self.issues if one["number"] == int(found[1]))
            one.update(body)
            return 200, self._issue(one)
        return 404, {"message": "Not Found"}

    def _gitlab(  # noqa: PLR0911 - likewise
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        rest = path.removeprefix("/projects/7")
        if path == "/user":
            return 200, {"username": GITLAB_BOT}
        if found := re.fullmatch(r"/repository/commits/(\w+)/merge_requests", rest):
            number = self.merged.get(found[1])
            request = {
                "iid": number,
                "state": "merged",
                "merge_commit_sha": self.merge_commits.get(found[1], found[1]),
                "target_branch": self.target,
            }
            return 200, [request] if number else []
        if found := re.fullmatch(r"/merge_requests/(\d+)/notes", rest):
            number = int(found[1])
            if method == "POST":
                self.add(number, GITLAB_BOT, body["body"])
                return 201, {"id": self.comments[number][-1]["id"]}
            listed = [
                {**one, "author": {"username": one["by"]}} for one in self.comments.get(number, [])
            ]
            return 200, _page(listed, query)
        if found := re.fullmatch(r"/merge_requests/\d+/notes/(\d+)", rest):
            return 200, self._change(int(found[1]), body)
        if rest == "/issues":
            if method == "POST":
                made = self._open(body["title"], body["description"], [body["labels"]], GITLAB_BOT)
                return 201, {**made, "web_url": made["html_url"]}
            wanted = [one for one in self.issues if one["state"] == "open"]
            listed = [
                {"iid": o["number"], "description": o["body"], "author": {"username": o["by"]}}
                for o in wanted
                if query["labels"] in o["labels"]
            ]
            return 200, _page(listed, query)
        if found := re.fullmatch(r"/issues/(\d+)", rest):
            one = next(one for one in self.issues if one["number"] == int(found[1]))
            if body.get("state_event") == "close":
                one["state"] = "closed"
            one["body"] = body.get("description", one["body"])
            return 200, {"web_url": f"{self.url}/issues/{one['number']}"}
        return 404, {"message": "404 Not Found"}

    def _comment(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "user": {"login": one["by"]}, "html_url": f"{self.url}/c/{one['id']}"}

    def _issue(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "user": {"login": one["by"]}, "html_url": f"{self.url}/{one['number']}"}

    def _change(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        every = (one for comments in self.comments.values() for one in comments)
        one = next(one for one in every if one["id"] == number)
        one.update(body)
        return one

    def _open(self, title: str, body: str, labels: list[str], by: str = BOT) -> dict[str, Any]:
        number = len(self.issues) + 1
        one = {"number": number, "title": title, "body": body, "labels": labels}
        self.issues.append({**one, "state": "open", "by": by})
        return self._issue(self.issues[-1])


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[size * (page - 1) : size * page]


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A forge that listens."""
    made = Forge()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with nothing of the caller's CI, git or hrctl in it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Robin\nemail = robin@example.org\n[init]\ndefaultBranch = main\n"
        "[advice]\ndetachedHead = false\n"
    )
    foreign = ("GIT_", "GITHUB_", "GITLAB_", "CI", "HRCTL", "PRE_COMMIT", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), "COLUMNS": "80", "NO_COLOR": "1"}


@pytest.fixture
def github(forge: Forge, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What GitHub Actions says to a workflow on pull request 5."""
    temp = tmp_path / "runner-temp"
    temp.mkdir()
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 5}}')
    return {
        **environ,
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": forge.url,
        "GITHUB_REPOSITORY": "acme/platform",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "RUNNER_TEMP": str(temp),
    }


@pytest.fixture
def gitlab(forge: Forge, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What GitLab CI says to a pipeline for merge request 5."""
    builds = tmp_path / "builds"
    builds.mkdir()
    return {
        **environ,
        "GITLAB_CI": "true",
        "CI_API_V4_URL": f"{forge.url}/gitlab",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "5",
        "HRCTL_GITLAB_TOKEN": TOKEN,
        "CI_COMMIT_BRANCH": "main",
        "CI_BUILDS_DIR": str(builds),
        "CI_JOB_ID": "71",
    }
