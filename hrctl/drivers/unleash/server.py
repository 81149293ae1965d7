"""Features as an Unleash has them: read with one request, written whole."""

from __future__ import annotations

from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.unleash.client import Client, Refusal, part
from hrctl.drivers.unleash.feature import Feature, all_marks, described, is_on
from hrctl.drivers.unleash.places import Place
from hrctl.drivers.unleash.strategies import Strategy, normal

_EXISTS: Final = 409


class Server:
    """What the driver asks of an Unleash."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def projects(self) -> list[str]:
        """The ids of its projects."""
        return [one["id"] for one in self._asked("GET", "/projects")["projects"]]

    def environments(self) -> list[str]:
        """The names of its environments."""
        return [one["name"] for one in self._asked("GET", "/environments")["environments"]]

    def features(self, environment: str, names: list[str] | None = None) -> list[Feature]:
        """All features that are not archived, or those of some names, in one request."""
        query = {"environment": environment, "features": names or []}
        found = self._asked("POST", "/features-batch/export", query)
        made = {
            one["name"]: Feature(
                one["name"], one["project"], environment, one.get("description") or ""
            )
            for one in found["features"]
            if not one.get("archived")
        }
        for one in found["featureEnvironments"]:
            if one["featureName"] in made and one["environment"] == environment:
                made[one["featureName"]].enabled = one["enabled"]
        for one in found["featureStrategies"]:
            if one["featureName"] in made:
                made[one["featureName"]].found.append(one)
        for feature in made.values():  # they come in no order: their titles have it
            feature.found.sort(key=lambda one: (one.get("title") or "~", one["id"]))
        return list(made.values())

    def write(
        self,
        name: str,
        place: Place,
        found: Feature | None,
        mark: dict[str, Any],
        wanted: list[Strategy],
    ) -> Feature:
        """Make a feature what is wanted, as a whole; one that was archived is revived.

        The mark goes first: a write that is cut off is drift, and not somebody else's.
        """
        if found is None:
            found = self._made(name, place, mark)
        else:
            self._describe(found, described(found.description, place.environment, mark))
        on = is_on(mark["body"])
        if found.enabled and not on:
            self._turn(found, on=False)
        self._replace(found, wanted)
        if on and not found.enabled:
            self._turn(found, on=True)
        return found

    def remove(self, found: Feature) -> None:
        """Archive a feature; one that is used in other environments only leaves this one.

        By whomever: people may have turned it on where hrctl writes nothing.
        """
        alone = set(all_marks(found.description)) == {found.environment}
        if alone and not self._is_used_elsewhere(found):
            self._client.call("DELETE", _path(found.project, found.name))
            return
        self._turn(found, on=False)
        self._replace(found, [])
        self._describe(found, described(found.description, found.environment, None))

    def _is_used_elsewhere(self, found: Feature) -> bool:
        whole = self._client.call("GET", _path(found.project, found.name))
        return any(
            one["enabled"] or one.get("strategies")
            for one in whole["environments"]
            if one["name"] != found.environment
        )

    def _made(self, name: str, place: Place, mark: dict[str, Any]) -> Feature:
        description = described("", place.environment, mark)
        body = {"name": name, "type": "release", "description": description}
        try:
            self._client.call("POST", f"/projects/{part(place.project)}/features", body)
        except Refusal as refusal:
            if refusal.status != _EXISTS:
                raise
            return self._revived(name, place, description)
        return Feature(name, place.project, place.environment, description)

    def _revived(self, name: str, place: Place, description: str) -> Feature:
        revive = f"/projects/{part(place.project)}/revive"
        self._client.call("POST", revive, {"features": [name]})
        found = self.features(place.environment, [name])
        if not found or found[0].project != place.project:
            raise HrctlError(
                Diagnostic(
                    "HR267",
                    f"the flag '{name}' in Unleash at {self._client.url} belongs to another of "
                    "Unleash's projects, where it is archived",
                    hint="delete it there, or give this one another name",
                )
            )
        self._describe(found[0], description)
        return found[0]

    def _describe(self, found: Feature, description: str) -> None:
        patch = [{"op": "replace", "path": "/description", "value": description}]
        self._client.call("PATCH", _path(found.project, found.name), patch)
        found.description = description

    def _turn(self, found: Feature, *, on: bool) -> None:
        path = f"{_environment(found)}/{'on' if on else 'off'}"
        self._client.call("POST", path)
        found.enabled = on

    def _replace(self, found: Feature, wanted: list[Strategy]) -> None:
        """Strategies in order: those that are there are put whole, the rest added or deleted."""
        path = f"{_environment(found)}/strategies"
        now = []
        for at, one in enumerate(wanted):
            held = found.found[at] if at < len(found.found) else None
            title = f"hrctl {at + 1:02}"
            whole = {"segments": [], "variants": [], "disabled": False, **one, "title": title}
            whole["sortOrder"] = at
            if held is None:
                held = self._client.call("POST", path, whole)
            elif normal(held) != normal(one) or held.get("title") != title:
                held = self._client.call("PUT", f"{path}/{held['id']}", whole)
            now.append(held)
        for one in found.found[len(wanted) :]:
            self._client.call("DELETE", f"{path}/{one['id']}")
        found.found = now

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        try:
            return self._client.call(method, path, body)
        except Refusal as refusal:
            raise HrctlError.of(
                "HR080", f"Unleash at {self._client.url} answers {path} with {refusal}"
            ) from refusal


def _path(project: str, name: str) -> str:
    return f"/projects/{part(project)}/features/{part(name)}"


def _environment(found: Feature) -> str:
    return f"{_path(found.project, found.name)}/environments/{part(found.environment)}"
