"""Parents: features of which another one depends, in all environments.

No list has them. Unleash says whether there are any at all; its search says which features have
one, and each of those is then asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from hrctl.drivers.unleash.client import Client, asked, part

Parent = dict[str, Any]
_PAGE: Final = 100  # the most that a search answers


def parents_of(feature: Mapping[str, Any]) -> list[Parent]:
    """The parents of a feature as the Admin API has it: that they are on, unless it says more."""
    found = []
    for one in feature.get("dependencies") or ():
        made = {"parent": one["feature"]}
        if not one.get("enabled", True):
            made["enabled"] = False
        if one.get("variants"):
            made["variants"] = sorted(one["variants"])
        found.append(made)
    return sorted(found, key=lambda one: str(one["parent"]))


def all_parents(client: Client, projects: Collection[str]) -> dict[str, list[Parent]]:
    """The parents of every feature of some projects that has one."""
    found: dict[str, list[Parent]] = {}
    for project in sorted(projects):
        home = f"/projects/{part(project)}"
        if not found and not asked(client, "GET", f"{home}/dependencies"):
            return {}  # it answers for all projects
        for name in _children(client, project):
            whole = asked(client, "GET", f"{home}/features/{part(name)}")
            found[name] = parents_of(whole)
    return found


def _children(client: Client, project: str) -> list[str]:
    found: list[str] = []
    at = 0
    while True:
        query = {"project": f"IS:{project}", "offset": at, "limit": _PAGE}
        page = asked(client, "GET", f"/search/features?{urlencode(query)}")
        found += [one["name"] for one in page["features"] if one["dependencyType"] == "child"]
        at += len(page["features"])
        if not page["features"] or at >= page["total"]:
            return found
