"""What changes as a configuration without subscriptions, since `--mode validate` reads no files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hrctl.drivers.envoy.assembly import Made
from hrctl.drivers.envoy.names import Resource
from hrctl.drivers.envoy.snapshot import CDS, LDS, RTDS, Parsed, eds, rds


def inlined(made: Made, old: Parsed) -> Resource | None:
    """Listeners and clusters for Envoy to look into; None where there is nothing that it could.

    Only what is not as in the old files is in it, and the clusters that changed routes name. A
    weight that stands apart is a number between others, and nothing to look into.
    """
    changed = {path for path, held in made.fresh.items() if held != old[path]} - {RTDS}
    if not changed:
        return None
    new = Parsed(made.kept)

    def held(path: str) -> list[dict[str, Any]]:
        return made.fresh[path] if path in made.fresh else new[path]

    inside = []
    for one in held(LDS):
        path = rds(one["name"])
        if LDS in changed or path in changed:
            route = next(iter(held(path)), None)
            inside.append(_with_routes(one, route, old[path]))
    text = json.dumps(inside)
    before = {str(one.get("name")): one for one in old[CDS]} if CDS in changed else {}
    static = []
    for one in held(CDS):
        path = eds(one["name"])
        fresh = CDS in changed and before.get(one["name"]) != one
        if fresh or path in changed or f'"{one["name"]}"' in text:
            static.append(_with_endpoints(one, next(iter(held(path)), None)))
    return {"listeners": inside, "clusters": static}


def _with_routes(listener: Resource, route: Resource | None, old: list[dict[str, Any]]) -> Resource:
    kept = {key: item for key, item in listener.items() if key != "@type"}
    if route is None:
        return kept
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    inner = {key: item for key, item in manager.items() if key != "rds"}
    inner["route_config"] = {key: item for key, item in route.items() if key != "@type"}
    inner["route_config"]["validate_clusters"] = True
    known = {host["name"]: host for one in old for host in _hosts(one)}
    hosts = [one for one in route["virtual_hosts"] if known.get(one["name"]) != one]
    inner["route_config"]["virtual_hosts"] = hosts
    chain = {"filters": [{**listener["filter_chains"][0]["filters"][0], "typed_config": inner}]}
    return {**kept, "filter_chains": [chain]}


def _hosts(route: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The virtual hosts of a configuration that somebody may have edited."""
    found = route.get("virtual_hosts")
    some = found if isinstance(found, list) else []
    return [one for one in some if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _with_endpoints(cluster: Resource, assignment: Resource | None) -> Resource:
    kept = {key: item for key, item in cluster.items() if key != "@type"}
    if assignment is None:
        return kept
    inner = {key: item for key, item in assignment.items() if key != "@type"}
    del kept["eds_cluster_config"]
    return {**kept, "type": "STATIC", "load_assignment": inner}
