"""What stands in an Unleash: all features of an environment in a few requests, or one alone.

Unleash's export would have all in one request, and keeps everything that it gave as an event. So
strategies come from its playground, which is asked about nobody, and descriptions and tags from
the list of a project; neither leaves a trace.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from hrctl.drivers.unleash.client import Client, Refusal, asked, part
from hrctl.drivers.unleash.feature import Feature
from hrctl.drivers.unleash.parents import Parent, all_parents, parents_of
from hrctl.drivers.unleash.tags import Tags

_NOT_FOUND: Final = 404
_ELSEWHERE: Final = "but there's a feature with that name in project"
Segment = dict[str, Any]  # its name and its constraints
Overview = dict[str, tuple[str, Tags, list[Parent]]]  # name -> description, tags, parents


class Server:
    """What the driver asks of an Unleash. `named` are the types of tags that are labels."""

    def __init__(self, client: Client, named: tuple[str, ...] = ()) -> None:
        self.client = client
        self.named_tags = named
        self._segments: dict[int, Segment] | None = None
        self._limits: dict[str, int] | None = None

    def projects(self) -> list[str]:
        """The ids of its projects."""
        return [one["id"] for one in self.asked("GET", "/projects")["projects"]]

    def environments(self) -> list[str]:
        """The names of its environments."""
        return [one["name"] for one in self.asked("GET", "/environments")["environments"]]

    def segments(self) -> dict[int, Segment]:
        """Segments by id, as they were when last looked at."""
        if self._segments is None:
            found = self.asked("GET", "/segments")["segments"]
            self._segments = {one["id"]: _segment(one) for one in found}
        return self._segments

    def limits(self) -> dict[str, int]:
        """How much of what it allows, by Unleash's names; nothing where it does not say."""
        if self._limits is None:
            self._limits = self.asked("GET", "/ui-config").get("resourceLimits") or {}
        return self._limits

    def overview(self, projects: Collection[str]) -> Overview:
        """The descriptions, tags and parents of all features of some projects."""
        parents = all_parents(self.client, projects)
        return {
            one["name"]: (
                one.get("description") or "",
                _tags(one.get("tags") or ()),
                parents.get(one["name"], []),
            )
            for project in sorted(projects)
            for one in self.asked("GET", f"/projects/{part(project)}/features")["features"]
        }

    def features(self, environment: str, overview: Overview) -> list[Feature]:
        """All features that are not archived; without description where the overview has none."""
        self._segments = None
        query = {"environments": [environment], "projects": "*", "context": {"appName": "hrctl"}}
        found = self.asked("POST", "/playground/advanced", query)
        made = []
        for one in found["features"]:
            (state,) = one["environments"][environment]
            description, tags, parents = overview.get(one["name"], ("", None, []))
            feature = Feature(one["name"], one["projectId"], environment, description)
            feature.tags, feature.named, feature.parents = tags, self.named_tags, parents
            feature.enabled = state["isEnabledInCurrentEnvironment"]
            feature.found = [_from_playground(held) for held in state["strategies"]["data"]]
            made.append(feature)
        return made

    def feature(self, name: str, project: str, environment: str) -> Feature | None:
        """One feature as it is now; None where it is not there, or archived.

        Without its tags, where none is a label.
        """
        try:
            whole = self.client.call("GET", path_of(project, name))
        except Refusal as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            if _ELSEWHERE in refusal.said:
                other = refusal.said.rpartition(_ELSEWHERE)[2].strip(' "')
                return Feature(name, other, environment)
            return None
        made = Feature(name, whole["project"], environment, whole.get("description") or "")
        if self.named_tags:
            made.tags, made.named = self.tags(name), self.named_tags
        made.parents = parents_of(whole)
        made.elsewhere = False
        for one in whole["environments"]:
            strategies = one.get("strategies") or []
            if one["name"] != environment:
                made.elsewhere = made.elsewhere or bool(one["enabled"] or strategies)
                continue
            made.enabled = one["enabled"]
            made.found = [self.named(held) for held in strategies]
        return made

    def tags(self, name: str) -> Tags:
        """The tags of a feature."""
        return _tags(self.asked("GET", f"/features/{part(name)}/tags")["tags"])

    def named(self, strategy: dict[str, Any]) -> dict[str, Any]:
        """A strategy with its segments instead of their ids."""
        ids = strategy.get("segments")
        if not ids:
            return strategy
        if any(one not in self.segments() for one in ids):
            self._segments = None
        known = self.segments()
        unknown: Segment = {"constraints": []}
        return {
            **strategy,
            "segments": [known.get(one) or {"name": f"#{one}", **unknown} for one in ids],
        }

    def asked(self, method: str, path: str, body: Any = None) -> Any:
        """What it answers.

        Raises:
            HrctlError: HR080, also where it refuses.
        """
        return asked(self.client, method, path, body)


def path_of(project: str, name: str) -> str:
    """Where the Admin API has a feature."""
    return f"/projects/{part(project)}/features/{part(name)}"


def _from_playground(held: dict[str, Any]) -> dict[str, Any]:
    return {
        **held,
        "variants": held["result"].get("variants") or [],
        "segments": [_segment(one) for one in held.get("segments") or ()],
    }


def _segment(found: dict[str, Any]) -> Segment:
    return {"name": found["name"], "constraints": found.get("constraints") or []}


def _tags(found: Any) -> Tags:
    return frozenset((one["type"], one["value"]) for one in found)
