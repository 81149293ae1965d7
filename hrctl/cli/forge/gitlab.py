"""GitLab, from inside of GitLab CI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from hrctl.cli.forge.api import Client, Merged, Text


class GitLab:
    """The project that a pipeline runs for. Implements `hrctl.cli.forge.api.Forge`."""

    def __init__(self, environ: Mapping[str, str], token: str) -> None:
        """Take what GitLab CI says in the environment."""
        self._project = f"/projects/{quote(environ['CI_PROJECT_ID'], safe='')}"
        self._request = environ.get("CI_MERGE_REQUEST_IID")
        self.commit = environ.get("CI_COMMIT_SHA", "")
        self.branch = environ.get("CI_COMMIT_BRANCH", "")
        self._client = Client("GitLab", environ["CI_API_V4_URL"], {"PRIVATE-TOKEN": token})

    @cached_property
    def author(self) -> str:
        """Whom the token belongs to."""
        return str(self._client.call("GET", "/user")["username"])

    def current_request(self) -> int | None:
        """A pipeline for merge requests says which."""
        return int(self._request) if self._request else None

    def merged_request(self, commit: str) -> Merged | None:
        """Look among those that the commit belongs to; one without a merge has its tip, `sha`."""
        path = f"{self._project}/repository/commits/{quote(commit)}/merge_requests"
        for request in self._client.pages(path):
            names = ("merge_commit_sha", "squash_commit_sha", "sha")
            made = next((request[name] for name in names if request.get(name)), None)
            if request.get("state") == "merged" and made == commit:
                return Merged(int(request["iid"]), str(request.get("target_branch") or ""))
        return None

    def comments(self, request: int) -> Iterator[Text]:
        """GitLab calls them notes."""
        path = f"{self._project}/merge_requests/{request}/notes"
        return map(_text, self._client.pages(path, sort="asc", order_by="created_at"))

    def add_comment(self, request: int, body: str) -> str:
        """A new one, at the end."""
        path = f"{self._project}/merge_requests/{request}/notes"
        return f"note {self._client.call('POST', path, {'body': body})['id']}"

    def change_comment(self, request: int, number: int, body: str) -> str:
        """In place."""
        path = f"{self._project}/merge_requests/{request}/notes/{number}"
        return f"note {self._client.call('PUT', path, {'body': body})['id']}"

    def issues(self, label: str) -> Iterator[Text]:
        """Open ones."""
        found = self._client.pages(f"{self._project}/issues", state="opened", labels=label)
        return (_text(one, "iid", "description") for one in found)

    def add_issue(self, title: str, body: str, label: str) -> str:
        """A label that is not there yet is made."""
        issue = {"title": title, "description": body, "labels": label}
        return str(self._client.call("POST", f"{self._project}/issues", issue)["web_url"])

    def change_issue(self, number: int, body: str | None, *, close: bool) -> str:
        """In place."""
        changes = {} if body is None else {"description": body}
        if close:
            changes["state_event"] = "close"
        path = f"{self._project}/issues/{number}"
        return str(self._client.call("PUT", path, changes)["web_url"])


def _text(item: Mapping[str, Any], number: str = "id", body: str = "body") -> Text:
    author = (item.get("author") or {}).get("username") or ""
    return Text(int(item[number]), item.get(body) or "", str(author))
