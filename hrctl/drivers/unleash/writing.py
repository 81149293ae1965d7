"""One feature made what is wanted, in a few requests.

The mark goes first: a write that is cut off is drift, and not somebody else's. It goes with a test
of what stood there before, so that of two that write at once one fails. Where the answer to a
request gets lost, the feature is read again, and only what is missing is done.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any, Final

from hrctl.drivers.unleash.client import Lost, Refusal, part
from hrctl.drivers.unleash.feature import Feature, is_on
from hrctl.drivers.unleash.marks import TAG, all_marks, described, tag_of
from hrctl.drivers.unleash.places import Place
from hrctl.drivers.unleash.server import Server, path_of
from hrctl.drivers.unleash.strategies import Strategy, normal
from hrctl.drivers.unleash.tags import wanted_by

_EXISTS: Final = 409
_NOT_FOUND: Final = 404
_FAULT: Final = 500
_TEST_FAILED: Final = "Test operation failed"
_TRIES: Final = 4
_WAIT: Final = 0.2  # seconds; doubled each time


class Exists(Exception):  # noqa: N818 - an answer, no fault
    """The name is taken, by a feature that is there or by one that was archived."""


class Moved(Exception):  # noqa: N818 - an answer, no fault
    """Somebody wrote the description meanwhile."""


class Writer:
    """Writes features. `project` is hrctl's, which the tag names."""

    def __init__(self, server: Server, project: str) -> None:
        self._server = server
        self._client = server.client
        self._project = project
        self._tag = {"type": TAG, "value": tag_of(project)}
        self._has_tag = False
        self._types: set[str] = set()
        self._lock = Lock()

    def write(
        self,
        name: str,
        place: Place,
        found: Feature | None,
        mark: dict[str, Any],
        wanted: list[Strategy],
    ) -> Feature:
        """Make a feature what is wanted, as a whole; `found` is what stands there now.

        Raises:
            Exists: where nothing was found, and the name is taken.
            Moved: where it is not as it was found.
            HrctlError: HR080, where answers get lost again and again.
            Refusal: where Unleash does not take it.
        """
        ours = found is not None
        wait = _WAIT
        for left in reversed(range(_TRIES)):
            try:
                return self._written(name, place, found, mark, wanted)
            except Exists:
                found = self._server.feature(name, place.project, place.environment)
                if ours or found is None or found.marks != mark:
                    raise
                ours = True  # the answer to the request that made it got lost
            except Lost as lost:
                if not left:
                    raise self._client.lost(lost) from lost
                time.sleep(wait)
                wait *= 2
                found = self._server.feature(name, place.project, place.environment)
        raise AssertionError  # the last round returns or raises

    def remove(self, found: Feature) -> None:
        """Archive a feature; one that is used in other environments only leaves this one.

        By whomever: people may have turned it on where hrctl writes nothing.
        """
        if not set(all_marks(found.description)) - {found.environment} and not found.elsewhere:
            self._delete(path_of(found.project, found.name))
            return
        self._cleared(found)
        without = described(found.description, found.environment, None)
        self._describe(found, without)
        self._mark(found, ours=bool(all_marks(without)))

    def revived(self, name: str, place: Place) -> Feature | None:
        """A feature that was archived, without what hrctl left in it when it was.

        None where it is not in the project.
        """
        try:
            revive = f"/projects/{part(place.project)}/revive"
            self._client.call("POST", revive, {"features": [name]})
        except Refusal:
            return None
        found = self._server.feature(name, place.project, place.environment)
        if found is None or found.project != place.project:
            return None
        description = found.description
        for environment in all_marks(found.description):
            one = self._server.feature(name, place.project, environment)
            if one is not None:
                self._cleared(one)
            description = described(description, environment, None)
        found = self._server.feature(name, place.project, place.environment)
        if found is not None:
            self._describe(found, description)
        return found

    def _cleared(self, found: Feature) -> None:
        if found.enabled:
            self._turn(found, on=False)
        self._replace(found, [])

    def _written(
        self,
        name: str,
        place: Place,
        found: Feature | None,
        mark: dict[str, Any],
        wanted: list[Strategy],
    ) -> Feature:
        if found is None:
            found = self._made(name, place, mark)
        else:
            self._describe(found, described(found.description, place.environment, mark))
            self._mark(found)
            if found.parents:
                self._delete(f"{path_of(found.project, name)}/dependencies")
                found.parents = []
        on = is_on(mark["body"])
        if found.enabled and not on:
            self._turn(found, on=False)
        self._replace(found, wanted)
        if on and not found.enabled:
            self._turn(found, on=True)
        return found

    def _made(self, name: str, place: Place, mark: dict[str, Any]) -> Feature:
        self._require_tag()
        description = described("", place.environment, mark)
        body = {"name": name, "type": "release", "description": description, "tags": [self._tag]}
        try:
            self._client.call("POST", f"/projects/{part(place.project)}/features", body)
        except Refusal as refusal:
            if refusal.status != _EXISTS:
                raise
            raise Exists from refusal
        made = Feature(name, place.project, place.environment, description)
        made.tags, made.named = frozenset({(TAG, self._tag["value"])}), self._server.named_tags
        self._mark(made)
        return made

    def _describe(self, found: Feature, description: str) -> None:
        if description == found.description:
            return
        patch = [
            {"op": "test", "path": "/description", "value": found.description},
            {"op": "replace", "path": "/description", "value": description},
        ]
        if not found.description:  # which may be null
            del patch[0]
        try:
            self._client.call("PATCH", path_of(found.project, found.name), patch)
        except Refusal as refusal:
            if refusal.status == _FAULT and refusal.said.startswith(_TEST_FAILED):
                raise Moved from refusal
            raise
        found.description = description

    def _mark(self, found: Feature, *, ours: bool = True) -> None:
        """The tag that says whose it is, and those that labels want.

        Others of their types go.
        """
        if found.tags is None:
            found.tags = self._server.tags(found.name)
        named = found.named
        wanted = wanted_by(all_marks(found.description), named)
        mine = {(TAG, self._tag["value"])}
        added = (wanted | (mine if ours else set())) - found.tags
        removed = {one for one in found.tags if one[0] in named} - wanted
        removed |= set() if ours else mine & found.tags
        if not added and not removed:
            return
        self._require_types({kind for kind, _ in added})
        sets = {"addedTags": added, "removedTags": removed}
        body = {
            key: [{"type": kind, "value": value} for kind, value in sorted(one)]
            for key, one in sets.items()
        }
        self._client.call("PUT", f"/features/{part(found.name)}/tags", body)
        found.tags = (found.tags | added) - removed

    def _require_tag(self) -> None:
        """The tag itself, once: a feature can only be made with tags that exist."""
        self._require_types({TAG})
        with self._lock:
            if not self._has_tag:
                self._made_once("/tags", self._tag)
            self._has_tag = True

    def _require_types(self, types: set[str]) -> None:
        """The types of tags, each once."""
        with self._lock:
            for kind in sorted(types - self._types):
                said = "hrctl writes these flags" if kind == TAG else "a label of hrctl's flags"
                self._made_once("/tag-types", {"name": kind, "description": said, "icon": ""})
                self._types.add(kind)

    def _made_once(self, path: str, body: dict[str, str]) -> None:
        try:
            self._client.call("POST", path, body)
        except Refusal as refusal:
            if refusal.status != _EXISTS:
                raise

    def _turn(self, found: Feature, *, on: bool) -> None:
        path = f"{_environment(found)}/{'on' if on else 'off'}"
        self._client.call("POST", path)
        found.enabled = on

    def _replace(self, found: Feature, wanted: list[Strategy]) -> None:
        """Strategies in order: those that are there are put whole, the rest added or deleted.

        A PUT drops what it leaves out, so all is said. A title that people gave stays.
        """
        path = f"{_environment(found)}/strategies"
        now = []
        for at, one in enumerate(wanted):
            held = found.found[at] if at < len(found.found) else None
            whole = {"constraints": [], "variants": [], **one, "disabled": False, "sortOrder": at}
            whole["segments"] = self._ids(one.get("segments") or ())
            if held is None:
                held = self._client.call("POST", path, whole)
            elif normal(held) != normal(one) or held.get("sortOrder") != at:
                if held.get("title"):
                    whole["title"] = held["title"]
                held = self._client.call("PUT", f"{path}/{held['id']}", whole)
            else:
                now.append(held)
                continue
            now.append(self._server.named(held))
        for one in found.found[len(wanted) :]:
            self._delete(f"{path}/{one['id']}")
        found.found = now

    def _delete(self, path: str) -> None:
        """What is gone already is gone: the answer to an earlier request may have been lost."""
        try:
            self._client.call("DELETE", path)
        except Refusal as refusal:
            if refusal.status != _NOT_FOUND:
                raise

    def _ids(self, segments: Any) -> list[int]:
        """The ids of segments, which were there a moment ago."""
        names = {one["name"] for one in segments}
        if not names:
            return []
        return [number for number, one in self._server.segments().items() if one["name"] in names]


def _environment(found: Feature) -> str:
    return f"{path_of(found.project, found.name)}/environments/{part(found.environment)}"
