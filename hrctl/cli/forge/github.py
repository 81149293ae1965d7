"""GitHub, from inside of GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hrctl.cli.forge.api import Client, Merged, Text


class GitHub:
    """The repository that a workflow runs for. Implements `hrctl.cli.forge.api.Forge`."""

    def __init__(self, environ: Mapping[str, str], token: str) -> None:
        """Take what GitHub Actions says in the environment."""
        self._author = environ.get("HRCTL_CI_AUTHOR", "github-actions[bot]")
        self._repository = f"/repos/{environ['GITHUB_REPOSITORY']}"
        self._event = environ.get("GITHUB_EVENT_PATH")
        self.commit = environ.get("GITHUB_SHA", "")
        self.branch = _branch(environ.get("GITHUB_REF", ""))
        self._client = Client(
            "GitHub",
            environ.get("GITHUB_API_URL", "https://api.github.com"),
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    @property
    def author(self) -> str:
        """The account of a workflow's own token; HRCTL_CI_AUTHOR names that of another one."""
        return self._author

    def current_request(self) -> int | None:
        """From the event that started the workflow."""
        if not self._event:
            return None
        event = json.loads(Path(self._event).read_text("utf-8"))
        request = event.get("pull_request") or {}
        number = request.get("number")
        return int(number) if number is not None else None

    def merged_request(self, commit: str) -> Merged | None:
        """Look among those that the commit belongs to."""
        pulls = self._client.pages(f"{self._repository}/commits/{quote(commit)}/pulls")
        for pull in pulls:
            if pull.get("merged_at") and pull.get("merge_commit_sha") == commit:
                return Merged(int(pull["number"]), str((pull.get("base") or {}).get("ref") or ""))
        return None

    def comments(self, request: int) -> Iterator[Text]:
        """The comments of a pull request are those of its issue."""
        return map(_text, self._client.pages(f"{self._repository}/issues/{request}/comments"))

    def add_comment(self, request: int, body: str) -> str:
        """A new one, at the end."""
        path = f"{self._repository}/issues/{request}/comments"
        return str(self._client.call("POST", path, {"body": body})["html_url"])

    def change_comment(self, request: int, number: int, body: str) -> str:  # noqa: ARG002 - GitLab needs it
        """In place."""
        path = f"{self._repository}/issues/comments/{number}"
        return str(self._client.call("PATCH", path, {"body": body})["html_url"])

    def issues(self, label: str) -> Iterator[Text]:
        """GitHub lists pull requests among the issues."""
        path = f"{self._repository}/issues"
        for one in self._client.pages(path, state="open", labels=label):
            if "pull_request" not in one:
                yield _text(one, "number")

    def add_issue(self, title: str, body: str, label: str) -> str:
        """A label that is not there yet is made."""
        issue = {"title": title, "body": body, "labels": [label]}
        return str(self._client.call("POST", f"{self._repository}/issues", issue)["html_url"])

    def change_issue(self, number: int, body: str | None, *, close: bool) -> str:
        """In place."""
        changes = {} if body is None else {"body": body}
        if close:
            changes["state"] = "closed"
        path = f"{self._repository}/issues/{number}"
        return str(self._client.call("PATCH", path, changes)["html_url"])


def _branch(ref: str) -> str:
    """Return the name of a branch by its full ref: a tag may bear the same short name."""
    name = ref.removeprefix("refs/heads/")
    return "" if name == ref else name


def _text(item: Mapping[str, Any], number: str = "id") -> Text:
    author = (item.get("user") or {}).get("login") or ""
    return Text(int(item[number]), item.get("body") or "", str(author))
