"""All of Envoy's files for a set of resources: what each holds, and where it lies.

    lds/listeners.json                every listener
    cds/clusters.json                 every cluster
    rds/<listener>/routes.json        the route configuration of one HTTP listener
    eds/<cluster>/endpoints.json      the endpoints of one cluster

Each folder is watched by one subscription alone. A file's `version_info` is the digest of what it
holds, so a file with the same version is the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from hrctl.drivers.envoy import clusters, listeners, routes
from hrctl.drivers.envoy.names import Resource, socket_address, source
from hrctl.logic.grid.selection import Nodes
from hrctl.model.address import Address
from hrctl.model.values import Body, Json, canonical

LDS: Final = "lds/listeners.json"
CDS: Final = "cds/clusters.json"
# Envoy takes an inotify instance for each subscription, of which a user has 128, and dies where
# there are no more. Beyond so many files of a sort all of the sort stand in the list above them.
MOST_FILES: Final = 40
DEFAULT_LISTEN: Final = "127.0.0.1:10000"

Files = dict[str, bytes]
Spec = Mapping[str, Json]


def rds(listen: str) -> str:
    """The file of a listener's routes."""
    return f"rds/{listeners.stat_prefix(listen)}/routes.json"


def eds(cluster: str) -> str:
    """The file of a cluster's endpoints."""
    return f"eds/{cluster}/endpoints.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What beside the resources goes into the files.

    `folder` is where Envoy finds them; `listen` is where routes listen that do not say so;
    `traces` is the OTLP receiver, host:port or the path of a unix socket.
    """

    folder: Path
    listen: str = DEFAULT_LISTEN
    traces: str | None = None

    def source(self, path: str) -> Resource:
        """The subscription to one of the files."""
        place = self.folder / path
        return source(str(place), str(place.parent))


def listen_of(spec: Spec, settings: Settings) -> str:
    """Where a route listens."""
    return str(spec.get("listen") or settings.listen)


def split(bodies: Mapping[Address, Body]) -> tuple[dict[Address, Spec], dict[Address, Spec]]:
    """The specs of the routes, and those of the nodes."""
    found: dict[str, dict[Address, Spec]] = {"Route": {}, "Node": {}}
    for address, body in bodies.items():
        found[address.kind][address] = body["spec"]
    return found["Route"], found["Node"]


def files(bodies: Mapping[Address, Body], settings: Settings) -> Files:
    """Every file, by its path below the folder."""
    declared, grid = split(bodies)
    nodes = Nodes(grid)
    grids = sum("grid" in one for spec in declared.values() for one in spec["destinations"])
    watched = (lambda name: settings.source(eds(name))) if grids <= MOST_FILES else None
    by_listen: dict[str, dict[str, Spec]] = {}
    made_clusters: list[Resource] = []
    found: Files = {}
    for address, spec in sorted(declared.items()):
        by_listen.setdefault(listen_of(spec, settings), {})[address] = spec
        for cluster, assignment in clusters.clusters(address, spec, nodes, watched):
            made_clusters.append(cluster)
            if cluster["type"] == "EDS":
                found[eds(cluster["name"])] = response([assignment])
    made_listeners = []
    for listen, some in sorted(by_listen.items()):
        if any(spec["type"] == "TCP" for spec in some.values()):
            made_listeners.append(listeners.tcp(listen, some))
            continue
        name = listeners.stat_prefix(listen)
        way = routes.configuration(name, some)
        if len(by_listen) <= MOST_FILES:
            found[rds(listen)] = response([way])
            way = {"route_config_name": name, "config_source": settings.source(rds(listen))}
            way = {"rds": way}
        else:
            way = {"route_config": {key: item for key, item in way.items() if key != "@type"}}
        traced = settings.traces is not None
        made_listeners.append(listeners.http(listen, way, list(some.values()), traced=traced))
    if settings.traces is not None and is_traced(declared.values()):
        made_clusters.append(_traces(settings.traces))
    found[CDS] = response(made_clusters)
    found[LDS] = response(made_listeners)
    return found


def is_traced(declared: Iterable[Spec]) -> bool:
    """Whether any of these routes leaves traces."""
    return any(spec.get("tracing") for spec in declared)


def _traces(receiver: str) -> Resource:
    pipe = {"pipe": {"path": receiver}}
    address = pipe if receiver.startswith("/") else socket_address(receiver)
    endpoint = {"endpoint": {"address": address}}
    return {
        "@type": clusters.CLUSTER,
        "name": listeners.TRACES,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": listeners.TRACES,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def response(resources: Iterable[Resource]) -> bytes:
    """A discovery response, its version the digest of what it holds."""
    text = json.dumps(list(resources), sort_keys=True, separators=(",", ":"))
    version = blake2b(text.encode(), digest_size=8).hexdigest()
    return f'{{"version_info":"{version}","resources":{text}}}\n'.encode()


def vacant(path: str) -> bytes:
    """The file of a listener that is gone.

    It stays: while the listener drains, its subscription lives, and one that comes back at the same
    address shares it. With the folder gone it would never hear of its routes.
    """
    name = path.split("/")[1]
    return response([{"@type": routes.ROUTES, "name": name, "virtual_hosts": []}])


def with_vacant(found: Files, old: Iterable[str]) -> Files:
    """The files, and those of listeners that were there before."""
    gone = (path for path in old if path.startswith("rds/") and path not in found)
    return found | {path: vacant(path) for path in gone}


def version_of(data: bytes) -> str:
    """The version of a file of ours."""
    found: str = json.loads(data)["version_info"]
    return found


def resources_of(data: bytes) -> list[dict[str, Any]]:
    """What a file holds; nothing where it is damaged."""
    try:
        found = json.loads(data)["resources"]
    except (ValueError, KeyError, TypeError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def inlined(found: Files, changed: Iterable[str], old: Files) -> Resource:
    """A configuration without subscriptions, for `envoy --mode validate` to look into.

    Only what is not as in the old files is in it, and the clusters that changed routes name.
    """
    changed = set(changed)
    made_listeners, made_clusters = resources_of(found[LDS]), resources_of(found[CDS])
    before = {canonical(one) for one in resources_of(old.get(CDS, b""))} if CDS in changed else ()
    inside = []
    for one in made_listeners:
        path = rds(one["name"])
        if LDS in changed or path in changed:
            inside.append(_with_routes(one, found.get(path), old.get(path)))
    text = json.dumps(inside)
    static = []
    for one in made_clusters:
        path = eds(one["name"])
        fresh = CDS in changed and canonical(one) not in before
        if fresh or path in changed or f'"{one["name"]}"' in text:
            static.append(_with_endpoints(one, found.get(path)))
    return {"listeners": inside, "clusters": static}


def _with_routes(listener: Resource, data: bytes | None, old: bytes | None) -> Resource:
    kept = {key: item for key, item in listener.items() if key != "@type"}
    if data is None:
        return kept
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    inner = {key: item for key, item in manager.items() if key != "rds"}
    (route,) = resources_of(data)
    inner["route_config"] = {key: item for key, item in route.items() if key != "@type"}
    inner["route_config"]["validate_clusters"] = True
    if old is not None:
        hosts = [host for one in resources_of(old) for host in one.get("virtual_hosts", ())]
        known = set(map(canonical, hosts))
        hosts = [one for one in route["virtual_hosts"] if canonical(one) not in known]
        inner["route_config"]["virtual_hosts"] = hosts
    chain = {"filters": [{**listener["filter_chains"][0]["filters"][0], "typed_config": inner}]}
    return {**kept, "filter_chains": [chain]}


def _with_endpoints(cluster: Resource, data: bytes | None) -> Resource:
    kept = {key: item for key, item in cluster.items() if key != "@type"}
    if data is None:
        return kept
    (assignment,) = resources_of(data)
    inner = {key: item for key, item in assignment.items() if key != "@type"}
    del kept["eds_cluster_config"]
    return {**kept, "type": "STATIC", "load_assignment": inner}
